//! What both CRMs hold at one moment, as far as the cast looks at it.

use std::collections::BTreeMap;

use serde_json::Value;
use tandem::model::Side;
use tandem::sim::hubspot::HubSpotSim;
use tandem::sim::salesforce::SalesforceSim;

use crate::cast::Cast;

/// One record of one CRM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shot {
    pub mapping: &'static str,
    pub live: bool,
    /// By field name; blank fields are there too.
    pub fields: BTreeMap<&'static str, String>,
    /// The creation key it carries.
    pub key: String,
    /// The record it belongs to, where the cast has references.
    pub parent: String,
}

impl Shot {
    pub fn get(&self, field: &str) -> &str {
        self.fields.get(field).map_or("", String::as_str)
    }
}

pub type Place = (Side, String);

/// All records, by side and id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shots(pub BTreeMap<Place, Shot>);

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

impl Shots {
    pub fn take(cast: &Cast, hubspot: &HubSpotSim, salesforce: &SalesforceSim) -> Self {
        let mut all = BTreeMap::new();
        for pair in &cast.pairs {
            let own = pair.rules.iter().map(|rule| rule.fields.hubspot);
            let names: Vec<&str> = own
                .chain(["associatedcompanyid", "tandem_link_id"])
                .collect();
            for record in hubspot.records_with(pair.objects.hubspot, &names) {
                let get = |name: &str| record.properties.get(name).cloned().unwrap_or_default();
                let parent = get("associatedcompanyid");
                let shot = Shot {
                    mapping: pair.mapping,
                    live: !record.archived,
                    fields: pair
                        .rules
                        .iter()
                        .map(|rule| (rule.fields.hubspot, get(rule.fields.hubspot)))
                        .collect(),
                    key: get("tandem_link_id"),
                    parent,
                };
                all.insert((Side::HubSpot, record.id), shot);
            }
            let own = pair.rules.iter().map(|rule| rule.fields.salesforce);
            let names: Vec<&str> = own.chain(["AccountId", "Tandem_Link_Id__c"]).collect();
            for record in salesforce.records_with(pair.objects.salesforce, &names) {
                let get = |name: &str| text(record.fields.get(name));
                let shot = Shot {
                    mapping: pair.mapping,
                    live: !record.deleted,
                    fields: pair
                        .rules
                        .iter()
                        .map(|rule| (rule.fields.salesforce, get(rule.fields.salesforce)))
                        .collect(),
                    key: get("Tandem_Link_Id__c"),
                    parent: get("AccountId"),
                };
                all.insert((Side::Salesforce, record.id), shot);
            }
        }
        Self(all)
    }

    pub fn get(&self, side: Side, id: &str) -> Option<&Shot> {
        self.0.get(&(side, id.to_owned()))
    }

    /// Ids of one mapping's records on one side that are live, or that are not.
    pub fn ids(&self, mapping: &str, side: Side, live: bool) -> Vec<String> {
        let of = self
            .0
            .iter()
            .filter(|((at, _), shot)| *at == side && shot.mapping == mapping && shot.live == live);
        of.map(|((_, id), _)| id.clone()).collect()
    }
}

/// What one write through the API did.
#[derive(Debug, Default)]
pub struct Difference {
    pub created: Vec<Place>,
    pub deleted: Vec<Place>,
    /// Place, field, what it held, what it holds.
    pub changed: Vec<(Place, &'static str, String, String)>,
}

impl Difference {
    pub fn between(before: &Shots, after: &Shots) -> Self {
        let mut difference = Self::default();
        for (place, now) in &after.0 {
            let Some(then) = before.0.get(place) else {
                difference.created.push(place.clone());
                continue;
            };
            if then.live && !now.live {
                difference.deleted.push(place.clone());
            }
            for (field, value) in &now.fields {
                if then.get(field) != value {
                    let was = then.get(field).to_owned();
                    difference
                        .changed
                        .push((place.clone(), field, was, value.clone()));
                }
            }
        }
        difference
    }
}
