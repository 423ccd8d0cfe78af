//! Reads every record of both sides once, page by page, and has the inventory count it.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::{Engine, LookError, records_page};
use crate::inventory::{Inventory, Known};
use crate::mapping::Bound;
use crate::model::{BySide, MappingName, Record, RecordId, RecordKey, Side, Task};
use crate::store::StoreError;

use super::found::Found;
use super::gather::Records;

/// What the run found out about single records.
pub struct Fates {
    pub created: Records,
    pub waiting: Records,
}

/// Counts the records of all mappings in `found`.
pub async fn survey(
    engine: &Engine,
    fates: &Fates,
    found: &mut BTreeMap<MappingName, Found>,
) -> Result<(), LookError> {
    let site = engine.site();
    for of in found.values_mut() {
        of.inventory = Inventory::new(MappingName::new(&of.name), wanted(of));
    }
    for side in Side::BOTH {
        for leader in site.leaders(side) {
            let asked = site.sharing(leader, side).into_iter();
            let asked: Vec<&Bound> = asked
                .filter(|bound| found.contains_key(&bound.mapping().name))
                .collect();
            let Some(first) = asked.first() else {
                continue;
            };
            let fields = site.shared_fields(leader, side);
            let mut after: Option<String> = None;
            loop {
                let object = first.object(side);
                let listing = records_page(engine, side, object, &fields, after.as_deref()).await?;
                for bound in &asked {
                    let known = known(engine, bound, side, &listing.records, fates).await?;
                    if let Some(of) = found.get_mut(&bound.mapping().name) {
                        of.inventory.add(bound, side, &listing.records, &known);
                    }
                }
                after = listing.next;
                if after.is_none() {
                    break;
                }
            }
        }
    }
    for (name, of) in found.iter_mut() {
        if let Some(bound) = site.mappings.get(name) {
            of.values = of.inventory.without_counterpart(bound);
        }
    }
    Ok(())
}

/// Records that are listed by id alone so far.
fn wanted(found: &Found) -> BySide<BTreeSet<RecordId>> {
    let mut wanted = BySide::<BTreeSet<RecordId>>::default();
    let doubles = Side::BOTH.into_iter().map(|side| found.doubles.get(side));
    for groups in doubles.chain([&found.ambiguous]) {
        for (group, side) in groups
            .listed
            .iter()
            .flat_map(|g| Side::BOTH.map(|side| (g, side)))
        {
            let members = group.members.get(side).iter().cloned();
            wanted.get_mut(side).extend(members);
        }
    }
    for (side, id, _) in found.letters.values().flat_map(|letters| &letters.listed) {
        wanted.get_mut(*side).insert(id.clone());
    }
    for (records, _) in found.holds.values().flat_map(|holds| &holds.listed) {
        for side in Side::BOTH {
            wanted.get_mut(side).extend(records.get(side).clone());
        }
    }
    for pair in &found.paired {
        for side in Side::BOTH {
            wanted.get_mut(side).insert(pair.records.get(side).clone());
        }
    }
    wanted
}

async fn known(
    engine: &Engine,
    bound: &Bound,
    side: Side,
    records: &[Record],
    fates: &Fates,
) -> Result<Known, StoreError> {
    let site = engine.site();
    let (store, ws, name) = (&site.store, &site.workspace, &bound.mapping().name);
    let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
    let place = (name.clone(), side);
    let of = |all: &Records| -> BTreeSet<RecordId> {
        let all = all.get(&place);
        let here = |id: &&RecordId| all.is_some_and(|all| all.contains(*id));
        ids.iter().filter(here).cloned().collect()
    };
    let mut known = Known {
        created: of(&fates.created),
        waiting: of(&fates.waiting),
        ..Known::default()
    };
    let links = store.links_by_record(ws, name, side, &ids).await?;
    let open = links.into_iter().filter(|link| link.state.is_open());
    known.linked = open
        .filter_map(|link| link.records.get(side).clone())
        .collect();
    if let Some(group) = bound
        .mapping()
        .group
        .as_ref()
        .filter(|_| side == Side::HubSpot)
    {
        let links = store.links_of_group(ws, group, &ids).await?;
        let open = links.into_iter().filter(|link| link.state.is_open());
        known.elsewhere = open.filter_map(|link| link.records.hubspot).collect();
    }
    let task = |id: &RecordId| {
        let (mapping, id) = (name.clone(), id.clone());
        Task::Record(RecordKey { mapping, side, id })
    };
    let tasks: Vec<Task> = ids.iter().map(task).collect();
    for letter in store.dead_letters_of(ws, &tasks).await? {
        if let Task::Record(key) = letter.task {
            known.person.insert(key.id);
        }
    }
    Ok(known)
}
