//! The seam between the demo and the engine: a session that is stepped and asked.
//!
//! Only wiring belongs here: the store, the two clients and the engine over them.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use crate::app::{Engine, Options, Parts, Step};
use crate::clock::{Chance, Clock};
use crate::crm::salesforce::{Login, log_in};
use crate::crm::{HubSpot, Salesforce, Transport};
use crate::model::WorkspaceId;
use crate::pipeline::LANE;
use crate::store::Store;

use super::super::data::{FILE, WORKSPACE};
use super::super::files;
use super::DemoArgs;
use super::claims;
use super::outcome::{Outcome, Progress, SalesforceAccess, Stepped};

/// How often the demo looks for changes made by hand: soon, because somebody watches. A demo with
/// more records than anybody watches looks as often as a mapping's `poll: auto` does at most.
const POLL_MILLIS: i64 = 3_000;
const AUTO_POLL_MILLIS: i64 = 10_000;
const WATCHED_RECORDS: usize = 1_000;

/// The engine with its store and clients.
pub struct Session {
    engine: Engine,
    seen: u64,
}

impl Session {
    /// # Errors
    /// When the store cannot be opened or a simulator does not answer.
    pub async fn open(
        hubspot_url: &str,
        hubspot_token: &str,
        salesforce: SalesforceAccess,
        data: &Path,
        args: &DemoArgs,
    ) -> anyhow::Result<Self> {
        let clock = Clock::System;
        let transport = Transport::network()?;
        let token = SecretString::from(hubspot_token);
        let hubspot = HubSpot::new(transport.clone(), hubspot_url, token, clock.clone());
        let login = Login::ClientCredentials {
            url: salesforce.url,
            id: salesforce.client_id,
            secret: SecretString::from(salesforce.client_secret),
        };
        let session = log_in(&transport, &login, &clock).await?;
        let salesforce = Salesforce::new(transport, session, Some(login), clock.clone());
        let file = data.join(FILE);
        let store = Store::open(&file.to_string_lossy(), clock.clone()).await?;
        let poll_millis = if args.records > WATCHED_RECORDS {
            AUTO_POLL_MILLIS
        } else {
            POLL_MILLIS
        };
        let engine = Engine::open(Parts {
            store: Arc::new(store),
            workspace: WorkspaceId::new(WORKSPACE),
            hubspot,
            salesforce,
            mappings: files::mappings(None)?.mappings,
            clock,
            chance: Chance::seeded(args.seed),
            options: Options {
                poll_millis: Some(poll_millis),
                ..Options::default()
            },
        })
        .await?;
        Ok(Self { engine, seen: 0 })
    }

    /// One attempt of one lane.
    pub async fn step(&mut self) -> anyhow::Result<Stepped> {
        Ok(match self.engine.step().await? {
            Step::Worked(work) => {
                if work.kind == "backfill" {
                    self.seen += work.records;
                }
                let what = format!(
                    "{} {} from {}: {} records, {} writes",
                    work.mapping,
                    work.kind,
                    work.side.title(),
                    work.records,
                    work.writes
                );
                let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
                Stepped::Worked {
                    what,
                    records: size(work.records),
                    writes: size(work.writes),
                }
            }
            Step::Wait(until) => {
                let now = self.engine.site().clock.now();
                Stepped::Wait {
                    millis: until.map_or(1_000, |at| at.millis_since(now)),
                }
            }
        })
    }

    /// Makes every poll due now.
    pub async fn look_again(&mut self) -> anyhow::Result<()> {
        Ok(self.engine.poll_now().await?)
    }

    /// In how many milliseconds work is due that is no idle poll; `None` when there is none.
    /// Polls that `look_again` made due count as due.
    pub async fn due_in(&self) -> anyhow::Result<Option<i64>> {
        if self.engine.poll_is_due().await? {
            return Ok(Some(0));
        }
        let now = self.engine.site().clock.now();
        let work = self.engine.next_work().await?;
        Ok(work.map(|at| at.millis_since(now)))
    }

    pub async fn progress(&self) -> anyhow::Result<Progress> {
        let site = self.engine.site();
        let counts = site.store.queue_counts(&site.workspace, LANE).await?;
        let records = counts.get("record").copied().unwrap_or_default();
        Ok(Progress {
            backfill_done: self.seen,
            links: self.engine.tally().links,
            waiting: records.ready + records.waiting,
        })
    }

    pub async fn outcome(&self) -> anyhow::Result<Outcome> {
        let site = self.engine.site();
        let outcome = claims::read(&site.store, &site.workspace).await?;
        Ok(Outcome {
            idle_polls: self.engine.idle_calls(),
            unknown_overwrites: self.engine.tally().unknown,
            ..outcome
        })
    }

    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.engine.close().await?)
    }
}
