//! Stops a rule that is written back and forth: automations on both sides that disagree for ever.
//!
//! Judged by the journal, before a write: the same value twice on the same side within a day, or
//! more than six writes of the rule within ten minutes. The rule is held whatever its values do
//! meanwhile, and tried again after an hour, then four, then a day; after that a person decides.

use std::collections::{BTreeMap, BTreeSet};

use super::audit::RESTORE;
use super::desk::Desk;
use super::outcome::{CHOSEN, asked_row, put_hold};
use super::settle::{self, whole};
use super::undo::UNDONE;
use super::unit::{Batch, Unit};
use crate::mapping::{Bound, Rule};
use crate::model::{
    BySide, Cause, Fields, Hold, HoldReason, IntendedRule, IntentKind, LinkId, Problem, Side,
    Timestamp, Value,
};
use crate::store::{JournalEntry, Mark, StoreError};

const HOUR_MILLIS: i64 = 3_600_000;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;
/// Holds older than this count no more.
const MEMORY_MILLIS: i64 = 7 * DAY_MILLIS;
/// How long the first hold of a rule lasts, the second and the third.
const COOL_MILLIS: [i64; 3] = [HOUR_MILLIS, 4 * HOUR_MILLIS, DAY_MILLIS];
/// The same value on the same side, written so often within a day, is not written again.
const REPEATS: usize = 2;
/// Writes of one rule within ten minutes.
const BURST: usize = 6;
const BURST_MILLIS: i64 = 10 * 60_000;
/// Writes that are shown to a person.
const SHOWN: usize = 8;

type Entries = BTreeMap<(LinkId, String), Vec<JournalEntry>>;

/// Writes and holds of these links since the memory begins, newest first.
async fn entries(desk: &Desk<'_>, links: Vec<LinkId>) -> Result<Entries, StoreError> {
    let since = desk.site.clock.now().plus_millis(-MEMORY_MILLIS);
    let store = &desk.site.store;
    let mut found = Entries::new();
    for entry in store
        .journal_since(&desk.site.workspace, &links, since)
        .await?
    {
        if let Some(link) = entry.link.clone() {
            found
                .entry((link, entry.rule.clone()))
                .or_default()
                .push(entry);
        }
    }
    Ok(found)
}

/// Lets go of the holds whose time is over, and sees to it that the others are looked at then.
pub async fn cool(desk: &Desk<'_>, batch: &mut Batch) -> Result<(), StoreError> {
    let hot = |hold: &&Hold| hold.reason == HoldReason::Oscillation;
    let links: BTreeSet<LinkId> = batch
        .units
        .iter()
        .filter(|unit| unit.open())
        .flat_map(|unit| unit.holds.iter().filter(hot).map(|hold| hold.link.clone()))
        .collect();
    if links.is_empty() {
        return Ok(());
    }
    let entries = entries(desk, links.into_iter().collect()).await?;
    let now = desk.site.clock.now();
    for unit in batch.open() {
        let holds: Vec<Hold> = unit.holds.iter().filter(hot).cloned().collect();
        for hold in holds {
            let place = (hold.link.clone(), hold.rule.clone());
            let level = entries.get(&place).map_or(1, |of| holds_in(of));
            match COOL_MILLIS.get(level.saturating_sub(1)) {
                Some(cool) if now >= hold.since.plus_millis(*cool) => {
                    unit.cooled.insert(hold.rule);
                }
                Some(cool) => wake(unit, hold.since.plus_millis(*cool)),
                None => {}
            }
        }
    }
    Ok(())
}

fn holds_in(entries: &[JournalEntry]) -> usize {
    entries.iter().filter(|entry| is_hold(entry)).count()
}

fn is_hold(entry: &JournalEntry) -> bool {
    entry.decision == "hold" && entry.reason == HoldReason::Oscillation.as_str()
}

/// Nothing else may happen to the record until then.
fn wake(unit: &mut Unit, at: Timestamp) {
    let mut tasks = unit.claimed.iter().map(|claim| &claim.task);
    let task = tasks.find(|task| task.record().is_some()).cloned();
    unit.changes.marks.extend(task.map(|task| Mark {
        task,
        cause: Cause::Follow,
        not_before: at,
    }));
}

/// Takes the writes out of the plan that only go on with what the journal shows.
pub async fn stop(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    let links: BTreeSet<LinkId> = batch
        .units
        .iter()
        .filter(|unit| unit.open() && !unit.fresh && !unit.writes.is_empty())
        .filter_map(|unit| unit.link.as_ref().map(|link| link.id.clone()))
        .collect();
    if links.is_empty() {
        return Ok(());
    }
    let entries = entries(desk, links.into_iter().collect()).await?;
    for unit in batch.open().filter(|unit| !unit.writes.is_empty()) {
        let Some(link) = unit.link.as_ref().map(|link| link.id.clone()) else {
            continue;
        };
        for rule in &bound.mapping().rules {
            let Some(past) = entries.get(&(link.clone(), rule.name.clone())) else {
                continue;
            };
            // What is made for the first time does not go back and forth.
            let mut updates = unit.writes.iter().filter(|w| w.kind == IntentKind::Update);
            let planned = updates.find_map(|write| {
                let of = write.rules.iter().find(|of| of.rule == rule.name)?;
                Some((write.side, of.clone()))
            });
            if let Some((side, intended)) = planned
                && swings(desk, bound, rule, (side, &intended), past)
            {
                hold(desk, bound, unit, rule, (side, &intended), past);
            }
        }
    }
    Ok(())
}

/// Only what was written since the last hold counts: the rule got another chance then.
fn since_hold(past: &[JournalEntry]) -> impl Iterator<Item = &JournalEntry> {
    past.iter()
        .take_while(|entry| !is_hold(entry))
        .filter(|entry| entry.decision == "write")
        .filter(|entry| matches!(entry.reason.as_str(), "applied" | "followed"))
        .filter(|entry| ![CHOSEN, RESTORE, UNDONE].contains(&entry.detail.as_str()))
}

fn swings(
    desk: &Desk<'_>,
    bound: &Bound,
    rule: &Rule,
    (side, intended): (Side, &IntendedRule),
    past: &[JournalEntry],
) -> bool {
    if [CHOSEN, UNDONE].contains(&intended.reason.as_str()) {
        return false;
    }
    let now = desk.site.clock.now();
    let sent = sent(bound, rule, side, intended);
    let repeats = since_hold(past)
        .filter(|entry| now.millis_since(entry.at) < DAY_MILLIS)
        .filter_map(|entry| entry.wrote.as_ref())
        .filter(|(to, fields)| *to == side && settle::value(bound, rule, side, fields) == sent)
        .count();
    let burst = since_hold(past)
        .filter(|entry| now.millis_since(entry.at) < BURST_MILLIS)
        .count();
    repeats >= REPEATS || burst >= BURST
}

fn sent(bound: &Bound, rule: &Rule, side: Side, intended: &IntendedRule) -> Value {
    let mut fields = whole(rule, side, &intended.before);
    fields.extend(intended.after.clone());
    settle::value(bound, rule, side, &fields)
}

fn hold(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    rule: &Rule,
    (side, intended): (Side, &IntendedRule),
    past: &[JournalEntry],
) {
    for write in &mut unit.writes {
        write.rules.retain(|of| of.rule != rule.name);
    }
    unit.writes.retain(|write| !write.rules.is_empty());
    let mut sides = BySide::<Fields>::default();
    sides.get_mut(side).clone_from(&intended.before);
    sides.get_mut(side.other()).clone_from(&intended.source);
    let level = holds_in(past);
    let problem = Problem {
        reason: HoldReason::Oscillation,
        detail: detail(unit, level, past),
    };
    put_hold(desk, bound, unit, rule, sides.clone(), &problem);
    let row = asked_row(
        desk,
        bound,
        unit,
        rule,
        sides,
        HoldReason::Oscillation.as_str(),
    );
    unit.changes.conflicts.extend(row);
    let cool = COOL_MILLIS.get(level);
    if let Some(cool) = cool {
        wake(unit, desk.site.clock.now().plus_millis(*cool));
    }
}

fn detail(unit: &Unit, level: usize, past: &[JournalEntry]) -> String {
    let until = match level {
        0 => "Tried again in an hour.",
        1 => "Tried again in four hours.",
        2 => "Tried again in a day.",
        _ => "It came back every time; a person has to choose.",
    };
    let by = unit
        .fields(Side::Salesforce)
        .and_then(|fields| fields.get("LastModifiedById")?.as_text())
        .map_or_else(String::new, |by| {
            format!(" Salesforce's record was last changed by user {by}.")
        });
    let writes: Vec<String> = past
        .iter()
        .filter(|entry| entry.decision == "write")
        .filter_map(|entry| {
            let (side, fields) = entry.wrote.as_ref()?;
            let values: Vec<&str> = fields.values().filter_map(|raw| raw.as_text()).collect();
            let at = entry.at.utc().format("%m-%d %H:%M:%S");
            Some(format!("{at} {} := {}", side.title(), values.join(" / ")))
        })
        .take(SHOWN)
        .collect();
    format!(
        "This value goes back and forth: somebody keeps changing what was synced. {until}{by} \
         Last writes, newest first: {}",
        writes.join("; ")
    )
}

/// Whether a held rule still waits. Its values move all the time, so they do not end it.
pub fn waits(unit: &Unit, rule: &Rule, hold: &Hold) -> bool {
    !unit.cooled.contains(&rule.name) && hold.rule_hash == rule.hash
}
