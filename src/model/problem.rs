//! Why a value cannot be read or carried over, as data.

use super::HoldReason;

/// A value that cannot be read, or has no counterpart on the other side. Becomes a hold only if
/// the value would have to travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub reason: HoldReason,
    /// For people: which value, which field, what to do.
    pub detail: String,
}
