//! What a file means before it is read: `${vars.x}` filled in, `extends` followed.
//!
//! Works on trees; knows no key but `mapping`, `extends`, and which maps merge name by name.

use std::collections::BTreeMap;

use super::fault::Fault;
use super::tree::{Body, Entry, Node};

/// Maps that are merged name by name; any other key is replaced as a whole.
const MERGED: [&str; 4] = ["rules", "create", "delete", "only"];

/// Mappings one stands on at most, itself included; a person can follow no more.
const MAX_CHAIN: usize = 8;

/// Replaces every `${vars.name}`.
pub(super) fn fill(node: &mut Node, vars: &BTreeMap<String, String>, faults: &mut Vec<Fault>) {
    match &mut node.body {
        Body::Null => {}
        Body::Text(text) => {
            let (filled, unknown) = substitute(text, vars);
            for name in unknown {
                let message = format!("the workspace has no variable `{name}`");
                let fault = node
                    .at
                    .error(&name, message)
                    .suggest(vars.keys().map(String::as_str));
                faults.push(fault);
            }
            *text = filled;
        }
        Body::List(items) => items.iter_mut().for_each(|item| fill(item, vars, faults)),
        Body::Map(entries) => {
            entries
                .iter_mut()
                .for_each(|entry| fill(&mut entry.value, vars, faults));
        }
    }
}

fn substitute(text: &str, vars: &BTreeMap<String, String>) -> (String, Vec<String>) {
    let (mut out, mut unknown, mut rest) = (String::new(), Vec::new(), text);
    while let Some(start) = rest.find("${vars.") {
        let after = &rest[start + "${vars.".len()..];
        let Some(end) = after.find('}') else { break };
        out.push_str(&rest[..start]);
        match vars.get(&after[..end]) {
            Some(value) => out.push_str(value),
            None => unknown.push(after[..end].to_owned()),
        }
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    (out, unknown)
}

/// Follows `extends` for every tree; a tree whose chain is broken is left out with a fault.
pub(super) fn resolve(trees: &[Node], faults: &mut Vec<Fault>) -> Vec<Node> {
    let names: BTreeMap<&str, &Node> = trees
        .iter()
        .filter_map(|tree| Some((tree.get("mapping")?.as_text()?, tree)))
        .collect();
    trees
        .iter()
        .filter_map(|tree| extended(tree, &names, faults))
        .collect()
}

fn extended(tree: &Node, names: &BTreeMap<&str, &Node>, faults: &mut Vec<Fault>) -> Option<Node> {
    let mut chain = vec![tree];
    let mut last = tree;
    while let Some(parent) = last.get("extends") {
        let Some(name) = parent.as_text() else {
            faults.push(
                parent
                    .at
                    .error(&parent.shown(), "`extends` takes the name of a mapping"),
            );
            return None;
        };
        let Some(next) = names.get(name) else {
            let message = format!("there is no mapping `{name}` to extend");
            faults.push(
                parent
                    .at
                    .error(name, message)
                    .suggest(names.keys().copied()),
            );
            return None;
        };
        if chain.iter().any(|seen| std::ptr::eq(*seen, *next)) {
            faults.push(
                parent
                    .at
                    .error(name, "the mappings extend each other in a circle"),
            );
            return None;
        }
        if chain.len() == MAX_CHAIN {
            let message = "the mappings extend each other over more than eight steps";
            faults.push(parent.at.error(name, message));
            return None;
        }
        chain.push(next);
        last = next;
    }
    let mut merged = chain.pop()?.clone();
    while let Some(child) = chain.pop() {
        merged = overlay(&merged, child, &MERGED);
    }
    if let Body::Map(entries) = &mut merged.body {
        entries.retain(|entry| entry.key != "extends");
    }
    Some(merged)
}

/// The parent's entries with the child's over them; `~` in the child takes an entry away.
fn overlay(parent: &Node, child: &Node, merged: &[&str]) -> Node {
    let mut entries: Vec<Entry> = parent.entries().to_vec();
    for entry in child.entries() {
        let found = entries.iter().position(|held| held.key == entry.key);
        match found {
            Some(index) if matches!(entry.value.body, Body::Null) => {
                entries.remove(index);
            }
            Some(index) => {
                let maps = matches!(entry.value.body, Body::Map(_))
                    && matches!(entries[index].value.body, Body::Map(_));
                let value = if maps && merged.contains(&entry.key.as_str()) {
                    overlay(&entries[index].value, &entry.value, &[])
                } else {
                    entry.value.clone()
                };
                entries[index] = Entry {
                    value,
                    ..entry.clone()
                };
            }
            None => entries.push(entry.clone()),
        }
    }
    Node {
        at: child.at.clone(),
        body: Body::Map(entries),
    }
}
