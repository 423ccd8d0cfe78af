//! Tandem keeps a HubSpot portal and a Salesforce org in step, both ways.

pub mod clock;
pub mod crm;
pub mod model;
pub mod sim;
