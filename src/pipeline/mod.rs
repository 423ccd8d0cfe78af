//! The durable road every piece of work takes: ingest, lanes, attempts, retry, dead letters.
//!
//! Knows marks, verdicts and mappings; knows nothing of how a CRM is spoken to. First try, retry
//! and replay go through the same functions, because all of them begin with a mark.

mod decided;
mod ingest;
mod lane;
mod poison;
mod rest;
mod rivals;
mod site;
mod stock;
mod turns;

pub use decided::Decided;
pub use ingest::{DEBOUNCE_MILLIS, Taken, keys_of, take};
pub use lane::{CLAIM_LIMIT, LANE, Lane, Setback, gates_of};
pub use poison::caught;
pub use rest::{at_rest, rule_fields};
pub use rivals::AMBIGUOUS;
pub use site::Site;
pub use stock::{BACKFILL, BackfillCursor, POLL, Passes, is_filled, is_stocked};
