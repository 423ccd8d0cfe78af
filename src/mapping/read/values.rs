//! `values:` and `otherwise:`: what one value becomes on the other side.

use super::super::keys;
use super::super::rule::{Otherwise, Unmatched, Values};
use super::super::tree::{Body, Entry, Node};
use super::{Reader, find};
use crate::model::{BySide, Direction, Side};

impl Reader<'_> {
    pub(super) fn values(&mut self, node: &Node, rule: Direction) -> Values {
        let mut values = Values::default();
        for entry in self.entries(node, "`values`") {
            match &entry.value.body {
                Body::List(items) => {
                    for item in items {
                        self.value(entry, item, rule, &mut values);
                    }
                }
                Body::Null | Body::Text(_) | Body::Map(_) => {
                    self.value(entry, &entry.value, rule, &mut values);
                }
            }
        }
        values
    }

    /// `Text`, or `{ to: Text, direction: … }`. A one-way rule needs no way back.
    fn value(&mut self, entry: &Entry, node: &Node, rule: Direction, values: &mut Values) {
        let (to, direction) = match &node.body {
            Body::Map(_) => {
                let pairs = self.table(node, "a value", keys::VALUE);
                let direction = find(&pairs, "direction").and_then(|node| self.direction(node));
                let Some(to) = find(&pairs, "to") else {
                    self.error(&node.at, &node.shown(), "a value needs `to:`");
                    return;
                };
                (to, direction.unwrap_or(rule))
            }
            Body::Null | Body::Text(_) | Body::List(_) => (node, rule),
        };
        let Some(salesforce) = self.text(to, "a value").map(str::to_owned) else {
            return;
        };
        let hubspot = entry.key.clone();
        for (side, from, result) in [
            (Side::Salesforce, &hubspot, &salesforce),
            (Side::HubSpot, &salesforce, &hubspot),
        ] {
            if !direction.allows(side) {
                continue;
            }
            let held = values.to.get_mut(side).insert(from.clone(), result.clone());
            if let Some(held) = held {
                let message = format!(
                    "{} value `{from}` becomes both `{held}` and `{result}`; \
                     give one of them a direction",
                    side.other().title()
                );
                self.error(&node.at, &node.shown(), message);
            }
        }
    }

    pub(super) fn otherwise(&mut self, entries: &[&Entry]) -> Otherwise {
        let Some(node) = find(entries, "otherwise") else {
            return Otherwise::default();
        };
        match &node.body {
            Body::Map(_) => {
                let mut otherwise = Otherwise::default();
                for (side, node) in self.by_side(node, "`otherwise`") {
                    *otherwise.get_mut(side) = self.unmatched(node);
                }
                otherwise
            }
            Body::Null | Body::Text(_) | Body::List(_) => {
                let unmatched = self.unmatched(node);
                BySide::new(unmatched.clone(), unmatched)
            }
        }
    }

    fn unmatched(&mut self, node: &Node) -> Unmatched {
        match node.as_text() {
            Some("hold") => Unmatched::Hold,
            Some("drop") => Unmatched::Drop,
            _ => Unmatched::Literal(self.texts(node, "`otherwise`")),
        }
    }
}
