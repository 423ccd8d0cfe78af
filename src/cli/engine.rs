//! Where commands meet the engine: `sync`, `plan` and the live half of `check`.
//!
//! Everything the engine needs comes in already checked: credentials, mappings, an open store.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{self, Engine, Options, Parts, SetupError, Step};
use crate::clock::Chance;
use crate::config::{Credentials, SalesforceAccess};
use crate::crm::salesforce::{Login, log_in};
use crate::crm::{CrmError, Crms, HubSpot, Salesforce, Transport};
use crate::mapping::{Loaded, Mapping};
use crate::model::{ErrorClass, Schemas, Side};
use crate::sync::{Limits, Mode};

use super::data::Data;
use super::output::{Advice, Outcome, Output};
use super::{files, plan_report, run_report};

/// How long a run waits for work that is not due yet.
const HORIZON_MILLIS: i64 = 3 * 60_000;
/// An attempt under way when somebody presses Ctrl-C may take this long to end by itself.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// Everything a run works with.
pub struct Ready {
    pub credentials: Credentials,
    pub mappings: Loaded,
    pub data: Data,
    /// Records the run may create; the rest waits.
    pub max_creates: Option<u64>,
}

/// Brings both CRMs in step once and prints the summary.
pub async fn sync_once(ready: Ready, output: &Output) -> anyhow::Result<Outcome> {
    let started = ready.data.now();
    let mut engine = open(ready, Mode::Write).await?;
    let ended = drive(&mut engine).await;
    let report = run_report::RunReport::of(&engine, started).await;
    engine.close().await?;
    let stopped = ended?;
    let report = report?;
    output.answer(&report.json(stopped), || report.text(stopped));
    Ok(if stopped {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

/// Shows what [`sync_once`] would write; `Outcome::Different` when there is something to write.
/// Works on a copy of the store, so that not even the store changes.
pub async fn plan(ready: Ready, output: &Output) -> anyhow::Result<Outcome> {
    let mut engine = open(ready, Mode::Observe).await?;
    let ended = drive(&mut engine).await;
    let report = plan_report::PlanReport::of(&engine);
    engine.close().await?;
    if ended? {
        return Err(Advice::new("stopped before the plan was complete", "run it again").into());
    }
    output.answer(&report.json(), || report.text());
    Ok(if report.is_empty() {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

/// What both CRMs say about the objects the mappings name.
pub async fn live_schemas(
    credentials: &Credentials,
    mappings: &[Mapping],
) -> anyhow::Result<Schemas> {
    let crms = connect(credentials).await?;
    app::read_schemas(&crms, mappings).await.map_err(explain)
}

async fn open(ready: Ready, mode: Mode) -> anyhow::Result<Engine> {
    let Ready {
        credentials,
        mappings,
        data,
        max_creates,
    } = ready;
    let Crms {
        hubspot,
        salesforce,
    } = connect(&credentials).await?;
    let options = Options {
        mode,
        limits: Limits {
            creates: max_creates.unwrap_or(u64::MAX),
        },
        ..Options::default()
    };
    Engine::open(Parts {
        store: Arc::new(data.store),
        workspace: data.workspace,
        hubspot,
        salesforce,
        mappings: mappings.mappings,
        clock: data.clock,
        chance: Chance::from_entropy(),
        options,
    })
    .await
    .map_err(explain)
}

async fn connect(credentials: &Credentials) -> anyhow::Result<Crms> {
    let clock = crate::clock::Clock::System;
    let transport = Transport::network()?;
    let url = credentials.hubspot.url.as_str().trim_end_matches('/');
    let token = credentials.hubspot.token.clone();
    let hubspot = HubSpot::new(transport.clone(), url, token, clock.clone());
    let login = login(&credentials.salesforce);
    let session = log_in(&transport, &login, &clock).await.map_err(|error| {
        explain(SetupError::Crm {
            side: Side::Salesforce,
            error,
        })
    })?;
    let salesforce = Salesforce::new(transport, session, Some(login), clock);
    Ok(Crms {
        hubspot,
        salesforce,
    })
}

fn login(access: &SalesforceAccess) -> Login {
    let text = |url: &url::Url| url.as_str().trim_end_matches('/').to_owned();
    match access {
        SalesforceAccess::ClientCredentials {
            login_url,
            client_id,
            client_secret,
        } => Login::ClientCredentials {
            url: text(login_url),
            id: client_id.clone(),
            secret: client_secret.clone(),
        },
        SalesforceAccess::Jwt {
            login_url,
            client_id,
            username,
            private_key,
        } => Login::Jwt {
            url: text(login_url),
            client_id: client_id.clone(),
            username: username.clone(),
            private_key: private_key.clone(),
            audience: audience(login_url),
        },
        SalesforceAccess::Token { url, token } => Login::Token {
            url: text(url),
            token: token.clone(),
        },
    }
}

/// The audience is one of the two login hosts, whatever My Domain the request goes to
/// (salesforce.md 1.5).
fn audience(login_url: &url::Url) -> String {
    let sandbox = login_url
        .host_str()
        .is_some_and(|host| host.starts_with("test.") || host.contains(".sandbox."));
    let host = if sandbox { "test" } else { "login" };
    format!("https://{host}.salesforce.com")
}

/// Steps until nothing is due within the horizon. True when somebody pressed Ctrl-C.
async fn drive(engine: &mut Engine) -> anyhow::Result<bool> {
    let stop = tokio::signal::ctrl_c();
    tokio::pin!(stop);
    loop {
        let step = {
            let step = engine.step();
            tokio::pin!(step);
            tokio::select! {
                biased;
                _ = &mut stop => {
                    // What an attempt cannot finish now is found again by its open intents.
                    if let Ok(ended) = tokio::time::timeout(STOP_WITHIN, step).await {
                        ended?;
                    }
                    return Ok(true);
                }
                step = &mut step => step?,
            }
        };
        if let Some(failure) = engine.auth_failure() {
            let what = format!("a CRM refused the credentials: {}", failure.message);
            return Err(Advice::new(what, "renew the token or the app's permissions").into());
        }
        let Step::Wait(until) = step else { continue };
        let now = engine.site().clock.now();
        let work = engine.next_work().await?;
        let due_soon = work.is_some_and(|at| at.millis_since(now) <= HORIZON_MILLIS);
        if !due_soon && !engine.poll_is_due().await? {
            return Ok(false);
        }
        let millis = until
            .map_or(1_000, |at| at.millis_since(now))
            .clamp(10, 5_000);
        let rest = Duration::from_millis(u64::try_from(millis).unwrap_or(10));
        tokio::select! {
            biased;
            _ = &mut stop => return Ok(true),
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// Says what happened at the start and what to do about it, in one line.
fn explain(error: SetupError) -> anyhow::Error {
    let what = error.to_string();
    let todo = match &error {
        SetupError::Store(_) | SetupError::OtherAccount { .. } | SetupError::LaneBusy => {
            return error.into();
        }
        SetupError::Mappings(faults) => {
            return files::faults_error(faults, "`tandem check --live` lists them all");
        }
        SetupError::Crm { side, error } => advice(*side, error),
    };
    Advice::new(what, todo).into()
}

fn advice(side: Side, error: &CrmError) -> String {
    let variable = match side {
        Side::HubSpot => "TANDEM_HUBSPOT_TOKEN and TANDEM_HUBSPOT_URL",
        Side::Salesforce => "the TANDEM_SALESFORCE_ variables",
    };
    match error.class() {
        ErrorClass::Auth => format!("check {variable}; the credentials were refused"),
        ErrorClass::NeedsPerson => {
            "grant the scope or permission it names to the connected user".to_owned()
        }
        ErrorClass::Transient | ErrorClass::UnknownOutcome => {
            format!("check that the address in {variable} can be reached, then try again")
        }
        ErrorClass::Rate => "wait until the limit is reset, then try again".to_owned(),
        ErrorClass::Permanent | ErrorClass::Blocked | ErrorClass::Ours => {
            "check that the object exists and that the connected user can see it".to_owned()
        }
    }
}

/// Calls made so far, for summaries.
pub fn calls(engine: &Engine) -> Value {
    let hubspot = engine.crms().hubspot.calls().total;
    let salesforce = engine.crms().salesforce.calls().total;
    json!({
        "hubspot": hubspot,
        "salesforce": salesforce,
        "idle_polls": engine.idle_calls(),
    })
}
