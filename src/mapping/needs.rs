//! What a mapping needs of both CRMs' objects, read from the file alone: fields, and what for.
//!
//! Before any schema is known, so that an account can be prepared for it. Fields that the engine
//! reads of every record by itself are not listed: nobody has to set those up.

use std::collections::{BTreeMap, BTreeSet};

use super::bound::{KEYS, expression_fields, real, tells};
use super::rule::{ReferenceEnd, Rule};
use super::types::{Create, Delete, Mapping, OnLeave};
use crate::model::{BySide, Side};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Read,
    /// Read as well.
    Write,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Fields of the mapped object. References that HubSpot keeps as associations, or Salesforce in
    /// rows of another object, are none.
    pub fields: BySide<BTreeMap<String, Access>>,
    /// HubSpot properties whose change may lead to a write or move a record in or out.
    pub watched: BTreeSet<String>,
    /// The field for the key of created records, where records are created.
    pub key: BySide<Option<String>>,
    pub updates: BySide<bool>,
    pub creates: BySide<bool>,
    pub deletes: BySide<bool>,
    /// HubSpot objects that associations lead to, and whether these are written.
    pub ties: BTreeMap<String, Access>,
}

pub fn needs(mapping: &Mapping) -> Needs {
    let mut needs = Needs::default();
    for side in Side::BOTH {
        let writes = mapping.direction.allows(side);
        let creates = writes && !matches!(mapping.create.get(side), Create::Never);
        *needs.updates.get_mut(side) = writes;
        *needs.creates.get_mut(side) = creates;
        *needs.deletes.get_mut(side) = writes
            && (*mapping.delete.get(side) == Delete::Archive
                || mapping.on_leave == OnLeave::Archive);
        let own = mapping.key.get(side).as_deref();
        // A key that the file names is needed whatever it says about creates without one.
        if own.is_some() || creates && !mapping.create_without_key {
            let name = own.unwrap_or(KEYS.get(side)).to_owned();
            *needs.key.get_mut(side) = Some(name);
        }
    }
    for rule in &mapping.rules {
        of_rule(&mut needs, mapping, rule);
    }
    for rule in &mapping.matches {
        let (hubspot, salesforce) = (&rule.hubspot, &rule.salesforce);
        needs.reads(Side::HubSpot, hubspot);
        needs.reads(Side::Salesforce, salesforce);
        needs.watches(hubspot);
    }
    for (side, name, _, _) in expression_fields(mapping) {
        needs.reads(side, real(name));
        if side == Side::HubSpot {
            needs.watches(real(name));
        }
    }
    needs
}

fn of_rule(needs: &mut Needs, mapping: &Mapping, rule: &Rule) {
    let allows = |side: Side| mapping.direction.allows(side) && rule.policy.direction.allows(side);
    let reference = rule.reference();
    if let Some(reference) = reference
        && let ReferenceEnd::Association { object, .. } = &reference.hubspot
    {
        let access = match allows(Side::HubSpot) {
            true => Access::Write,
            false => Access::Read,
        };
        let place = needs.ties.entry(object.clone()).or_insert(access);
        *place = access.max(*place);
    }
    for side in Side::BOTH {
        let is_field = reference.is_none_or(|reference| {
            let end = match side {
                Side::HubSpot => &reference.hubspot,
                Side::Salesforce => &reference.salesforce,
            };
            matches!(end, ReferenceEnd::Lookup { .. })
        });
        if !is_field {
            continue;
        }
        for name in rule.sides.get(side) {
            needs.reads(side, name);
            if side == Side::HubSpot && allows(Side::Salesforce) {
                needs.watches(name);
            }
        }
        if allows(side) {
            for name in rule.writes(side) {
                let fields = needs.fields.get_mut(side);
                fields.insert(name.clone(), Access::Write);
            }
        }
    }
}

impl Needs {
    fn reads(&mut self, side: Side, name: &str) {
        let fields = self.fields.get_mut(side);
        fields.entry(name.to_owned()).or_insert(Access::Read);
    }

    fn watches(&mut self, name: &str) {
        if tells(name) {
            self.watched.insert(name.to_owned());
        }
    }
}
