//! Tandem keeps a HubSpot portal and a Salesforce org in step, both ways.
//!
//! A change seen in either CRM becomes a mark, a mark becomes a plan, a plan becomes intents, and
//! intents become writes that are settled by what the CRM then holds. ARCHITECTURE.md walks the
//! whole road; each module opens with what it is and what it may not do.

pub mod api;
pub mod app;
pub mod bugs;
pub mod cases;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crm;
pub mod explain;
pub mod inventory;
pub mod mapping;
pub mod merge;
pub mod model;
pub mod notices;
pub mod pipeline;
pub mod prepare;
pub mod retry;
pub mod review;
pub mod sim;
pub mod sources;
pub mod store;
pub mod sync;
pub mod telemetry;
pub mod vault;
