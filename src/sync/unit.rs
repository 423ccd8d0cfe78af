//! The unit of planning: the marks of one link, or of one record that has none.

use std::collections::{BTreeMap, BTreeSet};

use super::ahead::Ahead;
use super::guard::Kind;
use crate::crm::Tied;
use crate::model::{
    ApprovalId, Bases, BySide, Cause, Fields, Hold, IntendedRule, Intent, IntentId, IntentKind,
    Link, LinkState, Record, RecordId, RecordKey, Side, Task,
};
use crate::pipeline::Setback;
use crate::store::{Changes, Claimed};

/// Planned once, completed together at the claimed revisions.
#[derive(Debug, Default)]
pub struct Unit {
    pub claimed: Vec<Claimed>,
    pub link: Option<Link>,
    /// The link was made or changed in this attempt and is not in the store yet.
    pub link_dirty: bool,
    pub records: BySide<Option<RecordId>>,
    /// What was read; `None` when not asked yet.
    pub read: BySide<Option<Record>>,
    pub bases: Bases,
    pub bases_dirty: bool,
    pub holds: Vec<Hold>,
    /// Rules that went back and forth and are tried again.
    pub cooled: BTreeSet<String>,
    pub intents: Vec<Intent>,
    /// What an earlier attempt sent was not there as it was meant.
    pub unsettled: bool,
    /// What the plan wants written, before it becomes intents.
    pub writes: Vec<Write>,
    /// Edits that a write of ours replaced, to be put back before anything else is planned.
    pub restores: BTreeMap<Side, Restore>,
    /// What became of an earlier write is news to the plan, although the marked record may rest.
    pub news: bool,
    /// What an earlier attempt left open was settled in this one: room for an edit nobody saw.
    pub reopened: bool,
    /// A CRM took a write of this attempt.
    pub wrote: bool,
    /// A value is held anew in this attempt.
    pub held: bool,
    /// One of the records was created in this attempt, so nobody has edited it.
    pub made: bool,
    /// Never agreed on anything before this attempt: a pair's first sync.
    pub fresh: bool,
    /// Planned for the first time since a merge or a conversion moved its link.
    pub followed: bool,
    /// Ends the pair without a write, once the guard has let it pass.
    pub parting: Option<Parting>,
    /// What a guard let through.
    pub guarded: Vec<Guarded>,
    /// The record that a refused create named as its double, until somebody looks whose it is.
    pub existing: Option<RecordId>,
    /// Choices of a person that the planned writes carry out, by rule.
    pub chosen: BTreeMap<String, ApprovalId>,
    /// Created in this attempt, and the platform filled in what it was not given: the rest of the
    /// pair is planned once more before the attempt ends.
    pub plan_on: bool,
    /// The plan wanted more than may be written just now.
    pub left: Option<Left>,
    /// Waits for this parent once everything else is done.
    pub blocked_on: Option<(RecordKey, Setback)>,
    /// What the store is to be told about this unit with the next commit.
    pub changes: Changes,
    pub end: Option<End>,
    /// The end has been turned into verdicts.
    pub judged: bool,
}

/// Why a part of a plan is left for later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// A frozen plan does not allow it: it is for another run.
    Unplanned,
    /// The side is paused.
    Paused,
}

/// One write to one record, as planned.
#[derive(Clone, Debug)]
pub struct Write {
    pub side: Side,
    pub kind: IntentKind,
    /// Empty when the record as a whole is archived.
    pub rules: Vec<IntendedRule>,
}

/// A write that puts replaced edits back.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The open intent whose place it takes.
    pub replaces: IntentId,
    pub rules: Vec<IntendedRule>,
}

/// A pair that is taken apart because one of its records went; the other one stays.
#[derive(Clone, Debug)]
pub struct Parting {
    /// The side whose record went.
    pub side: Side,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Deleted,
    /// Deleted, and the other record was edited since they agreed.
    DeletedButEdited,
    LeftFilter,
}

/// One thing that a guard counts, on its way through.
#[derive(Clone, Debug)]
pub struct Guarded {
    pub kind: Kind,
    pub side: Side,
    /// The grant it passes by; `None` when there was room.
    pub grant: Option<ApprovalId>,
}

/// How the unit ended in this attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    /// The records that were marked have not moved. The pair's other record was not looked at, so
    /// what somebody was told about that one still stands.
    AtRest,
    /// Failed; the retry schedule decides.
    Failed(Setback),
    /// The mapping cannot be worked at all just now: looked at again after a pause, for as long as
    /// it takes.
    Paused(Setback),
    /// Not an attempt: due again when the setback says, or at once.
    Again(Setback),
    BlockedOn {
        parent: RecordKey,
        setback: Setback,
        /// The record as a whole needs the parent; otherwise one held rule of it does.
        required: bool,
    },
}

impl Unit {
    pub fn of(claimed: Claimed) -> Self {
        let mut unit = Self::default();
        if let Task::Record(key) = &claimed.task {
            *unit.records.get_mut(key.side) = Some(key.id.clone());
        }
        unit.claimed.push(claimed);
        unit
    }

    pub fn open(&self) -> bool {
        self.end.is_none()
    }

    /// The first end wins: what went wrong first is what a person should read.
    pub fn finish(&mut self, end: End) {
        self.end.get_or_insert(end);
    }

    pub fn is_first_attempt(&self) -> bool {
        self.claimed.iter().all(|claimed| claimed.attempts == 0)
    }

    pub fn is_marked(&self, side: Side) -> bool {
        self.claimed
            .iter()
            .any(|claimed| claimed.task.side() == side)
    }

    pub fn asked_by_person(&self) -> bool {
        self.claimed
            .iter()
            .any(|claimed| claimed.cause == Cause::Person)
    }

    /// The side to start from when there is no link: the one that was marked.
    pub fn source(&self) -> Side {
        if self.is_marked(Side::HubSpot) {
            Side::HubSpot
        } else {
            Side::Salesforce
        }
    }

    pub fn fields(&self, side: Side) -> Option<&Fields> {
        self.read.get(side).as_ref().map(|record| &record.fields)
    }

    pub fn link_state(&self) -> Option<LinkState> {
        self.link.as_ref().map(|link| link.state)
    }

    pub fn set_state(&mut self, state: LinkState, note: &str) {
        if let Some(link) = &mut self.link {
            link.state = state;
            note.clone_into(&mut link.note);
            self.link_dirty = true;
        }
    }

    /// Whether a restoring write takes the place of this intent, which then stays open until the
    /// other is.
    pub fn is_restoring(&self, intent: &Intent) -> bool {
        let restore = self.restores.get(&intent.side);
        restore.is_some_and(|restore| restore.replaces == intent.id)
    }

    pub fn hold(&self, rule: &str) -> Option<&Hold> {
        self.holds.iter().find(|hold| hold.rule == rule)
    }
}

/// The units of one claimed batch.
#[derive(Debug, Default)]
pub struct Batch {
    pub units: Vec<Unit>,
    /// The associations that were read in this attempt, with all their labels.
    pub tied: Tied,
    /// What Salesforce was asked along with the read of its records.
    pub ahead: Ahead,
}

impl Batch {
    pub fn open(&mut self) -> impl Iterator<Item = &mut Unit> {
        self.units.iter_mut().filter(|unit| unit.open())
    }

    /// Ids on one side of the open units that a filter picks.
    pub fn ids(&self, side: Side, mut pick: impl FnMut(&Unit) -> bool) -> Vec<RecordId> {
        let mut ids: Vec<RecordId> = self
            .units
            .iter()
            .filter(|unit| unit.open() && pick(unit))
            .filter_map(|unit| unit.records.get(side).clone())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }

    /// Hands out what was read, by id: to a buried pair as well as to the one that its record has
    /// been in since.
    pub fn place(&mut self, side: Side, records: Vec<Record>) {
        let by_id: BTreeMap<RecordId, Record> = records
            .into_iter()
            .map(|record| (record.id.clone(), record))
            .collect();
        for unit in self.open() {
            let Some(id) = unit.records.get(side).clone() else {
                continue;
            };
            if let Some(record) = by_id.get(&id) {
                *unit.read.get_mut(side) = Some(record.clone());
            }
        }
    }

    /// Keeps what belongs to the batch as a whole for the next commit.
    pub fn note(&mut self, changes: Changes) {
        if let Some(unit) = self.units.first_mut() {
            unit.changes.append(changes);
        }
    }

    /// Ends every open unit the same way: a read that failed failed for all of them.
    pub fn fail(&mut self, end: End) {
        for unit in self.open() {
            unit.finish(end.clone());
        }
    }
}
