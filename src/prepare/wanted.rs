//! What all mappings together want of each object, and which Salesforce fields to open for that.

use std::collections::{BTreeMap, BTreeSet};

use super::{Grant, Seen};
use crate::mapping::{Access, Mapping, needs};
use crate::model::Side;

/// What all mappings of one object want of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub fields: BTreeMap<String, Access>,
    pub keys: BTreeSet<String>,
    pub updates: bool,
    pub creates: bool,
    pub deletes: bool,
}

/// By object, as the mapping files name it.
pub(super) fn wanted(mappings: &[Mapping], side: Side) -> BTreeMap<String, Wanted> {
    let mut all: BTreeMap<String, Wanted> = BTreeMap::new();
    for mapping in mappings {
        let needs = needs(mapping);
        let place = all.entry(mapping.objects.get(side).clone()).or_default();
        for (name, access) in needs.fields.get(side) {
            let known = place.fields.entry(name.clone()).or_insert(*access);
            *known = (*known).max(*access);
        }
        place.keys.extend(needs.key.get(side).clone());
        place.updates |= *needs.updates.get(side);
        place.creates |= *needs.creates.get(side);
        place.deletes |= *needs.deletes.get(side);
    }
    for place in all.values_mut() {
        for key in &place.keys {
            place.fields.remove(key);
        }
    }
    all
}

/// The Salesforce fields that the permission set opens: exactly the mapped ones and the keys, but
/// for those that nobody can be kept from.
pub fn grants(mappings: &[Mapping], seen: &Seen) -> Vec<Grant> {
    let mut grants: BTreeMap<(String, String), bool> = BTreeMap::new();
    for (object, wanted) in wanted(mappings, Side::Salesforce) {
        let schemas = seen.schemas.as_ref();
        let known = schemas.and_then(|schemas| schemas.objects.salesforce.get(&object));
        let open = seen.permissionable.get(&object);
        let mut add = |field: &str, edit: bool| {
            let listed = known.and_then(|known| known.fields.get(field));
            if listed.is_some() && !open.is_some_and(|open| open.contains_key(field)) {
                return;
            }
            let computed = listed.is_some_and(|field| field.calculated);
            let name = opened_by(seen, &object, field);
            *grants.entry((object.clone(), name)).or_default() |= edit && !computed;
        };
        for (field, access) in &wanted.fields {
            add(field, *access == Access::Write);
        }
        for key in &wanted.keys {
            add(key, true);
        }
    }
    let all = grants.into_iter();
    let all = all.map(|((object, field), edit)| Grant {
        object,
        field,
        edit,
    });
    all.collect()
}

/// The field that a permission set names to open this one. Of a hidden part of an address only its
/// name can tell: standard addresses are all named alike.
pub(super) fn opened_by(seen: &Seen, object: &str, field: &str) -> String {
    const PARTS: [&str; 7] = [
        "Street",
        "City",
        "State",
        "StateCode",
        "PostalCode",
        "Country",
        "CountryCode",
    ];
    const KINDS: [&str; 5] = ["", "Mailing", "Other", "Billing", "Shipping"];
    let known = seen.permissionable.get(object);
    if let Some(name) = known.and_then(|known| known.get(field)) {
        return name.clone();
    }
    let kind = PARTS.iter().find_map(|part| field.strip_suffix(part));
    match kind.filter(|kind| KINDS.contains(kind)) {
        Some(kind) => format!("{kind}Address"),
        None => field.to_owned(),
    }
}
