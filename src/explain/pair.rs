//! One pair explained, rule by rule.
//!
//! Pure: the rows of one pair and its mapping in, an [`Explained`] pair out.

use std::collections::BTreeSet;

use super::facts::PairFacts;
use super::obstacle::{self, Obstacle};
use super::past::{self, Then};
use super::site::{self, Known};
use super::words;
use crate::mapping::{Mapping, Rule};
use crate::model::{
    Blank, BySide, Conflict, ConflictId, Direction, Fields, Link, Revision, RunId, Side, Timestamp,
};
use crate::store::{ConflictRow, JournalEntry};

/// Decisions that may move a base.
const MOVES: [&str; 5] = ["write", "agree", "skip", "follow", "undo"];

/// A pair and why its values are as they are.
#[derive(Debug)]
pub struct Explained {
    pub link: Link,
    /// Pairs that the record was in before, under the same mapping.
    pub earlier: Vec<Link>,
    /// The objects of both sides; `None` when the mapping cannot be read.
    pub objects: Option<BySide<String>>,
    /// The revision of the mapping that the last run used.
    pub revision: Option<Revision>,
    /// When the pair first agreed on anything.
    pub since: Option<Timestamp>,
    /// What keeps the pair as a whole from being synced.
    pub obstacles: Vec<Obstacle>,
    pub fields: Vec<Field>,
    /// The newest entries about the pair as a whole.
    pub events: Vec<Event>,
    /// Read live: what the next run would do with the pair as a whole.
    pub next: Vec<String>,
}

/// One rule of a pair.
#[derive(Debug)]
pub struct Field {
    pub rule: String,
    /// The fields it writes, by side; what the base names where the rule is gone.
    pub names: BySide<Vec<String>>,
    /// How the rule decides, in the words of the mapping.
    pub terms: Vec<String>,
    /// What both sides held when they last agreed.
    pub base: Option<BySide<Fields>>,
    /// When they did; `None` when they never did, or nobody knows when.
    pub agreed_at: Option<Timestamp>,
    /// What both sides held when they were last looked at with a result.
    pub seen: Seen,
    /// The last decision.
    pub last: Option<Event>,
    pub obstacles: Vec<Obstacle>,
    /// With a moment: what was agreed then.
    pub then: Option<Then>,
    /// With a field: its entries, the newest first, and how many there are.
    pub history: Option<(Vec<Event>, u64)>,
    /// Read live: what the next run would do.
    pub next: Option<String>,
}

/// The latest values that the store knows of.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    pub sides: BySide<Fields>,
    pub at: Option<Timestamp>,
    pub how: How,
}

/// Where the latest values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Agreement,
    Hold,
    Decision,
    /// Read from the CRM just now.
    Read,
    Nothing,
}

impl How {
    const ALL: [Self; 5] = [
        Self::Agreement,
        Self::Hold,
        Self::Decision,
        Self::Read,
        Self::Nothing,
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|how| how.as_str() == text)
    }

    /// The word in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Hold => "hold",
            Self::Decision => "decision",
            Self::Read => "read",
            Self::Nothing => "nothing",
        }
    }
}

/// One entry of the journal, with its words for people.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Timestamp,
    pub run: RunId,
    pub revision: Revision,
    pub decision: String,
    pub reason: String,
    /// Why a write was made, as the journal has it; otherwise its words for people.
    pub detail: String,
    pub base: Option<BySide<Fields>>,
    pub inputs: BySide<Fields>,
    pub winner: Option<Side>,
    pub wrote: Option<(Side, Fields)>,
    pub loser: Option<Fields>,
    /// The conflict that keeps the loser, or asks.
    pub conflict: Option<ConflictId>,
    pub text: String,
}

/// Explains a pair, all of it or the rules that `field` stands for.
pub fn explain(
    facts: &PairFacts,
    known: Option<&Known>,
    (field, at): (Option<&str>, Option<Timestamp>),
    now: Timestamp,
) -> Explained {
    let mapping = known.and_then(|known| known.mapping.as_ref());
    let mut obstacles = obstacle::of_pair(facts, known, now);
    let rules = rules(facts, mapping, field);
    if let (Some(word), true) = (field, rules.is_empty()) {
        let name = facts.link.mapping.as_str();
        let names: Vec<String> = mapping.map_or_else(Vec::new, names);
        let close = mapping.and_then(|mapping| site::close_field(mapping, word));
        obstacles.push(obstacle::no_rule(name, word, close, &names));
    }
    let mut then = at.map(|at| {
        let known = past::Known {
            bases: &facts.bases,
            since: facts.since,
            next: &facts.next,
        };
        past::agreed_at(&known, at)
    });
    let fields = rules.into_iter().map(|name| {
        let rule = mapping.and_then(|mapping| mapping.rule(&name));
        let mut field = explain_rule(facts, &name, rule);
        let never = Then::NotYet(None);
        field.then = then
            .as_mut()
            .map(|then| then.remove(&name).unwrap_or(never));
        field
    });
    let whole = facts.journal.iter().filter(|entry| entry.rule.is_empty());
    Explained {
        fields: fields.collect(),
        events: whole.map(|entry| event(facts, entry)).collect(),
        link: facts.link.clone(),
        earlier: facts.earlier.clone(),
        objects: mapping.map(|mapping| mapping.objects.clone()),
        revision: known.map(|known| known.revision.clone()),
        since: facts.since,
        obstacles,
        next: Vec::new(),
    }
}

fn names(mapping: &Mapping) -> Vec<String> {
    mapping.rules.iter().map(|rule| rule.name.clone()).collect()
}

/// The rules to explain: those of the mapping in its order, then those it no longer has.
fn rules(facts: &PairFacts, mapping: Option<&Mapping>, field: Option<&str>) -> Vec<String> {
    if field.is_some() {
        let asked: BTreeSet<&String> = facts.history.keys().collect();
        let known = mapping.map_or_else(Vec::new, names);
        let mut sorted: Vec<String> = known.into_iter().filter(|n| asked.contains(n)).collect();
        let gone = asked.into_iter().filter(|name| !sorted.contains(name));
        let gone: Vec<String> = gone.cloned().collect();
        sorted.extend(gone);
        return sorted;
    }
    let mut all = mapping.map_or_else(Vec::new, names);
    let held = facts.holds.iter().map(|hold| &hold.rule);
    for rule in facts.bases.keys().chain(held) {
        if !all.contains(rule) {
            all.push(rule.clone());
        }
    }
    all
}

fn explain_rule(facts: &PairFacts, name: &str, rule: Option<&Rule>) -> Field {
    let base = facts.bases.get(name).map(|base| base.sides.clone());
    let mine: Vec<&JournalEntry> = facts.journal.iter().filter(|e| e.rule == name).collect();
    let agreed_at = base.as_ref().and_then(|base| agreed_at(facts, &mine, base));
    let decided = |entry: &&&JournalEntry| entry.decision != "audit";
    let last = mine.iter().find(decided).map(|entry| event(facts, entry));
    let mut obstacles = obstacle::of_rule(facts, name);
    if rule.is_none() {
        obstacles.push(obstacle::rule_gone(facts.link.mapping.as_str(), name));
    }
    let history = facts.history.get(name).map(|(entries, count)| {
        let mut entries: Vec<&JournalEntry> = entries.iter().collect();
        entries.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
        let events = entries.into_iter().map(|entry| event(facts, entry));
        (events.collect(), *count)
    });
    let held = base.clone().unwrap_or_default();
    let names = BySide::from_fn(|side| match rule {
        Some(rule) => rule.writes(side).to_vec(),
        None => held.get(side).keys().cloned().collect(),
    });
    Field {
        rule: name.to_owned(),
        names,
        terms: rule.map_or_else(Vec::new, terms),
        seen: seen(facts, name, base.as_ref(), agreed_at, &mine),
        base,
        agreed_at,
        last,
        obstacles,
        then: None,
        history,
        next: None,
    }
}

/// When the base came to be what it is: with the newest entry that knew another one. Of a base
/// that no entry speaks of, the store keeps when the pair first agreed.
fn agreed_at(
    facts: &PairFacts,
    mine: &[&JournalEntry],
    base: &BySide<Fields>,
) -> Option<Timestamp> {
    let moves = |entry: &&&JournalEntry| {
        let decision = entry.decision.as_str();
        MOVES.contains(&decision) && entry.base.as_ref() != Some(base)
    };
    let moved = mine.iter().find(moves);
    moved.map(|entry| entry.at).or(facts.since)
}

fn seen(
    facts: &PairFacts,
    name: &str,
    base: Option<&BySide<Fields>>,
    agreed_at: Option<Timestamp>,
    mine: &[&JournalEntry],
) -> Seen {
    let hold = facts.holds.iter().find(|hold| hold.rule == name);
    let newest = mine
        .first()
        .filter(|entry| !entry.inputs.hubspot.is_empty());
    let (sides, at, how) = match (hold, base, newest) {
        (Some(hold), _, _) => (hold.sides.clone(), Some(hold.since), How::Hold),
        (None, Some(base), _) => (base.clone(), agreed_at, How::Agreement),
        (None, None, Some(entry)) => (entry.inputs.clone(), Some(entry.at), How::Decision),
        (None, None, None) => (BySide::default(), None, How::Nothing),
    };
    Seen { sides, at, how }
}

fn event(facts: &PairFacts, entry: &JournalEntry) -> Event {
    let conflict = conflict_of(&facts.conflicts, entry);
    Event {
        at: entry.at,
        run: entry.run.clone(),
        revision: entry.revision.clone(),
        decision: entry.decision.clone(),
        reason: entry.reason.clone(),
        detail: entry.detail.clone(),
        base: entry.base.clone(),
        inputs: entry.inputs.clone(),
        winner: entry.winner,
        wrote: entry.wrote.clone(),
        loser: entry.loser.clone(),
        conflict: conflict.map(|conflict| conflict.id.clone()),
        text: words::told(entry, conflict),
    }
}

/// The conflict that was found with the very values an entry was decided from.
fn conflict_of<'a>(conflicts: &'a [ConflictRow], entry: &JournalEntry) -> Option<&'a ConflictRow> {
    let same = |conflict: &&ConflictRow| {
        let won = entry.decision != "write" || conflict.winner == entry.winner;
        !entry.rule.is_empty()
            && conflict.rule == entry.rule
            && conflict.inputs == entry.inputs
            && won
    };
    conflicts.iter().find(same)
}

/// How a rule decides, as its mapping says it.
fn terms(rule: &Rule) -> Vec<String> {
    let policy = &rule.policy;
    let mut terms = Vec::new();
    match policy.direction {
        Direction::Both => terms.push(match &policy.conflict {
            Conflict::Wins(side) => format!("conflict: {side}"),
            Conflict::Ask => "conflict: ask".to_owned(),
            Conflict::Newest { tie } => format!("conflict: newest, a tie goes to {tie}"),
            Conflict::Union => "conflict: union".to_owned(),
            Conflict::Ratchet(_) => "ratchet: the furthest along wins".to_owned(),
        }),
        Direction::To(side) => terms.push(format!("direction: to-{side}")),
    }
    if policy.once {
        terms.push("write: once".to_owned());
    }
    if policy.enforce {
        terms.push("enforce: yes".to_owned());
    }
    if policy.blank == Blank::Keep {
        terms.push("blank: keep".to_owned());
    }
    if let Some(reference) = rule.reference() {
        terms.push(format!("a reference to `{}`", reference.mapping));
    }
    terms
}
