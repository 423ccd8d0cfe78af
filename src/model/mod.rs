//! The words of the domain as types.
//!
//! Imports nothing of ours and does no I/O. A type belongs here when at least two floors of the
//! house speak of it; the JSON of a CRM or the rows of the store do not.

mod time;

pub use time::Timestamp;
