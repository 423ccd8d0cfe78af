//! From a tree to a [`Mapping`], key by key; a fault in one key never hides another.
//!
//! Knows the language and nothing of schemas. This file holds what the readers share.

mod header;
mod policy;
mod rules;
mod shapes;
mod values;

use super::fault::{At, Fault};
use super::keys::Key;
use super::tree::{Body, Entry, Node};

pub(super) use header::mapping;
pub(super) use rules::RECORD_TYPE;

/// Collects faults while a mapping is read.
struct Reader<'f> {
    faults: &'f mut Vec<Fault>,
}

impl Reader<'_> {
    fn error(&mut self, at: &At, text: &str, message: impl Into<String>) {
        self.faults.push(at.error(text, message));
    }

    fn warn(&mut self, at: &At, text: &str, message: impl Into<String>) {
        self.faults.push(at.warning(text, message));
    }

    /// The entries of a map, each with a known key; unknown ones are reported and left out.
    fn table<'n>(&mut self, node: &'n Node, what: &str, keys: &[Key]) -> Vec<&'n Entry> {
        let mut known = Vec::new();
        for entry in self.entries(node, what) {
            if keys.iter().any(|key| key.name == entry.key) {
                known.push(entry);
            } else {
                let message = format!("{what} has no key `{}`", entry.key);
                let fault = entry.at.error(&entry.key, message);
                self.faults
                    .push(fault.suggest(keys.iter().map(|key| key.name)));
            }
        }
        known
    }

    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        match &node.body {
            Body::Map(entries) => entries,
            Body::Null | Body::Text(_) | Body::List(_) => {
                self.error(
                    &node.at,
                    &node.shown(),
                    format!("{what} takes `key: value` pairs"),
                );
                &[]
            }
        }
    }

    fn list<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.body {
            Body::List(items) => items,
            Body::Null | Body::Text(_) | Body::Map(_) => {
                self.error(&node.at, &node.shown(), format!("{what} takes a list"));
                &[]
            }
        }
    }

    fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        match node.as_text() {
            Some(text) if !text.trim().is_empty() => Some(text.trim()),
            _ => {
                self.error(&node.at, &node.shown(), format!("{what} takes a text"));
                None
            }
        }
    }

    /// A list of texts, or one text alone.
    fn texts(&mut self, node: &Node, what: &str) -> Vec<String> {
        if let Some(text) = node.as_text() {
            return vec![text.trim().to_owned()];
        }
        let items = self.list(node, what);
        items
            .iter()
            .filter_map(|item| self.text(item, what).map(str::to_owned))
            .collect()
    }

    fn choice<T: Clone>(&mut self, node: &Node, what: &str, options: &[(&str, T)]) -> Option<T> {
        let shown = node.shown();
        if let Some((_, value)) = options.iter().find(|(name, _)| *name == shown) {
            return Some(value.clone());
        }
        let names: Vec<&str> = options.iter().map(|(name, _)| *name).collect();
        let message = format!("{what} takes {}", one_of(&names));
        self.faults
            .push(node.at.error(&shown, message).suggest(names));
        None
    }

    fn yes_no(&mut self, node: &Node, what: &str) -> Option<bool> {
        let options = [
            ("yes", true),
            ("no", false),
            ("true", true),
            ("false", false),
        ];
        self.choice(node, what, &options)
    }
}

fn find<'n>(entries: &[&'n Entry], key: &str) -> Option<&'n Node> {
    entries
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| &entry.value)
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => format!("`{only}`"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
    }
}

/// The first sixteen hex digits of the SHA-256 of a text.
fn hash(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest
        .as_ref()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
