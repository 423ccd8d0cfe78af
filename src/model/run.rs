//! How a run ended: of a command, or of the service from opening a workspace to putting it away.

/// What became of a run, for people; [`RunEnd`] says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    Finished,
    Stopped,
    Failed,
    CutOff,
}

impl RunOutcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::CutOff => "cut-off",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// Nothing was due.
    Finished,
    /// The process was told to stop.
    Interrupted,
    /// Somebody paused the workspace.
    Paused,
    /// The mappings, the credentials or what the workspace may do were changed.
    Changed,
    CredentialsRefused,
    /// One of the CRMs could not be read.
    Unread,
    StoreFailed,
    /// Nobody said how: the process died, or its store was gone.
    CutOff,
}

impl RunEnd {
    const ALL: [Self; 8] = [
        Self::Finished,
        Self::Interrupted,
        Self::Paused,
        Self::Changed,
        Self::CredentialsRefused,
        Self::Unread,
        Self::StoreFailed,
        Self::CutOff,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Interrupted => "interrupted",
            Self::Paused => "paused",
            Self::Changed => "changed",
            Self::CredentialsRefused => "credentials-refused",
            Self::Unread => "unread",
            Self::StoreFailed => "store-failed",
            Self::CutOff => "cut-off",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.as_str() == text)
    }

    pub const fn outcome(self) -> RunOutcome {
        match self {
            Self::Finished => RunOutcome::Finished,
            Self::Interrupted | Self::Paused | Self::Changed => RunOutcome::Stopped,
            Self::CredentialsRefused | Self::Unread | Self::StoreFailed => RunOutcome::Failed,
            Self::CutOff => RunOutcome::CutOff,
        }
    }

    /// The reason, where the outcome does not say it all.
    pub fn why(self) -> Option<&'static str> {
        match self.outcome() {
            RunOutcome::Stopped | RunOutcome::Failed => Some(self.as_str()),
            RunOutcome::Finished | RunOutcome::CutOff => None,
        }
    }
}
