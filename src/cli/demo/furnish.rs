//! What the demo puts into its folder before the service starts: settings, a sealing key, mappings.
//!
//! The folder is one that `tandem serve` could be started in. Nothing outside of it is read, so
//! that no setting of the user's own gets into a demo.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use secrecy::ExposeSecret;

use crate::config::{self, Environment};
use crate::vault::Keyring;

use super::super::data::{FILE, WORKSPACE};
use super::super::files;
use super::super::service;
use super::super::sim::Simulators;
use super::second;

/// Mappings that both workspaces have. The others are the first one's own.
const SHARED: [&str; 2] = ["companies.yaml", "contacts.yaml"];

/// Fills `folder`, and reads back the settings as `tandem serve` would. The apps are those of
/// `simulators`, which are registered the same with every account; `platforms` is where both
/// platforms are reached.
///
/// # Errors
/// A folder that cannot be written.
pub fn furnish(
    folder: &Path,
    address: SocketAddr,
    platforms: &str,
    simulators: &Simulators,
) -> anyhow::Result<config::Service> {
    let key = Keyring::fresh_line("key-1");
    let key = format!("{}\n", key.expose_secret());
    service::write(&folder.join("tandem.key"), &key, true)?;
    let (hubspot, salesforce) = (&simulators.hubspot_client, &simulators.salesforce_client);
    let text = format!(
        "# Written by `tandem demo`. Both platforms are simulators that end with it.\n\n\
         [server]\nlisten = \"{address}\"\npublic_url = \"http://{address}\"\n\n\
         [store]\nurl = \"{FILE}\"\n\n[mappings]\nfolder = \"mappings\"\n\n\
         [hubspot]\nurl = \"{platforms}\"\nauthorize_url = \"{platforms}\"\n\
         client_id = \"{}\"\nclient_secret = \"{}\"\n\n\
         [salesforce]\nlogin_url = \"{platforms}\"\n\
         client_id = \"{}\"\nclient_secret = \"{}\"\n",
        hubspot.0, hubspot.1, salesforce.0, salesforce.1,
    );
    let file = folder.join("tandem.toml");
    service::write(&file, &text, false)?;
    mappings(&folder.join("mappings"))?;
    service::settings(&file, &Environment::from_pairs([]))
}

/// The shipped mappings, and in the place of one of them the second workspace's own.
fn mappings(folder: &Path) -> anyhow::Result<()> {
    let (first, second) = (folder.join(WORKSPACE), folder.join(second::WORKSPACE));
    for folder in [&first, &second] {
        let shown = folder.display();
        fs::create_dir_all(folder).with_context(|| format!("cannot make {shown}"))?;
    }
    for file in files::shipped() {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        let into = if SHARED.contains(&name) {
            folder
        } else {
            &first
        };
        service::write(&into.join(name), &file.text, false)?;
    }
    service::write(&second.join("contacts.yaml"), second::CONTACTS, false)
}
