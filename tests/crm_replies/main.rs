//! The clients against replies no well-behaved CRM would send: each must end as a classed error
//! or as data that is really there, never as a panic or as a record that looks deleted.

mod hubspot;
mod salesforce;
mod script;
