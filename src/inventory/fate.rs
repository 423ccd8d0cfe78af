//! What becomes of a record at the first run, each in one word, so that the words add up to all.

use std::collections::BTreeSet;

use crate::mapping::{Bound, Create};
use crate::model::{Record, RecordId, Side};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Has its partner.
    Paired,
    /// A record is made from it on the other side.
    Created,
    /// Waits for a person.
    Person,
    /// Waits for another record.
    Waiting,
    /// Another mapping of the group has it.
    Elsewhere,
    /// Has no partner and gets none.
    Alone(Alone),
    /// `only` leaves it out.
    Outside,
}

/// Why a record gets no partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alone {
    /// The mapping never writes to the other side.
    OneWay,
    /// `create` says never.
    Never,
    /// The condition of `create` does not hold.
    Condition,
    /// It matches a record of another mapping of its group.
    Peer,
}

/// What the engine and the store know of the records of a page.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub linked: BTreeSet<RecordId>,
    pub elsewhere: BTreeSet<RecordId>,
    pub created: BTreeSet<RecordId>,
    pub person: BTreeSet<RecordId>,
    pub waiting: BTreeSet<RecordId>,
}

impl Fate {
    /// In the order in which they are told.
    pub const ALL: [Self; 10] = [
        Self::Paired,
        Self::Elsewhere,
        Self::Created,
        Self::Person,
        Self::Waiting,
        Self::Alone(Alone::Condition),
        Self::Alone(Alone::Never),
        Self::Alone(Alone::OneWay),
        Self::Alone(Alone::Peer),
        Self::Outside,
    ];

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.as_str() == text)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paired => "paired",
            Self::Created => "created",
            Self::Person => "needs-a-person",
            Self::Waiting => "waiting",
            Self::Elsewhere => "paired-by-another-mapping",
            Self::Alone(Alone::OneWay) => "alone-one-way",
            Self::Alone(Alone::Never) => "alone-never-created",
            Self::Alone(Alone::Condition) => "alone-condition",
            Self::Alone(Alone::Peer) => "alone-another-mapping",
            Self::Outside => "outside-the-filter",
        }
    }

    /// Whether its values go to the other side, now or once somebody has decided.
    pub(super) const fn travels(self) -> bool {
        match self {
            Self::Paired | Self::Created | Self::Person | Self::Waiting => true,
            Self::Elsewhere | Self::Alone(_) | Self::Outside => false,
        }
    }
}

pub(super) fn of(bound: &Bound, side: Side, record: &Record, known: &Known) -> Fate {
    let id = &record.id;
    if known.linked.contains(id) {
        return Fate::Paired;
    }
    if known.created.contains(id) {
        return Fate::Created;
    }
    if known.person.contains(id) {
        return Fate::Person;
    }
    if bound.takes_part(side, &record.fields) == Ok(false) {
        return Fate::Outside;
    }
    if known.elsewhere.contains(id) {
        return Fate::Elsewhere;
    }
    if known.waiting.contains(id) {
        return Fate::Waiting;
    }
    Fate::Alone(alone(bound, side, record))
}

/// The engine made nothing of it, and this is why.
fn alone(bound: &Bound, side: Side, record: &Record) -> Alone {
    let on = side.other();
    let mapping = bound.mapping();
    if !mapping.direction.allows(on) {
        return Alone::OneWay;
    }
    match mapping.create.get(on) {
        Create::Never => Alone::Never,
        Create::When(_) if bound.may_create(on, &record.fields) != Ok(true) => Alone::Condition,
        Create::When(_) | Create::Always => Alone::Peer,
    }
}
