//! What an inventory found under one mapping, as data; how it is shown is decided elsewhere.

use std::collections::BTreeMap;

use crate::inventory::{Inventory, Used};
use crate::mapping::{Bound, Counterpart, Create};
use crate::model::{BySide, HoldReason, RecordId, Side};
use crate::sync::{Filled, Matched};

/// Records that one key of a match rule cannot tell apart.
pub struct Group {
    pub rule: u16,
    /// The first of them, by id; how many there are is in `counts`.
    pub members: BySide<Vec<RecordId>>,
    pub counts: BySide<u64>,
}

#[derive(Default)]
pub struct Groups {
    pub count: u64,
    /// Records in all groups.
    pub records: u64,
    pub listed: Vec<Group>,
}

/// Records that fail for one reason.
#[derive(Default)]
pub struct Letters {
    pub count: u64,
    pub listed: Vec<(Side, RecordId, String)>,
}

/// Values of one rule that would wait, for one reason.
#[derive(Default)]
pub struct Holds {
    pub count: u64,
    /// The records of the pair, one of them missing where it would be created, and what to do.
    pub listed: Vec<(BySide<Option<RecordId>>, String)>,
}

pub struct Found {
    pub name: String,
    pub objects: BySide<String>,
    /// The match rules, as `email = Email`.
    pub matches: Vec<String>,
    /// The rules in the order of the file.
    pub rules: Vec<String>,
    /// Why records are created on a side.
    pub creates: BySide<String>,
    pub pairs: u64,
    pub paired_by: BTreeMap<Option<u16>, u64>,
    pub paired: Vec<Matched>,
    pub filled: BTreeMap<String, Filled>,
    pub ambiguous: Groups,
    pub doubles: BySide<Groups>,
    pub letters: BTreeMap<String, Letters>,
    pub holds: BTreeMap<(String, HoldReason), Holds>,
    pub inventory: Inventory,
    pub values: Vec<Used>,
}

impl Found {
    pub fn new(bound: &Bound) -> Self {
        let mapping = bound.mapping();
        let rules = mapping.matches.iter();
        Self {
            name: mapping.name.to_string(),
            objects: mapping.objects.clone(),
            matches: rules
                .map(|rule| format!("{} = {}", rule.hubspot, rule.salesforce))
                .collect(),
            rules: mapping.rules.iter().map(|rule| rule.name.clone()).collect(),
            creates: BySide::from_fn(|on| why_created(mapping.create.get(on))),
            pairs: 0,
            paired_by: BTreeMap::new(),
            paired: Vec::new(),
            filled: BTreeMap::new(),
            ambiguous: Groups::default(),
            doubles: BySide::default(),
            letters: BTreeMap::new(),
            holds: BTreeMap::new(),
            inventory: Inventory::new(mapping.name.clone(), BySide::default()),
            values: Vec::new(),
        }
    }

    /// The match rule as it is written, or how else a pair came about.
    pub fn matched_by(&self, rule: Option<u16>) -> &str {
        let named = rule.and_then(|rule| self.matches.get(usize::from(rule)));
        named.map_or("the key of a created record, or by hand", String::as_str)
    }

    /// A record by id, with a few of its values where they were read.
    pub fn named(&self, side: Side, id: &RecordId) -> String {
        match self.inventory.titles.get(side).get(id) {
            Some(title) if !title.is_empty() => format!("{id} {title}"),
            Some(_) | None => id.to_string(),
        }
    }

    /// Whether the group is listed as ambiguous.
    pub fn is_ambiguous(&self, group: &Group) -> bool {
        let mut listed = self.ambiguous.listed.iter();
        // A record has one key of a rule, so equal members have an equal key.
        listed.any(|other| (other.rule, &other.members) == (group.rule, &group.members))
    }

    pub fn doubles(&self) -> u64 {
        let [one, two] = Side::BOTH.map(|side| self.doubles.get(side).count);
        one + two
    }

    pub fn failures(&self) -> u64 {
        self.letters.values().map(|letters| letters.count).sum()
    }

    /// Values that would wait for a person.
    pub fn held(&self) -> u64 {
        let waits = self.holds.iter().filter(|((_, reason), _)| asks(*reason));
        waits.map(|(_, holds)| holds.count).sum()
    }

    /// References that follow by themselves once the other record is paired.
    pub fn following(&self) -> u64 {
        let waits = self.holds.iter().filter(|((_, reason), _)| !asks(*reason));
        waits.map(|(_, holds)| holds.count).sum()
    }

    /// Values in use that would wait because the other side has none for them.
    pub fn unmapped(&self) -> u64 {
        let held = |used: &&Used| matches!(used.counterpart, Counterpart::Held(_));
        self.values.iter().filter(held).count() as u64
    }

    pub fn needs_person(&self) -> bool {
        self.ambiguous.count + self.doubles() + self.failures() + self.held() + self.unmapped() > 0
    }
}

/// Whether a value that waits for this reason waits for a person.
pub fn asks(reason: HoldReason) -> bool {
    reason != HoldReason::Unresolved
}

fn why_created(create: &Create) -> String {
    match create {
        Create::Never => "nothing is created".to_owned(),
        Create::Always => "nothing matches, and `create` says so".to_owned(),
        Create::When(expression) => {
            format!("nothing matches, and `create` holds: {}", expression.text)
        }
    }
}
