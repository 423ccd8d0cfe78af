//! What was asked of the simulator: the last requests, and exact counters.

use std::collections::{BTreeMap, VecDeque};

use crate::model::Timestamp;

const KEPT: usize = 10_000;

/// One API request as it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub status: u16,
    pub at: Timestamp,
    /// The `category` of an error body.
    pub category: Option<String>,
}

/// Exact totals since the simulator started; direct doors and test control are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// API calls, refused ones included.
    pub calls: u64,
    /// By kind of call, for example `objects.batch_read`.
    pub calls_by_family: BTreeMap<String, u64>,
    pub calls_by_status: BTreeMap<u16, u64>,
    pub records_created: u64,
    /// Updates that changed at least one value.
    pub records_updated: u64,
    /// Updates whose every property was stored already.
    pub noop_updates: u64,
    pub records_archived: u64,
    pub records_merged: u64,
    pub associations_written: u64,
    /// Calls answered with 429.
    pub rate_limited: u64,
}

#[derive(Debug, Default)]
pub(super) struct RequestLog {
    pub counters: Counters,
    pub requests: VecDeque<LoggedRequest>,
}

impl RequestLog {
    pub fn add(&mut self, family: &'static str, request: LoggedRequest) {
        let counters = &mut self.counters;
        counters.calls += 1;
        *counters
            .calls_by_family
            .entry(family.to_owned())
            .or_default() += 1;
        *counters.calls_by_status.entry(request.status).or_default() += 1;
        counters.rate_limited += u64::from(request.status == 429);
        if self.requests.len() >= KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }
}
