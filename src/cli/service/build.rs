//! Puts the service together from its settings; opens no port.

use std::path::Path;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::api::{Api, Cleared, Counts, Intake, Limits};
use crate::app::{MappingFiles, Service, ServiceParts};
use crate::clock::{Chance, Clock, Ids};
use crate::config::{self, AppKeys, Environment, KeySource, Settings};
use crate::crm::oauth::App;
use crate::crm::{Traffic, Transport};
use crate::model::{BySide, Side};
use crate::notices::Notices;
use crate::store::Store;
use crate::vault::{Keeper, Keyring, KeyringFault, ReadKeys, Vault};

use crate::cli::files;
use crate::cli::output::Advice;

pub struct Built {
    pub api: Arc<Api>,
    pub service: Arc<Service>,
    pub store: Arc<Store>,
    pub settings: config::Service,
}

/// Reads the settings; all faults at once.
pub fn settings(file: &Path, environment: &Environment) -> anyhow::Result<config::Service> {
    Settings::read(file, environment)
        .service()
        .map_err(|faults| {
            let todo = format!("correct {} or the variables", file.display());
            let missing = faults
                .0
                .iter()
                .map(|one| format!("{}: {}", one.place, one.what));
            Advice::new("the settings have faults", todo)
                .missing(missing.collect())
                .into()
        })
}

/// Opens the vault and the store, and takes stock of the workspaces.
///
/// # Errors
/// A key that is missing, open to others or not the store's; a store that cannot be opened;
/// mapping files with faults.
pub async fn build(settings: config::Service) -> anyhow::Result<Built> {
    build_at(settings, Chance::from_entropy(), None).await
}

/// The same for a caller that decides chance, and how often both CRMs are polled.
pub async fn build_at(
    settings: config::Service,
    chance: Chance,
    poll_millis: Option<i64>,
) -> anyhow::Result<Built> {
    let read = keys(settings.keys.clone());
    // Before anything is made: without a key there is no service.
    read().map_err(no_key)?;
    let files = mapping_files(&settings)?;
    let clock = Clock::System;
    let store = open_store(&settings.store, &clock).await?;
    let vault = Vault::open(Arc::clone(&store), read)
        .await
        .map_err(|error| {
            Advice::new(
                error.to_string(),
                "see vault.key_file in the settings, and docs/service.md",
            )
        })?;
    let vault = Arc::new(vault);
    let keeper = Arc::new(keeper(&settings, &store, &vault, &clock)?);
    let service = Service::new(ServiceParts {
        store: Arc::clone(&store),
        keeper: Arc::clone(&keeper),
        clock: clock.clone(),
        chance: chance.clone(),
        mappings: files,
        workers: settings.workers,
        journal_days: settings.journal_days,
        poll_millis,
    })
    .await?;
    let ids = Ids::new(clock.clone(), chance.clone());
    let (into, behind) = (Arc::clone(&store), Arc::clone(&service));
    let intake = Intake::start(into, behind, clock.clone(), ids.clone());
    let notices = Arc::new(Notices::new(
        Arc::clone(&store),
        Arc::clone(&vault),
        clock.clone(),
        chance.clone(),
        settings.public_url.as_str(),
    )?);
    let api = Arc::new(Api {
        notices,
        store: Arc::clone(&store),
        vault,
        keeper,
        service: Arc::clone(&service),
        intake,
        ids,
        clock,
        public_url: settings.public_url.clone(),
        hubspot_secret: settings
            .hubspot
            .as_ref()
            .map(|app| app.client_secret.clone()),
        counts: Arc::new(Counts::default()),
        limits: Limits::new(settings.requests_per_minute),
        cleared: Cleared::default(),
    });
    Ok(Built {
        api,
        service,
        store,
        settings,
    })
}

fn keeper(
    settings: &config::Service,
    store: &Arc<Store>,
    vault: &Arc<Vault>,
    clock: &Clock,
) -> anyhow::Result<Keeper> {
    Ok(Keeper {
        store: Arc::clone(store),
        vault: Arc::clone(vault),
        transport: Transport::network()?,
        clock: clock.clone(),
        apps: apps(settings),
        hubspot_url: text(&settings.hubspot_url),
        on_loss: Box::new(|ws, side, why| {
            let (ws, side) = (ws.as_str(), side.as_str());
            tracing::error!(ws, side, why, "a connection was lost");
        }),
        traffic: Traffic::default(),
    })
}

/// Makes the folder of a file that is not there yet.
async fn open_store(url: &str, clock: &Clock) -> anyhow::Result<Arc<Store>> {
    if let Some(folder) = Path::new(url).parent()
        && !url.contains("://")
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            let what = format!("cannot make {}: {error}", folder.display());
            Advice::new(what, "set store.url to a place that can be written")
        })?;
    }
    Ok(Arc::new(Store::open(url, clock.clone()).await?))
}

/// The files of the folder in the settings, or the shipped ones; refused with any fault.
pub fn mapping_files(settings: &config::Service) -> anyhow::Result<MappingFiles> {
    let todo = "`tandem check` lists them all";
    files::with_workspaces(settings.mappings.as_deref())
        .map_err(|faults| files::faults_error(&faults, todo))
}

fn keys(source: KeySource) -> Box<ReadKeys> {
    Box::new(move || match &source {
        KeySource::File(path) => Keyring::read(path),
        KeySource::Text(text) => Keyring::parse(text, "vault.keys"),
    })
}

fn no_key(fault: KeyringFault) -> Advice {
    let todo = "`tandem init` makes a key; the service does not start without one";
    Advice::new(fault.to_string(), todo)
}

/// Puts a fresh key first into the key file. The ones that are there stay, and open what they
/// sealed.
pub fn add_key(settings: &config::Service) -> anyhow::Result<String> {
    let KeySource::File(path) = &settings.keys else {
        let todo = "put the new key first into TANDEM_VAULT_KEYS and start the service again";
        return Err(Advice::new("the keys are in the environment", todo).into());
    };
    let id = Keyring::read(path).map_err(no_key)?.free_id();
    let old = SecretString::from(std::fs::read_to_string(path)?);
    let line = Keyring::fresh_line(&id);
    let text = format!("{}\n{}", line.expose_secret(), old.expose_secret());
    // Beside it and then over it, so that a crash leaves one of the two whole.
    let mut beside = path.clone().into_os_string();
    beside.push(".new");
    let beside = std::path::PathBuf::from(beside);
    super::init::write(&beside, &text, true)?;
    std::fs::rename(&beside, path)?;
    Ok(id)
}

fn text(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

fn apps(settings: &config::Service) -> BySide<Option<App>> {
    let callback = |side: Side| {
        let base = text(&settings.public_url);
        Url::parse(&format!("{base}/connect/callback/{side}")).ok()
    };
    let app = |side: Side, keys: &AppKeys| {
        let (authorize, token) = match side {
            Side::HubSpot => (&settings.hubspot_authorize_url, &settings.hubspot_url),
            Side::Salesforce => (
                &settings.salesforce_login_url,
                &settings.salesforce_login_url,
            ),
        };
        let (scopes, optional_scopes) = match side {
            Side::HubSpot => (
                settings.hubspot_scopes.clone(),
                settings.hubspot_optional_scopes.clone(),
            ),
            Side::Salesforce => (
                vec!["api".to_owned(), "refresh_token".to_owned()],
                Vec::new(),
            ),
        };
        Some(App {
            side,
            client_id: keys.client_id.clone(),
            client_secret: keys.client_secret.clone(),
            authorize_host: authorize.clone(),
            token_host: token.clone(),
            redirect: callback(side)?,
            scopes,
            optional_scopes,
        })
    };
    BySide::new(
        settings
            .hubspot
            .as_ref()
            .and_then(|keys| app(Side::HubSpot, keys)),
        settings
            .salesforce
            .as_ref()
            .and_then(|keys| app(Side::Salesforce, keys)),
    )
}
