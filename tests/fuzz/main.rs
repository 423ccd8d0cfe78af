//! Hostile input for everything that parses what others wrote: no panic, no hang, bounded memory,
//! no half-applied effect, and no value that breaks out of the query or address it is put into.
//!
//! `README.md` beside this file says how to run longer and how to keep what was found.

mod allocation;
mod canon;
mod cases;
mod cli;
mod cursor;
mod expression;
mod headers;
mod hubspot;
mod large;
mod login;
mod mapping;
mod mutate;
mod queries;
mod replies;
mod run;
mod salesforce;
#[path = "../mapping/schemas.rs"]
mod schemas;
mod sims;
