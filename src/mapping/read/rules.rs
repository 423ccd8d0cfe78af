//! Rules, computed fields and associations: which fields move together, under which policy.
//!
//! What kind of value they carry is read in `shapes`.

use std::collections::BTreeMap;

use super::super::fault::At;
use super::super::keys;
use super::super::rule::{Computed, Conversion, FieldRule, Reference, ReferenceEnd, Rule, Shape};
use super::super::tree::{Body, Entry, Node};
use super::policy::Defaults;
use super::{Reader, find, hash};
use crate::model::{
    Blank, BySide, Conflict, Direction, FirstSync, JUNCTIONS, Junction, MappingName, Policy, Side,
    association_field,
};

/// The relationship path that stands for a record type's name.
pub(in crate::mapping) const RECORD_TYPE: &str = "RecordType.DeveloperName";

pub(super) fn all(
    reader: &mut Reader<'_>,
    tree: &Node,
    entries: &[&Entry],
    defaults: &Defaults,
) -> Vec<Rule> {
    let mut rules = Vec::new();
    if let Some(node) = find(entries, "rules") {
        for entry in reader.entries(node, "`rules`") {
            rules.extend(reader.rule(entry, defaults));
        }
    }
    resolve_countries(&mut rules);
    if let Some(node) = find(entries, "computed") {
        for item in reader.list(node, "`computed`") {
            rules.extend(reader.computed(item));
        }
    }
    if let Some(node) = find(entries, "associations") {
        for item in reader.list(node, "`associations`") {
            rules.extend(reader.association(item, defaults));
        }
    }
    if rules.is_empty() {
        reader.error(
            &tree.at,
            "",
            "`rules:` is missing; a mapping without rules moves nothing",
        );
    }
    let objects: Vec<String> = ["hubspot", "salesforce"]
        .into_iter()
        .filter_map(|key| find(entries, key).map(Node::flow))
        .collect();
    let objects = objects.join("|");
    let mut seen: BTreeMap<String, At> = BTreeMap::new();
    for rule in &mut rules {
        let fields = rule.sides.as_ref().map(|fields| fields.join(","));
        let (hubspot, salesforce) = (fields.hubspot, fields.salesforce);
        rule.hash = hash(&format!("{}|{hubspot}|{salesforce}|{objects}", rule.hash));
        if let Some(first) = seen.insert(rule.name.clone(), rule.at.clone()) {
            let message = format!("a rule of this name stands in line {}", first.line);
            reader.error(&rule.at, &rule.name, message);
        }
    }
    rules
}

impl Reader<'_> {
    fn rule(&mut self, entry: &Entry, defaults: &Defaults) -> Option<Rule> {
        let (name, node) = (&entry.key, &entry.value);
        let entries = match &node.body {
            Body::Text(_) => Vec::new(),
            Body::Map(_) => self.table(node, "a rule", keys::RULE),
            Body::Null | Body::List(_) => {
                let message =
                    format!("rule `{name}` takes a Salesforce field or `key: value` pairs");
                self.error(&node.at, &node.shown(), message);
                return None;
            }
        };
        let (spelled, fields_at) = (
            self.sides(name, entry, &entries),
            fields_at(entry, &entries),
        );
        let mut policy = self.policy(&entry.at, name, &entries, defaults);
        let spelled = spelled?;
        let shape = self.shape(&entry.at, &entries, &spelled, &policy)?;
        if let Some(message) = Self::fits(&policy, &shape) {
            self.error(&entry.at, name, message);
        }
        if matches!(shape, Shape::Owner(_)) {
            // A record cannot be without an owner, and `keep` shows as blank.
            policy.blank = Blank::Keep;
        }
        let default = find(&entries, "default")
            .and_then(|node| Some((node, self.text(node, "`default`")?.to_owned())));
        if let Some((node, text)) = &default
            && (spelled.hubspot.len() != 1 || !matches!(shape, Shape::Fields(_)))
        {
            self.error(
                &node.at,
                text,
                "`default` is for rules with one plain field on each side",
            );
        }
        let sides = spelled
            .clone()
            .map(|fields| fields.iter().map(|f| raw_name(f)).collect());
        Some(Rule {
            name: name.clone(),
            hash: format!("{name}={}{}", node.flow(), defaults.inherited(&entries)),
            written: BySide::new(spelled.hubspot.len(), spelled.salesforce.len()),
            sides,
            policy,
            default: default.map(|(_, text)| text),
            shape,
            spelled,
            at: entry.at.clone(),
            fields_at,
        })
    }

    /// The fields of both sides, from the short form, `to`, or `hubspot` and `salesforce`.
    fn sides(
        &mut self,
        name: &str,
        entry: &Entry,
        entries: &[&Entry],
    ) -> Option<BySide<Vec<String>>> {
        if let Some(field) = entry.value.as_text() {
            let field = field.trim().to_owned();
            return Some(BySide::new(vec![name.to_owned()], vec![field]));
        }
        let (to, hubspot, salesforce) = (
            find(entries, "to"),
            find(entries, "hubspot"),
            find(entries, "salesforce"),
        );
        match (to, hubspot, salesforce) {
            (Some(to), None, None) => {
                let field = self.text(to, "`to`")?.to_owned();
                Some(BySide::new(vec![name.to_owned()], vec![field]))
            }
            (None, Some(hubspot), Some(salesforce)) => {
                let sides = BySide::new(
                    self.texts(hubspot, "`hubspot`"),
                    self.texts(salesforce, "`salesforce`"),
                );
                let full = !sides.hubspot.is_empty() && !sides.salesforce.is_empty();
                full.then_some(sides)
            }
            (Some(to), ..) => {
                let message = "`to` names the field of a simple rule; with `hubspot` and \
                               `salesforce` leave it out";
                self.error(&to.at, &to.shown(), message);
                None
            }
            (None, ..) => {
                let message = format!("rule `{name}` has no destination: add `to: Field`");
                self.error(&entry.at, name, message);
                None
            }
        }
    }

    fn computed(&mut self, item: &Node) -> Option<Rule> {
        let entries = self.table(item, "a computed field", keys::COMPUTED);
        let (Some(to), Some(value)) = (find(&entries, "to"), find(&entries, "value")) else {
            let message = "a computed field takes `to: salesforce.Field` and `value: expression`";
            self.error(&item.at, &item.shown(), message);
            return None;
        };
        let target = self.text(to, "`to`")?.to_owned();
        let parts = target.split_once('.');
        let Some((side, field)) = parts.and_then(|(s, field)| Some((Side::parse(s)?, field)))
        else {
            let message = "`to` begins with the side: salesforce.Field or hubspot.property";
            self.error(&to.at, &target, message);
            return None;
        };
        let value = self.expression(value, "`value`")?;
        let mut fields_at = BySide::<Vec<At>>::default();
        *fields_at.get_mut(side) = vec![to.at.clone()];
        // A computed field names its own side; the mapping's direction says nothing here.
        let one_way = Defaults {
            direction: Direction::To(side),
            conflict: Some(Conflict::Wins(side.other())),
            first_sync: Some(FirstSync::Wins(side.other())),
            texts: Vec::new(),
        };
        let policy = self.policy(&item.at, &target, &entries, &one_way);
        let mut sides = BySide::<Vec<String>>::default();
        *sides.get_mut(side) = vec![raw_name(field)];
        *sides.get_mut(side.other()) = value.variables.iter().map(|v| raw_name(v)).collect();
        let mut written = BySide::new(0, 0);
        *written.get_mut(side) = 1;
        let mut spelled = BySide::<Vec<String>>::default();
        *spelled.get_mut(side) = vec![field.to_owned()];
        Some(Rule {
            name: target.clone(),
            hash: format!("{target}={}", item.flow()),
            sides,
            policy,
            default: None,
            shape: Shape::Computed(Computed { to: side, value }),
            written,
            spelled,
            at: item.at.clone(),
            fields_at,
        })
    }

    fn association(&mut self, item: &Node, defaults: &Defaults) -> Option<Rule> {
        let entries = self.table(item, "an association", keys::ASSOCIATION);
        let mut needed = |key: &str| match find(&entries, key) {
            Some(node) => self.text(node, &format!("`{key}`")).map(str::to_owned),
            None => {
                self.error(
                    &item.at,
                    &item.shown(),
                    format!("an association needs `{key}:`"),
                );
                None
            }
        };
        let (object, target, mapping) =
            (needed("hubspot"), needed("salesforce"), needed("mapping"));
        let label = find(&entries, "label")
            .and_then(|n| self.text(n, "`label`"))
            .map(str::to_owned);
        let role = find(&entries, "role")
            .and_then(|n| self.text(n, "`role`"))
            .map(str::to_owned);
        let required = find(&entries, "required").and_then(|n| self.yes_no(n, "`required`"));
        let name = association_field(object.as_deref().unwrap_or_default(), label.as_deref());
        let is_set = self.ties(&entries, target.as_deref().unwrap_or_default());
        let policy = self.reference_policy(item, &name, &entries, defaults, is_set);
        let (object, target) = (object?, target?);
        let far = match &role {
            Some(role) => association_field(&target, Some(role)),
            None => target.clone(),
        };
        let salesforce = match role {
            Some(role) => ReferenceEnd::Junction {
                object: target,
                role,
            },
            None => ReferenceEnd::Lookup { field: target },
        };
        let place = |key: &str| {
            find(&entries, key)
                .map_or(&item.at, |node| &node.at)
                .clone()
        };
        let places = BySide::new(
            vec![place("hubspot"), place("label")],
            vec![place("salesforce"), place("role")],
        );
        let reference = Reference {
            mapping: MappingName::new(mapping?),
            hubspot: ReferenceEnd::Association { object, label },
            salesforce,
            required: required.unwrap_or_default(),
        };
        let sides = BySide::new(vec![name.clone()], vec![far]);
        Some(Rule {
            hash: format!("{name}={}{}", item.flow(), defaults.inherited(&entries)),
            name,
            spelled: sides.clone(),
            sides,
            policy,
            default: None,
            shape: Shape::Reference(reference),
            written: BySide::new(1, 1),
            at: item.at.clone(),
            fields_at: places,
        })
    }

    /// Whether an association is a set of rows with a role, which `salesforce` and `role` say
    /// together.
    fn ties(&mut self, entries: &[&Entry], target: &str) -> bool {
        let role = find(entries, "role");
        let is_junction = Junction::named(target).is_some();
        let Some(node) = find(entries, "salesforce").filter(|_| !target.is_empty()) else {
            return role.is_some();
        };
        if role.is_some() && !is_junction {
            let known = JUNCTIONS.map(|junction| junction.object);
            let message = format!(
                "with `role`, `salesforce` names an object whose rows tie two records together: {}",
                known.join(" or ")
            );
            self.faults
                .push(node.at.error(target, message).suggest(known));
        }
        if role.is_none() && is_junction {
            let message = format!("rows of `{target}` have a role; say which with `role:`");
            self.error(&node.at, target, message);
        }
        role.is_some() || is_junction
    }

    /// The policy of a reference. Sets merge one by one, so that nobody has to win; a single
    /// reference cannot be merged.
    fn reference_policy(
        &mut self,
        item: &Node,
        name: &str,
        entries: &[&Entry],
        defaults: &Defaults,
        is_set: bool,
    ) -> Policy {
        let own = find(entries, "conflict");
        if !is_set {
            let policy = self.policy(&item.at, name, entries, defaults);
            if let (Some(node), Conflict::Union) = (own, &policy.conflict) {
                let message = "`union` is for sets; a lookup holds one record, so name a winner";
                self.error(&node.at, &node.shown(), message);
            }
            return policy;
        }
        let merged = Defaults {
            direction: defaults.direction,
            conflict: Some(Conflict::Union),
            first_sync: defaults.first_sync.clone(),
            texts: Vec::new(),
        };
        let policy = self.policy(&item.at, name, entries, &merged);
        let wins = policy.direction == Direction::Both && policy.conflict != Conflict::Union;
        if let (Some(node), true) = (own, wins) {
            let message = "records that are tied by a role merge one by one and need no winner; \
                           leave `conflict` out";
            self.error(&node.at, &node.shown(), message);
        }
        policy
    }
}

/// Where the fields of a rule stand: its name and `to`, or the lists of both sides.
fn fields_at(entry: &Entry, entries: &[&Entry]) -> BySide<Vec<At>> {
    let listed = |key: &str| -> Vec<At> {
        match find(entries, key) {
            Some(Node {
                body: Body::List(items),
                ..
            }) => items.iter().map(|item| item.at.clone()).collect(),
            Some(node) => vec![node.at.clone()],
            None => Vec::new(),
        }
    };
    match (entry.value.as_text(), find(entries, "to")) {
        (Some(_), _) => BySide::new(vec![entry.at.clone()], vec![entry.value.at.clone()]),
        (None, Some(to)) => BySide::new(vec![entry.at.clone()], vec![to.at.clone()]),
        (None, None) => BySide::new(listed("hubspot"), listed("salesforce")),
    }
}

/// The field a record really carries: a record type is read and written by its id.
fn raw_name(spelled: &str) -> String {
    match spelled {
        RECORD_TYPE | "RecordType" => "RecordTypeId".to_owned(),
        _ => spelled.to_owned(),
    }
}

/// Finds what stands for each variable of `phone(…)` on the other side, through the simple rules,
/// and adds those fields to what the rule reads.
fn resolve_countries(rules: &mut [Rule]) {
    let pairs: Vec<(String, String)> = rules
        .iter()
        .filter(|rule| matches!(rule.shape, Shape::Fields(_)))
        .flat_map(|rule| {
            rule.sides
                .hubspot
                .iter()
                .cloned()
                .zip(rule.sides.salesforce.iter().cloned())
        })
        .collect();
    for rule in rules {
        let Shape::Fields(FieldRule {
            conversion: Some(Conversion::Phone(Some(country))),
            ..
        }) = &mut rule.shape
        else {
            continue;
        };
        for variable in &country.expression.variables {
            let pair = pairs.iter().find(|(h, s)| h == variable || s == variable);
            let capital = variable.starts_with(|c: char| c.is_ascii_uppercase());
            let (hubspot, salesforce) = match pair {
                Some((hubspot, salesforce)) => (Some(hubspot), Some(salesforce)),
                None if capital => (None, Some(variable)),
                None => (Some(variable), None),
            };
            for (side, field) in [(Side::HubSpot, hubspot), (Side::Salesforce, salesforce)] {
                let Some(field) = field else { continue };
                country
                    .fields
                    .get_mut(side)
                    .insert(variable.clone(), field.clone());
                if !rule.sides.get(side).contains(field) {
                    rule.sides.get_mut(side).push(field.clone());
                }
            }
        }
    }
}
