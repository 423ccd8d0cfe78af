//! `tandem hubspot-app`: the files of a HubSpot project, made from the mappings of all workspaces.
//!
//! Those in files are read here; what was set over the API only a service knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};
use url::{Host, Url};

use crate::config::Environment;
use crate::mapping::{Mapping, SourceFile, load};
use crate::prepare::{App, AppFile, AppJson, AppNeeds, Distribution, hubspot_app};

use super::arguments::MappingsArgs;
use super::output::{Advice, Outcome, Output};
use super::plan::save;
use super::service::{DoorArgs, open};
use super::{at, files};

#[derive(Debug, Args)]
#[command(mut_arg("config", |config| config.requires("workspaces")))]
pub struct HubSpotAppArgs {
    #[command(flatten)]
    mappings: MappingsArgs,
    /// In place of files, what counts in every workspace of a service, mappings that were set
    /// included: of the one at --server, or of the store in the settings.
    #[arg(long)]
    workspaces: bool,
    #[command(flatten)]
    door: DoorArgs,
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

pub async fn run(
    args: HubSpotAppArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
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
    let told = wanted(&args, environment).await?;
    let app = hubspot_app(&told.needs, name, &url, distribution).map_err(|error| {
        let todo = "map fewer HubSpot properties, or only to HubSpot where nothing comes back";
        Advice::new(error.to_string(), todo)
    })?;
    write(&app, &args.out, args.force)?;
    output.answer(&report(&app, &told, &args.out), || {
        text(&app, &told, &args.out)
    });
    Ok(Outcome::Done)
}

async fn wanted(args: &HubSpotAppArgs, environment: &Environment) -> anyhow::Result<AppJson> {
    let folder = args.mappings.mappings.as_deref();
    if !args.workspaces && args.door.server.is_none() {
        let needs = of_files(folder)?;
        return Ok(AppJson {
            needs,
            ..AppJson::default()
        });
    }
    if folder.is_some() {
        let what = "a service has mappings of its own";
        return Err(Advice::new(what, "leave out --mappings").into());
    }
    let door = open(&args.door, environment).await?;
    at::read(door.call(Method::GET, "/hubspot-app", None).await?)
}

/// Of the shared files, and of each workspace that has some of its own.
fn of_files(folder: Option<&Path>) -> anyhow::Result<AppNeeds> {
    let todo = "correct it; variables of a workspace are known with --workspaces only";
    let loaded = |files: &[SourceFile]| -> anyhow::Result<Vec<Mapping>> {
        let loaded = load(files, &BTreeMap::new());
        let loaded = loaded.map_err(|faults| files::faults_error(&faults, todo))?;
        Ok(loaded.mappings)
    };
    let found = files::with_workspaces(folder);
    let found = found.map_err(|faults| files::faults_error(&faults, "correct it"))?;
    let mut needs = AppNeeds::of(&loaded(&found.shared)?);
    for ws in found.own.keys() {
        let texts = found.of(ws, &[]).into_iter();
        let texts: Vec<SourceFile> = texts.map(|(_, file)| file).collect();
        needs.add(&loaded(&texts)?);
    }
    Ok(needs)
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

fn report(app: &App, told: &AppJson, out: &Path) -> Value {
    let paths = app.files.iter().map(|file| out.join(file.path));
    json!({
        "files": paths.map(|path| path.display().to_string()).collect::<Vec<_>>(),
        "subscriptions": app.subscriptions,
        "polled": app.polled,
        "unasked": told.unasked,
        "unneeded": told.unneeded,
        "insisted": told.insisted,
        "faulty": told.faulty,
    })
}

fn text(app: &App, told: &AppJson, out: &Path) -> String {
    let mut text = String::new();
    for file in &app.files {
        text.push_str(&format!("{}\n", out.join(file.path).display()));
    }
    let scopes = &told.needs.scopes;
    for (title, names) in [("scopes", &scopes.required), ("optional", &scopes.optional)] {
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
    text.push_str(&misfits(told));
    text.push_str(&format!(
        "\nNext: cd {}, then `hs project upload`. docs/deploy.md goes on from there.\n",
        out.display()
    ));
    text
}

/// Where the service and this app do not fit, and what to do.
fn misfits(told: &AppJson) -> String {
    let mut text = String::new();
    if !told.unasked.is_empty() {
        text.push_str(&format!(
            "connect links do not ask for: {}\n  once the app is uploaded, add them to \
             hubspot.optional_scopes (to hubspot.scopes where that is set and the app requires \
             them)\n",
            told.unasked.join(" ")
        ));
    }
    if !told.unneeded.is_empty() {
        text.push_str(&format!(
            "hubspot.scopes has what this app has not: {}\n  take them out, or HubSpot refuses \
             every link once the app is uploaded\n",
            told.unneeded.join(" ")
        ));
    }
    if !told.insisted.is_empty() {
        text.push_str(&format!(
            "hubspot.scopes has what is optional in this app: {}\n  once the app is uploaded, move \
             them to hubspot.optional_scopes, or accounts without them cannot connect\n",
            told.insisted.join(" ")
        ));
    }
    if !told.faulty.is_empty() {
        text.push_str(&format!(
            "mappings with faults, of which what was at work last counts: {}\n",
            told.faulty.join(", ")
        ));
    }
    text
}
