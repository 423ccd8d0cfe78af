//! One client per CRM: typed calls in, values or a classed error out.
//!
//! `hubspot` alone knows HubSpot's JSON and `salesforce` alone Salesforce's; what both share is how
//! a request is sent, metered and refused. Nothing here retries beyond one token refresh, sleeps,
//! spawns, or decides what to write: the pipeline does. Imports `model` and `clock` only.

mod breaker;
mod crms;
mod error;
mod gate;
mod http;
pub mod hubspot;
mod json;
mod meter;
pub mod oauth;
mod pressure;
mod renewal;
mod room;
mod rows;
pub mod salesforce;
mod text;
mod traffic;
mod why;

pub use crms::{Changed, Crms, Listing, Question, Span, Tied, joined, split_ids};
pub use error::{CrmError, ErrorKind, RateScope, Sent};
pub use gate::{Bounds, GateState, Urgency, Why};
pub use http::{BODY_CAP, Reply, Request, Transport};
pub use hubspot::HubSpot;
pub use meter::{Calls, Usage};
pub use renewal::{Access, Renewal, Token};
pub use room::{Need, Shut, kept_gates};
pub use rows::{Edit, History, RowResult, WriteRow, Written};
pub use salesforce::Salesforce;
pub use traffic::{CallCounts, CallOutcome, Counter, Day, Traffic};
