//! `tandem init`: settings, the key that seals credentials, and the first management key.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::cli::output::{Advice, Outcome, Output};
use crate::config::{self, Environment};
use crate::model::{KeyKind, Role};
use crate::vault::Keyring;

use super::build;

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Where to put tandem.toml and tandem.key.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

pub async fn run(
    args: InitArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    std::fs::create_dir_all(&args.dir).map_err(|error| {
        let what = format!("cannot make {}: {error}", args.dir.display());
        Advice::new(what, "name another folder with --dir")
    })?;
    let settings = args.dir.join("tandem.toml");
    let key = args.dir.join("tandem.key");
    if settings.exists() || key.exists() {
        let what = format!(
            "{} has been set up already; nothing was changed",
            args.dir.display()
        );
        return Err(
            Advice::new(what, "edit tandem.toml, or name another folder with --dir").into(),
        );
    }
    let line = Keyring::fresh_line("key-1");
    let note = "# The keys that seal credentials. Keep a copy where the store's copies are not:\n\
                # without it every customer has to connect again. The first key seals.\n";
    write(&key, &format!("{note}{}\n", line.expose_secret()), true)?;
    write(&settings, &config::sample(), false)?;
    let built = build::build(build::settings(&settings, environment)?).await?;
    let made = built
        .api
        .make_key(None, KeyKind::Management, Role::Admin, "first key")
        .await;
    let (_, text) = made.map_err(|error| Advice::new(error.detail, "try again"))?;
    let object = json!({
        "settings": settings.display().to_string(),
        "key_file": key.display().to_string(),
        "management_key": text.expose_secret(),
    });
    output.answer(&object, || {
        format!(
            "{}  settings; every line is a comment with its default\n\
             {}  seals credentials; keep a copy apart from the store\n\n\
             Management key, shown this once:\n  {}\n\n\
             Next: fill in the two apps in {} (docs/deploy.md), then `tandem serve`.\n",
            settings.display(),
            key.display(),
            text.expose_secret(),
            settings.display(),
        )
    });
    Ok(Outcome::Done)
}

/// Writes a new file; a secret one that nobody else can read from its first byte on.
pub(in crate::cli) fn write(path: &Path, text: &str, secret: bool) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let what = format!("cannot write {}: {error}", path.display());
        Advice::new(what, "name a folder that can be written with --dir").into()
    })
}
