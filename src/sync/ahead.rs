//! Asks Salesforce at once what a batch will want to know: its records, which of the new ones are
//! what a merge or a conversion left, who is there already that would be copied from HubSpot, and,
//! once, which fields have a history.
//!
//! Only what costs no call of its own is asked ahead; the rest is asked where it is needed.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::load::ReadError;
use super::unit::{Batch, Unit};
use crate::crm::salesforce::{Ask, TOGETHER, Told};
use crate::crm::{CrmError, Crms};
use crate::mapping::{Bound, MatchRule};
use crate::model::{Cause, Presence, Raw, Record, RecordId, Side};

const ON: Side = Side::Salesforce;
/// More new records than this are looked up once it is known which of them have no partner.
const FEW: usize = 100;

/// What was asked ahead, and what it came to.
#[derive(Debug, Default)]
pub struct Ahead {
    /// By object and the object of the heirs.
    became: BTreeMap<(String, String), Became>,
    /// By Salesforce field.
    found: BTreeMap<String, Found>,
}

#[derive(Debug)]
struct Became {
    asked: BTreeSet<RecordId>,
    pairs: Vec<(RecordId, RecordId)>,
}

#[derive(Debug)]
struct Found {
    asked: BTreeSet<String>,
    records: Vec<Record>,
}

impl Ahead {
    fn keep(&mut self, field: &str, values: Vec<String>, records: Vec<Record>) {
        let asked = values.into_iter().collect();
        let found = Found { asked, records };
        self.found.insert(field.to_owned(), found);
    }

    /// The records of `object` that became one of these, if that was asked of all of them.
    pub fn became(
        &self,
        (object, heirs): (&str, &str),
        ids: &[RecordId],
    ) -> Option<Vec<(RecordId, RecordId)>> {
        let known = self.became.get(&(object.to_owned(), heirs.to_owned()))?;
        let all = ids.iter().all(|id| known.asked.contains(id));
        let theirs = known.pairs.iter().filter(|(_, heir)| ids.contains(heir));
        all.then(|| theirs.cloned().collect())
    }

    /// The records whose field holds one of these values, and perhaps others, if all of them were
    /// asked for. Told once.
    pub fn take_found(&mut self, field: &str, values: &[String]) -> Option<Vec<Record>> {
        let known = self.found.get(field)?;
        let all = values.iter().all(|value| known.asked.contains(value));
        let known = all.then(|| self.found.remove(field))??;
        Some(known.records)
    }
}

/// Records of HubSpot that may have to be copied, in full calls with others that are marked there.
/// They are read first, so that their look-up can go along.
pub fn first_to_read(bound: &Bound, batch: &Batch) -> Vec<RecordId> {
    let side = ON.other();
    if !bound.mapping().direction.allows(ON) || rules(bound).next().is_none() {
        return Vec::new();
    }
    let mut ids = batch.ids(side, |unit| is_new(unit, side));
    let room = ids.len().next_multiple_of(Crms::batch(side)) - ids.len();
    if !ids.is_empty() {
        let marked = |unit: &Unit| unit.is_marked(side) && unit.read.get(side).is_none();
        let others = batch.ids(side, |unit| marked(unit) && !is_new(unit, side));
        ids.extend(others.into_iter().take(room));
    }
    ids
}

/// Without a link, and not from taking stock: there most find their partner at home.
fn is_new(unit: &Unit, side: Side) -> bool {
    let stocked = |cause: Cause| cause == Cause::Backfill;
    let first = unit.claimed.iter().all(|claimed| stocked(claimed.cause));
    unit.open() && unit.link.is_none() && unit.source() == side && !first
}

fn rules(bound: &Bound) -> impl Iterator<Item = &MatchRule> {
    let rules = bound.mapping().matches.iter();
    rules.filter(|rule| rule.salesforce != "Id")
}

/// Reads the records of Salesforce, with what else can be asked in the same call.
pub async fn read(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    ids: &[RecordId],
) -> Result<Vec<Record>, ReadError> {
    let object = bound.object(ON);
    let new = batch.ids(ON, |unit| is_new(unit, ON));
    let mut heirs: Vec<&str> = vec![object];
    heirs.extend(desk.site.peers(bound).map(|peer| peer.object(ON)));
    heirs.dedup();
    let mut wanted: Vec<(&str, Vec<String>)> = rules(bound)
        .map(|rule| (rule.salesforce.as_str(), values_of(bound, batch, rule)))
        .filter(|(_, values)| (1..=FEW).contains(&values.len()))
        .collect();
    let mut asks = Vec::new();
    if !ids.is_empty() {
        let fields = bound.read_fields(ON);
        asks.push(Ask::Retrieve {
            object,
            ids,
            fields,
        });
    }
    let retrieves = asks.len();
    if !new.is_empty() {
        asks.extend(heirs.iter().map(|from| Ask::Became {
            object: from,
            heirs: object,
            ids: &new,
        }));
    }
    // Alone it may turn out to be needless: a partner may be at home.
    wanted.retain(|_| !asks.is_empty());
    let befores = asks.len();
    asks.extend(wanted.iter().map(|(field, values)| Ask::Find {
        object,
        field,
        values,
        fields: bound.read_fields(ON),
    }));
    let finds = asks.len();
    let wanted_soon = is_edited(batch) && desk.crms.salesforce.asks_what_is_tracked(object);
    if wanted_soon && (1..TOGETHER).contains(&finds) {
        asks.push(Ask::Tracked { object });
    }
    if asks.is_empty() {
        return Ok(Vec::new());
    }
    desk.lane.keep().await?;
    let mut told = desk.crms.salesforce.ask_all(&asks).await;
    told.truncate(finds);
    let found = told.split_off(befores);
    let became = told.split_off(retrieves);
    for (from, told) in heirs.iter().zip(became) {
        if let Ok(Told::Became(pairs)) = told {
            let place = ((*from).to_owned(), object.to_owned());
            let asked = new.iter().cloned().collect();
            batch.ahead.became.insert(place, Became { asked, pairs });
        }
    }
    for ((field, values), told) in wanted.into_iter().zip(found) {
        if let Ok(told) = told {
            batch.ahead.keep(field, values, told.into_page().records);
        }
    }
    let read: Result<Vec<Told>, CrmError> = told.into_iter().collect();
    let read = read?.into_iter().flat_map(|told| told.into_page().records);
    Ok(read.collect())
}

/// Where people are at work on both sides, some writes will be looked at afterwards.
fn is_edited(batch: &mut Batch) -> bool {
    Side::BOTH.into_iter().all(|side| {
        let mut units = batch.open();
        units.any(|unit| unit.link.is_some() && unit.is_marked(side))
    })
}

/// What new records of HubSpot hold in the rule's property, as far as they may be copied.
fn values_of(bound: &Bound, batch: &Batch, rule: &MatchRule) -> Vec<String> {
    let side = ON.other();
    let values: BTreeSet<String> = batch
        .units
        .iter()
        .filter(|unit| is_new(unit, side) && bound.mapping().direction.allows(ON))
        .filter_map(|unit| unit.read.get(side).as_ref())
        .filter(|record| record.presence == Presence::Live)
        .map(|record| &record.fields)
        .filter(|fields| bound.takes_part(side, fields).unwrap_or(false))
        .filter(|fields| bound.may_create(ON, fields).unwrap_or(false))
        .filter_map(|fields| fields.get(&rule.hubspot).and_then(Raw::as_text))
        .map(str::to_owned)
        .collect();
    values
        .into_iter()
        .filter(|value| !value.is_empty())
        .collect()
}
