//! Finds records that were made twice for one source.
//!
//! By the key fields as the simulators hold them: `<source side>:<account id>:<record id>`.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::Side;
use crate::sim::seed::Seeded;

use super::canon;
use super::ledger::View;
use super::outcome::LinkSeen;
use super::shape::{self, SHAPES};

const HUBSPOT_KEY: &str = "tandem_link_id";
const SALESFORCE_KEY: &str = "Tandem_Link_Id__c";

/// One source and the several records that stand for it on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Where the surplus is.
    pub side: Side,
    pub source: String,
    pub ids: Vec<String>,
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (side, ids) = (self.side.title(), self.ids.join(", "));
        write!(
            f,
            "{} has several counterparts in {side}: {ids}",
            self.source
        )
    }
}

/// Every source with more than one counterpart.
pub fn find(view: View<'_>, links: &[LinkSeen], seeded: &Seeded) -> Vec<Duplicate> {
    let mut found = Vec::new();
    for side in Side::BOTH {
        let mut counterparts = made(view, side);
        // A record made for a source that had a counterpart already is one too many.
        for (mapping, hubspot, salesforce) in links {
            let Some(shape) = shape::of(mapping) else {
                continue;
            };
            add(
                &mut counterparts,
                view,
                side,
                (shape.hubspot, hubspot),
                (shape.salesforce, salesforce),
            );
        }
        for pair in &seeded.pairs {
            let (ours, theirs) = (&pair.hubspot, &pair.salesforce);
            add(
                &mut counterparts,
                view,
                side,
                (pair.hubspot_object, ours),
                (pair.salesforce_object, theirs),
            );
        }
        for (source, ids) in counterparts.into_iter().filter(|(_, ids)| ids.len() > 1) {
            found.push(Duplicate { side, source, ids });
        }
    }
    found
}

/// Live records of `side` by the source their key names; only sources of the connected account.
fn made(view: View<'_>, side: Side) -> BTreeMap<String, Vec<String>> {
    let mut made: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut seen = Vec::new();
    for shape in &SHAPES {
        let object = shape.object(side);
        if seen.contains(&object) {
            continue;
        }
        seen.push(object);
        for (id, key) in keys(view, side, object) {
            if let Some(record) = source_of(view, side, &key) {
                // Ids of different objects may be equal on HubSpot.
                let family = family(shape.hubspot, &record);
                made.entry(family).or_default().push(id);
            }
        }
    }
    made
}

fn keys(view: View<'_>, side: Side, object: &str) -> Vec<(String, String)> {
    match side {
        Side::HubSpot => {
            let records = view.hubspot.records(object).into_iter();
            let live = records.filter(|record| !record.archived);
            live.filter_map(|mut record| Some((record.id, record.properties.remove(HUBSPOT_KEY)?)))
                .collect()
        }
        Side::Salesforce => {
            let records = view.salesforce.records(object).into_iter();
            let live = records.filter(|record| !record.deleted);
            live.map(|record| (record.id, canon::text(record.fields.get(SALESFORCE_KEY))))
                .collect()
        }
    }
}

/// The record id a key names, when it is one of the connected account on the other side.
fn source_of(view: View<'_>, side: Side, key: &str) -> Option<String> {
    let account = match side {
        Side::HubSpot => view.salesforce.organization_id(),
        Side::Salesforce => view.hubspot.portal_id().to_string(),
    };
    let prefix = format!("{}:{account}:", side.other());
    key.strip_prefix(&prefix).map(str::to_owned)
}

fn family(hubspot_object: &str, source: &str) -> String {
    format!("{hubspot_object} {source}")
}

/// Counts a linked or seeded pair beside what was made for its source; a source that nothing was
/// made for cannot have a surplus.
fn add(
    counterparts: &mut BTreeMap<String, Vec<String>>,
    view: View<'_>,
    side: Side,
    hubspot: (&str, &str),
    salesforce: (&str, &str),
) {
    let (source, (_, counterpart)) = match side {
        Side::HubSpot => (salesforce.1, hubspot),
        Side::Salesforce => (hubspot.1, salesforce),
    };
    let Some(ids) = counterparts.get_mut(&family(hubspot.0, source)) else {
        return;
    };
    if ids.iter().any(|id| id == counterpart) {
        return;
    }
    let live = match side {
        Side::HubSpot => {
            let record = view.hubspot.record(hubspot.0, counterpart);
            record.is_some_and(|record| !record.archived)
        }
        Side::Salesforce => {
            let record = view.salesforce.record(salesforce.0, counterpart);
            record.is_some_and(|record| !record.deleted)
        }
    };
    if live {
        ids.push(counterpart.to_owned());
    }
}
