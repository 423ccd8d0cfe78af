//! Tandem keeps a HubSpot portal and a Salesforce org in step, both ways.

pub mod clock;
pub mod merge;
pub mod model;
pub mod retry;
pub mod sim;
