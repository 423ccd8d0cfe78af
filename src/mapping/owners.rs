//! A workspace's own table of owners: read from a file, and put in front of that of every rule
//! about owners.
//!
//! Works on trees, before they are read: so what reads a mapping, hashes it or keeps its text sees
//! one table. Knows where such a rule keeps its table, and nothing of who an owner is.

use std::sync::Arc;

use super::fault::{At, Fault};
use super::load::SourceFile;
use super::tree::{self, Body, Entry, Most, Node};
use crate::model::{OwnerPair, OwnerTable};

/// Reads a file that is written as the `table` of a rule: `HubSpot owner: Salesforce user` pairs.
///
/// # Errors
/// Every fault of the file, each with its place.
pub fn owner_table(file: &SourceFile) -> Result<OwnerTable, Vec<Fault>> {
    if file.text.trim().is_empty() {
        let at = At {
            file: Arc::from(file.path.as_str()),
            line: 1,
            column: 1,
        };
        return Err(vec![at.error("", "the file has no pairs")]);
    }
    let (tree, mut faults) = tree::parse(&file.path, &file.text, Most::OF_A_MAPPING);
    let Some(tree) = tree else {
        return Err(faults);
    };
    let wrong = |node: &Node| {
        let message = "a table of owners takes `HubSpot owner: Salesforce user` pairs";
        node.at.error(&node.shown(), message)
    };
    if !matches!(tree.body, Body::Map(_)) {
        faults.push(wrong(&tree));
    }
    let mut pairs = Vec::new();
    for Entry { key, value, .. } in tree.entries() {
        match value.as_text() {
            Some(text) => pairs.push(OwnerPair {
                hubspot: key.clone(),
                salesforce: text.to_owned(),
            }),
            None => faults.push(wrong(value)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    OwnerTable::new(pairs).map_err(|fault| vec![tree.at.error("", fault.to_string())])
}

/// Which of the mappings the table was put into: those with a rule that looks into one.
pub(super) fn put(trees: &mut [Node], table: &OwnerTable, faults: &mut Vec<Fault>) -> Vec<bool> {
    if table.is_empty() {
        return vec![false; trees.len()];
    }
    let changed = trees.iter_mut().map(|tree| in_mapping(tree, table, faults));
    let changed: Vec<bool> = changed.collect();
    if let (Some(tree), false) = (trees.first(), changed.contains(&true)) {
        let message = "no rule looks into the workspace's table of owners; one does that has \
                       `owner:` with `table` in its chain";
        faults.push(tree.at.warning("", message));
    }
    changed
}

fn in_mapping(tree: &mut Node, table: &OwnerTable, faults: &mut Vec<Fault>) -> bool {
    let rules = tree.get_mut("rules").map(Node::entries_mut);
    let mut changed = false;
    for rule in rules.unwrap_or_default() {
        if let Some(owner) = rule.value.get_mut("owner") {
            changed |= in_rule(owner, table);
        }
    }
    if changed && is_too_large(tree) {
        let message = "with the workspace's table of owners in it the mapping is too large; take \
                       pairs out that nobody needs";
        faults.push(tree.at.error("", message));
    }
    changed
}

/// What is no table stays as it is, for the reader to report.
fn in_rule(owner: &mut Node, table: &OwnerTable) -> bool {
    let chain = owner.get("chain").map(|chain| &chain.body);
    let looks = match chain {
        None => true,
        Some(Body::List(steps)) => steps.iter().any(|step| step.as_text() == Some("table")),
        Some(Body::Null | Body::Text(_) | Body::Map(_)) => false,
    };
    let at = owner.at.clone();
    let Body::Map(keys) = &mut owner.body else {
        return false;
    };
    if !looks {
        return false;
    }
    let own = keys.iter_mut().find(|entry| entry.key == "table");
    let Some(own) = own else {
        let body = Body::Map(pairs(table));
        let value = Node {
            at: at.clone(),
            body,
        };
        let key = "table".to_owned();
        keys.push(Entry { key, at, value });
        return true;
    };
    let Body::Map(entries) = &mut own.value.body else {
        return false;
    };
    let taken = table.hubspot();
    entries.retain(|entry| !taken.contains(&entry.key.trim().to_lowercase()));
    entries.splice(0..0, pairs(table));
    true
}

fn pairs(table: &OwnerTable) -> Vec<Entry> {
    let file: Arc<str> = Arc::from("the workspace's table of owners");
    let pairs = table.pairs().iter().enumerate();
    let entry = |(index, pair): (usize, &OwnerPair)| {
        let at = At {
            file: Arc::clone(&file),
            line: index + 1,
            column: 1,
        };
        Entry {
            key: pair.hubspot.clone(),
            at: at.clone(),
            value: Node {
                at,
                body: Body::Text(pair.salesforce.clone()),
            },
        }
    };
    pairs.map(entry).collect()
}

/// The effective text has to load by itself, as a file does.
fn is_too_large(tree: &Node) -> bool {
    let (_, faults) = tree::parse("", &tree.lines(), Most::OF_A_MAPPING);
    !faults.is_empty()
}
