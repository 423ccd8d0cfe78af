//! Collects what the engine found out in a run that writes nothing: pairs, groups, failures, holds.
//!
//! Everything comes from the run's own store and tally; nothing is matched or judged again here.

use std::collections::{BTreeMap, BTreeSet};

use crate::inventory::LISTED;
use crate::model::{
    BySide, Hold, IntentKind, Link, LinkId, MappingName, RecordId, RecordKey, Side, Task,
};
use crate::pipeline::{AMBIGUOUS, LANE};
use crate::store::{DeadLetter, DeadLetterFilter, DeadLetterState, HoldPlace, Store, StoreError};
use crate::sync::PlannedValues;

use super::found::{Found, Group, Groups};
use crate::app::{Engine, LookError, compared};

const PAGE: u32 = 1_000;
/// Members of a group that are named.
const MEMBERS: usize = 20;
/// Waiting work that is looked through.
const WAITING_MAX: u32 = 100_000;

type Key = (u16, String);
type Members = BTreeMap<Key, BTreeSet<RecordId>>;

/// Records by mapping and side.
pub type Records = BTreeMap<(MappingName, Side), BTreeSet<RecordId>>;

/// Records from which others would be created.
pub fn created(engine: &Engine) -> Records {
    let mut records = Records::new();
    let rows = engine.tally().planned.rows();
    for row in rows.filter(|row| row.kind == IntentKind::Create) {
        if let Some(source) = row.source.clone() {
            let of = (row.mapping.clone(), row.side.other());
            records.entry(of).or_default().insert(source);
        }
    }
    records
}

/// Records that wait for others.
pub async fn waiting(engine: &Engine) -> Result<Records, StoreError> {
    let site = engine.site();
    let mut records = Records::new();
    let queue = site.store.queue(&site.workspace, LANE, WAITING_MAX).await?;
    for work in queue {
        if let Task::Record(key) = work.task {
            let of = records.entry((key.mapping, key.side)).or_default();
            of.insert(key.id);
        }
    }
    Ok(records)
}

/// The pairs of a mapping: by which rule they match, and how far their values correspond.
pub async fn pairs(
    engine: &mut Engine,
    name: &MappingName,
    found: &mut Found,
) -> Result<(), LookError> {
    let mut after: Option<LinkId> = None;
    let nothing = PlannedValues::new();
    loop {
        let part = compared(engine, name, after.as_ref(), &nothing).await?;
        found.pairs += part.pairs;
        for pair in part.matched {
            *found.paired_by.entry(pair.rule).or_insert(0) += 1;
            if found.paired.len() < LISTED {
                found.paired.push(pair);
            }
        }
        for (rule, more) in part.filled {
            let of = found.filled.entry(rule).or_default();
            of.both += more.both;
            of.same += more.same;
            of.neither += more.neither;
            for side in Side::BOTH {
                *of.alone.get_mut(side) += *more.alone.get(side);
            }
        }
        after = part.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// What failed: ambiguous matches by group, everything else by its reason.
pub async fn failures(
    engine: &Engine,
    name: &MappingName,
    found: &mut Found,
) -> Result<(), StoreError> {
    let site = engine.site();
    let mut filter = DeadLetterFilter {
        mapping: Some(name.clone()),
        state: Some(DeadLetterState::Open),
        limit: PAGE,
        ..DeadLetterFilter::default()
    };
    let mut seen = BTreeSet::new();
    loop {
        let page = site.store.dead_letters(&site.workspace, &filter).await?;
        let is_last = page.len() < PAGE as usize;
        filter.after = page.last().map(|letter| letter.id.clone());
        let (unclear, others): (Vec<DeadLetter>, Vec<DeadLetter>) = page
            .into_iter()
            .partition(|letter| letter.code == AMBIGUOUS);
        groups(engine, name, &unclear, &mut seen, found).await?;
        for letter in others {
            let Task::Record(key) = letter.task else {
                continue;
            };
            let of = found.letters.entry(letter.code).or_default();
            of.count += 1;
            if of.listed.len() < LISTED {
                of.listed.push((key.side, key.id, letter.message));
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Adds the groups that these letters are about: the key by which the record has candidates.
async fn groups(
    engine: &Engine,
    name: &MappingName,
    letters: &[DeadLetter],
    seen: &mut BTreeSet<Key>,
    found: &mut Found,
) -> Result<(), StoreError> {
    let site = engine.site();
    let (store, ws) = (&site.store, &site.workspace);
    for side in Side::BOTH {
        let ids: Vec<RecordId> = letters
            .iter()
            .filter_map(|letter| match &letter.task {
                Task::Record(key) if key.side == side => Some(key.id.clone()),
                _ => None,
            })
            .collect();
        let keys_of = store.match_keys_of(ws, name, side, &ids).await?;
        let keys: Vec<Key> = keys_of.values().flatten().cloned().collect();
        let theirs = store.match_members(ws, name, side.other(), &keys).await?;
        let ours = store.match_members(ws, name, side, &keys).await?;
        for keys in keys_of.into_values() {
            // In the order of the rules, as the engine asks them.
            let Some(key) = keys.into_iter().find(|key| theirs.contains_key(key)) else {
                continue;
            };
            if !seen.insert(key.clone()) {
                continue;
            }
            let none = BTreeSet::new();
            let of = |members: &Members| members.get(&key).unwrap_or(&none).clone();
            let sides = match side {
                Side::HubSpot => BySide::new(of(&ours), of(&theirs)),
                Side::Salesforce => BySide::new(of(&theirs), of(&ours)),
            };
            found.ambiguous.count += 1;
            put(&mut found.ambiguous, &key, &sides);
        }
    }
    Ok(())
}

fn put(groups: &mut Groups, (rule, _): &Key, sides: &BySide<BTreeSet<RecordId>>) {
    let counts = BySide::from_fn(|side| sides.get(side).len() as u64);
    groups.records += counts.hubspot + counts.salesforce;
    if groups.listed.len() < LISTED {
        let first = |side: Side| sides.get(side).iter().take(MEMBERS).cloned().collect();
        groups.listed.push(Group {
            rule: *rule,
            members: BySide::from_fn(first),
            counts,
        });
    }
}

/// Records of one side that a match rule cannot tell apart, and their partners.
pub async fn doubles(
    engine: &Engine,
    name: &MappingName,
    found: &mut Found,
) -> Result<(), StoreError> {
    let site = engine.site();
    let (store, ws) = (&site.store, &site.workspace);
    for side in Side::BOTH {
        let limit = u32::try_from(LISTED).unwrap_or(PAGE);
        let keys = store.match_repeated(ws, name, side, limit).await?;
        let members = member_sets(store, engine, name, side, &keys).await?;
        let groups = found.doubles.get_mut(side);
        for key in &keys {
            let own = members.get(side).get(key).cloned().unwrap_or_default();
            let other = members.get(side.other()).get(key).cloned();
            let sides = match side {
                Side::HubSpot => BySide::new(own, other.unwrap_or_default()),
                Side::Salesforce => BySide::new(other.unwrap_or_default(), own),
            };
            put(groups, key, &sides);
        }
        // The list is limited, the counts are not.
        let repeats = store.match_repeats(ws, name, side).await?;
        groups.count = repeats.values().map(|(keys, _)| keys).sum();
        groups.records = repeats.values().map(|(_, records)| records).sum();
    }
    Ok(())
}

async fn member_sets(
    store: &Store,
    engine: &Engine,
    name: &MappingName,
    side: Side,
    keys: &[Key],
) -> Result<BySide<Members>, StoreError> {
    let ws = &engine.site().workspace;
    let own = store.match_members(ws, name, side, keys).await?;
    let other = store.match_members(ws, name, side.other(), keys).await?;
    Ok(match side {
        Side::HubSpot => BySide::new(own, other),
        Side::Salesforce => BySide::new(other, own),
    })
}

/// Values that would wait: those of pairs are in the store, those of new records in the tally.
pub async fn holds(
    engine: &Engine,
    found: &mut BTreeMap<MappingName, Found>,
) -> Result<(), StoreError> {
    let site = engine.site();
    let (store, ws) = (&site.store, &site.workspace);
    let mut after: Option<HoldPlace> = None;
    loop {
        let page = store.holds_page(ws, None, after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(HoldPlace::of);
        let mut ids: Vec<LinkId> = page.iter().map(|hold| hold.link.clone()).collect();
        ids.dedup();
        let links = store.links_by_id(ws, &ids).await?.into_iter();
        let links: BTreeMap<LinkId, Link> = links.map(|link| (link.id.clone(), link)).collect();
        for hold in &page {
            if let Some(link) = links.get(&hold.link) {
                put_hold(found, &link.mapping, link.records.clone(), hold);
            }
        }
        if is_last {
            break;
        }
    }
    for (RecordKey { mapping, side, id }, hold) in engine.tally().planned.held() {
        let records = BySide::from_fn(|one| (one == *side).then(|| id.clone()));
        put_hold(found, mapping, records, hold);
    }
    Ok(())
}

fn put_hold(
    found: &mut BTreeMap<MappingName, Found>,
    mapping: &MappingName,
    records: BySide<Option<RecordId>>,
    hold: &Hold,
) {
    let Some(found) = found.get_mut(mapping) else {
        return;
    };
    let of = found
        .holds
        .entry((hold.rule.clone(), hold.reason))
        .or_default();
    of.count += 1;
    if of.listed.len() < LISTED {
        of.listed.push((records, hold.detail.clone()));
    }
}
