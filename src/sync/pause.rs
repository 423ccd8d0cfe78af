//! What nothing is written to just now: the writes of a plan to a paused side wait.
//!
//! Changes are seen and marked all the same, and the other side is written to as ever. What waits
//! is planned afresh once it goes on.

use std::collections::BTreeSet;

use super::desk::Desk;
use super::frozen::leave_out;
use super::report;
use super::unit::{Batch, End, Left, Unit, Write};
use crate::mapping::Bound;
use crate::model::{ErrorClass, IntentKind, PAUSED, Side};

/// The engine that lets it go on makes it due; until then it is looked at once a day.
pub const PAUSE_MILLIS: i64 = 24 * 3_600_000;

/// Takes the writes to paused sides out of every plan of the batch.
pub fn keep(desk: &mut Desk<'_>, bound: &Bound, batch: &mut Batch) {
    let Some(paused) = desk.site.pauses.get(&bound.mapping().name).copied() else {
        return;
    };
    let mut lost = 0;
    for unit in batch.open() {
        for side in Side::BOTH.into_iter().filter(|side| *paused.get(*side)) {
            lost += keep_back(unit, side);
        }
    }
    desk.tally.conflicts = desk.tally.conflicts.saturating_sub(lost);
}

/// Answers how many conflicts were decided in what is kept back.
fn keep_back(unit: &mut Unit, side: Side) -> u64 {
    // Its intent stays open, so that it is found again.
    if unit.restores.remove(&side).is_some() {
        unit.left = Some(Left::Paused);
    }
    let (out, rest): (Vec<Write>, Vec<Write>) = std::mem::take(&mut unit.writes)
        .into_iter()
        .partition(|write| write.side == side);
    unit.writes = rest;
    if out.is_empty() {
        return 0;
    }
    unit.left = Some(Left::Paused);
    let archive = |write: &Write| write.kind == IntentKind::Archive;
    let whole = out.iter().any(archive).then(String::new);
    let rules = out.into_iter().flat_map(|write| write.rules);
    let dropped: BTreeSet<String> = rules.map(|rule| rule.rule).chain(whole).collect();
    leave_out(unit, &dropped)
}

/// How a record ends of which something waits for a pause to end.
pub fn left(desk: &Desk<'_>) -> End {
    let message = "writing is paused here; resume the mapping, and it is planned afresh";
    let mut setback = report::setback(ErrorClass::NeedsPerson, PAUSED, message.to_owned());
    setback.retry_after = Some(desk.site.clock.now().plus_millis(PAUSE_MILLIS));
    End::Again(setback)
}
