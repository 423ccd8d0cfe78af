//! Tandem keeps a HubSpot portal and a Salesforce org in step, both ways.
//!
//! ARCHITECTURE.md says which module does what and who may import whom; `tests/tidy.rs` keeps it.

pub mod cli;
pub mod clock;
pub mod config;
pub mod mapping;
pub mod model;
pub mod sim;
pub mod store;
pub mod telemetry;
