//! The seam between the demo and the engine: a session that is stepped and asked.
//!
//! Only wiring belongs here: the store, the two clients and the engine over them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use crate::app::{Engine, Options, Parts, Step};
use crate::clock::{Chance, Clock};
use crate::crm::salesforce::{Login, log_in};
use crate::crm::{HubSpot, Salesforce, Transport};
use crate::model::{BySide, Fields, Hold, Link, LinkId, Raw, Side, Task, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{
    ConflictFilter, ConflictRow, DeadLetter, DeadLetterFilter, DeadLetterState, LinkFilter, Store,
};

use super::super::data::{FILE, WORKSPACE};
use super::super::files;
use super::DemoArgs;
use super::outcome::{ConflictSeen, Open, Outcome, Progress, SalesforceAccess, Stepped};

/// How often the demo looks for changes made by hand: soon, because somebody watches. A demo with
/// more records than anybody watches looks as often as a mapping's `poll: auto` does at most.
const POLL_MILLIS: i64 = 3_000;
const AUTO_POLL_MILLIS: i64 = 10_000;
const WATCHED_RECORDS: usize = 1_000;
const PAGE: u32 = 5_000;

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
        let links = self.links().await?;
        let mut outcome = Outcome {
            idle_polls: self.engine.idle_calls(),
            unknown_overwrites: self.engine.tally().unknown,
            ..Outcome::default()
        };
        for link in links.values().filter(|link| link.state.is_open()) {
            let (hubspot, salesforce) = (id(link, Side::HubSpot), id(link, Side::Salesforce));
            // A record whose partner is still to be made is no pair yet.
            if !hubspot.is_empty() && !salesforce.is_empty() {
                let mapping = link.mapping.as_str().to_owned();
                outcome.links.push((mapping, hubspot, salesforce));
            }
        }
        let site = self.engine.site();
        let (store, ws) = (&site.store, &site.workspace);
        let mut after = None;
        loop {
            let page = store.holds_page(ws, None, after.as_ref(), PAGE).await?;
            after = page.last().map(crate::store::HoldPlace::of);
            let last = page.len() < PAGE as usize;
            outcome
                .holds
                .extend(page.iter().filter_map(|hold| open_hold(&links, hold)));
            if last {
                break;
            }
        }
        let filter = ConflictFilter::default();
        for conflict in store.conflicts(ws, &filter, u32::MAX >> 1).await? {
            outcome.conflicts.extend(seen(&links, &conflict));
        }
        outcome.dead_letters = self.dead_letters(&links).await?;
        Ok(outcome)
    }

    async fn links(&self) -> anyhow::Result<BTreeMap<LinkId, Link>> {
        let site = self.engine.site();
        let mut links = BTreeMap::new();
        let mut after: Option<LinkId> = None;
        loop {
            let filter = LinkFilter::default();
            let store = &site.store;
            let page = store
                .links_page(&site.workspace, &filter, after.as_ref(), PAGE)
                .await?;
            let last = page.len() < PAGE as usize;
            after = page.last().map(|link| link.id.clone());
            links.extend(page.into_iter().map(|link| (link.id.clone(), link)));
            if last {
                return Ok(links);
            }
        }
    }

    async fn dead_letters(&self, links: &BTreeMap<LinkId, Link>) -> anyhow::Result<Vec<Open>> {
        let site = self.engine.site();
        let mut found = Vec::new();
        let mut filter = DeadLetterFilter {
            state: Some(DeadLetterState::Open),
            limit: PAGE,
            ..DeadLetterFilter::default()
        };
        loop {
            let page = site.store.dead_letters(&site.workspace, &filter).await?;
            let last = page.len() < PAGE as usize;
            filter.after = page.last().map(|letter| letter.id.clone());
            found.extend(page.iter().map(|letter| open_letter(links, letter)));
            if last {
                return Ok(found);
            }
        }
    }

    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.engine.close().await?)
    }
}

fn id(link: &Link, side: Side) -> String {
    link.records
        .get(side)
        .as_ref()
        .map_or_else(String::new, |id| id.as_str().to_owned())
}

fn open_hold(links: &BTreeMap<LinkId, Link>, hold: &Hold) -> Option<Open> {
    let link = links.get(&hold.link)?;
    Some(Open {
        mapping: link.mapping.as_str().to_owned(),
        hubspot_id: id(link, Side::HubSpot),
        salesforce_id: id(link, Side::Salesforce),
        rule: Some(hold.rule.clone()),
        why: format!("{}: {}", hold.reason.as_str(), hold.detail),
    })
}

fn open_letter(links: &BTreeMap<LinkId, Link>, letter: &DeadLetter) -> Open {
    let link = letter.link.as_ref().and_then(|link| links.get(link));
    let mut ids = BySide::from_fn(|side| link.map_or_else(String::new, |link| id(link, side)));
    if let Task::Record(key) = &letter.task {
        key.id.as_str().clone_into(ids.get_mut(key.side));
    }
    Open {
        mapping: letter.mapping.as_str().to_owned(),
        hubspot_id: ids.hubspot,
        salesforce_id: ids.salesforce,
        rule: letter.rule.clone(),
        why: format!("{}: {}", letter.code, letter.message),
    }
}

fn seen(links: &BTreeMap<LinkId, Link>, conflict: &ConflictRow) -> Option<ConflictSeen> {
    let link = links.get(&conflict.link)?;
    let loser = conflict
        .loser
        .iter()
        .map(|(name, raw)| (name.clone(), raw.as_text().unwrap_or_default().to_owned()))
        .collect();
    Some(ConflictSeen {
        mapping: conflict.mapping.as_str().to_owned(),
        hubspot_id: id(link, Side::HubSpot),
        salesforce_id: id(link, Side::Salesforce),
        rule: conflict.rule.clone(),
        base: conflict
            .base
            .as_ref()
            .map_or_else(String::new, |base| texts(&base.hubspot)),
        hubspot: texts(&conflict.inputs.hubspot),
        salesforce: texts(&conflict.inputs.salesforce),
        winner: conflict.winner,
        loser,
    })
}

fn texts(fields: &Fields) -> String {
    let texts: Vec<&str> = fields.values().filter_map(Raw::as_text).collect();
    texts.join(" / ")
}
