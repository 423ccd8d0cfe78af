//! I8 and I11 to I17: nothing is missed, nothing blocks its neighbours, nothing goes on for ever.

use std::collections::BTreeSet;

use tandem::model::{LinkState, Side, Task};

use super::Rest;
use crate::stage::Stage;

/// Dead letters that are right about what users did.
const FOR_PEOPLE: [&str; 10] = [
    "CONFLICT",
    // One of two records that went together came back alone.
    "restored",
    "guard-unlinks",
    "ambiguous-match",
    "already-linked",
    "guard-deletes",
    "not-visible",
    "required-missing",
    "DUPLICATES_DETECTED",
    "DUPLICATE_VALUE",
];

/// I8. Otherwise an edit that was made at the wrong moment waits for the next full scan.
pub fn polls_miss_nothing(stage: &mut Stage, rest: &Rest) -> Result<(), String> {
    // Association changes move no stamp, and a delete, a restore or another key of a rival changes
    // who matches whom: there a scan finds what no change event could have told.
    let scan_only = stage.cast.references || !stage.ledger.deleted.is_empty() || rest.rivals;
    if rest.missed == 0 || scan_only {
        return Ok(());
    }
    Err(format!(
        "a full scan moved pairs {} times, which polls had missed",
        rest.missed
    ))
}

/// I8. Otherwise a new customer never reaches the other side.
pub fn nobody_is_left_out(stage: &mut Stage, rest: &Rest) -> Result<(), String> {
    for ((side, id), shot) in &rest.shots.0 {
        let copied = *stage.cast.creates.get(side.other());
        let outside = stage.cast.filter && shot.get("jobtitle") == "out";
        if !shot.live || !copied || outside {
            continue;
        }
        let linked = rest
            .links
            .iter()
            .any(|link| super::holds_record(link, *side, id));
        let letter = rest
            .letters
            .iter()
            .any(|letter| letter.task.side() == *side && letter.task.record_id() == id);
        if !linked && !letter {
            return Err(format!("{side} {id} has no partner, and nobody says why"));
        }
    }
    Ok(())
}

/// I11. Otherwise one bad record stops the work of its neighbours.
pub fn only_the_one_at_fault_waits(_: &mut Stage, rest: &Rest) -> Result<(), String> {
    let strange = rest
        .letters
        .iter()
        .find(|letter| !FOR_PEOPLE.contains(&letter.code.as_str()));
    match strange {
        Some(letter) => Err(format!(
            "{} {} is given up: {} ({})",
            letter.task.side(),
            letter.task.record_id(),
            letter.code,
            letter.message
        )),
        None => Ok(()),
    }
}

/// I12. Otherwise a record is worked while a person believes that it waits for them.
pub fn one_place_at_a_time(_: &mut Stage, rest: &Rest) -> Result<(), String> {
    let given_up: BTreeSet<&Task> = rest.letters.iter().map(|letter| &letter.task).collect();
    let both = rest
        .queue
        .iter()
        .find(|claimed| given_up.contains(&claimed.task));
    match both {
        Some(claimed) => Err(format!(
            "{:?} waits in the queue and for a person",
            claimed.task
        )),
        None => Ok(()),
    }
}

/// I13. Otherwise a platform that asked for a pause blocks the whole account.
pub fn waits_as_told(stage: &mut Stage, side: Side) -> Result<(), String> {
    let now = stage.clock.now();
    match stage.closed_until.get(side) {
        Some(until) if now < *until && !stage.thawed => Err(format!(
            "{side} is asked {} ms too early",
            until.millis_since(now)
        )),
        Some(_) | None => Ok(()),
    }
}

/// I14. Otherwise other tools of the customer are locked out.
pub fn within_the_limits(stage: &mut Stage, _: &Rest) -> Result<(), String> {
    match stage.hubspot.counters().rate_limited {
        0 => Ok(()),
        calls => Err(format!("HubSpot refused {calls} calls as too many")),
    }
}

/// I15. Otherwise a disagreement becomes an endless exchange of writes.
pub fn few_writes(stage: &mut Stage, rest: &Rest) -> Result<(), String> {
    let counts = &stage.counts;
    let written =
        stage.hubspot.counters().records_updated + stage.salesforce.counters().records_updated;
    let causes = counts.of("edits") + counts.of("late commits") + counts.of("associations");
    let pairs = rest.links.len() as u64;
    let troubles = counts.of("faults") + counts.of("crashes") + counts.of("freezes");
    let most = 2 * causes + 4 * pairs + 2 * troubles;
    if written > most {
        return Err(format!(
            "{written} updates for {causes} edits and {pairs} pairs"
        ));
    }
    Ok(())
}

/// I16. Otherwise a person who replays a record changes it.
pub fn replay_writes_nothing(_: &mut Stage, rest: &Rest) -> Result<(), String> {
    match rest.idle_writes {
        0 => Ok(()),
        writes => Err(format!(
            "replaying what was done already wrote {writes} times"
        )),
    }
}

/// I17. Otherwise the two CRMs are never at rest.
pub fn at_peace(rest: &Rest) -> Result<(), String> {
    let waits = |state: LinkState| matches!(state, LinkState::Creating(_));
    for link in rest.links.iter().filter(|link| waits(link.state)) {
        if rest.letter_of(link).is_none() {
            return Err(format!("the link {} is still being created", link.id));
        }
    }
    Ok(())
}
