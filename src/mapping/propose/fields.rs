//! Which field of one side means what which field of the other side means.

use std::collections::{BTreeMap, BTreeSet};

use super::known::{SAME, SYSTEM, plain};
use crate::model::{BySide, FieldKind, FieldSchema, ObjectSchema, Side};

/// What a field is called, in one way of calling it.
type Naming = fn(&FieldSchema) -> String;

/// Two fields that mean the same, and what says so.
pub(super) struct Match<'s> {
    pub fields: BySide<&'s FieldSchema>,
    pub why: &'static str,
}

/// The fields that are still to be placed.
pub(super) struct Free<'s> {
    objects: BySide<&'s ObjectSchema>,
    used: BySide<BTreeSet<String>>,
}

impl<'s> Free<'s> {
    pub fn new(objects: BySide<&'s ObjectSchema>) -> Self {
        Self {
            objects,
            used: BySide::default(),
        }
    }

    /// A field that no rule is about yet.
    pub fn get(&self, side: Side, name: &str) -> Option<&'s FieldSchema> {
        let field = self.objects.get(side).fields.get(name)?;
        (!self.used.get(side).contains(name)).then_some(field)
    }

    pub fn all(&self, side: Side, names: &[&str]) -> bool {
        names
            .iter()
            .all(|name| self.get(side, name).is_some_and(writable))
    }

    pub fn place(&mut self, side: Side, names: &[&str]) {
        let names = names.iter().map(|name| (*name).to_owned());
        self.used.get_mut(side).extend(names);
    }

    /// The fields that may be paired by name.
    pub fn open(&self, side: Side) -> impl Iterator<Item = &'s FieldSchema> {
        let fields = self.objects.get(side).fields.values();
        fields.filter(move |field| !self.used.get(side).contains(&field.name) && !is_kept(field))
    }

    /// Fields that the platform itself keeps, and that are in no rule.
    pub fn kept(&self, side: Side) -> Vec<String> {
        let fields = self.objects.get(side).fields.values();
        let kept = fields.filter(|field| !self.used.get(side).contains(&field.name));
        kept.filter(|field| is_kept(field))
            .map(|field| field.name.clone())
            .collect()
    }

    /// Pairs of one meaning: first those that everybody knows, then those of one name or label.
    pub fn matches(&self) -> Vec<Match<'s>> {
        let mut found: Vec<Match<'s>> = Vec::new();
        let mut taken = BySide::<BTreeSet<String>>::default();
        let mut take = |hubspot: &'s FieldSchema, salesforce: &'s FieldSchema, why| {
            let fresh = !taken.hubspot.contains(&hubspot.name)
                && !taken.salesforce.contains(&salesforce.name);
            if fresh {
                taken.hubspot.insert(hubspot.name.clone());
                taken.salesforce.insert(salesforce.name.clone());
                let fields = BySide::new(hubspot, salesforce);
                found.push(Match { fields, why });
            }
        };
        for (hubspot, salesforce) in SAME {
            let fields = (
                self.get(Side::HubSpot, hubspot),
                self.get(Side::Salesforce, salesforce),
            );
            // A compound name is made of other fields.
            if let (Some(hubspot), Some(salesforce)) = fields
                && !is_kept(salesforce)
            {
                take(hubspot, salesforce, "usual counterpart");
            }
        }
        let names: [(Naming, &str); 2] = [
            (|field| plain(&field.name), "same name"),
            (|field| plain(&field.label), "same label"),
        ];
        for (name, why) in names {
            let mut theirs: BTreeMap<String, Vec<&'s FieldSchema>> = BTreeMap::new();
            for field in self.open(Side::Salesforce) {
                theirs.entry(name(field)).or_default().push(field);
            }
            for field in self.open(Side::HubSpot) {
                // Two fields of one label are for a person to tell apart.
                if let Some([one]) = theirs.get(&name(field)).map(Vec::as_slice) {
                    take(field, one, why);
                }
            }
        }
        found
    }
}

pub(super) fn writable(field: &FieldSchema) -> bool {
    !field.calculated && (field.createable || field.updateable)
}

/// Ids, references and what is only for the platform: no rule of plain values is about them.
fn is_kept(field: &FieldSchema) -> bool {
    let kind = matches!(
        field.kind,
        FieldKind::Id | FieldKind::Reference { .. } | FieldKind::Owner | FieldKind::Other(_)
    );
    let own = field.name.starts_with("hs_") && !writable(field);
    kind || own || SYSTEM.contains(&field.name.as_str())
}
