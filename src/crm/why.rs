//! Why nothing may be sent yet, in words: what happened, and who can do something about it.

use super::gate::Why;
use crate::model::{ErrorClass, Failure, Side, Timestamp};

impl Why {
    /// Work is put off, so that other work can go on. For anything else the lane itself waits: it
    /// is a matter of seconds.
    pub fn parks(self) -> bool {
        match self {
            Self::Window | Self::Asked => false,
            Self::Share
            | Self::Spent
            | Self::Allowance
            | Self::Moving
            | Self::Failing
            | Self::Login => true,
        }
    }

    pub fn code(self) -> &'static str {
        match self {
            Self::Window | Self::Asked => "not-before",
            Self::Share => "daily-share",
            Self::Spent => "allowance-nearly-spent",
            Self::Allowance => "daily-limit",
            Self::Moving => "account-moving",
            Self::Failing => "breaker-open",
            Self::Login => "credentials-refused",
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Window => "our own rate gate is closed, so nothing was sent",
            Self::Asked => "the CRM asked us to wait, so nothing was sent",
            Self::Share => "our share of the day's calls is used up, so nothing was sent",
            Self::Spent => {
                "most of the day's calls are used up, by this or other programs, and the rest is \
                 left to more urgent work"
            }
            Self::Allowance => "the daily limit of calls is reached; it goes on when it is reset",
            Self::Moving => {
                "HubSpot is moving the account to another data centre and takes no calls until \
                 that is done; nobody needs to do anything"
            }
            Self::Failing => {
                "most calls failed, so it gets a rest; one call now and then shows when it is back"
            }
            Self::Login => {
                "the credentials were refused; whoever connected it has to renew them, and the \
                 work goes on from here"
            }
        }
    }

    fn class(self) -> ErrorClass {
        match self {
            Self::Login => ErrorClass::Auth,
            Self::Failing => ErrorClass::Transient,
            Self::Window
            | Self::Asked
            | Self::Share
            | Self::Spent
            | Self::Allowance
            | Self::Moving => ErrorClass::Rate,
        }
    }

    /// What is told of work that is put off until `at`.
    pub fn failure(self, side: Side, at: Timestamp) -> Failure {
        Failure {
            class: self.class(),
            code: self.code().to_owned(),
            message: format!("{}: {} (next look {at})", side.title(), self.words()),
            fields: Vec::new(),
        }
    }
}
