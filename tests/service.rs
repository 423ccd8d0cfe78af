//! The service as a whole in one process: API, vault, connections, webhooks, engines.
//!
//! Requests go straight into the router and from there into both simulators; the clock is moved by
//! hand, so there is no sleep, and a socket only where it is about sockets.

#[path = "service/bulk.rs"]
mod bulk;
#[path = "service/connect.rs"]
mod connect;
#[path = "service/crowd.rs"]
mod crowd;
#[path = "service/hostile.rs"]
mod hostile;
#[path = "service/house.rs"]
mod house;
#[path = "service/keys.rs"]
mod keys;
#[path = "service/limits.rs"]
mod limits;
#[path = "service/lists.rs"]
mod lists;
#[path = "service/looks.rs"]
mod looks;
#[path = "service/mappings.rs"]
mod mappings;
#[path = "service/metrics.rs"]
mod metrics;
#[path = "service/notices.rs"]
mod notices;
#[path = "service/owners.rs"]
mod owners;
#[path = "service/pace.rs"]
mod pace;
#[path = "service/pauses.rs"]
mod pauses;
#[path = "service/plans.rs"]
mod plans;
#[path = "service/prepare.rs"]
mod prepare;
#[path = "service/repeats.rs"]
mod repeats;
#[path = "service/review.rs"]
mod review;
#[path = "service/revisions.rs"]
mod revisions;
#[path = "service/runs.rs"]
mod runs;
#[path = "service/scopes.rs"]
mod scopes;
#[path = "service/surveys.rs"]
mod surveys;
#[path = "service/vault.rs"]
mod vault;
#[path = "service/webhooks.rs"]
mod webhooks;
#[path = "service/workspaces.rs"]
mod workspaces;
