//! Both CRMs as local servers: stateful, on loopback, with the real rules of the platforms.
//!
//! Stands apart from the house: it shares no code with `crm/`, so that a misreading of the platform
//! is not made twice. It may use the clock and `model::Timestamp`, and nothing else of ours.

mod consent;
pub mod faults;
pub mod hubspot;
mod line;
mod push;
pub mod salesforce;
pub mod seed;
mod server;

pub use push::{PushRequest, Pushing};
pub use server::{Running, SimClock, serve};
