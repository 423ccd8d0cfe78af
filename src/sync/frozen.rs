//! Writes that were planned before: an attempt under them does these and no others.
//!
//! A frozen row is compared with what the planner decides now. Where both say the same, the write
//! goes ahead on the engine's own road; where they differ, the record moved since, and the row is
//! only noted. Whatever else the planner wants is left to a run of its own. Nothing here decides
//! what a value should be, and nothing here calls a CRM.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::{Desk, Mode};
use super::report;
use super::undo::UNDONE;
use super::unit::{Batch, End, Left, Unit, Write};
use crate::clock::Chance;
use crate::mapping::Bound;
use crate::merge::Settled;
use crate::model::{
    BySide, ErrorClass, Fields, Hold, HoldReason, IntendedRule, Intent, IntentKind, LinkState,
    MappingName, PlannedWrite, Presence, RecordId, RecordKey, Side,
};

/// What a frozen plan leaves is due again after this long, unless the run ends before and says so.
const LEFT_MILLIS: i64 = 10 * 60_000;

/// The rows of one plan and what became of each.
#[derive(Clone, Debug, Default)]
pub struct Frozen {
    /// Whose records the rows name; `None` where that was seen to before.
    accounts: Option<BySide<String>>,
    rows: Vec<Row>,
    /// Rows by the record they are about, each side's records apart.
    of_record: BTreeMap<RecordKey, Vec<usize>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub write: PlannedWrite,
    pub fate: Fate,
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its record was not looked at, or could not be.
    Waiting,
    /// It is not in the part that was to be tried out.
    LeftOut,
    /// The plan of now agrees with it; it is on its way.
    Taken,
    Written,
    /// Both sides hold already what it would write.
    Already,
    /// Its records are not as they were when it was planned.
    Moved(String),
    /// The rule waits: a guard, a refusal, a value that did not stay.
    Held(String),
    Failed(String),
}

impl Frozen {
    pub fn new(writes: Vec<PlannedWrite>) -> Self {
        let mut frozen = Self::default();
        for write in writes {
            let at = frozen.rows.len();
            for key in keys(&write) {
                frozen.of_record.entry(key).or_default().push(at);
            }
            let fate = Fate::Waiting;
            frozen.rows.push(Row { write, fate });
        }
        frozen
    }

    /// To be carried out on these accounts only.
    pub fn on(mut self, accounts: BySide<String>) -> Self {
        self.accounts = Some(accounts);
        self
    }

    pub fn accounts(&self) -> Option<&BySide<String>> {
        self.accounts.as_ref()
    }

    /// Leaves only the writes of `count` records, drawn by chance.
    pub fn draw(&mut self, count: usize, chance: &Chance) {
        let mut subjects: Vec<(MappingName, Side, Option<RecordId>)> =
            self.rows.iter().map(subject).collect();
        subjects.sort();
        subjects.dedup();
        let mut drawn = BTreeSet::new();
        while drawn.len() < count && !subjects.is_empty() {
            let most = u64::try_from(subjects.len()).unwrap_or(u64::MAX);
            let at = usize::try_from(chance.below(most)).unwrap_or(0);
            drawn.insert(subjects.swap_remove(at));
        }
        for row in &mut self.rows {
            if !drawn.contains(&subject(row)) {
                row.fate = Fate::LeftOut;
            }
        }
    }

    /// Whether the plan takes back what a run wrote.
    pub fn is_undo(&self) -> bool {
        let mut rows = self.rows.iter();
        rows.any(|row| row.write.undoes.is_some())
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Every record that a row is about, and whether associations are at issue, whose changes move
    /// no stamp.
    pub fn records(&self) -> BTreeMap<RecordKey, bool> {
        let mut records = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.fate != Fate::LeftOut) {
            // A tie of HubSpot's may be what a lookup of Salesforce's is written from.
            let names = row.write.after.keys().chain(row.write.from.keys());
            let ties = names.into_iter().any(|name| name.contains('/'));
            for key in keys(&row.write) {
                *records.entry(key).or_insert(false) |= ties;
            }
        }
        records
    }

    fn of(&self, mapping: &MappingName, records: &BySide<Option<RecordId>>) -> Vec<usize> {
        let key = |side: Side| {
            let id = records.get(side).clone()?;
            let mapping = mapping.clone();
            Some(RecordKey { mapping, side, id })
        };
        let found = Side::BOTH.into_iter().filter_map(key);
        let mut rows: Vec<usize> = found
            .filter_map(|key| self.of_record.get(&key))
            .flatten()
            .copied()
            .collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The rows that take back what a run wrote to this pair.
    pub fn undoes(&self, bound: &Bound, unit: &Unit) -> Vec<PlannedWrite> {
        let rows = self.of(&bound.mapping().name, &unit.records).into_iter();
        rows.map(|at| &self.rows[at])
            .filter(|row| row.fate != Fate::LeftOut && row.write.undoes.is_some())
            .map(|row| row.write.clone())
            .collect()
    }
}

fn subject(row: &Row) -> (MappingName, Side, Option<RecordId>) {
    let write = &row.write;
    (write.mapping.clone(), write.side, write.subject().cloned())
}

fn keys(write: &PlannedWrite) -> Vec<RecordKey> {
    let ends = [
        (write.side, &write.record),
        (write.side.other(), &write.source),
    ];
    let key = |(side, id): (Side, &Option<RecordId>)| {
        let mapping = write.mapping.clone();
        let id = id.clone()?;
        Some(RecordKey { mapping, side, id })
    };
    ends.into_iter().filter_map(key).collect()
}

impl Mode {
    /// The plan that this run has to keep to.
    pub fn frozen(&self) -> Option<&Frozen> {
        match self {
            Self::Write | Self::Observe | Self::Shadow => None,
            Self::Apply(frozen) | Self::Rehearse(frozen) => Some(frozen),
        }
    }

    fn frozen_mut(&mut self) -> Option<&mut Frozen> {
        match self {
            Self::Write | Self::Observe | Self::Shadow => None,
            Self::Apply(frozen) | Self::Rehearse(frozen) => Some(frozen),
        }
    }
}

/// Takes out of every plan of the batch what is not in the frozen one.
pub fn keep(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) {
    let Some(frozen) = desk.mode.frozen_mut() else {
        return;
    };
    let mut lost = 0;
    for unit in batch.units.iter_mut().filter(|unit| unit.open()) {
        let rows = frozen.of(&bound.mapping().name, &unit.records);
        lost += keep_one(frozen, &rows, unit);
    }
    desk.tally.conflicts = desk.tally.conflicts.saturating_sub(lost);
}

/// Answers how many conflicts were decided in what is left out.
fn keep_one(frozen: &mut Frozen, rows: &[usize], unit: &mut Unit) -> u64 {
    if !unit.restores.is_empty() {
        // What puts an overwritten edit back is for a run that may write what it finds.
        unit.restores.clear();
        unit.left = Some(Left::Unplanned);
    }
    let mut dropped = BTreeSet::new();
    for write in &mut unit.writes {
        let of_write = |row: &&usize| {
            let planned = &frozen.rows[**row].write;
            planned.side == write.side && planned.kind == write.kind
        };
        let same: Vec<usize> = rows.iter().filter(of_write).copied().collect();
        let (kept, out) = match write.kind {
            IntentKind::Archive => (chosen(frozen, &same), Vec::new()),
            IntentKind::Create => created(frozen, &same, write),
            IntentKind::Update | IntentKind::Associate => split(frozen, &same, write),
        };
        if write.kind == IntentKind::Archive && kept.is_empty() {
            dropped.insert(String::new());
        }
        for row in kept {
            frozen.rows[row].fate = Fate::Taken;
        }
        dropped.extend(out.into_iter().map(|rule| rule.rule));
    }
    let gone = |write: &Write| match write.kind {
        IntentKind::Archive => dropped.contains(""),
        IntentKind::Create | IntentKind::Update | IntentKind::Associate => write.rules.is_empty(),
    };
    unit.writes.retain(|write| !gone(write));
    if dropped.is_empty() {
        return 0;
    }
    unit.left = Some(Left::Unplanned);
    leave_out(unit, &dropped)
}

type Kept = (Vec<usize>, Vec<IntendedRule>);

fn chosen(frozen: &Frozen, rows: &[usize]) -> Vec<usize> {
    let open = |row: &&usize| frozen.rows[**row].fate != Fate::LeftOut;
    rows.iter().filter(open).copied().collect()
}

/// A record is made as it was planned or not at all. A tie to a record that the plan itself has
/// made meanwhile is no reason against it, and is left for later.
fn created(frozen: &Frozen, rows: &[usize], write: &mut Write) -> Kept {
    let says = |row: &&usize| !frozen.rows[**row].write.after.is_empty();
    let wanted: Vec<usize> = rows.iter().filter(says).copied().collect();
    let (kept, rest) = split(frozen, rows, write);
    let stray = |rule: &IntendedRule| {
        !rule.after.is_empty() && !rule.after.keys().all(|name| is_tie(name, rule))
    };
    let whole = !wanted.is_empty() && wanted.iter().all(|row| kept.contains(row));
    if whole && !rest.iter().any(stray) {
        let (ties, blank): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|rule| !rule.after.is_empty());
        write.rules.extend(blank);
        (kept, ties)
    } else {
        let mut out = std::mem::take(&mut write.rules);
        out.extend(rest);
        (Vec::new(), out)
    }
}

/// A reference is read from another record's link, not typed by anybody on this one.
fn is_tie(name: &str, rule: &IntendedRule) -> bool {
    name.contains('/') || rule.source.keys().any(|name| name.contains('/'))
}

/// Leaves in `write` the rules that are planned just so, and answers their rows and the others.
fn split(frozen: &Frozen, rows: &[usize], write: &mut Write) -> Kept {
    let mut kept = Vec::new();
    let (keep, out) = std::mem::take(&mut write.rules)
        .into_iter()
        .partition(|rule| {
            let row = rows.iter().find(|row| {
                let row = &frozen.rows[**row];
                row.fate != Fate::LeftOut && is_planned(&row.write, rule)
            });
            kept.extend(row);
            row.is_some()
        });
    write.rules = keep;
    (kept, out)
}

fn is_planned(planned: &PlannedWrite, now: &IntendedRule) -> bool {
    if planned.undoes.is_some() {
        // It was made of this very row.
        return planned.rule == now.rule && now.reason == UNDONE;
    }
    planned.rule == now.rule
        && planned.rule_hash == now.rule_hash
        && planned.from == now.source
        && planned.before == now.before
        && planned.after == now.after
}

/// Forgets what was decided about rules that are left for later.
pub fn leave_out(unit: &mut Unit, rules: &BTreeSet<String>) -> u64 {
    let sent: BTreeSet<&String> = unit
        .writes
        .iter()
        .flat_map(|write| write.rules.iter().map(|rule| &rule.rule))
        .collect();
    let out: BTreeSet<String> = rules
        .iter()
        .filter(|rule| !sent.contains(rule))
        .cloned()
        .collect();
    let changes = &mut unit.changes;
    let before = changes.conflicts.len();
    changes.conflicts.retain(|row| !out.contains(&row.rule));
    let lost = before - changes.conflicts.len();
    changes.holds_closed.retain(|(_, rule)| !out.contains(rule));
    let of = |rule: &Option<String>| rule.as_ref().is_some_and(|rule| out.contains(rule));
    changes.conflicts_closed.retain(|close| !of(&close.rule));
    unit.guarded.clear();
    let made = matches!(unit.link_state(), Some(LinkState::Creating(_))) && unit.link_dirty;
    if made && unit.writes.is_empty() {
        unit.link = None;
        unit.link_dirty = false;
        unit.changes.holds.clear();
        unit.changes.journal.clear();
    }
    lost as u64
}

/// How a record ends of which something was left for later.
pub fn left(desk: &mut Desk<'_>, unit: &Unit) -> End {
    for claimed in &unit.claimed {
        if let crate::model::Task::Record(key) = &claimed.task {
            desk.tally.left.insert(key.clone());
        }
    }
    let message = "it changed since the plan that is being carried out was made";
    let mut setback = report::setback(ErrorClass::Transient, "not-planned", message.to_owned());
    setback.retry_after = Some(desk.site.clock.now().plus_millis(LEFT_MILLIS));
    End::Again(setback)
}

/// Notes what a write came to.
pub fn settled(desk: &mut Desk<'_>, unit: &Unit, intent: &Intent, rule: &str, verdict: Settled) {
    let fate = match verdict {
        Settled::Applied => Fate::Written,
        Settled::NotKept => Fate::Held("the CRM said yes and kept its value".to_owned()),
        Settled::Altered => Fate::Held("the CRM stored something else".to_owned()),
        Settled::NotApplied | Settled::Overtaken | Settled::Followed => {
            Fate::Moved("somebody edited it at the same moment".to_owned())
        }
    };
    let Some(frozen) = desk.mode.frozen_mut() else {
        return;
    };
    for at in frozen.of(&intent.mapping, &unit.records) {
        let row = &mut frozen.rows[at];
        let same = row.write.side == intent.side && row.write.rule == rule;
        if same && matches!(row.fate, Fate::Taken | Fate::Failed(_)) {
            row.fate = fate.clone();
        }
    }
}

/// Says of each row that was not written what stands against it, once an attempt is over.
pub fn judge(desk: &mut Desk<'_>, bound: &Bound, batch: &Batch) {
    let Some(frozen) = desk.mode.frozen_mut() else {
        return;
    };
    for unit in &batch.units {
        for at in frozen.of(&bound.mapping().name, &unit.records) {
            let row = &mut frozen.rows[at];
            let fate = match &row.fate {
                Fate::Waiting | Fate::Failed(_) => not_taken(unit, &row.write),
                Fate::Taken => not_written(unit, &row.write),
                Fate::LeftOut | Fate::Written | Fate::Already | Fate::Moved(_) | Fate::Held(_) => {
                    None
                }
            };
            if let Some(fate) = fate {
                row.fate = fate;
            }
        }
    }
}

fn not_written(unit: &Unit, write: &PlannedWrite) -> Option<Fate> {
    // A rule that goes back is held on purpose.
    let other = |hold: &&Hold| hold.reason != HoldReason::Undone;
    if let Some(hold) = unit.hold(&write.rule).filter(other) {
        return Some(Fate::Held(hold.detail.clone()));
    }
    match &unit.end {
        Some(End::Failed(setback) | End::Paused(setback) | End::Again(setback)) => {
            Some(Fate::Failed(setback.failure.message.clone()))
        }
        Some(End::BlockedOn { setback, .. }) => Some(Fate::Failed(setback.failure.message.clone())),
        Some(End::Done | End::AtRest) | None => None,
    }
}

fn not_taken(unit: &Unit, write: &PlannedWrite) -> Option<Fate> {
    let over = matches!(unit.end, Some(End::Done | End::AtRest)) || unit.left.is_some();
    if !over {
        return not_written(unit, write);
    }
    let moved = |what: &str| Some(Fate::Moved(what.to_owned()));
    match write.kind {
        IntentKind::Create if unit.records.get(write.side).is_some() => Some(Fate::Already),
        IntentKind::Create => moved("the record it would be made from is not as it was"),
        IntentKind::Archive => match unit.read.get(write.side) {
            Some(record) if record.presence == Presence::Deleted => Some(Fate::Already),
            Some(_) => moved("the record is not to be deleted any more"),
            None => None,
        },
        IntentKind::Update | IntentKind::Associate => {
            let now = unit.fields(write.side)?;
            let holds = |fields: &Fields, of: &Fields| {
                of.iter().all(|(name, raw)| fields.get(name) == Some(raw))
            };
            if holds(now, &write.after) {
                return Some(Fate::Already);
            }
            if let Some(hold) = unit.hold(&write.rule) {
                return Some(Fate::Held(hold.detail.clone()));
            }
            let whose = if holds(now, &write.before) {
                write.side.other()
            } else {
                write.side
            };
            Some(Fate::Moved(format!(
                "{}'s record is not as it was",
                whose.title()
            )))
        }
    }
}
