//! A plan in the making, or another look that is taken in the same way: an engine on a copy of the
//! workspace's rows, that writes nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Service;
use super::jobs::{UndoWish, Wish};
use super::trouble::OpenError;
use crate::app::{
    self, Comparison, Engine, LookError, Options, Parts, PlanFile, Scratch, Spared, Undo,
    blind_spots, compare_all, is_blind_source, look_live, matches, why_spared,
};
use crate::explain::{Question, explain};
use crate::mapping::Mapping;
use crate::model::{LinkState, MappingName, PlannedWrite, RecordId, RunId, Timestamp, WorkspaceId};
use crate::pipeline::LANE;
use crate::review::explained;
use crate::store::{Claimed, Job, JobKind, Store, StoreError, WritesOf};
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
    /// What differs, where it is to be repaired.
    compared: Option<Comparison>,
    /// Goes last, when nobody has the copy open any more.
    _scratch: Scratch,
}

/// What a look came to.
pub(super) enum Answer {
    /// A plan, with what else is to be told of it.
    Plan(PlanFile, Value),
    Told(Value),
    /// The engine has been asked to look at more.
    NotYet,
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
            compared: None,
            _scratch: scratch,
        })
    }

    async fn undoing(
        &self,
        ws: &WorkspaceId,
        wish: &UndoWish,
        mappings: &[Mapping],
    ) -> Result<(Vec<PlannedWrite>, Vec<Spared>), OpenError> {
        let now = self.clock.now();
        let run = wish.run.as_ref().map(RunId::new);
        let row = match &run {
            Some(run) => self.store.run(ws, run).await?,
            None => None,
        };
        let since = wish.since.map(Timestamp::from_micros);
        let asked = Undo {
            of: WritesOf {
                from: row.map(|row| row.started_at).or(since).unwrap_or(now),
                run,
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

    /// Whether all that is new is looked at first. What is about one record needs none of it.
    pub const fn catches_up(&self) -> bool {
        self.wish.explain.is_none()
    }

    /// What was asked. `original` is what the copy was made of.
    pub async fn answer(&mut self, kind: JobKind, original: &Store) -> Result<Answer, LookError> {
        match kind {
            JobKind::Plan | JobKind::Undo => self.plan().await,
            JobKind::Repair => self.repair().await,
            JobKind::Match => {
                let chosen = self.chosen();
                let report = matches::find_out(&mut self.engine, &chosen).await?;
                Ok(Answer::Told(report.json()))
            }
            JobKind::Explain => self.explained(original).await,
        }
    }

    /// The mappings that were asked for.
    fn chosen(&self) -> Vec<MappingName> {
        let names = self.engine.site().mappings.keys();
        let chosen = names.filter(|name| self.is_wanted(name));
        chosen.cloned().collect()
    }

    fn is_wanted(&self, name: &MappingName) -> bool {
        let wanted = &self.wish.mappings;
        wanted.is_empty() || wanted.iter().any(|one| one == name.as_str())
    }

    /// A plan rests on all that is new, so there is none where a CRM could not be read.
    async fn complete(&self) -> Result<(), LookError> {
        let waiting = self.engine.waiting().await?;
        let blind: Vec<Claimed> = waiting.into_iter().filter(is_blind_source).collect();
        if blind.is_empty() {
            return Ok(());
        }
        let what = format!("the plan is not complete: {}", blind_spots(&blind));
        Err(LookError::Incomplete(what))
    }

    /// Compares both sides, and once the engine has looked at what drifted, plans what mends it.
    async fn repair(&mut self) -> Result<Answer, LookError> {
        self.complete().await?;
        if let Some(compared) = &self.compared {
            let plan = compared.repair(&self.engine);
            let more = json!({"comparison": compared.json(), "waiting": self.waiting().await?});
            return Ok(Answer::Plan(plan, more));
        }
        let chosen = self.chosen();
        let compared = compare_all(&mut self.engine, &chosen, true).await?;
        compared.look_again(&self.engine).await?;
        self.compared = Some(compared);
        Ok(Answer::NotYet)
    }

    /// The copy has not all of the journal, so what was before is told from the original.
    async fn explained(&mut self, original: &Store) -> Result<Answer, LookError> {
        let asked = self.wish.explain.clone().unwrap_or_default();
        let site = self.engine.site();
        let (ws, now) = (site.workspace.clone(), site.clock.now());
        let question = Question::read(&asked.object, &asked.id, asked.field.as_deref(), None, now)?;
        let mut found = explain(original, &ws, &question, now).await?;
        look_live(&mut self.engine, &question, &mut found).await?;
        Ok(Answer::Told(explained(&question, &found)))
    }

    /// Records that wait and are not in the plan.
    async fn waiting(&self) -> Result<u64, StoreError> {
        let ws = &self.engine.site().workspace;
        let queue = self.store.queue_counts(ws, LANE).await?;
        let records = queue.get("record").copied().unwrap_or_default();
        Ok(records.ready + records.waiting + records.blocked)
    }

    /// The plan with what else is to be told of it.
    async fn plan(&self) -> Result<Answer, LookError> {
        self.complete().await?;
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
            more["waiting"] = json!(self.waiting().await?);
            let links = linked(&self.store, &self.engine.site().workspace).await?;
            more["links"] = json!(links.saturating_sub(self.linked));
        }
        plan.writes.retain(|row| self.is_wanted(&row.mapping));
        Ok(Answer::Plan(plan, more))
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
