//! The Salesforce simulator keeps the platform's rules, seen through its HTTP door.

mod access;
mod collections;
mod history;
mod lifecycle;
mod queries;
mod rights;
mod saves;
mod support;
