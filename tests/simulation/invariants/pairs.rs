//! I5 to I7: one worker, one open intent, one link, one copy.

use std::collections::BTreeMap;

use tandem::model::{LinkId, RecordId, Side};

use super::Rest;
use crate::mirror::Pending;
use crate::shots::{Place, Shots};
use crate::stage::Stage;

/// I5. Otherwise a process that was frozen for a minute overwrites what its successor found out.
pub fn nobody_commits_under_an_old_lease(
    stage: &mut Stage,
    pending: &Pending,
) -> Result<(), String> {
    match pending.epoch {
        Some(epoch) if epoch < stage.mirror.epoch => Err(format!(
            "a commit of epoch {epoch} counts in epoch {}",
            stage.mirror.epoch
        )),
        Some(_) | None => Ok(()),
    }
}

/// I5. Otherwise two writes to one record are under way, and neither can be settled.
pub fn one_open_intent(stage: &mut Stage, pending: &Pending) -> Result<(), String> {
    let mut open: BTreeMap<(LinkId, Side), u32> = BTreeMap::new();
    let before = stage.mirror.open.values().filter(|intent| {
        !pending.closed.contains(&intent.id)
            && !pending.intents.iter().any(|one| one.id == intent.id)
    });
    for intent in before.chain(&pending.intents) {
        *open.entry((intent.link.clone(), intent.side)).or_default() += 1;
    }
    match open.into_iter().find(|(_, number)| *number > 1) {
        Some(((link, side), number)) => Err(format!("{number} open intents of {link} on {side}")),
        None => Ok(()),
    }
}

/// I5. Otherwise a write is never judged: nobody knows whether it took place.
pub fn no_intent_stays_open(_: &mut Stage, rest: &Rest) -> Result<(), String> {
    match rest.intents.first() {
        Some(intent) => Err(format!(
            "the intent for {} {} is open",
            intent.side, intent.target
        )),
        None => Ok(()),
    }
}

/// I6. Otherwise two records write into one, in turn, for ever.
pub fn one_open_link(stage: &mut Stage, pending: &Pending) -> Result<(), String> {
    if pending.links.is_empty() {
        return Ok(());
    }
    let mut links = stage.mirror.links.clone();
    links.extend(
        pending
            .links
            .iter()
            .map(|link| (link.id.clone(), link.clone())),
    );
    let mut seen: BTreeMap<(String, Side, RecordId), LinkId> = BTreeMap::new();
    for link in links.values().filter(|link| link.state.is_open()) {
        for side in Side::BOTH {
            let Some(id) = link.records.get(side).clone() else {
                continue;
            };
            let place = (link.mapping.as_str().to_owned(), side, id.clone());
            if let Some(other) = seen.insert(place, link.id.clone()) {
                return Err(format!("{side} {id} has the links {other} and {}", link.id));
            }
        }
    }
    Ok(())
}

/// I7. Otherwise a lost reply makes a second customer of one, or brings back what a user deleted.
pub fn one_copy(shots: &Shots) -> Result<(), String> {
    let mut seen: BTreeMap<(Side, &str), &str> = BTreeMap::new();
    for ((side, id), shot) in shots.0.iter().filter(|(_, shot)| !shot.key.is_empty()) {
        if let Some(other) = seen.insert((*side, &shot.key), id) {
            return Err(format!(
                "{side} {other} and {id} are both copies of {}",
                shot.key
            ));
        }
    }
    Ok(())
}

/// I7. Otherwise a copy cannot be told from a record that somebody typed, and is made again.
pub fn copies_carry_their_key(after: &Shots, created: &[Place]) -> Result<(), String> {
    let named = |place: &&Place| after.0.get(*place).is_some_and(|shot| shot.key.is_empty());
    match created.iter().find(named) {
        Some(place) => Err(format!("{} {} was created without a key", place.0, place.1)),
        None => Ok(()),
    }
}

/// I7. The same at rest, whoever made the copies.
pub fn nobody_is_copied_twice(_: &mut Stage, rest: &Rest) -> Result<(), String> {
    one_copy(&rest.shots)
}
