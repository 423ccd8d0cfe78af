//! `tandem hubspot-app`: the files of a HubSpot project, made from the mappings. No network.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use url::{Host, Url};

use crate::prepare::{App, AppFile, Distribution, hubspot_app};

use super::arguments::MappingsArgs;
use super::files;
use super::output::{Advice, Outcome, Output};
use super::plan::save;

#[derive(Debug, Args)]
pub struct HubSpotAppArgs {
    #[command(flatten)]
    mappings: MappingsArgs,
    /// Folder of the project; made when it is missing.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The public address of the service: https, and a name rather than a number.
    #[arg(long, value_name = "URL")]
    url: String,
    /// What people see who install the app.
    #[arg(long, value_name = "NAME", default_value = "Tandem")]
    name: String,
    /// For any account, in place of accounts that the owner of the app names one by one.
    #[arg(long)]
    marketplace: bool,
    /// Write over files that say something else.
    #[arg(long)]
    force: bool,
}

pub fn run(args: &HubSpotAppArgs, output: &Output) -> anyhow::Result<Outcome> {
    let loaded = files::mappings(args.mappings.mappings.as_deref())?;
    let url = public_url(&args.url)?;
    let name = args.name.trim();
    if name.is_empty() {
        return Err(Advice::new(
            "an app needs a name",
            "give one with --name, or leave it out",
        )
        .into());
    }
    let distribution = match args.marketplace {
        true => Distribution::Marketplace,
        false => Distribution::Private,
    };
    let app = hubspot_app(&loaded.mappings, name, &url, distribution).map_err(|error| {
        let todo = "map fewer HubSpot properties, or only to HubSpot where nothing comes back";
        Advice::new(error.to_string(), todo)
    })?;
    write(&app, &args.out, args.force)?;
    output.answer(&report(&app, &args.out), || text(&app, &args.out));
    Ok(Outcome::Done)
}

/// The address without a slash at its end, as HubSpot takes it for callbacks.
fn public_url(text: &str) -> anyhow::Result<String> {
    let url = Url::parse(text).ok().filter(|url| {
        let plain = url.query().is_none() && url.fragment().is_none();
        let named = matches!(url.host(), Some(Host::Domain(_)));
        url.scheme() == "https" && named && plain && url.username().is_empty()
    });
    let url = url.ok_or_else(|| {
        let what = format!("`{text}` is no address that HubSpot can call");
        Advice::new(what, "give one such as https://tandem.example.com")
    })?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// All or nothing: a file that says something else is found before any is written.
fn write(app: &App, out: &Path, force: bool) -> anyhow::Result<()> {
    let mut new: Vec<(PathBuf, &AppFile)> = Vec::new();
    for file in &app.files {
        let path = out.join(file.path);
        match fs::read(&path) {
            Ok(old) if old == file.text().as_bytes() => {}
            Ok(_) if !force => {
                let what = format!("{} is there and says something else", path.display());
                let todo = "look at it first, then write over it with --force";
                return Err(Advice::new(what, todo).into());
            }
            Ok(_) | Err(_) => new.push((path, file)),
        }
    }
    for (path, file) in new {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| {
                let what = format!("cannot make the folder {}: {error}", folder.display());
                Advice::new(what, "name a folder that can be written with --out")
            })?;
        }
        save(&path, &file.text())?;
    }
    Ok(())
}

fn report(app: &App, out: &Path) -> Value {
    let paths = app.files.iter().map(|file| out.join(file.path));
    json!({
        "files": paths.map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "subscriptions": app.subscriptions,
        "polled": app.polled,
    })
}

fn text(app: &App, out: &Path) -> String {
    let mut text = String::new();
    for file in &app.files {
        text.push_str(&format!("{}\n", out.join(file.path).display()));
    }
    let Some(content) = app
        .files
        .iter()
        .find(|file| file.path.contains("app-hsmeta"))
    else {
        return text;
    };
    let auth = &content.content["config"]["auth"];
    for (title, key) in [("scopes", "requiredScopes"), ("optional", "optionalScopes")] {
        let names = auth[key].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        if !names.is_empty() {
            text.push_str(&format!("{title}: {}\n", names.join(" ")));
        }
    }
    text.push_str(&format!("webhook subscriptions: {}\n", app.subscriptions));
    if !app.polled.is_empty() {
        text.push_str(&format!(
            "without webhooks, found by polling: {}; a mapping that names the type id (2-1234567) \
             gets some\n",
            app.polled.join(", ")
        ));
    }
    text.push_str(&format!(
        "\nNext: cd {}, then `hs project upload`. docs/deploy.md goes on from there.\n",
        out.display()
    ));
    text
}
