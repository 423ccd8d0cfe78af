//! Finds edits that a write of ours replaced between our read and our write, and brings them back.
//!
//! No reply of a CRM tells that somebody was faster; only the history of the written fields does.
//! Looking costs a call per fifty records, so it takes evidence: a write that ended without a
//! reply, an editor seen at work on the same record, a write that waited long, a restoring write,
//! or the one attempt in a hundred that is looked at for the count. What was replaced stands in
//! for the value that was read, and the declared policy decides again: either it is kept as a
//! loser, or it is written back and planned as if our write had never been.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::input::rule_input;
use super::outcome::{CHOSEN, replaced_row};
use super::report::{Note, journal};
use super::settle::{self, whole};
use super::times::Times;
use super::trail::{Sent, Told, told};
use super::unit::{Restore, Unit};
use super::write::Job;
use crate::crm::{CrmError, History};
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, Decision, Settled};
use crate::model::{
    BySide, Cause, ErrorClass, Fields, IntendedRule, Intent, IntentKind, Raw, RecordId, Side,
    Timestamp,
};

/// Why a write was made that puts an edit back.
pub const RESTORE: &str = "restore";

/// A read older than this leaves much room for somebody's edit.
const STALE_MILLIS: i64 = 30_000;
/// How much earlier than the first of the writes a history is asked for, as clocks differ.
const LOOK_BACK: i64 = 60_000;
/// One attempt in so many is looked at although nothing speaks for it.
const SAMPLE: u64 = 100;

/// What is known about one write besides what its record holds now.
#[derive(Clone, Copy, Default)]
pub struct Evidence<'a> {
    pub history: Option<&'a History>,
    /// Whether the history was asked for; if it then does not tell, nobody knows.
    pub suspected: bool,
    /// The record was last changed by somebody else than us.
    pub by_another: bool,
}

/// What history tells of one rule's write.
#[derive(Default)]
pub struct Finding {
    told: Option<Told>,
    by_another: bool,
}

impl Finding {
    pub fn of(
        bound: &Bound,
        rule: Option<&Rule>,
        intent: &Intent,
        intended: &IntendedRule,
        evidence: &Evidence<'_>,
    ) -> Self {
        let whole_value = rule.is_some_and(|r| r.reference().is_none() && !r.is_set());
        let by_another = evidence.by_another && whole_value;
        let (Some(rule), Some(history)) = (rule, evidence.history) else {
            return Self {
                told: None,
                by_another,
            };
        };
        let side = intent.side;
        let mut meant = whole(rule, side, &intended.before);
        meant.extend(intended.after.clone());
        let sent = settle::value(bound, rule, side, &meant);
        let fits = |name: &str, value: &Raw| {
            let mut other = meant.clone();
            other.insert(name.to_owned(), value.clone());
            let value = settle::value(bound, rule, side, &other);
            merge::within(&rule.policy.tolerances, &sent, &value)
        };
        let write = Sent {
            fields: &intended.after,
            before: &intended.before,
            since: intent.created_at,
        };
        let mut told = (whole_value && !intended.after.is_empty())
            .then(|| told(history, &write, fits))
            .flatten();
        // An edit that was to be put back is back, whoever did it.
        if let Some(told) = told.as_mut().filter(|_| intended.reason == RESTORE) {
            told.typed = false;
        }
        Self { told, by_another }
    }

    /// The verdict in the light of the history: what is neither old nor new was written after us
    /// when our value is known to have been there in between.
    pub fn amend(&self, verdict: Settled, acknowledged: bool) -> Settled {
        match (verdict, &self.told) {
            // An edit of its own, which may meet a later one of the source: the plan compares them.
            (Settled::Applied, Some(told)) if told.typed => Settled::NotApplied,
            (Settled::Applied, _) => verdict,
            (_, Some(told)) if told.again => Settled::Followed,
            // The old value proves nothing: the write may have been ignored and another field
            // edited. A value that is neither cannot be a trigger's, which leaves our stamp.
            (Settled::Altered, None) if acknowledged && self.by_another => Settled::Followed,
            _ => verdict,
        }
    }

    /// What our write left in the rule's fields, whatever they hold now.
    pub fn left(&self, rule: &Rule, side: Side, intended: &IntendedRule) -> Fields {
        let mut fields = whole(rule, side, &intended.before);
        let ours = self
            .told
            .as_ref()
            .map_or(&intended.after, |told| &told.ours);
        fields.extend(ours.clone());
        fields
    }

    /// The rule's fields right before our write, if somebody had edited them since they were read.
    fn overwritten(
        &self,
        bound: &Bound,
        rule: &Rule,
        side: Side,
        intended: &IntendedRule,
    ) -> Option<Fields> {
        let told = self.told.as_ref()?;
        let read = whole(rule, side, &intended.before);
        let mut held = read.clone();
        held.extend(told.replaced.clone());
        let value = |fields: &Fields| settle::value(bound, rule, side, fields);
        (value(&held) != value(&read)).then_some(held)
    }
}

/// Deals with an edit that one rule's write replaced. True when the edit is to be written back:
/// then nothing is agreed, and the rule is planned again once it is there.
pub fn overwrote(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    (intent, intended): (&Intent, &IntendedRule),
    rule: &Rule,
    finding: &Finding,
) -> bool {
    let side = intent.side;
    let Some(held) = finding.overwritten(bound, rule, side, intended) else {
        return false;
    };
    let mut fields = BySide::<Fields>::default();
    fields.get_mut(side).clone_from(&held);
    fields.get_mut(side.other()).clone_from(&intended.source);
    let verdict = decide_again(bound, unit, rule, (side, intended), &fields);
    if verdict == Again::Harmless {
        return false;
    }
    let again = finding.told.as_ref().is_some_and(|told| told.again);
    let restore = verdict == Again::Restore && !again;
    let mut note = Note::new(&rule.name, "audit", "overwrote");
    note.inputs = fields.clone();
    note.winner = (!restore).then_some(side.other());
    note.wrote = Some((side, intended.after.clone()));
    note.loser = Some(held.clone());
    note.detail = format!(
        "somebody edited {} between our read and our write",
        side.title()
    );
    journal(desk, bound, unit, note);
    if restore {
        put_back(unit, intent, intended, rule, finding, &held);
    } else {
        let row = replaced_row(desk, bound, unit, rule, fields, (side, held));
        desk.tally.conflicts += u64::from(row.is_some());
        unit.changes.conflicts.extend(row);
    }
    restore
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// The policy would have written the same over it.
    Lost,
    /// The two sides correspond as they are.
    Harmless,
    Restore,
}

/// The policy's word on the source as it was read and the edit that was replaced.
fn decide_again(
    bound: &Bound,
    unit: &Unit,
    rule: &Rule,
    (side, intended): (Side, &IntendedRule),
    fields: &BySide<Fields>,
) -> Again {
    match intended.reason.as_str() {
        // A person chose, whatever stood there.
        CHOSEN => return Again::Lost,
        // An edit on top of the one that was being put back.
        RESTORE => return Again::Restore,
        _ => {}
    }
    let (references, times) = (References::default(), Times::default());
    let mut input = rule_input(bound, rule, unit, fields, (&references, &times));
    input.held = None;
    let mut sent = whole(rule, side, &intended.before);
    sent.extend(intended.after.clone());
    let sent = settle::value(bound, rule, side, &sent);
    match merge::decide(&input).0 {
        Decision::Write { values, lost } => {
            let same = values.get(side.other()).is_none() && *values.get(side) == Some(sent);
            match (same, lost) {
                (true, Some(_)) => Again::Lost,
                (true, None) => Again::Harmless,
                (false, _) => Again::Restore,
            }
        }
        Decision::Agree { .. } | Decision::Unchanged => Again::Harmless,
        Decision::Hold { .. } | Decision::Skip => Again::Restore,
    }
}

/// The write that puts an edit back takes the place of the intent that replaced it, in one commit.
fn put_back(
    unit: &mut Unit,
    intent: &Intent,
    intended: &IntendedRule,
    rule: &Rule,
    finding: &Finding,
    held: &Fields,
) {
    let side = intent.side;
    let before = finding.left(rule, side, intended);
    let mut after = held.clone();
    after.retain(|name, raw| before.get(name) != Some(raw));
    let back = IntendedRule {
        rule: rule.name.clone(),
        rule_hash: rule.hash.clone(),
        source: intended.source.clone(),
        before,
        after,
        reason: RESTORE.to_owned(),
    };
    unit.restores
        .entry(side)
        .or_insert_with(|| Restore {
            replaces: intent.id.clone(),
            rules: Vec::new(),
        })
        .rules
        .push(back);
}

/// A restoring write that never arrived is made again: nothing else knows of the edit any more.
pub fn once_more(unit: &mut Unit, intent: &Intent, intended: &IntendedRule) {
    unit.restores
        .entry(intent.side)
        .or_insert_with(|| Restore {
            replaces: intent.id.clone(),
            rules: Vec::new(),
        })
        .rules
        .push(intended.clone());
}

/// The record that an edit was to be put back into is gone. Nothing else knows of the edit, so it
/// is kept like one that lost, for whoever takes the record out of the bin.
pub fn keep_by_name(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit, intent: &Intent) {
    if unit.is_restoring(intent) {
        unit.restores.remove(&intent.side);
    }
    keep(desk, bound, unit, intent.side, &intent.rules);
}

/// The pair is over, so nothing is put back into it any more: the edits are kept in the same way.
pub fn end_with_pair(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit) {
    for (side, restore) in std::mem::take(&mut unit.restores) {
        unit.changes.intents_closed.push(restore.replaces);
        keep(desk, bound, unit, side, &restore.rules);
    }
}

fn keep(desk: &mut Desk<'_>, bound: &Bound, unit: &mut Unit, side: Side, rules: &[IntendedRule]) {
    for intended in rules.iter().filter(|rule| rule.reason == RESTORE) {
        let Some(rule) = bound.mapping().rule(&intended.rule) else {
            continue;
        };
        let mut held = whole(rule, side, &intended.before);
        held.extend(intended.after.clone());
        let mut inputs = BySide::<Fields>::default();
        inputs.get_mut(side).clone_from(&held);
        inputs.get_mut(side.other()).clone_from(&intended.source);
        let row = replaced_row(desk, bound, unit, rule, inputs, (side, held));
        desk.tally.conflicts += u64::from(row.is_some());
        unit.changes.conflicts.extend(row);
    }
}

/// Whether anything speaks for a look at this write.
pub fn suspects(desk: &Desk<'_>, bound: &Bound, unit: &Unit, job: &Job) -> bool {
    let side = job.intent.side;
    if bound.mapping().guard.strict {
        // HubSpot refuses no write for coming late, and Salesforce none within the second of the
        // edit, so a guarded one is looked at afterwards.
        return true;
    }
    let shown = unit.claimed.iter().any(|claim| {
        claim.task.side() == side && matches!(claim.cause, Cause::Event | Cause::Poll)
    });
    // What travels the other way was edited here just now.
    let travels = unit.writes.iter().any(|write| write.side != side);
    let editing = !unit.fresh && !unit.made && (shown || travels);
    let waited = desk.site.clock.now().millis_since(job.intent.created_at);
    let restores = job.intent.rules.iter().any(|rule| rule.reason == RESTORE);
    editing || restores || unit.reopened || waited > STALE_MILLIS
}

/// Drawn once per attempt, so that a sample fills its calls.
pub fn sampled(desk: &Desk<'_>) -> bool {
    desk.site.chance.below(SAMPLE) == 0
}

/// Histories by record, as far as the side keeps any.
pub type Histories = BTreeMap<RecordId, History>;

/// Which histories tell what some writes met.
pub struct Sought {
    pub ids: Vec<RecordId>,
    pub names: Vec<String>,
    pub since: Timestamp,
}

/// `None` when there is nothing to look for.
pub fn sought<'i>(
    desk: &Desk<'_>,
    side: Side,
    writes: impl Iterator<Item = (&'i RecordId, &'i Intent)>,
) -> Option<Sought> {
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    let mut since = desk.site.clock.now();
    for (id, intent) in writes {
        // A record that did not exist had no value that could have been replaced.
        if side == Side::Salesforce && intent.kind == IntentKind::Create {
            continue;
        }
        since = since.min(intent.created_at);
        let sent = intent.rules.iter().flat_map(|rule| rule.after.keys());
        let real: Vec<String> = sent.filter(|name| !name.contains('/')).cloned().collect();
        if !real.is_empty() {
            ids.insert(id.clone());
            names.extend(real);
        }
    }
    if ids.is_empty() {
        return None;
    }
    tracing::debug!(
        side = side.as_str(),
        records = ids.len(),
        "history is asked for"
    );
    Some(Sought {
        ids: ids.into_iter().collect(),
        names: names.into_iter().collect(),
        since: since.plus_millis(-LOOK_BACK),
    })
}

/// Asks for what the written fields held before. A history that may not be read is none; an error
/// that passes by is the caller's.
pub async fn histories<'i>(
    desk: &mut Desk<'_>,
    bound: &Bound,
    side: Side,
    writes: impl Iterator<Item = (&'i RecordId, &'i Intent)>,
) -> Result<Histories, CrmError> {
    let Some(Sought { ids, names, since }) = sought(desk, side, writes) else {
        return Ok(Histories::new());
    };
    let object = bound.object(side);
    match desk.crms.history(side, object, &ids, &names, since).await {
        Ok(found) => Ok(found.unwrap_or_default()),
        Err(error) if error.class() == ErrorClass::Permanent => {
            tracing::warn!(%error, "the history of written fields is not readable");
            Ok(Histories::new())
        }
        Err(error) => Err(error),
    }
}

/// A write that something spoke against and whose history nobody keeps: counted, not guessed.
pub fn unknown(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: &Intent,
    history: Option<&History>,
) {
    if intent.side == Side::Salesforce && bound.mapping().guard.strict {
        // It would have been refused, but for an edit within the very same second.
        return;
    }
    let untold = |rule: &&IntendedRule| untold(intent.side, rule, history);
    let untold: Vec<_> = intent.rules.iter().filter(untold).collect();
    desk.tally.unknown += u64::from(!untold.is_empty());
    for intended in untold {
        let mut note = Note::new(&intended.rule, "audit", "unknown");
        note.wrote = Some((intent.side, intended.after.clone()));
        note.detail = format!(
            "{} tells nothing of what this write replaced",
            intent.side.title()
        );
        journal(desk, bound, unit, note);
    }
}

/// HubSpot keeps the history of every property, Salesforce that of the fields it was told to track.
fn untold(side: Side, rule: &IntendedRule, history: Option<&History>) -> bool {
    let unkept = |history: &History| {
        let mut fields = rule.after.keys().filter(|name| !name.contains('/'));
        side == Side::Salesforce && fields.any(|name| !history.contains_key(name))
    };
    !rule.after.is_empty() && history.is_none_or(unkept)
}
