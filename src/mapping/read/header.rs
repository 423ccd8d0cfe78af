//! The keys of a mapping as a whole: objects, matching, creates, deletes, filters, guards.

use super::super::expression::Expression;
use super::super::fault::Fault;
use super::super::keys;
use super::super::load::SourceFile;
use super::super::poll::Poll;
use super::super::tree::{Body, Entry, Node};
use super::super::types::{
    Create, Delete, Fold, Guard, Limit, Mapping, MatchRule, OnLeave, Places,
};
use super::super::warn;
use super::policy::{Defaults, defaults};
use super::{Reader, find, hash, rules};
use crate::model::{BySide, Direction, MappingName, Revision, Side};

pub(in crate::mapping) fn mapping(
    tree: &Node,
    files: &[SourceFile],
    faults: &mut Vec<Fault>,
) -> Option<Mapping> {
    let mut reader = Reader { faults };
    let entries = reader.table(tree, "a mapping", keys::MAPPING);
    let mut places = Places::new();
    for entry in &entries {
        places.insert(entry.key.clone(), entry.value.at.clone());
    }
    let name = reader.needed(tree, &entries, "mapping");
    let hubspot = reader.needed(tree, &entries, "hubspot");
    let salesforce = reader.needed(tree, &entries, "salesforce");
    let defaults = defaults(&mut reader, tree, &entries);
    let rules = rules::all(&mut reader, tree, &entries, &defaults);
    let mut mapping = Mapping {
        name: MappingName::new(name.unwrap_or_default()),
        revision: Revision::new(format!("{}{}", Revision::PREFIX, hash(&tree.emit()))),
        text: effective_text(tree, files),
        objects: BySide::new(hubspot.unwrap_or_default(), salesforce.unwrap_or_default()),
        direction: defaults.direction,
        group: None,
        matches: Vec::new(),
        create: BySide::from_fn(|_| Create::Never),
        delete: BySide::new(Delete::Unlink, Delete::Unlink),
        only: BySide::default(),
        on_leave: OnLeave::Keep,
        poll: Poll::Auto,
        key: BySide::default(),
        create_without_key: false,
        guard: Guard {
            deletes: Limit::Auto,
            unlinks: Limit::Auto,
            blanks: Limit::Auto,
            changes: Limit::Auto,
            strict: false,
        },
        rules,
        places,
    };
    for entry in &entries {
        reader.header(entry, &mut mapping);
    }
    warn::alone(&mapping, reader.faults);
    Some(mapping)
}

/// The file's own text where it stands for itself, otherwise the effective tree written out.
fn effective_text(tree: &Node, files: &[SourceFile]) -> String {
    let own = files.iter().find(|file| *file.path == *tree.at.file);
    match own {
        Some(file) if !file.text.contains("${vars.") && !extends(&file.text) => file.text.clone(),
        _ => tree.lines(),
    }
}

fn extends(text: &str) -> bool {
    text.lines().any(|line| {
        line.trim_start()
            .trim_start_matches(['"', '\''])
            .starts_with("extends")
    })
}

impl Reader<'_> {
    fn needed(&mut self, tree: &Node, entries: &[&Entry], key: &str) -> Option<String> {
        match find(entries, key) {
            Some(node) => self.text(node, &format!("`{key}`")).map(str::to_owned),
            None => {
                self.error(&tree.at, "", format!("`{key}:` is missing"));
                None
            }
        }
    }

    /// Reads one key; rules and what they inherit are read elsewhere.
    fn header(&mut self, entry: &Entry, mapping: &mut Mapping) {
        let node = &entry.value;
        match entry.key.as_str() {
            "match" => self.matches(node, mapping),
            "create" => self.create(node, &mut mapping.create),
            "delete" => self.delete(node, &mut mapping.delete),
            "only" => {
                for (side, node) in self.by_side(node, "`only`") {
                    *mapping.only.get_mut(side) = self.expression(node, "`only`");
                }
            }
            "on-leave" => {
                let options = [
                    ("keep", OnLeave::Keep),
                    ("unlink", OnLeave::Unlink),
                    ("archive", OnLeave::Archive),
                ];
                if let Some(chosen) = self.choice(node, "`on-leave`", &options) {
                    mapping.on_leave = chosen;
                }
            }
            "group" => mapping.group = self.text(node, "`group`").map(str::to_owned),
            "poll" => self.poll(node, mapping),
            "key" => {
                for (side, node) in self.by_side(node, "`key`") {
                    *mapping.key.get_mut(side) = self.text(node, "`key`").map(str::to_owned);
                }
            }
            "create-without-key" => {
                let accept = self.choice(node, "`create-without-key`", &[("accept", true)]);
                mapping.create_without_key = accept.unwrap_or_default();
            }
            "guard" => self.guard(node, &mut mapping.guard),
            _ => {}
        }
    }

    fn matches(&mut self, node: &Node, mapping: &mut Mapping) {
        for (index, item) in self.list(node, "`match`").iter().enumerate() {
            let Some((rule, places)) = self.match_rule(item) else {
                continue;
            };
            mapping.matches.push(rule);
            for (side, place) in Side::BOTH.into_iter().zip(places) {
                mapping
                    .places
                    .insert(format!("match.{index}.{side}"), place.at.clone());
            }
        }
    }

    /// `property: Field`, or `{ hubspot: …, salesforce: …, as: … }`.
    fn match_rule<'n>(&mut self, item: &'n Node) -> Option<(MatchRule, [&'n Node; 2])> {
        let entries = self.entries(item, "a match rule, such as `email: Email`,");
        if !matches!(item.body, Body::Map(_)) {
            return None;
        }
        if let [only] = entries
            && only.key != "hubspot"
            && only.key != "salesforce"
        {
            let salesforce = self.text(&only.value, "a match rule")?.to_owned();
            let rule = MatchRule {
                hubspot: only.key.clone(),
                salesforce,
                fold: None,
            };
            return Some((rule, [item, &only.value]));
        }
        let entries = self.table(item, "a match rule", keys::MATCH);
        let fold = find(&entries, "as").and_then(|node| {
            let options = [
                ("text", Fold::Text),
                ("exact", Fold::Exact),
                ("email", Fold::Email),
                ("domain", Fold::Domain),
                ("phone", Fold::Phone),
                ("id", Fold::Id),
            ];
            self.choice(node, "`as` of a match rule", &options)
        });
        let (Some(hubspot), Some(salesforce)) =
            (find(&entries, "hubspot"), find(&entries, "salesforce"))
        else {
            let message =
                "a match rule names both sides: `property: Field`, or hubspot: and salesforce:";
            self.error(&item.at, &item.shown(), message);
            return None;
        };
        let rule = MatchRule {
            hubspot: self.text(hubspot, "`hubspot`")?.to_owned(),
            salesforce: self.text(salesforce, "`salesforce`")?.to_owned(),
            fold,
        };
        Some((rule, [hubspot, salesforce]))
    }

    fn create(&mut self, node: &Node, create: &mut BySide<Create>) {
        if node.as_text().is_some() {
            let options = [("both", true), ("never", false)];
            let what = "`create` without sides";
            if self.choice(node, what, &options) == Some(true) {
                *create = BySide::from_fn(|_| Create::Always);
            }
            return;
        }
        for (side, node) in self.by_side(node, "`create`") {
            *create.get_mut(side) = match node.as_text() {
                Some("never") => Create::Never,
                Some("always") => Create::Always,
                _ => self
                    .expression(node, "`create`")
                    .map_or(Create::Never, Create::When),
            };
        }
    }

    fn delete(&mut self, node: &Node, delete: &mut BySide<Delete>) {
        let options = [
            ("unlink", Delete::Unlink),
            ("ignore", Delete::Ignore),
            ("archive", Delete::Archive),
        ];
        for (side, node) in self.by_side(node, "`delete`") {
            if let Some(chosen) = self.choice(node, "`delete`", &options) {
                *delete.get_mut(side) = chosen;
            }
        }
    }

    fn poll(&mut self, node: &Node, mapping: &mut Mapping) {
        let Some(text) = self.text(node, "`poll`") else {
            return;
        };
        match Poll::parse(text) {
            Ok(poll) => mapping.poll = poll,
            Err(message) => self.error(&node.at, text, message),
        }
    }

    fn guard(&mut self, node: &Node, guard: &mut Guard) {
        if !matches!(node.body, Body::Map(_)) {
            return self.strict(node, guard);
        }
        for entry in self.table(node, "`guard`", keys::GUARD) {
            if entry.key == "writes" {
                self.strict(&entry.value, guard);
                continue;
            }
            let Some(limit) = self.limit(&entry.value) else {
                continue;
            };
            match entry.key.as_str() {
                "deletes" => guard.deletes = limit,
                "unlinks" => guard.unlinks = limit,
                "blanks" => guard.blanks = limit,
                _ => guard.changes = limit,
            }
        }
    }

    fn strict(&mut self, node: &Node, guard: &mut Guard) {
        match self.text(node, "`guard`") {
            Some("strict") => guard.strict = true,
            Some(text) => {
                let message =
                    "`guard` is `strict`, or limits: { deletes: …, blanks: …, changes: … }";
                self.error(&node.at, text, message);
            }
            None => {}
        }
    }

    fn limit(&mut self, node: &Node) -> Option<Limit> {
        let text = self.text(node, "a guard")?;
        let limit = match text {
            "auto" => Some(Limit::Auto),
            "off" => Some(Limit::Off),
            _ => match text.strip_suffix('%') {
                Some(part) => part
                    .trim()
                    .parse()
                    .ok()
                    .filter(|p| *p <= 100)
                    .map(Limit::Percent),
                None => text.parse().ok().map(Limit::Count),
            },
        };
        if limit.is_none() {
            let message = "a guard takes a number, a share such as 5%, `auto` or `off`";
            self.error(&node.at, text, message);
        }
        limit
    }

    /// The sides named under a key; other names are reported.
    pub(super) fn by_side<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(Side, &'n Node)> {
        if !matches!(node.body, Body::Map(_)) {
            let message = format!("{what} is given per side: {{ hubspot: …, salesforce: … }}");
            self.error(&node.at, &node.shown(), message);
            return Vec::new();
        }
        self.table(node, what, keys::SIDES)
            .into_iter()
            .filter_map(|entry| Some((Side::parse(&entry.key)?, &entry.value)))
            .collect()
    }

    pub(super) fn expression(&mut self, node: &Node, what: &str) -> Option<Expression> {
        let text = self.text(node, what)?;
        match Expression::compile(text, node.at.clone()) {
            Ok(expression) => Some(expression),
            Err(message) => {
                self.error(&node.at, text, message);
                None
            }
        }
    }
}

impl Defaults {
    /// The side that wins a one-way rule.
    pub(super) fn source(direction: Direction) -> Option<Side> {
        match direction {
            Direction::Both => None,
            Direction::To(side) => Some(side.other()),
        }
    }
}
