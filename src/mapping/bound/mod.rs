//! A mapping joined to both CRMs' schemas: what is read, compared, carried over and written.
//!
//! Everything here needs a schema; the words of a file alone are judged in `read`. No decision
//! about who wins: that is the merge's.

mod bind;
mod check;
mod convert;
mod fields;
mod gate;
mod names;
mod owner;
mod reads;
mod reference;
mod sample;
mod slot;
mod survey;
mod table;
mod ties;

use std::collections::BTreeMap;

use super::fault::Fault;
use super::rule::{Reference, ReferenceEnd, Rule};
use super::types::Mapping;
use crate::model::{
    AssociationRead, BySide, FieldKind, Fields, HoldReason, Junction, LinkId, ObjectSchema, Owner,
    Problem, Raw, RecordId, RecordKey, RoleRead, Side, Ties,
};
use slot::Plan;

pub(super) use bind::KEYS;
pub use bind::bind;
pub(super) use reads::{expression_fields, real, tells};
pub use survey::Counterpart;

/// A mapping that fits its schemas.
#[derive(Clone, Debug)]
pub struct Bound {
    mapping: Mapping,
    objects: BySide<ObjectSchema>,
    owners: BySide<Vec<Owner>>,
    currency: BySide<Option<String>>,
    plans: BTreeMap<String, Plan>,
    reads: BySide<Vec<String>>,
    key: BySide<Option<String>>,
    warnings: Vec<Fault>,
}

/// The links that a batch of records refers to, as the engine loaded them.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// By the record on either side, under the mapping that links it.
    pub links: BTreeMap<RecordKey, LinkId>,
    pub records: BTreeMap<LinkId, BySide<Option<RecordId>>>,
    /// Every record that the batch refers to was looked up: what is not here has no link.
    pub complete: bool,
}

impl Bound {
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// Fields to request on that side: sorted, no duplicates, no associations.
    pub fn read_fields(&self, side: Side) -> &[String] {
        self.reads.get(side)
    }

    /// A record of that side with every field blank that is read of it, references included.
    pub fn blank_record(&self, side: Side) -> Fields {
        let fields = self.read_fields(side).iter().cloned();
        let rules = self.mapping.associations();
        let references = rules.filter_map(|rule| self.reference_field(rule, side));
        let names = fields.chain(references);
        names.map(|name| (name, Raw::Null)).collect()
    }

    /// Of these, the fields that can tell of something new: all but the stamps of the last edit.
    pub fn told_fields(&self, side: Side) -> impl Iterator<Item = &String> {
        self.read_fields(side)
            .iter()
            .filter(|name| reads::tells(name))
    }

    /// The object's own name on the platform.
    pub fn object(&self, side: Side) -> &str {
        &self.objects.get(side).name
    }

    /// The type of a field of the object, whether the mapping names it or not.
    pub fn field_kind(&self, side: Side, field: &str) -> Option<&FieldKind> {
        let schema = self.objects.get(side).fields.get(field)?;
        Some(&schema.kind)
    }

    pub fn field_names(&self, side: Side) -> impl Iterator<Item = &str> {
        self.objects.get(side).fields.keys().map(String::as_str)
    }

    /// Those who may own records on that side.
    pub fn owners(&self, side: Side) -> &[Owner] {
        self.owners.get(side)
    }

    /// Whether a rule keeps references under this name on that side.
    pub fn is_reference_field(&self, side: Side, name: &str) -> bool {
        let mut rules = self.mapping.associations();
        rules.any(|rule| rule.writes(side).first().is_some_and(|field| field == name))
    }

    /// The pseudo field or lookup that holds a reference's record ids on this side.
    pub fn reference_field(&self, rule: &Rule, side: Side) -> Option<String> {
        rule.reference()?;
        rule.writes(side).first().cloned()
    }

    /// What is read along with the records of either side.
    pub fn ties(&self) -> Ties {
        let mut ties = Ties::default();
        for reference in self.mapping.associations().filter_map(Rule::reference) {
            if let ReferenceEnd::Association { object, label } = &reference.hubspot {
                ties.associations.push(AssociationRead {
                    to: object.clone(),
                    label: label.clone(),
                });
            }
            ties.roles.extend(self.role(reference));
        }
        ties.and(Ties::default())
    }

    /// The rows that a reference is kept in on Salesforce, when it is a set.
    pub fn role(&self, reference: &Reference) -> Option<RoleRead> {
        let ReferenceEnd::Junction { object, role } = &reference.salesforce else {
            return None;
        };
        let junction = Junction::named(object)?;
        let (own, far, _) = junction.seen_from(&self.mapping.objects.salesforce)?;
        Some(RoleRead {
            junction,
            own,
            far,
            role: role.clone(),
        })
    }

    /// The field that should hold the key of created records, whether it is there or not.
    pub fn key_name(&self, side: Side) -> &str {
        self.mapping.key.get(side).as_deref().unwrap_or(match side {
            Side::HubSpot => "tandem_link_id",
            Side::Salesforce => "Tandem_Link_Id__c",
        })
    }

    /// The field that holds the key of created records; `None` when the side has none.
    pub fn key_field(&self, side: Side) -> Option<&str> {
        self.key.get(side).as_deref()
    }
}

fn problem(reason: HoldReason, detail: impl Into<String>) -> Problem {
    Problem {
        reason,
        detail: detail.into(),
    }
}
