//! Why a record or a value is not synced, as far as the store tells, and what to do about it.
//!
//! Pure: rows in, reasons out.

use super::facts::{LooseFacts, PairFacts};
use super::site::Known;
use crate::mapping::{Create, Mapping};
use crate::model::{Choice, Hold, HoldReason, Link, LinkState, RecordId, Side, Timestamp};
use crate::store::{
    Approval, ApprovalState, ConflictState, DeadLetter, DeadLetterState, Tombstone, Waiting,
};

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    pub kind: Kind,
    /// Since when, where the store tells.
    pub since: Option<Timestamp>,
    pub what: String,
    /// Empty when nothing is to be done.
    pub todo: String,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The pair as a whole is not kept in step, or not yet.
    Pair,
    /// The mapping is not run any more.
    MappingOff,
    /// The record is deleted.
    Tombstone,
    /// The record lives on under another id.
    Merged,
    Held,
    DeadLetter,
    /// A person decided to leave it.
    Discarded,
    /// Work that waits: queued, tried again later, or blocked on a parent.
    Waiting,
    /// A guard or a choice that a person has to decide, or has decided for the next run.
    Approval,
    /// A write whose outcome is not known yet.
    OpenWrite,
    /// No rule maps the field.
    NoRule,
    /// The rule is no longer in the mapping.
    RuleGone,
    /// It was read and has no partner.
    Unpaired,
    /// Read now, and not there as a record that can be synced.
    Absent,
    /// Read now, and outside `only`.
    Filtered,
}

impl Kind {
    const ALL: [Self; 15] = [
        Self::Pair,
        Self::MappingOff,
        Self::Tombstone,
        Self::Merged,
        Self::Held,
        Self::DeadLetter,
        Self::Discarded,
        Self::Waiting,
        Self::Approval,
        Self::OpenWrite,
        Self::NoRule,
        Self::RuleGone,
        Self::Unpaired,
        Self::Absent,
        Self::Filtered,
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The word in `--json`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::MappingOff => "mapping-off",
            Self::Tombstone => "tombstone",
            Self::Merged => "merged",
            Self::Held => "held",
            Self::DeadLetter => "dead-letter",
            Self::Discarded => "discarded",
            Self::Waiting => "waiting",
            Self::Approval => "approval",
            Self::OpenWrite => "open-write",
            Self::NoRule => "no-rule",
            Self::RuleGone => "rule-gone",
            Self::Unpaired => "unpaired",
            Self::Absent => "absent",
            Self::Filtered => "filtered",
        }
    }
}

impl Obstacle {
    pub fn new(kind: Kind, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            kind,
            since: None,
            what: what.into(),
            todo: todo.into(),
        }
    }

    fn since(mut self, at: Timestamp) -> Self {
        self.since = Some(at);
        self
    }
}

/// What stands in the way of a pair as a whole.
pub fn of_pair(pair: &PairFacts, known: Option<&Known>, now: Timestamp) -> Vec<Obstacle> {
    let mut found = Vec::new();
    found.extend(of_state(&pair.link));
    if known.is_none_or(|known| !known.active) {
        found.push(mapping_off(&pair.link.mapping.to_string()));
    }
    found.extend(pair.tombstones.iter().map(of_tombstone));
    let whole = |letter: &&DeadLetter| letter.rule.is_none();
    found.extend(pair.letters.iter().filter(whole).map(of_letter));
    found.extend(pair.waiting.iter().map(|work| of_work(work, now)));
    found.extend(pair.intents.iter().map(|intent| {
        let what = format!(
            "A write to {} ({}) has had no answer yet.",
            intent.side.title(),
            intent.kind.as_str()
        );
        let todo = "the next run reads the record and settles it; nothing is sent twice";
        Obstacle::new(Kind::OpenWrite, what, todo).since(intent.created_at)
    }));
    found.extend(
        pair.approvals
            .iter()
            .filter_map(|one| of_guard(one, &pair.link)),
    );
    found
}

/// What stands in the way of one rule of a pair.
pub fn of_rule(pair: &PairFacts, rule: &str) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let asked = pair
        .conflicts
        .iter()
        .find(|conflict| conflict.rule == rule && conflict.state == ConflictState::Open);
    let hold = pair.holds.iter().find(|hold| hold.rule == rule);
    found.extend(hold.map(|hold| of_hold(hold, asked.map(|conflict| conflict.id.as_str()))));
    if let (Some(conflict), None) = (asked, hold) {
        let what = format!("Conflict {} asks which value to take.", conflict.id);
        let todo = format!(
            "`tandem conflicts take hubspot|salesforce|VALUE {}`",
            conflict.id
        );
        found.push(Obstacle::new(Kind::Approval, what, todo).since(conflict.at));
    }
    let mine = |letter: &&DeadLetter| letter.rule.as_deref() == Some(rule);
    found.extend(pair.letters.iter().filter(mine).map(of_letter));
    found.extend(pair.approvals.iter().filter_map(|approval| {
        let about = Choice::conflict(&approval.set_hash);
        let conflict = pair
            .conflicts
            .iter()
            .find(|conflict| conflict.id == about)?;
        let is_choice = approval.kind == Choice::APPROVAL && conflict.rule == rule;
        (is_choice && approval.state == ApprovalState::Granted).then(|| {
            let what = format!("A choice for conflict {about} waits: {}.", approval.detail);
            let todo = "the next run writes it";
            Obstacle::new(Kind::Approval, what, todo).since(approval.asked_at)
        })
    }));
    found
}

fn of_state(link: &Link) -> Option<Obstacle> {
    let note = &link.note;
    let (what, todo) = match link.state {
        LinkState::Linked if !link.is_to_be_looked_at() => return None,
        LinkState::Linked => (format!("The pair is to be looked at: {note}."), ""),
        LinkState::Creating(side) => (
            format!("Its record in {} is not made yet.", side.title()),
            "the next run makes it, unless something below says otherwise",
        ),
        LinkState::Suspended => (
            format!("The pair is suspended ({note}): nothing travels until a person decides."),
            "the dead letter of the record says what to do",
        ),
        LinkState::Frozen => (
            format!("The pair is frozen ({note}): nothing travels until it passes `only` again."),
            "change the record so that it passes, or the filter",
        ),
        LinkState::Tombstoned => (
            format!("The pair is over ({note}): a later edit brings nothing back."),
            "take the record out of the recycle bin, or pair the other one with `tandem links \
             pair`",
        ),
        LinkState::Unlinked => (
            format!("The pair was taken apart ({note}): nothing travels between the two."),
            "pair them again with `tandem links pair`",
        ),
        LinkState::Detached => (
            format!("The pair gave way to another one in a merge: {note}"),
            "merge the record that is left over, or pair it with `tandem links pair`",
        ),
    };
    Some(Obstacle::new(Kind::Pair, what, todo))
}

pub fn mapping_off(name: &str) -> Obstacle {
    let what = format!("The last run did not use the mapping `{name}`: nothing of it is synced.");
    Obstacle::new(Kind::MappingOff, what, "run `tandem sync` with its file")
}

fn of_tombstone(tombstone: &Tombstone) -> Obstacle {
    let key = &tombstone.key;
    let what = format!(
        "The {} record {} is gone ({}).",
        key.side.title(),
        key.id,
        tombstone.reason
    );
    let todo = "take it out of the recycle bin, and the pair goes on";
    Obstacle::new(Kind::Tombstone, what, todo).since(tombstone.at)
}

fn of_letter(letter: &DeadLetter) -> Obstacle {
    let what = format!(
        "Dead letter {} ({} {}): {}",
        letter.id,
        letter.class.as_str(),
        letter.code,
        letter.message
    );
    match letter.state {
        DeadLetterState::Open => {
            let todo = format!(
                "mend it, then `tandem dead-letters replay {id}`; or `tandem dead-letters discard \
                 {id}`",
                id = letter.id
            );
            Obstacle::new(Kind::DeadLetter, what, todo).since(letter.first_at)
        }
        DeadLetterState::Discarded | DeadLetterState::Closed => {
            let what = format!("{what} A person let it go: {}.", letter.note);
            let todo = "the next edit of the record is tried like any other";
            Obstacle::new(Kind::Discarded, what, todo).since(letter.first_at)
        }
    }
}

fn of_work(waiting: &Waiting, now: Timestamp) -> Obstacle {
    let work = &waiting.work;
    let record = format!("{} {}", work.task.side().title(), work.task.record_id());
    let why = work.failure.as_ref().map_or_else(String::new, |failure| {
        format!(
            " Last: {} ({}).",
            failure.message.trim_end_matches('.'),
            failure.code
        )
    });
    let (what, todo) = match &work.parent {
        Some(parent) if waiting.blocked => (
            format!(
                "{record} waits until {} {} is linked under `{}`.{why}",
                parent.side.title(),
                parent.id,
                parent.mapping
            ),
            format!(
                "`tandem explain {} {}` says what that waits for",
                parent.mapping, parent.id
            ),
        ),
        Some(_) | None if work.not_before > now && work.failure.is_some() => (
            format!(
                "{record} is tried again at {} (attempt {}).{why}",
                work.not_before,
                work.attempts + 1
            ),
            String::new(),
        ),
        Some(_) | None => (
            format!(
                "{record} is marked ({}) and waits for the next run.{why}",
                work.cause.as_str()
            ),
            "run `tandem sync`".to_owned(),
        ),
    };
    Obstacle::new(Kind::Waiting, what, todo).since(work.first_marked_at)
}

/// A guard's question that names one of the pair's records.
fn of_guard(approval: &Approval, link: &Link) -> Option<Obstacle> {
    if approval.kind == Choice::APPROVAL {
        return None;
    }
    let mine = |id: &RecordId| {
        Side::BOTH
            .iter()
            .any(|s| link.records.get(*s).as_ref() == Some(id))
    };
    if !approval.records.iter().any(mine) {
        return None;
    }
    let (what, todo) = match approval.state {
        ApprovalState::Asked => (
            format!(
                "A guard stopped it ({}): {}.",
                approval.kind, approval.detail
            ),
            format!("`tandem approve {}` lets it through", approval.id),
        ),
        ApprovalState::Granted => (
            format!(
                "A guard stopped it ({}), and a person let it through.",
                approval.kind
            ),
            "the next run goes on".to_owned(),
        ),
        ApprovalState::Used => return None,
    };
    Some(Obstacle::new(Kind::Approval, what, todo).since(approval.asked_at))
}

fn of_hold(hold: &Hold, conflict: Option<&str>) -> Obstacle {
    let what = format!("Held ({}): {}", hold.reason.as_str(), hold.detail);
    let take = match conflict {
        Some(id) => format!("`tandem conflicts take hubspot|salesforce|VALUE {id}`"),
        None => "make the two sides equal by hand".to_owned(),
    };
    let todo = match hold.reason {
        HoldReason::Ask => take,
        HoldReason::Refused => {
            "correct the value at its source, or what the other side allows".to_owned()
        }
        HoldReason::Unmapped => {
            "give the value a counterpart in the mapping, or change it".to_owned()
        }
        HoldReason::Altered => {
            "find the automation that rewrites it, or declare a `tolerance:`".to_owned()
        }
        HoldReason::NotKept => {
            "find the automation or the missing permission that keeps the old value".to_owned()
        }
        HoldReason::Guard => "`tandem approve` shows what waits and lets it through".to_owned(),
        HoldReason::Unreadable => "correct the value at its source".to_owned(),
        HoldReason::Unresolved => {
            "nothing: it goes on when the record it refers to is linked".to_owned()
        }
        HoldReason::Undone => {
            "edit one of the two sides, and it is synced again; or undo the undo".to_owned()
        }
        HoldReason::Oscillation => format!("stop the automation that changes it back, or {take}"),
    };
    Obstacle::new(Kind::Held, what, todo).since(hold.since)
}

/// Why a record that is in no pair is in none.
pub fn of_loose(loose: &LooseFacts, known: Option<&Known>, now: Timestamp) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let (side, name) = (loose.key.side, loose.key.mapping.to_string());
    if known.is_none_or(|known| !known.active) {
        found.push(mapping_off(&name));
    }
    if let Some(id) = loose.became.last() {
        let what = format!("It was merged or converted and lives on as {id}, which is in no pair.");
        found.push(Obstacle::new(
            Kind::Merged,
            what,
            format!("`tandem explain {name} {id}`"),
        ));
    }
    found.extend(loose.tombstones.iter().map(of_tombstone));
    found.extend(loose.letters.iter().map(of_letter));
    found.extend(loose.waiting.iter().map(|work| of_work(work, now)));
    if found.is_empty() {
        let mapping = known.and_then(|known| known.mapping.as_ref());
        let reasons = mapping.map_or_else(Vec::new, |mapping| unpaired(mapping, side));
        let what = format!(
            "It was read and is in no pair under `{name}`. The store does not keep why; by the \
             mapping it can be that {}.",
            reasons.join("; or that ")
        );
        found.push(Obstacle::new(
            Kind::Unpaired,
            what,
            "`--live` reads the record and tells",
        ));
    }
    found
}

/// What the mapping says about records without a partner.
fn unpaired(mapping: &Mapping, side: Side) -> Vec<String> {
    let other = side.other();
    let mut reasons = Vec::new();
    if let Some(only) = mapping.only.get(side) {
        reasons.push(format!("it does not pass the filter `only: {}`", only.text));
    }
    let pairs = mapping.matches.iter();
    let keys: Vec<String> = pairs
        .map(|one| format!("{} and {}", one.hubspot, one.salesforce))
        .collect();
    let alone = match keys.is_empty() {
        true => "no partner is looked for".to_owned(),
        false => format!(
            "no {} record has the same {}",
            other.title(),
            keys.join(", or ")
        ),
    };
    let direction = mapping.direction;
    let create = match mapping.create.get(other) {
        _ if !direction.allows(other) => {
            format!(
                "the mapping goes one way and makes no records in {}",
                other.title()
            )
        }
        Create::Never => format!("none is made in {} (`create: never`)", other.title()),
        Create::When(when) => {
            format!(
                "it does not meet the condition to be made in {}: `{}`",
                other.title(),
                when.text
            )
        }
        Create::Always => format!("the next run makes it in {}", other.title()),
    };
    reasons.push(format!("{alone}, and {create}"));
    if let Some(group) = &mapping.group {
        reasons.push(format!(
            "another mapping of its group `{group}` is to take it"
        ));
    }
    reasons
}

/// A field that no rule is about.
pub fn no_rule(mapping: &str, field: &str, close: Option<String>, known: &[String]) -> Obstacle {
    let what = format!("No rule of `{mapping}` is about `{field}`, so it is not synced.");
    let todo = match close {
        Some(close) => format!("did you mean `{close}`? Otherwise add a rule to the mapping"),
        None => format!(
            "add a rule to the mapping; its rules are {}",
            known.join(", ")
        ),
    };
    Obstacle::new(Kind::NoRule, what, todo)
}

pub fn rule_gone(mapping: &str, rule: &str) -> Obstacle {
    let what = format!("The mapping `{mapping}` has no rule `{rule}` any more: it is not synced.");
    Obstacle::new(
        Kind::RuleGone,
        what,
        "add the rule again if that was not meant",
    )
}
