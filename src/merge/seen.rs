//! A rule input whose two values could both be read, and the questions the deciders ask of it.
//!
//! Also builds the decisions, so that what is lost, held or left alone is answered in one place.

use super::{Agreement, Decision, Lost, Reason, RuleInput, within};
use crate::model::{Blank, BySide, Direction, HoldReason, Side, Value};

pub(super) type Outcome = (Decision, Reason);

/// Who moved away from the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Movement {
    /// There is no base.
    First,
    /// Nobody, but the base was agreed under another revision of the rule.
    RuleChanged,
    Still,
    One(Side),
    Both,
}

impl Movement {
    pub(super) const fn is_first_contact(self) -> bool {
        match self {
            Self::First | Self::RuleChanged => true,
            Self::Still | Self::One(_) | Self::Both => false,
        }
    }
}

pub(super) struct Seen<'a> {
    pub(super) input: &'a RuleInput<'a>,
    pub(super) now: BySide<&'a Value>,
    pub(super) movement: Movement,
}

/// Two blanks are the same whatever their shape: an empty set, an empty text, nothing.
pub(super) fn same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_blank() && other.is_blank())
}

impl<'a> Seen<'a> {
    /// The first side that cannot be read is the error.
    pub(super) fn read(input: &'a RuleInput<'a>) -> Result<Self, Side> {
        let now = |side: Side| input.now.get(side).as_ref().map_err(|_| side);
        let now = BySide::new(now(Side::HubSpot)?, now(Side::Salesforce)?);
        let movement = match &input.base {
            None => Movement::First,
            Some(base) => {
                let hubspot = !same(now.hubspot, &base.hubspot);
                let salesforce = !same(now.salesforce, &base.salesforce);
                match (hubspot, salesforce) {
                    (false, false) if input.rule_changed => Movement::RuleChanged,
                    (false, false) => Movement::Still,
                    (true, false) => Movement::One(Side::HubSpot),
                    (false, true) => Movement::One(Side::Salesforce),
                    (true, true) => Movement::Both,
                }
            }
        };
        Ok(Self {
            input,
            now,
            movement,
        })
    }

    fn allowed(&self) -> impl Iterator<Item = Side> {
        let direction = self.input.policy.direction;
        Side::BOTH
            .into_iter()
            .filter(move |side| direction.allows(*side))
    }

    /// Whether one side, carried in a direction the rule allows, is the other.
    pub(super) fn equal(&self) -> bool {
        let carried = |side| self.input.carried.get(side).as_ref().ok();
        let fits = |side| carried(side).is_some_and(|value| same(value, self.now.get(side)));
        if self.allowed().any(fits) {
            return true;
        }
        let something = |side| carried(side).is_some_and(|value| !value.is_blank());
        self.now.hubspot.is_blank()
            && self.now.salesforce.is_blank()
            && !self.allowed().any(something)
    }

    pub(super) fn tolerated(&self) -> bool {
        let tolerances = &self.input.policy.tolerances;
        !tolerances.is_empty()
            && self.allowed().any(|side| {
                let carried = self.input.carried.get(side).as_ref();
                carried.is_ok_and(|sent| within(tolerances, sent, self.now.get(side)))
            })
    }

    /// The reason, if any, for which `destination` may not take the other side's value although
    /// the rule's direction allows it.
    pub(super) fn barred(&self, destination: Side) -> Option<Reason> {
        let value = match self.input.carried.get(destination) {
            Ok(value) => value,
            Err(_) => self.now.get(destination.other()),
        };
        self.barred_value(destination, value)
    }

    pub(super) fn barred_value(&self, destination: Side, value: &Value) -> Option<Reason> {
        let policy = self.input.policy;
        if self.now.get(destination).is_blank() {
            return None;
        }
        if policy.once {
            return Some(Reason::WriteOnceFilled);
        }
        (policy.blank == Blank::Keep && value.is_blank()).then_some(Reason::BlankKept)
    }

    /// What a write to `destination` destroys that no agreement covered.
    pub(super) fn lost(&self, destination: Side) -> Option<Lost> {
        let value = *self.now.get(destination);
        let counts = match self.movement {
            Movement::First | Movement::RuleChanged => !value.is_blank(),
            Movement::Still => false,
            Movement::One(side) => side == destination,
            Movement::Both => true,
        };
        counts.then(|| Lost {
            loser: destination,
            value: value.clone(),
            first_contact: self.movement.is_first_contact(),
        })
    }

    /// Writes the winner's value to the other side, or holds the rule when it cannot be carried.
    pub(super) fn send(&self, winner: Side, reason: Reason) -> Outcome {
        let destination = winner.other();
        let lost = self.lost(destination);
        match self.input.carried.get(destination) {
            Err(problem) => {
                let hold = Decision::Hold {
                    reason: problem.reason,
                    detail: problem.detail.clone(),
                    conflict: lost.is_some(),
                };
                (hold, Reason::of_problem(problem.reason))
            }
            Ok(value) => {
                let mut values = BySide::default();
                *values.get_mut(destination) = Some(value.clone());
                (Decision::Write { values, lost }, self.named(reason))
            }
        }
    }

    /// [`Seen::send`], unless the destination may not take the value.
    pub(super) fn send_unless_barred(&self, winner: Side, reason: Reason) -> Outcome {
        match self.barred(winner.other()) {
            Some(why) => self.leave(why),
            None => self.send(winner, reason),
        }
    }

    /// Nothing is written. First contact must still end in a base, or the rule would be met as
    /// new for ever and the next edit would pass for a first value.
    pub(super) fn leave(&self, reason: Reason) -> Outcome {
        if self.movement.is_first_contact() {
            (
                Decision::Agree {
                    how: Agreement::Kept,
                },
                reason,
            )
        } else {
            (Decision::Skip, reason)
        }
    }

    pub(super) fn ask(&self) -> Outcome {
        let (detail, reason) = if self.movement.is_first_contact() {
            (
                "The sides hold different values and never agreed under this rule; \
                 the rule asks a person to choose.",
                Reason::FirstContactAsked,
            )
        } else {
            (
                "Both sides changed since they last agreed; the rule asks a person to choose.",
                Reason::ConflictAsked,
            )
        };
        (self.hold_for_person(detail), self.named(reason))
    }

    pub(super) fn hold_for_person(&self, detail: &str) -> Decision {
        Decision::Hold {
            reason: HoldReason::Ask,
            detail: detail.to_owned(),
            conflict: true,
        }
    }

    /// A changed rule may touch every record, so its writes are named for the guard to count.
    pub(super) fn named(&self, reason: Reason) -> Reason {
        match self.movement {
            Movement::RuleChanged => Reason::RuleChangedFirstContact,
            Movement::First | Movement::Still | Movement::One(_) | Movement::Both => reason,
        }
    }

    pub(super) fn one_way_to(&self) -> Option<Side> {
        match self.input.policy.direction {
            Direction::Both => None,
            Direction::To(side) => Some(side),
        }
    }
}
