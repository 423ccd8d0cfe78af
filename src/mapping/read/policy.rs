//! Who may write where and who wins, for the mapping and for each rule.

use super::super::fault::At;
use super::super::tree::{Body, Entry, Node};
use super::{Reader, find};
use crate::model::{Blank, Conflict, Direction, FirstSync, Policy, Side, Tolerance};

/// What rules inherit from their mapping.
pub(in crate::mapping) struct Defaults {
    pub direction: Direction,
    /// `None` when the mapping names no winner; then every two-way rule must.
    pub conflict: Option<Conflict>,
    pub first_sync: Option<FirstSync>,
    /// The keys above as they are written, for the hashes of the rules that inherit them.
    pub texts: Vec<(String, String)>,
}

impl Defaults {
    /// What a rule takes from its mapping. Text, not types: a new release must not make every
    /// rule look edited.
    pub(super) fn inherited(&self, own: &[&Entry]) -> String {
        let decides = |key: &str| {
            find(own, key).is_some() || (key == "conflict" && find(own, "ratchet").is_some())
        };
        let taken = self.texts.iter().filter(|(key, _)| !decides(key));
        taken.map(|(key, text)| format!("|{key}={text}")).collect()
    }
}

pub(super) fn defaults(reader: &mut Reader<'_>, tree: &Node, entries: &[&Entry]) -> Defaults {
    let direction = find(entries, "direction").and_then(|node| reader.direction(node));
    let direction = direction.unwrap_or(Direction::Both);
    let node = find(entries, "conflict");
    let conflict = node.and_then(|node| reader.conflict(node));
    if matches!(conflict, Some(Conflict::Union | Conflict::Ratchet(_)))
        && let Some(node) = node
    {
        reader.error(
            &node.at,
            &node.shown(),
            "a mapping's winner is hubspot, salesforce or ask",
        );
    }
    if node.is_none() && direction == Direction::Both {
        let message = "`conflict:` is missing; say who wins when both sides changed: \
                       hubspot, salesforce or ask";
        reader.error(&tree.at, "", message);
    }
    let first_sync = find(entries, "first-sync").and_then(|node| reader.first_sync(node));
    let texts = ["direction", "conflict", "first-sync"]
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), find(entries, key)?.flow())))
        .collect();
    Defaults {
        direction,
        conflict,
        first_sync,
        texts,
    }
}

impl Reader<'_> {
    pub(super) fn direction(&mut self, node: &Node) -> Option<Direction> {
        let options = [
            ("both", Direction::Both),
            ("to-salesforce", Direction::To(Side::Salesforce)),
            ("to-hubspot", Direction::To(Side::HubSpot)),
        ];
        self.choice(node, "`direction`", &options)
    }

    fn conflict(&mut self, node: &Node) -> Option<Conflict> {
        if let Some(tie) = self.tie(node) {
            return tie.map(|tie| Conflict::Newest { tie });
        }
        let options = [
            ("hubspot", Conflict::Wins(Side::HubSpot)),
            ("salesforce", Conflict::Wins(Side::Salesforce)),
            ("ask", Conflict::Ask),
            ("union", Conflict::Union),
        ];
        self.choice(node, "`conflict`", &options)
    }

    fn first_sync(&mut self, node: &Node) -> Option<FirstSync> {
        if let Some(tie) = self.tie(node) {
            return tie.map(|tie| FirstSync::Newest { tie });
        }
        let winners = [
            ("hubspot", Some(Side::HubSpot)),
            ("salesforce", Some(Side::Salesforce)),
            ("ask", None),
        ];
        if let [only] = node.entries() {
            if only.key == "fill-blanks" {
                return self
                    .choice(&only.value, "`fill-blanks`", &winners)
                    .map(FirstSync::FillBlanks);
            }
            let fault = only.at.error(
                &only.key,
                "`first-sync` takes `fill-blanks` or `newest` here",
            );
            self.faults.push(fault.suggest(["fill-blanks", "newest"]));
            return None;
        }
        let winner = self.choice(node, "`first-sync`", &winners)?;
        Some(winner.map_or(FirstSync::Ask, FirstSync::Wins))
    }

    /// `{ newest: side }`; the outer `None` says it is something else.
    fn tie(&mut self, node: &Node) -> Option<Option<Side>> {
        if node.as_text() == Some("newest") {
            let message =
                "`newest` needs a winner for ties: { newest: hubspot } or { newest: salesforce }";
            self.error(&node.at, "newest", message);
            return Some(None);
        }
        match node.entries() {
            [only] if only.key == "newest" => {
                let sides = [("hubspot", Side::HubSpot), ("salesforce", Side::Salesforce)];
                Some(self.choice(&only.value, "`newest`", &sides))
            }
            _ => None,
        }
    }

    /// The policy of one rule: its own keys over what the mapping says.
    pub(super) fn policy(
        &mut self,
        at: &At,
        name: &str,
        entries: &[&Entry],
        defaults: &Defaults,
    ) -> Policy {
        let own = find(entries, "direction").and_then(|node| self.direction(node));
        let direction = own.unwrap_or(defaults.direction);
        let conflict = self.rule_conflict(at, name, entries, defaults, direction);
        let first_sync = find(entries, "first-sync")
            .and_then(|node| self.first_sync(node))
            .or_else(|| defaults.first_sync.clone())
            .unwrap_or_else(|| first_sync_after(&conflict, direction));
        let enforce = find(entries, "enforce").and_then(|node| self.yes_no(node, "`enforce`"));
        let once = find(entries, "write")
            .and_then(|node| self.choice(node, "`write`", &[("once", true)]))
            .unwrap_or_default();
        let blanks = [("travels", Blank::Travels), ("keep", Blank::Keep)];
        let blank = find(entries, "blank").and_then(|node| self.choice(node, "`blank`", &blanks));
        if enforce == Some(true) && direction == Direction::Both {
            let message = "`enforce` is for one-way rules; give this rule a direction";
            self.error(at, name, message);
        }
        let tolerances = find(entries, "tolerance").map(|node| self.tolerances(node));
        Policy {
            direction,
            conflict,
            first_sync,
            enforce: enforce.unwrap_or_default(),
            once,
            blank: blank.unwrap_or(Blank::Travels),
            tolerances: tolerances.unwrap_or_default(),
        }
    }

    fn rule_conflict(
        &mut self,
        at: &At,
        name: &str,
        entries: &[&Entry],
        defaults: &Defaults,
        direction: Direction,
    ) -> Conflict {
        let own = find(entries, "conflict");
        let ratchet = find(entries, "ratchet");
        if let (Some(node), Some(_)) = (own, ratchet) {
            let message = "a rule with `ratchet` needs no `conflict`: the furthest value wins";
            self.error(&node.at, &node.shown(), message);
        }
        if let Some(node) = ratchet {
            let steps = self.texts(node, "`ratchet`");
            if steps.len() < 2 {
                self.error(
                    &node.at,
                    &node.shown(),
                    "`ratchet` takes two values or more, in order",
                );
            }
            return Conflict::Ratchet(steps);
        }
        if let Some(node) = own {
            let chosen = self.conflict(node);
            self.against(node, direction, chosen.as_ref());
            return chosen.unwrap_or(Conflict::Ask);
        }
        match (Defaults::source(direction), &defaults.conflict) {
            (Some(source), _) => Conflict::Wins(source),
            (None, Some(conflict)) => conflict.clone(),
            (None, None) => {
                if defaults.direction != Direction::Both {
                    let message = "this rule goes both ways; say who wins: `conflict:`";
                    self.error(at, name, message);
                }
                Conflict::Ask
            }
        }
    }

    /// A winner that could never write is not what its author meant.
    fn against(&mut self, node: &Node, direction: Direction, conflict: Option<&Conflict>) {
        let Some(source) = Defaults::source(direction) else {
            return;
        };
        let sensible = match conflict {
            Some(Conflict::Wins(side)) => *side == source,
            Some(Conflict::Ask | Conflict::Union) | None => true,
            Some(Conflict::Newest { .. } | Conflict::Ratchet(_)) => false,
        };
        if !sensible {
            let message = format!(
                "the rule only goes {} {}, so {} decides; this winner has no effect",
                "to",
                source.other().title(),
                source.title()
            );
            self.warn(&node.at, &node.shown(), message);
        }
    }

    fn tolerances(&mut self, node: &Node) -> Vec<Tolerance> {
        let items: Vec<&Node> = match &node.body {
            Body::List(items) => items.iter().collect(),
            Body::Null | Body::Text(_) | Body::Map(_) => vec![node],
        };
        items
            .into_iter()
            .filter_map(|item| self.tolerance(item))
            .collect()
    }

    fn tolerance(&mut self, node: &Node) -> Option<Tolerance> {
        let text = self.text(node, "`tolerance`")?;
        let (name, digits) = match text.split_once('(') {
            Some((name, rest)) => (
                name.trim(),
                rest.strip_suffix(')')
                    .and_then(|d| d.trim().parse::<u32>().ok()),
            ),
            None => (text, None),
        };
        let found = match (name, digits) {
            ("trim", None) => Some(Tolerance::Trim),
            ("case", None) => Some(Tolerance::Case),
            ("seconds", None) => Some(Tolerance::Seconds),
            ("phone", None) => Some(Tolerance::Phone),
            ("html", None) => Some(Tolerance::Html),
            ("round", Some(digits)) if digits <= 28 => Some(Tolerance::Round(digits)),
            ("truncate", Some(length)) if length > 0 => Some(Tolerance::Truncate(length)),
            _ => None,
        };
        if found.is_none() {
            let message =
                "`tolerance` takes trim, case, round(n), truncate(n), seconds, phone or html";
            let names = [
                "trim",
                "case",
                "round(2)",
                "truncate(40)",
                "seconds",
                "phone",
                "html",
            ];
            self.faults
                .push(node.at.error(text, message).suggest(names));
        }
        found
    }
}

/// Without `first-sync`, blanks are filled and the conflict's winner decides the rest.
fn first_sync_after(conflict: &Conflict, direction: Direction) -> FirstSync {
    if let Some(source) = Defaults::source(direction) {
        return FirstSync::Wins(source);
    }
    FirstSync::FillBlanks(match conflict {
        Conflict::Wins(side) => Some(*side),
        Conflict::Newest { tie } => Some(*tie),
        Conflict::Ask | Conflict::Union | Conflict::Ratchet(_) => None,
    })
}
