//! What waits for a person: its shape for machines, and what follows when a person has decided.
//!
//! The commands and the API answer with the same words and change the same rows because both come
//! here. `shape` and `explained` turn rows into JSON, `retold` reads an explanation back from it,
//! `decide` turns decisions into changes, `pair` does so for links, and `grant` lets through what
//! a guard stopped. Nothing here takes a lease, prints or knows HTTP.

mod decide;
mod explained;
mod grant;
mod pair;
mod retold;
mod shape;

pub use decide::{Chosen, ChosenRefusal, Take, TakeRefusal, discard, marks_of, replay};
pub use explained::explained;
pub use grant::grant;
pub use pair::{PairRefusal, Pairing, pair, unpair};
pub use retold::retold;
pub use shape::{
    ApprovalJson, ConflictJson, DeadLetterJson, HoldJson, LagJson, LinkJson, RunJson, SidesJson,
    fields_json,
};
