//! Records that wait because several match, and whose rival just went away or changed its key.
//!
//! Nothing about the waiting record itself moves then, so no source would ever mark it. The table
//! of match keys knows who shares a key; it is asked only when a key is given up.

use std::collections::{BTreeMap, BTreeSet};

use super::Site;
use crate::mapping::Bound;
use crate::model::{Cause, RecordId, RecordKey, Side, Task, Timestamp};
use crate::store::{Mark, MatchKeys, StoreError, match_hash};

/// What a person is asked when a match rule finds several records.
pub const AMBIGUOUS: &str = "ambiguous-match";

/// Marks for those that wait and shared a key with one of these records, which have other keys now.
pub async fn woken(
    site: &Site,
    bound: &Bound,
    side: Side,
    now: &[MatchKeys],
    due: Timestamp,
) -> Result<Vec<Mark>, StoreError> {
    let (store, ws) = (&site.store, &site.workspace);
    let mapping = &bound.mapping().name;
    let ids: Vec<RecordId> = now.iter().map(|keys| keys.record.clone()).collect();
    let before = store.match_keys_of(ws, mapping, side, &ids).await?;
    let given_up = given_up(&before, now);
    if given_up.is_empty() {
        return Ok(Vec::new());
    }
    let mut tasks = Vec::new();
    for side in Side::BOTH {
        for id in store.match_holders(ws, mapping, side, &given_up).await? {
            let mapping = mapping.clone();
            tasks.push(Task::Record(RecordKey { mapping, side, id }));
        }
    }
    let letters = store.dead_letters_of(ws, &tasks).await?;
    let waiting = letters
        .into_iter()
        .filter(|letter| letter.code == AMBIGUOUS);
    let waiting: BTreeSet<Task> = waiting.map(|letter| letter.task).collect();
    let marks = waiting.into_iter().map(|task| Mark {
        task,
        cause: Cause::Poll,
        not_before: due,
    });
    Ok(marks.collect())
}

/// Keys, as the store has them, that a record had and has no more.
fn given_up(
    before: &BTreeMap<RecordId, Vec<(u16, String)>>,
    now: &[MatchKeys],
) -> Vec<(u16, String)> {
    let mut lost = BTreeSet::new();
    for keys in now {
        let has = |rule: u16, hash: &str| {
            let key = keys.keys.get(usize::from(rule)).and_then(Option::as_deref);
            key.is_some_and(|key| match_hash(key) == hash)
        };
        let had = before.get(&keys.record).into_iter().flatten();
        lost.extend(had.filter(|(rule, hash)| !has(*rule, hash)).cloned());
    }
    lost.into_iter().collect()
}
