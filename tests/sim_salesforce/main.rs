//! The Salesforce simulator keeps the platform's rules, seen through its HTTP door.

mod access;
mod collections;
mod connect;
mod history;
mod lifecycle;
mod outbound;
mod queries;
mod rights;
mod saves;
mod support;
