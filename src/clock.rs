//! Time and chance, the two things a replayable run must be handed from outside.
//!
//! This is the only module that reads the system clock or draws a seed. Everything above it is
//! given a [`Clock`] and a [`Chance`]; with a manual clock and a fixed seed, a run repeats exactly.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use crate::model::Timestamp;

/// Where the present moment comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    /// Stands still until somebody moves it.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.micros())))
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that reads the system clock"
    )]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::from_micros(chrono::Utc::now().timestamp_micros()),
            Self::Manual(at) => Timestamp::from_micros(at.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock forward. A system clock cannot be moved; the call does nothing there.
    pub fn advance_millis(&self, millis: i64) {
        if let Self::Manual(at) = self {
            at.fetch_add(millis * 1_000, Ordering::SeqCst);
        }
    }
}

/// A seeded source of chance, shared by its clones.
#[derive(Clone, Debug)]
pub struct Chance(Arc<Mutex<fastrand::Rng>>);

impl Chance {
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))))
    }

    /// A source that no two processes share.
    pub fn from_entropy() -> Self {
        Self(Arc::new(Mutex::new(fastrand::Rng::new())))
    }

    /// Uniform in `0..bound`; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.with(|rng| rng.u64(0..bound))
        }
    }

    pub fn u128(&self) -> u128 {
        self.with(|rng| rng.u128(..))
    }

    fn with<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        let mut rng = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        draw(&mut rng)
    }
}

/// Makes identifiers that sort by creation time: UUIDv7 built from the clock and the seed.
#[derive(Clone, Debug)]
pub struct Ids {
    clock: Clock,
    chance: Chance,
}

impl Ids {
    pub fn new(clock: Clock, chance: Chance) -> Self {
        Self { clock, chance }
    }

    /// The hyphen-free text of a new UUIDv7.
    pub fn next(&self) -> String {
        let millis = u64::try_from(self.clock.now().millis()).unwrap_or(0);
        let random = self.chance.u128().to_be_bytes();
        let mut tail = [0_u8; 10];
        tail.copy_from_slice(&random[..10]);
        uuid::Builder::from_unix_timestamp_millis(millis, &tail)
            .into_uuid()
            .simple()
            .to_string()
    }
}
