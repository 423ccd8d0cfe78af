//! A HubSpot portal as a local server: stateful, with the rules, limits and quirks of `hubspot.md`.
//!
//! `api` speaks HTTP, `doors` is for callers in the same process, and everything below them is one
//! [`State`] behind one lock. Shares no code with the client of the product.

mod api;
mod assoc_types;
mod associations;
mod auth;
mod authorize;
mod catalog;
mod doors;
mod failure;
mod filter;
mod index;
mod kind;
mod limits;
mod log;
mod merge;
mod mishap;
mod notice;
mod options;
mod owners;
mod pipelines;
mod property;
mod record;
mod render;
mod search;
mod signature;
mod state;
mod table;
mod value;
mod webhooks;
mod write;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat};

pub use doors::{HistoryEntry, SimRecord};
pub use log::{Counters, LoggedRequest};
pub use options::HubSpotOptions;
pub use signature::{sign_v1, sign_v3};
pub use webhooks::{Subscription, WebhookSettings};

use super::SimClock;
use super::faults::{FaultCounts, Switch};
use kind::ObjectKind;
use state::State;

/// Called with object type and id after an API call has written a record, before it is answered.
pub type WriteHook = Box<dyn Fn(&str, &str) + Send>;

/// One simulated portal; its clones share it.
#[derive(Clone)]
pub struct HubSpotSim {
    inner: Arc<Inner>,
}

struct Inner {
    /// Held for the length of one call and never over an await.
    state: Mutex<State>,
    hook: Mutex<Option<WriteHook>>,
}

impl HubSpotSim {
    pub fn new(clock: SimClock, options: HubSpotOptions) -> Self {
        Self {
            inner: Arc::new(Inner {
                state: Mutex::new(State::new(clock, options)),
                hook: Mutex::new(None),
            }),
        }
    }

    /// The portal's HTTP face, ready to be served or to be called in process.
    pub fn router(&self) -> axum::Router {
        self.with(|state| state.clock.clone())
            .dated(api::router(self))
    }

    pub fn portal_id(&self) -> u64 {
        self.with(|state| state.portal_id)
    }

    /// Replaces the fault switches; those of the other side are left out.
    pub fn set_faults(&self, switches: &[Switch]) {
        self.with(|state| state.faults.set(switches));
    }

    /// How often faults struck since the portal began.
    pub fn fault_counts(&self) -> FaultCounts {
        self.with(|state| FaultCounts {
            pending: state.due.len(),
            ..state.faults.counts()
        })
    }

    /// Sets what happens between an API write and its answer. The hook may use the direct doors;
    /// it must not set a hook.
    pub fn set_write_hook(&self, hook: Option<WriteHook>) {
        *self
            .inner
            .hook
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = hook;
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self
            .inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.do_what_is_due();
        act(&mut state)
    }

    fn tell_hook(&self, written: &[(ObjectKind, u64)]) {
        let hook = self
            .inner
            .hook
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(hook) = &*hook {
            for (kind, id) in written {
                hook(kind.plural(), &id.to_string());
            }
        }
    }
}

/// How the platform writes a moment: UTC with milliseconds, which are left out when they are zero
/// (`hubspot.md 4.2`).
fn stamp(millis: i64) -> String {
    let precision = if millis % 1_000 == 0 {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Millis
    };
    let at = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    at.to_rfc3339_opts(precision, true)
}
