//! When people edited, for rules that let the newest win; asked only where two edits compete.
//!
//! HubSpot's time is the property's history entry. Salesforce knows one stamp for the whole record,
//! which any automation moves, so the edit lies somewhere between the last poll that did not show
//! the record and that stamp. What we wrote ourselves is nobody's edit on either side.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::input::rule_input;
use super::unit::{Batch, Unit};
use crate::crm::hubspot::HistoryEntry;
use crate::mapping::{Bound, References, Rule};
use crate::merge::{self, Reason};
use crate::model::{BySide, Fields, Raw, Record, RecordId, Side, Timestamp};
use crate::pipeline::Passes;
use crate::store::StoreError;

/// When each side's value was last edited. A time that is missing leaves it to the tie winner.
#[derive(Default)]
pub struct Times {
    edits: BTreeMap<(RecordId, String), Timestamp>,
    /// By Salesforce record: the last poll that did not show its present change.
    unmoved: BTreeMap<RecordId, Timestamp>,
}

impl Times {
    /// For one unit whose times are known beforehand: every rule has those of its record.
    pub fn of(unit: &Unit, bound: &Bound, edited: &BySide<Option<Timestamp>>) -> Self {
        let mut times = Self::default();
        for side in Side::BOTH {
            let (Some(id), Some(at)) = (unit.records.get(side), *edited.get(side)) else {
                continue;
            };
            let rules = bound.mapping().rules.iter();
            let edits = rules.map(|rule| ((id.clone(), rule.name.clone()), at));
            times.edits.extend(edits);
            if side == Side::Salesforce {
                times.unmoved.insert(id.clone(), at);
            }
        }
        times
    }

    pub fn modified(&self, unit: &Unit, rule: &str) -> BySide<Option<Timestamp>> {
        BySide::from_fn(|side| {
            let id = unit.records.get(side).clone()?;
            self.edits.get(&(id, rule.to_owned())).copied()
        })
    }

    pub fn unmoved_until(&self, unit: &Unit) -> Option<Timestamp> {
        let id = unit.records.salesforce.as_ref()?;
        self.unmoved.get(id).copied()
    }
}

/// Who has to be asked, and for which properties.
#[derive(Default)]
struct Wanted {
    ids: BTreeSet<RecordId>,
    properties: BTreeSet<String>,
}

/// A history that cannot be read leaves the times unknown, and the named tie winner decides.
pub async fn edit_times(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &Batch,
    references: &References,
) -> Result<Times, StoreError> {
    let mut times = Times::default();
    let wanted = salesforce_times(desk, bound, batch, references, &mut times);
    if wanted.ids.is_empty() {
        return Ok(times);
    }
    unmoved(desk, bound, batch, &mut times).await?;
    let ids: Vec<RecordId> = wanted.ids.into_iter().collect();
    let mut properties = wanted.properties;
    // Nobody but our own app ever writes the key, so its history tells which app that is.
    properties.extend(bound.key_field(Side::HubSpot).map(str::to_owned));
    let properties: Vec<String> = properties.into_iter().collect();
    let object = bound.object(Side::HubSpot);
    let history = match desk.crms.hubspot.history(object, &ids, &properties).await {
        Ok(history) => history,
        Err(error) => {
            tracing::warn!(%error, "property history is not readable; ties decide");
            return Ok(times);
        }
    };
    let apps = own_apps(bound, history.values());
    for (id, by_property) in history {
        for rule in bound.mapping().rules.iter().filter(|rule| compares(rule)) {
            let entries = rule.sides.hubspot.iter();
            let entries = entries.filter_map(|name| by_property.get(name)?.first());
            if let Some(newest) = entries.max_by_key(|entry| entry.at)
                && !may_be_ours(newest, &apps)
            {
                times
                    .edits
                    .insert((id.clone(), rule.name.clone()), newest.at);
            }
        }
    }
    Ok(times)
}

fn compares(rule: &Rule) -> bool {
    rule.policy.compares_times()
}

/// Notes Salesforce's times of the rules that are about to compare, and what to ask HubSpot.
fn salesforce_times(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &Batch,
    references: &References,
    times: &mut Times,
) -> Wanted {
    let mut wanted = Wanted::default();
    for unit in batch.units.iter().filter(|unit| unit.open()) {
        let (Some(hubspot), Some(salesforce)) = (&unit.read.hubspot, &unit.read.salesforce) else {
            continue;
        };
        let fields = BySide::new(hubspot.fields.clone(), salesforce.fields.clone());
        for rule in bound.mapping().rules.iter().filter(|rule| compares(rule)) {
            let input = rule_input(bound, rule, unit, &fields, (references, &Times::default()));
            if merge::decide(&input).1 != Reason::NewestTie {
                continue;
            }
            wanted.ids.insert(hubspot.id.clone());
            wanted.properties.extend(rule.sides.hubspot.iter().cloned());
            if let Some(at) = modified_at(salesforce)
                && !stamped_by_us(desk, &salesforce.fields)
            {
                let place = (salesforce.id.clone(), rule.name.clone());
                times.edits.insert(place, at);
            }
        }
    }
    wanted
}

fn modified_at(salesforce: &Record) -> Option<Timestamp> {
    let stamp = salesforce.fields.get("LastModifiedDate");
    let stamp = stamp.and_then(Raw::as_text).and_then(Timestamp::parse);
    stamp.or(salesforce.modified_at)
}

/// A stamp that our own write left says nothing about when a person edited.
pub fn stamped_by_us(desk: &Desk<'_>, fields: &Fields) -> bool {
    let by = fields.get("LastModifiedById").and_then(Raw::as_text);
    let us = desk.crms.salesforce.session().user_id;
    by.is_some() && by == us.as_deref()
}

/// The record was last changed by somebody else, which a trigger in our own write never is.
pub fn stamped_by_another(desk: &Desk<'_>, fields: &Fields) -> bool {
    let by = fields.get("LastModifiedById").and_then(Raw::as_text);
    let us = desk.crms.salesforce.session().user_id;
    by.is_some() && us.is_some() && by != us.as_deref()
}

/// The last poll before the one that showed each record as changed, as far as polls are kept.
async fn unmoved(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &Batch,
    times: &mut Times,
) -> Result<(), StoreError> {
    let name = &bound.mapping().name;
    let passes = Passes::load(desk.site, name, Side::Salesforce).await?;
    for unit in batch.units.iter().filter(|unit| unit.open()) {
        let Some(record) = &unit.read.salesforce else {
            continue;
        };
        let marks = unit.claimed.iter();
        let marks = marks.filter(|claim| claim.task.side() == Side::Salesforce);
        let shown = marks.map(|claim| claim.first_marked_at).min();
        let until = modified_at(record).and_then(|at| passes.before(at, shown));
        times
            .unmoved
            .extend(until.map(|at| (record.id.clone(), at)));
    }
    Ok(())
}

/// The apps that set a creation key: this one, and those whose token it had before.
fn own_apps<'a>(
    bound: &Bound,
    histories: impl Iterator<Item = &'a BTreeMap<String, Vec<HistoryEntry>>>,
) -> BTreeSet<String> {
    let Some(key) = bound.key_field(Side::HubSpot) else {
        return BTreeSet::new();
    };
    histories
        .filter_map(|by_property| by_property.get(key))
        .flatten()
        .filter_map(|entry| entry.app().map(str::to_owned))
        .collect()
}

/// While our own app is not known, any app may be it: a tie costs less than calling our own write
/// somebody's edit.
fn may_be_ours(entry: &HistoryEntry, apps: &BTreeSet<String>) -> bool {
    entry
        .app()
        .is_some_and(|app| apps.is_empty() || apps.contains(app))
}
