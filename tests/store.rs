//! The store's promises, each kept on SQLite and on PostgreSQL alike.

#[path = "store/approvals.rs"]
mod approvals;
#[path = "store/copy.rs"]
mod copy;
#[path = "store/explain.rs"]
mod explain;
#[path = "store/faults.rs"]
mod faults;
#[path = "store/findings.rs"]
mod findings;
#[path = "store/fixture.rs"]
mod fixture;
#[path = "store/inbox.rs"]
mod inbox;
#[path = "store/jobs.rs"]
mod jobs;
#[path = "store/journal.rs"]
mod journal;
#[path = "store/leases.rs"]
mod leases;
#[path = "store/links.rs"]
mod links;
#[path = "store/mappings.rs"]
mod mappings;
#[path = "store/marks.rs"]
mod marks;
#[path = "store/notices.rs"]
mod notices;
#[path = "support/postgres.rs"]
mod postgres;
#[path = "store/random.rs"]
mod random;
#[path = "store/records.rs"]
mod records;
#[path = "store/repeats.rs"]
mod repeats;
#[path = "store/service.rs"]
mod service;
#[path = "store/setup.rs"]
mod setup;
#[path = "store/shadow.rs"]
mod shadow;
