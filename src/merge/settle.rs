//! What became of one rule's write, judged by what the destination holds afterwards.

use super::seen::same;
use super::within;
use crate::model::{Tolerance, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Settled {
    /// The destination holds what was sent, or a tolerated form of it. The base becomes the source
    /// as it was read for the decision, and the destination as it was read back.
    Applied,
    /// The old value is still there and nobody said the write had been done. The intent closes,
    /// the base stays, and the rule is planned again.
    NotApplied,
    /// The destination said yes and kept the old value. The rule is held.
    NotKept,
    /// The destination said yes and stored something that is neither. The rule is held.
    Altered,
    /// No answer came, and the destination holds something that is neither. Somebody may have
    /// edited after our write or instead of it: the base stays, so that the next plan meets both
    /// values as a conflict and keeps the one that loses.
    Overtaken,
    /// Our value was there, and somebody has written over it since. The base becomes what our
    /// write left, so that the later edit travels back. Never the word of [`settle`], which knows
    /// the present only: it takes a look at the history or at who changed the record last.
    Followed,
}

/// Judges one rule of one intent. `before` is the destination's value that the decision was taken
/// from, never a later one. `acknowledged`: the platform answered that this write was done; false
/// for a failure that may have been applied and for a reply that never came.
pub fn settle(
    sent: &Value,
    before: &Value,
    stored: &Value,
    acknowledged: bool,
    tolerances: &[Tolerance],
) -> Settled {
    if same(stored, sent) {
        return Settled::Applied;
    }
    let old = same(stored, before);
    // The old value may itself be a tolerated form of the new one. Without an answer that proves
    // nothing, and a second write costs less than a base that was never reached.
    if old && !acknowledged {
        return Settled::NotApplied;
    }
    if within(tolerances, sent, stored) {
        return Settled::Applied;
    }
    match (old, acknowledged) {
        (true, _) => Settled::NotKept,
        (false, true) => Settled::Altered,
        (false, false) => Settled::Overtaken,
    }
}
