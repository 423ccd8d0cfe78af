//! Where commands meet the engine: `sync` and the live half of `check`; what plans is in `planned`.
//! The loop that steps it is in `drive`.
//!
//! Everything the engine needs comes in already checked: credentials, mappings, an open store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{
    self, Busy, Engine, Lacking, LookError, Options, Parts, SetupError, wait_for_room,
};
use crate::clock::{Chance, Clock};
use crate::config::{Credentials, SalesforceAccess};
use crate::crm::salesforce::{Login, log_in};
use crate::crm::{CrmError, Crms, HubSpot, Salesforce, Transport};
use crate::mapping::{Loaded, Mapping};
use crate::model::{ErrorClass, RunEnd, Schemas, Side};
use crate::store::Store;
use crate::sync::{Limits, Mode};
use crate::vault::audience;

use super::data::Data;
use super::drive::{Course, STOP_WITHIN, Stop, drive};
use super::output::{Advice, Outcome, Output};
use super::sim::told_to_stop;
use super::{files, run_report};

/// How long a run waits for work that is not due yet.
pub const HORIZON_MILLIS: i64 = 3 * 60_000;
/// Calls that reading the schemas may need.
const CALLS_AT_START: u32 = 25;
/// What a run that was told to stop may take for its summary and for giving the lane back.
const CLOSE_WITHIN: Duration = Duration::from_millis(1_500);
const READY: &str =
    "do as the lines above say (`tandem prepare --yes` makes key fields), and run it again";

/// Everything a run works with.
pub struct Ready {
    pub credentials: Credentials,
    pub mappings: Loaded,
    pub data: Data,
    /// Records the run may create; the rest waits.
    pub max_creates: Option<u64>,
    /// How long the journal is kept.
    pub journal_days: i64,
    /// Whether the run begins although a CRM lacks what some of the records will need.
    pub lacking: Lacking,
}

/// Brings both CRMs in step once and prints the summary.
pub async fn sync_once(ready: Ready, mode: Mode, output: &Output) -> anyhow::Result<Outcome> {
    let ended = sync(ready, mode, Course::UntilQuiet(HORIZON_MILLIS), output).await?;
    Ok(if ended.told || ended.blind {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

/// Keeps both CRMs in step until it is told to stop, which is how it is meant to end.
pub async fn sync_on(ready: Ready, mode: Mode, output: &Output) -> anyhow::Result<Outcome> {
    sync(ready, mode, Course::UntilTold, output).await?;
    Ok(Outcome::Done)
}

struct Ended {
    /// Somebody pressed Ctrl-C or sent SIGTERM.
    told: bool,
    /// What changed in one of the CRMs is not known.
    blind: bool,
}

async fn sync(ready: Ready, mode: Mode, course: Course, output: &Output) -> anyhow::Result<Ended> {
    let started = ready.data.now();
    let mut stop: Stop = Box::pin(told_to_stop());
    let (mut engine, store, told) = open_unless(&mut stop, ready, mode, course).await?;
    let ended = match told {
        true => Ok(true),
        false => drive(&mut engine, &mut stop, course).await,
    };
    let told = matches!(ended, Ok(true));
    let ending = async {
        let report = run_report::RunReport::of(&engine, started).await;
        let end = match (&report, run_end(&engine, &ended)) {
            (Ok(report), RunEnd::Finished) if report.is_blind() => RunEnd::Unread,
            (_, end) => end,
        };
        close(engine, store, end).await?;
        ended?;
        anyhow::Ok(report?)
    };
    let report = if told {
        // The store may be what keeps the run from ending.
        tokio::time::timeout(CLOSE_WITHIN, ending)
            .await
            .map_err(|_| {
                let what = "stopped, but the store did not answer in time for a summary";
                Advice::new(
                    what,
                    "start it again when the store answers; nothing is lost",
                )
            })??
    } else {
        ending.await?
    };
    output.answer(&report.json(told), || report.text(told));
    Ok(Ended {
        told,
        blind: report.is_blind(),
    })
}

/// What the end of [`drive`] means for the run.
pub fn run_end(engine: &Engine, ended: &anyhow::Result<bool>) -> RunEnd {
    match ended {
        Ok(true) => RunEnd::Interrupted,
        Ok(false) => RunEnd::Finished,
        Err(_) if engine.auth_failure().is_some() => RunEnd::CredentialsRefused,
        Err(_) => RunEnd::StoreFailed,
    }
}

/// Gives the lane back and closes the store, so that its file is whole when the process ends.
pub async fn close(engine: Engine, store: Arc<Store>, end: RunEnd) -> anyhow::Result<()> {
    let closed = engine.close(end).await;
    if let Some(store) = Arc::into_inner(store) {
        store.close().await;
    }
    Ok(closed?)
}

/// What both CRMs say about the objects the mappings name.
pub async fn live_schemas(
    credentials: &Credentials,
    mappings: &[Mapping],
) -> anyhow::Result<Schemas> {
    let crms = connect(credentials).await?;
    prove_reading(&crms, mappings).await?;
    app::read_schemas(&crms, mappings).await.map_err(explain)
}

/// Opens the engine and tells whether the run should stop at once. A start that has begun is let
/// finish, so that nothing is left half open.
pub async fn open_unless(
    stop: &mut Stop,
    ready: Ready,
    mode: Mode,
    course: Course,
) -> anyhow::Result<(Engine, Arc<Store>, bool)> {
    let opening = open(ready, mode, course);
    tokio::pin!(opening);
    tokio::select! {
        biased;
        told = stop => {
            told?;
            let Ok(opened) = tokio::time::timeout(STOP_WITHIN, opening).await else {
                return Err(Advice::new("stopped before the run began", "run it again").into());
            };
            let (engine, store) = opened?;
            Ok((engine, store, true))
        }
        opened = &mut opening => {
            let (engine, store) = opened?;
            Ok((engine, store, false))
        }
    }
}

pub async fn open(
    ready: Ready,
    mode: Mode,
    course: Course,
) -> anyhow::Result<(Engine, Arc<Store>)> {
    let Ready {
        credentials,
        mappings,
        data,
        max_creates,
        journal_days,
        lacking,
    } = ready;
    let crms = connect(&credentials).await?;
    prove_reading(&crms, &mappings.mappings).await?;
    let Crms {
        hubspot,
        salesforce,
    } = crms;
    let options = Options {
        mode,
        limits: Limits {
            creates: max_creates.unwrap_or(u64::MAX),
        },
        journal_millis: journal_days * app::DAY_MILLIS,
        lacking,
        busy: match course {
            Course::UntilQuiet(_) => Busy::Refused,
            Course::UntilTold => Busy::Awaited,
        },
        ..Options::default()
    };
    let store = Arc::new(data.store);
    let engine = Engine::open(Parts {
        store: Arc::clone(&store),
        workspace: data.workspace,
        hubspot,
        salesforce,
        mappings: mappings.mappings,
        clock: data.clock,
        chance: Chance::from_entropy(),
        options,
    })
    .await
    .map_err(explain)?;
    Ok((engine, store))
}

pub async fn connect(credentials: &Credentials) -> anyhow::Result<Crms> {
    let clock = Clock::System;
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

/// Reads a few records of each HubSpot object. Scopes for records are apart from those for schemas
/// (hubspot.md 1.4), and without them a run would find out halfway. Salesforce's schemas show only
/// what the user may read.
///
/// Whatever called before us, a run that crashed included, may have used up the limit of calls;
/// these first calls find out, and wait until there is room for the start.
async fn prove_reading(crms: &Crms, mappings: &[Mapping]) -> anyhow::Result<()> {
    let clock = Clock::System;
    let objects: BTreeSet<&str> = mappings
        .iter()
        .map(|mapping| mapping.objects.hubspot.as_str())
        .collect();
    for object in objects {
        let until = clock.now().plus_millis(HORIZON_MILLIS);
        loop {
            let room = crms.ready_at(CALLS_AT_START, 0);
            wait_for_room(&clock, room, until).await;
            match crms.hubspot.list(object, &[], None, false).await {
                Ok(_) => break,
                Err(error) if error.class() == ErrorClass::Rate && clock.now() < until => {
                    let soonest = clock.now().plus_millis(1_000);
                    let at = error.retry_after.unwrap_or(soonest).max(soonest);
                    wait_for_room(&clock, Some(at), until).await;
                }
                Err(error) => {
                    let side = Side::HubSpot;
                    return Err(explain(SetupError::Crm { side, error }));
                }
            }
        }
    }
    let until = clock.now().plus_millis(HORIZON_MILLIS);
    wait_for_room(&clock, crms.ready_at(CALLS_AT_START, 0), until).await;
    Ok(())
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
            audience: audience(login_url.as_str()).to_owned(),
        },
        SalesforceAccess::Token { url, token } => Login::Token {
            url: text(url),
            token: token.clone(),
        },
    }
}

/// What to do about refused credentials.
pub const RENEW: &str = "renew the token or the app's permissions";

/// What could not be found out, and what to do.
pub fn unfinished(error: LookError) -> anyhow::Error {
    match error {
        LookError::Store(error) => error.into(),
        LookError::Incomplete(what) => Advice::new(what, "run it again").into(),
        LookError::Refused(what) => Advice::new(what, RENEW).into(),
    }
}

/// Says what happened at the start and what to do about it, in one line.
pub fn explain(error: SetupError) -> anyhow::Error {
    let what = error.to_string();
    let todo = match &error {
        SetupError::Store(_) | SetupError::OtherAccount { .. } | SetupError::LaneBusy => {
            return error.into();
        }
        SetupError::Mappings(faults) => {
            return files::faults_error(faults, "`tandem check --live` lists them all");
        }
        SetupError::PlanOfOther { .. } => {
            "use the credentials that the plan was made with, or make a new plan".to_owned()
        }
        SetupError::Lacking(lacks) => {
            let missing = lacks.iter().map(ToString::to_string).collect();
            return Advice::new(what, READY).missing(missing).into();
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
            let whom = match side {
                Side::HubSpot => "in the settings of the private app",
                Side::Salesforce => "to the connected user",
            };
            format!("grant it {whom}, then try again")
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
