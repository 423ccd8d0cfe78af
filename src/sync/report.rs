//! Words for what happened: journal entries, dead letters, and the setbacks behind them.

use super::desk::{Desk, Planning};
use super::fold::key_of;
use super::tally::VerdictClass;
use super::unit::{End, Unit};
use crate::bugs::{self, Bug};
use crate::mapping::Bound;
use crate::model::{
    BySide, Class, DeadLetterId, ErrorClass, Failure, Fields, JournalId, LinkState, Problem,
    RecordKey, Side, Task, Verdict,
};
use crate::pipeline::Setback;
use crate::retry::BLOCKED_MILLIS;
use crate::store::{
    Changes, Claimed, DeadLetter, DeadLetterClose, DeadLetterOf, DeadLetterState, JournalEntry,
    Judged, RuleScope, StoreError,
};

/// What one rule's decision or write came to, before it becomes a journal entry.
pub struct Note<'a> {
    pub rule: &'a str,
    pub decision: &'a str,
    pub reason: &'a str,
    pub base: Option<BySide<Fields>>,
    pub inputs: BySide<Fields>,
    pub winner: Option<Side>,
    pub wrote: Option<(Side, Fields)>,
    pub loser: Option<Fields>,
    pub detail: String,
}

impl<'a> Note<'a> {
    pub fn new(rule: &'a str, decision: &'a str, reason: &'a str) -> Self {
        Self {
            rule,
            decision,
            reason,
            base: None,
            inputs: BySide::default(),
            winner: None,
            wrote: None,
            loser: None,
            detail: String::new(),
        }
    }
}

pub fn journal(desk: &Planning<'_>, bound: &Bound, unit: &mut Unit, note: Note<'_>) {
    let site = desk.site;
    let entry = JournalEntry {
        id: JournalId::from_uuid(&site.ids.next()),
        at: site.clock.now(),
        run: site.run.clone(),
        mapping: bound.mapping().name.clone(),
        revision: bound.mapping().revision.clone(),
        link: unit.link.as_ref().map(|link| link.id.clone()),
        record: key_of(bound, unit, unit.source()),
        rule: note.rule.to_owned(),
        decision: note.decision.to_owned(),
        reason: note.reason.to_owned(),
        base: note.base,
        inputs: note.inputs,
        winner: note.winner,
        wrote: note.wrote,
        loser: note.loser,
        detail: note.detail,
    };
    unit.changes.journal.push(entry);
}

/// A setback that only a person can end.
pub fn person(code: &str, message: String) -> End {
    End::Failed(setback(ErrorClass::NeedsPerson, code, message))
}

pub fn setback(class: ErrorClass, code: &str, message: String) -> Setback {
    let failure = Failure {
        class,
        code: code.to_owned(),
        message,
        fields: Vec::new(),
    };
    Setback {
        failure,
        retry_after: None,
        stale: false,
    }
}

pub fn problem_setback(what: &str, problem: &Problem) -> Setback {
    setback(
        ErrorClass::Permanent,
        problem.reason.as_str(),
        format!("`{what}`: {}", problem.detail),
    )
}

/// Turns the ends of a unit's marks into verdicts, and dead ends into dead letters.
pub fn judge(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit) {
    let end = unit.end.clone().unwrap_or(End::Done);
    let marked: Vec<Side> = Side::BOTH
        .into_iter()
        .filter(|side| unit.is_marked(*side))
        .collect();
    let claimed = std::mem::take(&mut unit.claimed);
    for claim in &claimed {
        let judged = match &end {
            End::Done | End::AtRest => desk.lane.done(claim),
            End::Failed(setback) => desk.lane.failed(claim, setback),
            End::Paused(setback) => desk.lane.failed_source(claim, setback),
            End::Again(setback) => {
                let at = setback.retry_after.unwrap_or_else(|| desk.site.clock.now());
                desk.lane.again(claim, at, setback)
            }
            End::BlockedOn {
                parent,
                setback,
                required,
            } if !bugs::on(Bug::BlockedTakenForDone) => {
                blocked(desk, claim, parent, setback, *required)
            }
            End::BlockedOn { .. } => desk.lane.done(claim),
        };
        count(desk, unit, claim, &judged.verdict);
        if let Verdict::Dead(failure) = &judged.verdict {
            let letter = dead_letter(desk, bound, unit, claim, failure);
            if !bugs::on(Bug::DeadLetterNotWritten) {
                unit.changes.dead_letters.push(letter);
            }
        }
        unit.changes.verdicts.push(judged);
    }
    // A suspended or detached link still waits for the person its letter was written to.
    let waits = matches!(
        unit.link_state(),
        Some(LinkState::Suspended | LinkState::Detached)
    );
    let settled: &[Side] = match &end {
        // What waits for the parent is one held rule: the rest of the record is done.
        End::Done
        | End::BlockedOn {
            required: false, ..
        } if !waits => &Side::BOTH,
        End::AtRest => &marked,
        End::Done | End::Failed(_) | End::Paused(_) | End::Again(_) | End::BlockedOn { .. } => &[],
    };
    close_letters(bound, unit, settled);
    unit.claimed = claimed;
}

/// Counts how an attempt ended. What a backfill or a full comparison marked waits for its turn,
/// however long that takes, so only changes that somebody made lag.
fn count(desk: &mut Desk<'_>, unit: &Unit, claim: &Claimed, verdict: &Verdict) {
    let class = match verdict {
        Verdict::Done if unit.wrote => VerdictClass::Written,
        Verdict::Done if unit.held => VerdictClass::Held,
        Verdict::Done => VerdictClass::Unchanged,
        Verdict::RetryAt { counted: true, .. } => VerdictClass::Retried,
        Verdict::RetryAt { counted: false, .. } => VerdictClass::PutOff,
        Verdict::BlockedOn { .. } => VerdictClass::Blocked,
        Verdict::Dead(_) => VerdictClass::DeadLetter,
    };
    desk.tally.judged(class, verdict);
    if *verdict == Verdict::Done && claim.cause.class() != Class::Backfill {
        let took = desk.site.clock.now().millis_since(claim.first_marked_at);
        desk.tally.settled(took);
    }
}

/// Waits for a parent, but not for ever. After a day a record that cannot be without it is a
/// person's; for one that can, the hold of the rule says enough.
fn blocked(
    desk: &mut Desk<'_>,
    claim: &Claimed,
    parent: &RecordKey,
    setback: &Setback,
    required: bool,
) -> Judged {
    let age = desk.site.clock.now().millis_since(claim.first_marked_at);
    let waited = claim.parent.as_ref() == Some(parent) && age >= BLOCKED_MILLIS;
    match (waited, required) {
        (true, true) => desk.lane.failed(claim, setback),
        (true, false) => desk.lane.done(claim),
        (false, _) => Judged {
            task: claim.task.clone(),
            revision: claim.revision,
            verdict: Verdict::BlockedOn {
                parent: parent.clone(),
                failure: setback.failure.clone(),
            },
        },
    }
}

/// A later pass that succeeds closes what an earlier one left with a person.
fn close_letters(bound: &Bound, unit: &mut Unit, sides: &[Side]) {
    for side in sides {
        if let Some(key) = key_of(bound, unit, *side) {
            unit.changes.dead_letters_closed.push(DeadLetterClose {
                of: DeadLetterOf::Task(Task::Record(key)),
                rules: RuleScope::All,
                state: DeadLetterState::Closed,
                why: "a later attempt succeeded".to_owned(),
            });
        }
    }
}

fn dead_letter(
    desk: &Desk<'_>,
    bound: &Bound,
    unit: &Unit,
    claim: &Claimed,
    failure: &Failure,
) -> DeadLetter {
    let mapping = bound.mapping();
    let planned = unit.writes.first().map(|write| {
        let fields = write
            .rules
            .iter()
            .flat_map(|rule| rule.after.clone())
            .collect();
        (write.side, fields)
    });
    let blamed = failure.fields.join(",");
    DeadLetter {
        id: DeadLetterId::from_uuid(&desk.site.ids.next()),
        at: desk.site.clock.now(),
        first_at: claim.first_marked_at,
        run: Some(desk.site.run.clone()),
        mapping: mapping.name.clone(),
        link: unit.link.as_ref().map(|link| link.id.clone()),
        task: claim.task.clone(),
        rule: None,
        class: failure.class,
        code: failure.code.clone(),
        message: failure.message.clone(),
        fields: failure.fields.clone(),
        base: None,
        inputs: BySide::from_fn(|side| unit.fields(side).cloned().unwrap_or_default()),
        planned,
        attempts: claim.attempts + 1,
        fingerprint: format!(
            "{}|{}|{blamed}|{}",
            failure.class.as_str(),
            failure.code,
            mapping.name
        ),
        state: DeadLetterState::Open,
        note: String::new(),
    }
}

/// Marks under a mapping that is no longer active have nothing to be planned by.
pub async fn drop_orphans(desk: &Desk<'_>, claimed: Vec<Claimed>) -> Result<(), StoreError> {
    let verdicts = claimed.iter().map(|claim| desk.lane.done(claim)).collect();
    desk.lane
        .commit(Changes {
            verdicts,
            ..Changes::default()
        })
        .await
}
