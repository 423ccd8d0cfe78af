//! Tandem keeps a HubSpot portal and a Salesforce org in step, both ways.

pub mod cli;
pub mod clock;
pub mod model;
pub mod sim;
