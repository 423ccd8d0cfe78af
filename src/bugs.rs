//! Deliberate bugs that tests plant, one at a time, to see that they are caught.
//!
//! Each stands at the place that it breaks, behind [`on`]. A release build has none: there `on` is
//! `false` before the compiler looks at what it guards. `docs/correctness.md` says which check
//! catches which.

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    BaseAdvancedBeforeTheWrite,
    BasesNotStored,
    OneSharedBaseHalf,
    OvertakenTakenForApplied,
    AlteredTakenForApplied,
    OwnWriteBelieved,
    CursorCommittedBeforeMarks,
    EpochIgnored,
    IntentNotCommitted,
    IntentNotClosed,
    LeftOpenIntentsForgotten,
    GraceNotWaitedFor,
    UnknownOutcomeTakenForFailure,
    UnknownOutcomeTakenForSuccess,
    PartnerMarkTakenAfterTheRead,
    CreateWithoutKey,
    LoserNotStored,
    HoldNotStored,
    DeadLetterNotWritten,
    TransientGivenUp,
    FailedReadTakenForDone,
    GuardIgnored,
    DeletePolicyIgnored,
    DeleteBeatsEdit,
    DeletedTakenForLive,
    TombstoneIgnored,
    RetryAfterIgnored,
    LatePassLeftOut,
    ExpiredCallSent,
    ResultsMatchedByPosition,
    HalfAUnionAgreed,
    RuleLeftOutOfRest,
    ParentsLinkWakesNobody,
    BlockedTakenForDone,
    CreatedRecordNotLinked,
    StockNotWaitedFor,
    /// Planning a record one of whose values is `poison` panics. Not one that must be caught: it
    /// shows what a panic costs.
    PanicInPlan,
}

impl Bug {
    /// Those that the tests must catch.
    pub const ALL: [Self; 36] = [
        Self::BaseAdvancedBeforeTheWrite,
        Self::BasesNotStored,
        Self::OneSharedBaseHalf,
        Self::OvertakenTakenForApplied,
        Self::AlteredTakenForApplied,
        Self::OwnWriteBelieved,
        Self::CursorCommittedBeforeMarks,
        Self::EpochIgnored,
        Self::IntentNotCommitted,
        Self::IntentNotClosed,
        Self::LeftOpenIntentsForgotten,
        Self::GraceNotWaitedFor,
        Self::UnknownOutcomeTakenForFailure,
        Self::UnknownOutcomeTakenForSuccess,
        Self::PartnerMarkTakenAfterTheRead,
        Self::CreateWithoutKey,
        Self::LoserNotStored,
        Self::HoldNotStored,
        Self::DeadLetterNotWritten,
        Self::TransientGivenUp,
        Self::FailedReadTakenForDone,
        Self::GuardIgnored,
        Self::DeletePolicyIgnored,
        Self::DeleteBeatsEdit,
        Self::DeletedTakenForLive,
        Self::TombstoneIgnored,
        Self::RetryAfterIgnored,
        Self::LatePassLeftOut,
        Self::ExpiredCallSent,
        Self::ResultsMatchedByPosition,
        Self::HalfAUnionAgreed,
        Self::RuleLeftOutOfRest,
        Self::ParentsLinkWakesNobody,
        Self::BlockedTakenForDone,
        Self::CreatedRecordNotLinked,
        Self::StockNotWaitedFor,
    ];
}

#[cfg(debug_assertions)]
mod planted {
    use std::cell::Cell;

    use super::Bug;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Breaks one thing for this thread, or mends it again.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    pub fn on(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(debug_assertions)]
pub use planted::{on, plant};

/// Nothing is ever broken on purpose in what people run.
#[cfg(not(debug_assertions))]
pub const fn on(_: Bug) -> bool {
    false
}
