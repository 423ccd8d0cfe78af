//! Who may write where and who wins: the part of a rule that the merge reads.

use super::Side;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub direction: Direction,
    pub conflict: Conflict,
    pub first_sync: FirstSync,
    /// One-way rules only: a change at the destination is written over instead of noted as drift.
    pub enforce: bool,
    /// Written only while the destination is blank.
    pub once: bool,
    pub blank: Blank,
    pub tolerances: Vec<Tolerance>,
}

impl Policy {
    /// The later edit wins, so that somebody has to find out when each side was edited.
    pub fn compares_times(&self) -> bool {
        matches!(self.conflict, Conflict::Newest { .. })
            || matches!(self.first_sync, FirstSync::Newest { .. })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Both,
    To(Side),
}

impl Direction {
    pub fn allows(self, to: Side) -> bool {
        match self {
            Self::Both => true,
            Self::To(side) => side == to,
        }
    }
}

/// What happens when both sides moved away from the base to different values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    Wins(Side),
    Ask,
    /// The later edit wins; a tie goes to the named side.
    Newest {
        tie: Side,
    },
    /// Sets merge: each side's additions and removals are kept.
    Union,
    /// The value furthest along this list wins, at all times and never back; HubSpot's terms.
    Ratchet(Vec<String>),
}

/// What happens when there is no base yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstSync {
    Wins(Side),
    Ask,
    Newest {
        tie: Side,
    },
    /// A single blank side is filled; two differing values go to the winner, or are asked (`None`).
    FillBlanks(Option<Side>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blank {
    /// Clearing a value on one side clears it on the other.
    Travels,
    /// A blank never overwrites a value.
    Keep,
}

/// A change by the destination on save that is accepted as agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tolerance {
    Trim,
    Case,
    /// Rounded to this many digits after the point.
    Round(u32),
    /// Cut to this many characters.
    Truncate(u32),
    /// Sub-second parts dropped.
    Seconds,
    Phone,
    Html,
}
