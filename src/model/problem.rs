//! Why a value of one rule cannot be carried: what becomes a hold.

use super::HoldReason;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub reason: HoldReason,
    pub detail: String,
}
