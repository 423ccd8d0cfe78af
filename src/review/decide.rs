//! What a person decided, as changes for one commit. Pure: rows in, changes out.

use std::collections::BTreeMap;

use crate::clock::Ids;
use crate::model::{
    ApprovalId, Cause, Choice, ConflictId, Link, LinkId, RecordKey, Side, Task, Timestamp,
};
use crate::store::{
    Approval, ApprovalState, Changes, ConflictRow, ConflictState, DeadLetter, DeadLetterClose,
    DeadLetterOf, DeadLetterState, Mark, RuleScope,
};

fn asked_by_a_person(task: Task, now: Timestamp) -> Mark {
    Mark {
        task,
        cause: Cause::Person,
        not_before: now,
    }
}

/// The records of a link as work, asked for by a person.
pub fn marks_of(link: &Link, now: Timestamp) -> Vec<Mark> {
    let known = Side::BOTH.into_iter().filter_map(|side| {
        let id = link.records.get(side).clone()?;
        let mapping = link.mapping.clone();
        Some(RecordKey { mapping, side, id })
    });
    known
        .map(|key| asked_by_a_person(Task::Record(key), now))
        .collect()
}

/// Which rows a decision is about. It never reaches everything because nothing was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Each of these; what cannot be done to one of them is done to none.
    Ids(Vec<String>),
    /// Every row that a filter leaves, which may leave all of them.
    Filtered,
}

/// Why rows are not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChosenRefusal {
    #[error("both ids and a filter are given")]
    Both,
    #[error("nothing is named to act on")]
    Nothing,
}

impl Chosen {
    /// `all` is said where no filter narrows the rows down.
    pub fn of(ids: Vec<String>, is_filtered: bool, all: bool) -> Result<Self, ChosenRefusal> {
        match (ids.is_empty(), is_filtered || all) {
            (false, true) => Err(ChosenRefusal::Both),
            (false, false) => Ok(Self::Ids(ids)),
            (true, true) => Ok(Self::Filtered),
            (true, false) => Err(ChosenRefusal::Nothing),
        }
    }
}

/// Puts the work back in line. The letters stay open until an attempt has succeeded.
pub fn replay(letters: &[DeadLetter], now: Timestamp) -> Changes {
    let mut changes = Changes::default();
    for letter in letters {
        let mark = asked_by_a_person(letter.task.clone(), now);
        changes.marks.push(mark);
        // A held rule would be skipped again for as long as its values stay as they are.
        if let (Some(link), Some(rule)) = (&letter.link, &letter.rule) {
            changes.holds_closed.push((link.clone(), rule.clone()));
        }
    }
    changes
}

/// Closes the letters without doing the work.
pub fn discard(letters: &[DeadLetter], reason: &str) -> Changes {
    let close = |letter: &DeadLetter| DeadLetterClose {
        of: DeadLetterOf::Id(letter.id.clone()),
        rules: RuleScope::All,
        state: DeadLetterState::Discarded,
        why: reason.to_owned(),
    };
    Changes {
        dead_letters_closed: letters.iter().map(close).collect(),
        ..Changes::default()
    }
}

/// Why a choice cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakeRefusal {
    #[error("{0} holds on both sides already")]
    HoldsAlready(ConflictId),
    #[error("the records of {0} are no longer linked")]
    NoLongerLinked(ConflictId),
    #[error("these conflicts are about different rules; one value does not fit them all")]
    DifferentRules,
    #[error("the rule `{0}` moves several fields as one value")]
    SeveralFields(String),
}

/// A choice for conflicts, and what has to be known of them.
pub struct Take<'a> {
    pub choice: &'a Choice,
    /// The links of the conflicts.
    pub links: &'a [Link],
    /// Choices that wait to be carried out.
    pub waiting: &'a [Approval],
    pub now: Timestamp,
    pub ids: &'a Ids,
}

impl Take<'_> {
    /// Stores the choice for each conflict, and tells for which. In bulk, conflicts that nothing
    /// would come of are passed over; named one by one, they are an error.
    pub fn changes(
        &self,
        conflicts: &[ConflictRow],
        bulk: bool,
    ) -> Result<(Changes, Vec<ConflictId>), TakeRefusal> {
        if let Choice::Value(_) = self.choice {
            one_field_of_one_rule(conflicts)?;
        }
        let open = self.links.iter().filter(|link| link.state.is_open());
        let links: BTreeMap<&LinkId, &Link> = open.map(|link| (&link.id, link)).collect();
        let earlier = self.earlier();
        let mut changes = Changes::default();
        let mut taken = Vec::new();
        for conflict in conflicts {
            let link = match links.get(&conflict.link) {
                _ if self.won_already(conflict) => {
                    Err(TakeRefusal::HoldsAlready(conflict.id.clone()))
                }
                None => Err(TakeRefusal::NoLongerLinked(conflict.id.clone())),
                Some(link) => Ok(*link),
            };
            let link = match link {
                Ok(link) => link,
                Err(_) if bulk => continue,
                Err(refusal) => return Err(refusal),
            };
            let used = earlier.get(&conflict.id).into_iter().flatten();
            changes.approvals_used.extend(used.cloned());
            changes.approvals.push(self.approval(conflict));
            changes.marks.extend(marks_of(link, self.now));
            taken.push(conflict.id.clone());
        }
        Ok((changes, taken))
    }

    /// The choices that wait, by the conflict they are about: a new one takes their place.
    fn earlier(&self) -> BTreeMap<ConflictId, Vec<ApprovalId>> {
        let mut earlier: BTreeMap<ConflictId, Vec<ApprovalId>> = BTreeMap::new();
        for approval in self.waiting {
            if approval.kind == Choice::APPROVAL && approval.state == ApprovalState::Granted {
                let conflict = Choice::conflict(&approval.set_hash);
                earlier
                    .entry(conflict)
                    .or_default()
                    .push(approval.id.clone());
            }
        }
        earlier
    }

    fn won_already(&self, conflict: &ConflictRow) -> bool {
        match self.choice {
            Choice::Of(side) => {
                conflict.state == ConflictState::Decided && conflict.winner == Some(*side)
            }
            Choice::Value(_) => false,
        }
    }

    /// The stored form of a choice, see [`Choice`].
    fn approval(&self, conflict: &ConflictRow) -> Approval {
        let nonce = self.ids.next();
        let written = match self.choice {
            Choice::Of(side) => side.other(),
            Choice::Value(_) => Side::HubSpot,
        };
        Approval {
            id: ApprovalId::from_uuid(&nonce),
            mapping: conflict.mapping.clone(),
            side: written,
            kind: Choice::APPROVAL.to_owned(),
            set_hash: Choice::set_hash(&conflict.id, &nonce),
            records: Vec::new(),
            items: 1,
            detail: self.choice.as_text(),
            state: ApprovalState::Granted,
            asked_at: self.now,
            expires_at: None,
        }
    }
}

/// A typed value fits one rule, and only a rule of one field per side.
fn one_field_of_one_rule(conflicts: &[ConflictRow]) -> Result<(), TakeRefusal> {
    let Some(first) = conflicts.first() else {
        return Ok(());
    };
    let same = |other: &ConflictRow| other.mapping == first.mapping && other.rule == first.rule;
    if !conflicts.iter().all(same) {
        return Err(TakeRefusal::DifferentRules);
    }
    if first.inputs.hubspot.len() > 1 || first.inputs.salesforce.len() > 1 {
        return Err(TakeRefusal::SeveralFields(first.rule.clone()));
    }
    Ok(())
}
