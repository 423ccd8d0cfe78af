//! The service as a whole in one process: API, vault, connections, webhooks, engines.
//!
//! Requests go straight into the router and from there into both simulators; the clock is moved by
//! hand, so there is no socket and no sleep.

#[path = "service/connect.rs"]
mod connect;
#[path = "service/house.rs"]
mod house;
#[path = "service/keys.rs"]
mod keys;
#[path = "service/lists.rs"]
mod lists;
#[path = "service/mappings.rs"]
mod mappings;
#[path = "service/pace.rs"]
mod pace;
#[path = "service/review.rs"]
mod review;
#[path = "service/vault.rs"]
mod vault;
#[path = "service/webhooks.rs"]
mod webhooks;
#[path = "service/workspaces.rs"]
mod workspaces;
