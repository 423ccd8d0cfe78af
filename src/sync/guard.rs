//! Stops mass changes and asks a person about the exact set; what is granted goes ahead once.
//!
//! Deletes, emptied values and writes that only a changed rule brings about share one way: count
//! what the last day did and what is proposed now, and beyond the mapping's limit hold whatever no
//! grant names. What a held record comes to is its caller's business for deletes, and a hold of
//! the rule for the others.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::outcome::put_hold;
use super::passage;
use super::unit::{Batch, Guarded, Unit};
use crate::bugs::{self, Bug};
use crate::mapping::{Bound, Guard, Limit};
use crate::merge::Reason;
use crate::model::{
    ApprovalId, BySide, Fields, HoldReason, IntendedRule, IntentKind, MappingName, Problem,
    RecordId, Side, Timestamp,
};
use crate::store::{Approval, ApprovalState, Changes, StoreError, match_hash};

pub(super) const HOUR_MILLIS: i64 = 3_600_000;
pub(super) const DAY_HOURS: i64 = 24;

/// What kind of mass change is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Deletes,
    /// Pairs taken apart because one record went or left the filter.
    Unlinks,
    /// Writes that empty a value.
    Blanks,
    /// Writes that nobody's edit asked for, only a changed rule or a merge.
    Changes,
}

impl Kind {
    /// Those that stop single rules.
    pub(super) const OF_RULES: [Self; 2] = [Self::Blanks, Self::Changes];

    /// The word in approvals and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deletes => "deletes",
            Self::Unlinks => "unlinks",
            Self::Blanks => "blanks",
            Self::Changes => "changes",
        }
    }

    const fn limit(self, guard: Guard) -> Limit {
        match self {
            Self::Deletes => guard.deletes,
            Self::Unlinks => guard.unlinks,
            Self::Blanks => guard.blanks,
            Self::Changes => guard.changes,
        }
    }

    /// How many records may be touched when `total` are linked; `None` for no limit. A mass change
    /// destroys nothing that the journal does not keep, so more of it passes by itself.
    fn room(self, guard: Guard, total: u64) -> Option<u64> {
        match (self, self.limit(guard)) {
            (Self::Changes, Limit::Auto) => Some((total / 5).max(25)),
            (_, limit) => limit.allowed(total),
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Deletes => "would be deleted",
            Self::Unlinks => "would lose their partner",
            Self::Blanks => "would lose a value",
            Self::Changes => "would be changed because a rule was edited or records were merged",
        }
    }

    /// The code of dead letters, and where the hourly counts of what went through are kept; deletes
    /// leave tombstones instead.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Deletes => "guard-deletes",
            Self::Unlinks => "guard-unlinks",
            Self::Blanks => "guard-blanks",
            Self::Changes => "guard-changes",
        }
    }

    pub(super) fn concerns(self, rule: &IntendedRule, followed: bool) -> bool {
        match self {
            Self::Deletes | Self::Unlinks => false,
            Self::Blanks => rule.reason != super::outcome::CHOSEN && blanks(rule),
            Self::Changes => followed || rule.reason == Reason::RuleChangedFirstContact.as_str(),
        }
    }
}

/// A value that is there now would be gone.
fn blanks(rule: &IntendedRule) -> bool {
    let filled = |name: &String| rule.before.get(name).is_some_and(|raw| !raw.is_blank());
    rule.after
        .iter()
        .any(|(name, raw)| raw.is_blank() && filled(name))
}

/// One guard's case: records of one side that a batch would touch.
pub struct Proposed {
    pub kind: Kind,
    pub side: Side,
    /// How many the last day touched already.
    pub done: u64,
    pub records: BTreeSet<RecordId>,
}

/// The guard says no, except to what a person has released.
pub struct Stop {
    /// For people.
    pub message: String,
    released: BTreeMap<RecordId, ApprovalId>,
}

impl Stop {
    /// The grant that lets this record through.
    pub fn grant(&self, id: Option<&RecordId>) -> Option<&ApprovalId> {
        self.released.get(id?)
    }
}

/// Whether the proposal has to wait; `None` when there is room for all of it. What is not
/// released becomes a question in `changes`, joined with the set of a question that is open.
pub async fn stop(
    desk: &Desk<'_>,
    bound: &Bound,
    proposed: &Proposed,
    changes: &mut Changes,
) -> Result<Option<Stop>, StoreError> {
    let room = |links| proposed.kind.room(bound.mapping().guard, links);
    let Some(least) = room(0).filter(|_| !bugs::on(Bug::GuardIgnored)) else {
        return Ok(None);
    };
    let asked = Asked::load(desk, bound, proposed).await?;
    let waiting = asked.open.iter().flat_map(|open| open.records.iter());
    let all: BTreeSet<&RecordId> = proposed.records.iter().chain(waiting).collect();
    let total = proposed.done + all.len() as u64;
    if total <= least {
        return Ok(None);
    }
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let name = &bound.mapping().name;
    let links = store.count_links(ws, Some(name)).await?.into_values().sum();
    let Some(room) = room(links).filter(|room| total > *room) else {
        return Ok(None);
    };
    let side = proposed.side.title();
    let what = proposed.kind.what();
    let detail = format!(
        "{total} records of `{name}` on {side} {what} within 24 hours; the guard lets {room} pass"
    );
    asked.ask(desk, proposed, name, &detail, changes);
    Ok(Some(Stop {
        message: format!("{detail}. `tandem approve` releases exactly the records that wait."),
        released: asked.released,
    }))
}

/// What a person was asked about this kind, side and mapping, and said.
struct Asked {
    open: Option<Approval>,
    released: BTreeMap<RecordId, ApprovalId>,
}

impl Asked {
    async fn load(desk: &Desk<'_>, bound: &Bound, proposed: &Proposed) -> Result<Self, StoreError> {
        let now = desk.site.clock.now();
        let since = now.plus_millis(-DAY_HOURS * HOUR_MILLIS);
        let mut asked = Self {
            open: None,
            released: BTreeMap::new(),
        };
        for approval in of_mapping(desk, bound).await? {
            if approval.kind != proposed.kind.as_str() || approval.side != proposed.side {
                continue;
            }
            match approval.state {
                ApprovalState::Asked if approval.asked_at > since => asked.open = Some(approval),
                ApprovalState::Granted if in_force(&approval, now) => {
                    let of = |id: &RecordId| (id.clone(), approval.id.clone());
                    asked.released.extend(approval.records.iter().map(of));
                }
                ApprovalState::Asked | ApprovalState::Granted | ApprovalState::Used => {}
            }
        }
        Ok(asked)
    }

    fn ask(
        &self,
        desk: &Desk<'_>,
        proposed: &Proposed,
        mapping: &MappingName,
        detail: &str,
        changes: &mut Changes,
    ) {
        let wait = |id: &&RecordId| !self.released.contains_key(*id);
        let mut records: BTreeSet<RecordId> =
            proposed.records.iter().filter(wait).cloned().collect();
        if let Some(open) = &self.open {
            if records.iter().all(|id| open.records.contains(id)) {
                return;
            }
            changes.approvals_used.push(open.id.clone());
            records.extend(open.records.iter().cloned());
        }
        if records.is_empty() {
            return;
        }
        let records: Vec<RecordId> = records.into_iter().collect();
        changes.approvals.push(Approval {
            id: ApprovalId::from_uuid(&desk.site.ids.next()),
            mapping: mapping.clone(),
            side: proposed.side,
            kind: proposed.kind.as_str().to_owned(),
            set_hash: set_hash(&records),
            items: records.len() as u64,
            records,
            detail: detail.to_owned(),
            state: ApprovalState::Asked,
            asked_at: desk.site.clock.now(),
            expires_at: None,
        });
    }
}

/// Names an exact set of records; they come sorted.
pub(super) fn set_hash(records: &[RecordId]) -> String {
    let ids: Vec<&str> = records.iter().map(RecordId::as_str).collect();
    match_hash(&ids.join("\n"))
}

pub(super) fn in_force(approval: &Approval, now: Timestamp) -> bool {
    approval.state == ApprovalState::Granted && approval.expires_at.is_some_and(|at| at > now)
}

pub(super) async fn of_mapping(
    desk: &Desk<'_>,
    bound: &Bound,
) -> Result<Vec<Approval>, StoreError> {
    let mut approvals = desk.site.store.approvals(&desk.site.workspace).await?;
    approvals.retain(|approval| approval.mapping == bound.mapping().name);
    Ok(approvals)
}

/// Lifts the holds of the guards from records that a person has released, so that they are
/// planned again.
pub async fn lift(desk: &Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    let guarded = |unit: &Unit| unit.holds.iter().any(|h| h.reason == HoldReason::Guard);
    if !batch.open().any(|unit| guarded(unit)) {
        return Ok(());
    }
    let now = desk.site.clock.now();
    let of_rules = |approval: &Approval| {
        let mut kinds = Kind::OF_RULES.into_iter();
        kinds.find(|kind| kind.as_str() == approval.kind)
    };
    let mut released: BySide<BTreeMap<RecordId, Vec<(Kind, ApprovalId)>>> = BySide::default();
    for approval in of_mapping(desk, bound).await? {
        if let Some(kind) = of_rules(&approval).filter(|_| in_force(&approval, now)) {
            for id in approval.records {
                let by_id = released.get_mut(approval.side).entry(id).or_default();
                by_id.push((kind, approval.id.clone()));
            }
        }
    }
    for unit in batch.open().filter(|unit| guarded(unit)) {
        let before = unit.guarded.len();
        for side in Side::BOTH {
            let id = unit.records.get(side).as_ref();
            let grants = id.and_then(|id| released.get(side).get(id));
            for (kind, grant) in grants.into_iter().flatten() {
                let (kind, grant) = (*kind, Some(grant.clone()));
                unit.guarded.push(Guarded { kind, side, grant });
            }
        }
        if unit.guarded.len() > before {
            let (lifted, rest) = std::mem::take(&mut unit.holds)
                .into_iter()
                .partition(|hold| hold.reason == HoldReason::Guard);
            unit.holds = rest;
            let lifted: Vec<crate::model::Hold> = lifted;
            let closed = lifted.into_iter().map(|hold| (hold.link, hold.rule));
            unit.changes.holds_closed.extend(closed);
        }
    }
    Ok(())
}

/// Looks at what a planned batch would empty, or change only because a rule did, and holds those
/// rules beyond the limit. The first sync of a pair is no mass change.
pub async fn rules(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    for kind in Kind::OF_RULES {
        for side in Side::BOTH {
            let records: BTreeSet<RecordId> = batch
                .open()
                .filter(|unit| touches(unit, kind, side))
                .filter_map(|unit| unit.records.get(side).clone())
                .collect();
            if records.is_empty() {
                continue;
            }
            let done = passage::within_a_day(desk, bound, kind, side).await?;
            let proposed = Proposed {
                kind,
                side,
                done,
                records,
            };
            let mut changes = Changes::default();
            let stop = stop(desk, bound, &proposed, &mut changes).await?;
            for unit in batch.open().filter(|unit| touches(unit, kind, side)) {
                let grant = stop
                    .as_ref()
                    .and_then(|stop| stop.grant(unit.records.get(side).as_ref()))
                    .cloned();
                match &stop {
                    Some(stop) if grant.is_none() => {
                        withdraw(desk, bound, unit, kind, side, &stop.message);
                    }
                    Some(_) | None => unit.guarded.push(Guarded { kind, side, grant }),
                }
            }
            batch.note(changes);
        }
    }
    Ok(())
}

fn touches(unit: &Unit, kind: Kind, side: Side) -> bool {
    !unit.fresh
        && unit.writes.iter().any(|write| {
            write.side == side
                && write.kind == IntentKind::Update
                && write
                    .rules
                    .iter()
                    .any(|rule| kind.concerns(rule, unit.followed))
        })
}

/// Takes the rules at issue out of the unit's write and holds them instead.
fn withdraw(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    kind: Kind,
    side: Side,
    message: &str,
) {
    let mut stopped = Vec::new();
    for write in unit.writes.iter_mut().filter(|write| write.side == side) {
        let (out, rest) = std::mem::take(&mut write.rules)
            .into_iter()
            .partition(|rule| kind.concerns(rule, unit.followed));
        write.rules = rest;
        let mut out: Vec<IntendedRule> = out;
        stopped.append(&mut out);
    }
    unit.writes
        .retain(|write| write.kind != IntentKind::Update || !write.rules.is_empty());
    for intended in stopped {
        let Some(rule) = bound.mapping().rule(&intended.rule) else {
            continue;
        };
        let before = unit.changes.conflicts.len();
        unit.changes
            .conflicts
            .retain(|conflict| conflict.rule != intended.rule);
        let withdrawn = before - unit.changes.conflicts.len();
        desk.tally.conflicts = desk.tally.conflicts.saturating_sub(withdrawn as u64);
        let mut sides = BySide::<Fields>::default();
        *sides.get_mut(side) = intended.before;
        *sides.get_mut(side.other()) = intended.source;
        let problem = Problem {
            reason: HoldReason::Guard,
            detail: message.to_owned(),
        };
        put_hold(desk, bound, unit, rule, sides, &problem);
    }
}
