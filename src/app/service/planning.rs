//! A plan in the making: an engine on a copy of the workspace's rows, that writes nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Service;
use super::jobs::{UndoWish, Wish};
use super::trouble::OpenError;
use crate::app::{
    self, Engine, LookError, Options, Parts, PlanFile, Scratch, Spared, Undo, blind_spots,
    is_blind_source, matches, why_spared,
};
use crate::mapping::Mapping;
use crate::model::{LinkState, MappingName, PlannedWrite, RecordId, RunId, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{Claimed, Job, Store, StoreError, WritesOf};
use crate::sync::{Fate, Frozen, Mode, Row};

/// Rows that would stay as they are and are kept with their reason.
const SPARED_MAX: usize = 1_000;

pub(super) struct Planning {
    pub engine: Engine,
    store: Arc<Store>,
    wish: Wish,
    /// Pairs at the start.
    linked: u64,
    /// What cannot be taken back, as the journal tells.
    spared: Vec<Spared>,
    /// Goes last, when nobody has the copy open any more.
    _scratch: Scratch,
}

impl Service {
    /// Copies the workspace and opens an engine on the copy, with clients of its own that refuse
    /// every write and know what the workspace's own know of their limits.
    pub(super) async fn planning(&self, own: &Engine, job: &Job) -> Result<Planning, OpenError> {
        let site = own.site();
        let ws = &site.workspace;
        let wish = Wish::of(job);
        let mappings = site.mappings.values();
        let mappings: Vec<Mapping> = mappings.map(|bound| bound.mapping().clone()).collect();
        let (mode, spared) = match &wish.undo {
            None => (Mode::Observe, Vec::new()),
            Some(undo) => {
                let (writes, spared) = self.undoing(ws, undo, &mappings).await?;
                (Mode::Rehearse(Frozen::new(writes)), spared)
            }
        };
        let scratch = Scratch::make().map_err(|error| StoreError::Unreachable {
            place: "the copy for a plan".to_owned(),
            why: error.to_string(),
        })?;
        let store = Arc::new(self.store.copy_workspace(ws, scratch.path()).await?);
        let linked = linked(&store, ws).await?;
        let crms = self.keeper.crms(ws).await?;
        let engine = Box::pin(Engine::open(Parts {
            store: Arc::clone(&store),
            workspace: ws.clone(),
            hubspot: crms.hubspot,
            salesforce: crms.salesforce,
            mappings,
            clock: self.clock.clone(),
            chance: self.chance.clone(),
            options: Options {
                mode,
                schemas: Some(Box::new(site.schemas.clone())),
                pauses: site.pauses.clone(),
                // It asks both CRMs for what is new, and what it hears tells nothing of webhooks.
                comes_and_goes: false,
                least_poll_millis: 0,
                heard: Arc::default(),
                ..self.options.clone()
            },
        }))
        .await?;
        Ok(Planning {
            engine,
            store,
            wish,
            linked,
            spared,
            _scratch: scratch,
        })
    }

    async fn undoing(
        &self,
        ws: &WorkspaceId,
        wish: &UndoWish,
        mappings: &[Mapping],
    ) -> Result<(Vec<PlannedWrite>, Vec<Spared>), OpenError> {
        let run = RunId::new(&wish.run);
        let row = self.store.run(ws, &run).await?;
        let now = self.clock.now();
        let asked = Undo {
            of: WritesOf {
                from: row.map_or(now, |row| row.started_at),
                run: Some(run),
                until: now,
            },
            mapping: wish.mapping.as_deref().map(MappingName::new),
            rule: wish.rule.clone(),
            record: wish.record.as_deref().map(RecordId::new),
            archive_created: wish.archive_created,
        };
        Ok(app::undo(&self.store, ws, &asked, mappings).await?)
    }
}

async fn linked(store: &Store, ws: &WorkspaceId) -> Result<u64, StoreError> {
    let links = store.summary(ws).await?.links;
    Ok(links.get(&LinkState::Linked).copied().unwrap_or(0))
}

impl Planning {
    /// Lets go of the copy, so that its folder can go.
    pub async fn close(self) {
        drop(self.engine);
        if let Some(store) = Arc::into_inner(self.store) {
            store.close().await;
        }
    }

    pub fn progress(&self) -> Value {
        json!({"values": self.engine.tally().planned.rows().count()})
    }

    /// The inventory of the mappings that were asked for.
    pub async fn inventory(&mut self) -> Result<matches::Report, LookError> {
        let wanted = &self.wish.mappings;
        let names = self.engine.site().mappings.keys();
        let chosen: Vec<MappingName> = names
            .filter(|name| wanted.is_empty() || wanted.iter().any(|one| one == name.as_str()))
            .cloned()
            .collect();
        matches::find_out(&mut self.engine, &chosen).await
    }

    /// The plan with what else is to be told of it; or what could not be read.
    pub async fn found(&self) -> Result<Result<(PlanFile, Value), String>, StoreError> {
        let ws = &self.engine.site().workspace;
        let waiting = self.engine.waiting().await?;
        let blind: Vec<Claimed> = waiting.into_iter().filter(is_blind_source).collect();
        if !blind.is_empty() {
            return Ok(Err(format!(
                "the plan is not complete: {}",
                blind_spots(&blind)
            )));
        }
        let mut plan = self.engine.plan_file();
        let mut more = json!({});
        if self.wish.undo.is_some() {
            let rows = self.engine.mode().frozen().map(Frozen::rows);
            let (goes, stays): (Vec<&Row>, Vec<&Row>) = rows
                .unwrap_or_default()
                .iter()
                .partition(|row| row.fate == Fate::Taken);
            plan.writes = goes.into_iter().map(|row| row.write.clone()).collect();
            more["spared"] = self.spared(&stays);
            more["spared_count"] = json!(self.spared.len() + stays.len());
        } else {
            let queue = self.store.queue_counts(ws, LANE).await?;
            let records = queue.get("record").copied().unwrap_or_default();
            more["waiting"] = json!(records.ready + records.waiting + records.blocked);
            let links = linked(&self.store, ws).await?;
            more["links"] = json!(links.saturating_sub(self.linked));
        }
        let wanted = &self.wish.mappings;
        if !wanted.is_empty() {
            plan.writes
                .retain(|row| wanted.iter().any(|name| name == row.mapping.as_str()));
        }
        Ok(Ok((plan, more)))
    }

    fn spared(&self, stays: &[&Row]) -> Value {
        let told = self.spared.iter().map(|one| {
            json!({
                "mapping": one.mapping.as_str(),
                "side": one.side.as_str(),
                "record": one.record.as_ref().map(RecordId::as_str),
                "rule": one.rule,
                "why": one.why,
            })
        });
        let rows = stays.iter().map(|row| {
            let write = &row.write;
            json!({
                "mapping": write.mapping.as_str(),
                "side": write.side.as_str(),
                "record": write.record.as_ref().map(RecordId::as_str),
                "rule": write.rule,
                "why": why_spared(&row.fate),
            })
        });
        Value::Array(told.chain(rows).take(SPARED_MAX).collect())
    }
}
