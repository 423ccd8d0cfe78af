//! From a case file to cases: every fault of the file in one go, each with its place.
//!
//! Values are texts in the file and become what the CRM would hold, by the field's type.

use std::collections::BTreeMap;

use super::behaviour::Behaviour;
use crate::mapping::tree::{self, Body, Entry, Most, Node};
use crate::mapping::{At, Bound, Fault, References, SourceFile, id18};
use crate::model::{
    Bases, BySide, FieldKind, Fields, Halves, HoldReason, LinkId, MappingName, Raw, RecordId,
    RecordKey, Side, Timestamp,
};
use crate::pipeline::rule_fields;
use crate::sync::Given;

const MOST: Most = Most {
    mebibytes: 8,
    nodes: 500_000,
};
const FILE_KEYS: [&str; 2] = ["mapping", "cases"];
const CASE_KEYS: [&str; 7] = [
    "name",
    "hubspot",
    "salesforce",
    "base",
    "edited",
    "links",
    "expect",
];
const EXPECT_KEYS: [&str; 5] = ["hubspot", "salesforce", "conflicts", "holds", "stop"];

/// The cases of one file, all of one mapping.
#[derive(Clone, Debug)]
pub struct Suite {
    pub path: String,
    pub mapping: MappingName,
    pub cases: Vec<Case>,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub at: At,
    /// The fields that are named, on each side that has a record.
    sides: BySide<Option<Fields>>,
    /// What both held when they last agreed, where that is not what they hold now.
    base: Option<BySide<Fields>>,
    edited: BySide<Option<Timestamp>>,
    references: References,
    /// `None`: nobody has said yet.
    pub expect: Option<Behaviour>,
    /// Where `expect` stands, if it does.
    pub expect_at: Option<At>,
}

impl Case {
    /// The whole records, for the planner: what is not named is blank.
    pub fn given(&self, bound: &Bound) -> Given {
        let sides = BySide::from_fn(|side| {
            let mut fields = bound.blank_record(side);
            fields.extend(self.sides.get(side).clone()?);
            Some(fields)
        });
        let mut given = Given {
            sides,
            bases: Bases::new(),
            edited: self.edited,
            references: self.references.clone(),
        };
        let pair = (&given.sides.hubspot, &given.sides.salesforce);
        if let (Some(base), (Some(hubspot), Some(salesforce))) = (&self.base, pair) {
            let mut then = BySide::new(hubspot.clone(), salesforce.clone());
            for side in Side::BOTH {
                then.get_mut(side).extend(base.get(side).clone());
            }
            for rule in &bound.mapping().rules {
                let sides = BySide::from_fn(|side| rule_fields(rule, side, then.get(side)));
                let rule_hash = rule.hash.clone();
                let halves = Halves { sides, rule_hash };
                given.bases.insert(rule.name.clone(), halves);
            }
        }
        given
    }
}

/// Reads one file.
///
/// # Errors
/// All its faults.
pub fn read(
    file: &SourceFile,
    mappings: &BTreeMap<MappingName, Bound>,
) -> Result<Suite, Vec<Fault>> {
    let (root, faults) = tree::parse(&file.path, &file.text, MOST);
    let mut reader = Reader { faults };
    let suite = root.and_then(|root| reader.suite(file, &root, mappings));
    match suite {
        Some(suite) if reader.faults.is_empty() => Ok(suite),
        Some(_) | None => Err(reader.faults),
    }
}

struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn error(&mut self, node: &Node, message: impl Into<String>) {
        self.faults.push(node.at.error(&node.shown(), message));
    }

    fn suite(
        &mut self,
        file: &SourceFile,
        root: &Node,
        mappings: &BTreeMap<MappingName, Bound>,
    ) -> Option<Suite> {
        self.keys(root, "a case file", &FILE_KEYS);
        let Some(name) = root.get("mapping") else {
            self.error(
                root,
                "say which mapping the cases are about: `mapping: contacts`",
            );
            return None;
        };
        let mapping = MappingName::new(name.shown());
        let Some(bound) = mappings.get(&mapping) else {
            let fault = name.at.error(&name.shown(), "there is no such mapping");
            let names = mappings.keys().map(MappingName::as_str);
            self.faults.push(fault.suggest(names));
            return None;
        };
        let nodes = match root.get("cases").map(|cases| &cases.body) {
            Some(Body::List(nodes)) => nodes.as_slice(),
            Some(_) | None => {
                self.error(root, "`cases:` takes a list of cases");
                &[]
            }
        };
        let mut lines: BTreeMap<String, usize> = BTreeMap::new();
        let mut cases = Vec::new();
        for node in nodes {
            let Some(case) = self.case(node, bound) else {
                continue;
            };
            if let Some(line) = lines.insert(case.name.clone(), node.at.line) {
                let message = format!("another case has this name, in line {line}");
                self.faults.push(node.at.error(&case.name, message));
            }
            cases.push(case);
        }
        Some(Suite {
            path: file.path.clone(),
            mapping,
            cases,
        })
    }

    fn case(&mut self, node: &Node, bound: &Bound) -> Option<Case> {
        self.keys(node, "a case", &CASE_KEYS);
        let name = match node.get("name").and_then(Node::as_text) {
            Some(name) if !name.trim().is_empty() => name.trim().to_owned(),
            Some(_) | None => {
                self.error(node, "a case has a `name:`");
                return None;
            }
        };
        let sides = BySide::from_fn(|side| {
            let given = node.get(side.as_str())?;
            Some(self.fields(given, bound, side))
        });
        if sides.hubspot.is_none() && sides.salesforce.is_none() {
            self.error(
                node,
                "a case gives a record: `hubspot:`, `salesforce:` or both",
            );
        }
        let base = node.get("base").map(|base| self.base(base, bound, &sides));
        let mut edited = BySide::default();
        if let Some(times) = node.get("edited") {
            self.keys(times, "edited", &Side::BOTH.map(Side::as_str));
            edited = BySide::from_fn(|side| self.time(times.get(side.as_str())?));
        }
        let (at, value) = match node.entries().iter().find(|entry| entry.key == "expect") {
            Some(entry) => (Some(entry.at.clone()), Some(&entry.value)),
            None => (None, None),
        };
        Some(Case {
            name,
            at: node.at.clone(),
            sides,
            base,
            edited,
            references: self.links(node.get("links")),
            expect: value.and_then(|value| self.behaviour(value, bound)),
            expect_at: at,
        })
    }

    /// What both sides held when they last agreed, where that is not what they hold now.
    fn base(
        &mut self,
        node: &Node,
        bound: &Bound,
        sides: &BySide<Option<Fields>>,
    ) -> BySide<Fields> {
        self.keys(node, "base", &Side::BOTH.map(Side::as_str));
        if sides.hubspot.is_none() || sides.salesforce.is_none() {
            self.error(node, "only a pair of two records has a base");
        }
        BySide::from_fn(|side| {
            let fields = node.get(side.as_str());
            fields.map_or_else(Fields::new, |fields| self.fields(fields, bound, side))
        })
    }

    fn fields(&mut self, node: &Node, bound: &Bound, side: Side) -> Fields {
        let mut fields = Fields::new();
        for entry in self.entries(node, "a record") {
            let name = entry.key.as_str();
            match bound.field_kind(side, name) {
                Some(kind) => {
                    let raw = self.raw(&entry.value, side, kind);
                    fields.insert(name.to_owned(), raw);
                }
                None if bound.is_reference_field(side, name) => {
                    let raw = self.raw(&entry.value, Side::HubSpot, &FieldKind::Id);
                    fields.insert(name.to_owned(), raw);
                }
                None => {
                    let object = bound.object(side);
                    let message = format!("{} {object} has no field `{name}`", side.title());
                    let fault = entry.at.error(name, message);
                    let names = bound.field_names(side);
                    self.faults.push(fault.suggest(names));
                }
            }
        }
        fields
    }

    fn raw(&mut self, node: &Node, side: Side, kind: &FieldKind) -> Raw {
        let text = match &node.body {
            Body::Null => return Raw::Null,
            Body::Text(text) => text,
            Body::List(_) | Body::Map(_) => {
                self.error(node, "a field takes one value; several are joined by `;`");
                return Raw::Null;
            }
        };
        match (side, kind) {
            (Side::Salesforce, FieldKind::Bool) if text == "true" => Raw::Bool(true),
            (Side::Salesforce, FieldKind::Bool) if text == "false" => Raw::Bool(false),
            (
                Side::Salesforce,
                FieldKind::Number { .. } | FieldKind::Money { .. } | FieldKind::Integer,
            ) if text.parse::<rust_decimal::Decimal>().is_ok() => Raw::Number(text.clone()),
            _ => Raw::text(text),
        }
    }

    /// Records that are linked: by mapping, pairs of ids, HubSpot's first.
    fn links(&mut self, node: Option<&Node>) -> References {
        let mut references = References {
            complete: true,
            ..References::default()
        };
        for entry in node.map_or(&[][..], Node::entries) {
            let Body::List(pairs) = &entry.value.body else {
                self.error(&entry.value, "takes a list of pairs: `[[12, 001A…]]`");
                continue;
            };
            for (index, pair) in pairs.iter().enumerate() {
                let ids = match &pair.body {
                    Body::List(ids) => ids.as_slice(),
                    Body::Null | Body::Text(_) | Body::Map(_) => &[],
                };
                let [hubspot, salesforce] = ids else {
                    self.error(pair, "a pair is two ids, HubSpot's first");
                    continue;
                };
                let link = LinkId::from_uuid(&format!("{}-{index}", entry.key));
                let ids = BySide::new(hubspot, salesforce);
                let ids = BySide::from_fn(|side| RecordId::new(id18(&ids.get(side).shown(), side)));
                for side in Side::BOTH {
                    let key = RecordKey {
                        mapping: MappingName::new(entry.key.as_str()),
                        side,
                        id: ids.get(side).clone(),
                    };
                    references.links.insert(key, link.clone());
                }
                references.records.insert(link, ids.map(Some));
            }
        }
        references
    }

    fn time(&mut self, node: &Node) -> Option<Timestamp> {
        let time = node.as_text().and_then(Timestamp::parse);
        if time.is_none() {
            self.error(node, "takes a time such as 2026-01-31T12:00:00Z");
        }
        time
    }

    fn behaviour(&mut self, node: &Node, bound: &Bound) -> Option<Behaviour> {
        if node.as_text() == Some("nothing") {
            return Some(Behaviour::default());
        }
        if !matches!(node.body, Body::Map(_)) {
            self.error(
                node,
                "`expect:` takes `nothing`, or what is written, decided and held",
            );
            return None;
        }
        self.keys(node, "expect", &EXPECT_KEYS);
        let mut behaviour = Behaviour::default();
        for side in Side::BOTH {
            if let Some(fields) = node.get(side.as_str()) {
                *behaviour.writes.get_mut(side) = self.fields(fields, bound, side);
            }
        }
        for entry in self.rules(node.get("conflicts"), bound) {
            let winner = entry.value.as_text().map(|word| (word, Side::parse(word)));
            match winner {
                Some(("ask", None)) => {
                    behaviour.conflicts.insert(entry.key.clone(), None);
                }
                Some((_, Some(side))) => {
                    behaviour.conflicts.insert(entry.key.clone(), Some(side));
                }
                Some((_, None)) | None => {
                    self.error(
                        &entry.value,
                        "a conflict goes to `hubspot`, `salesforce` or `ask`",
                    );
                }
            }
        }
        for entry in self.rules(node.get("holds"), bound) {
            match entry.value.as_text().and_then(HoldReason::parse) {
                Some(reason) => {
                    behaviour.holds.insert(entry.key.clone(), reason);
                }
                None => self.error(
                    &entry.value,
                    "a rule is held as `unmapped`, `unreadable`, \
                     `unresolved`, `refused` or `ask`",
                ),
            }
        }
        behaviour.stop = node.get("stop").map(Node::shown);
        Some(behaviour)
    }

    /// The entries whose keys are rules of the mapping.
    fn rules<'n>(&mut self, node: Option<&'n Node>, bound: &Bound) -> Vec<&'n Entry> {
        let Some(node) = node else {
            return Vec::new();
        };
        let mut known = Vec::new();
        for entry in self.entries(node, "this") {
            if bound.mapping().rule(&entry.key).is_some() {
                known.push(entry);
                continue;
            }
            let fault = entry.at.error(&entry.key, "the mapping has no such rule");
            let names = bound.mapping().rules.iter().map(|rule| rule.name.as_str());
            self.faults.push(fault.suggest(names));
        }
        known
    }

    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        if !matches!(node.body, Body::Map(_) | Body::Null) {
            self.error(node, format!("{what} takes `key: value` pairs"));
        }
        node.entries()
    }

    fn keys(&mut self, node: &Node, what: &str, known: &[&str]) {
        for entry in self.entries(node, what) {
            if !known.contains(&entry.key.as_str()) {
                let message = format!("{what} has no key `{}`", entry.key);
                let fault = entry.at.error(&entry.key, message);
                self.faults.push(fault.suggest(known.iter().copied()));
            }
        }
    }
}
