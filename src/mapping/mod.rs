//! Mapping files: the language, its faults, and the values it makes.
//!
//! Pure: text and schemas go in, mappings and canonical values come out. No clock, no I/O, no
//! async. Imports only `model`. The way through: `tree` keeps YAML with positions, `read` turns
//! it into a [`Mapping`], `bound` joins that to both CRMs' schemas and converts values.

mod bound;
mod canon;
mod expression;
mod extend;
mod fault;
mod keys;
mod lacks;
mod load;
mod needs;
mod owners;
mod poll;
mod propose;
mod read;
mod rule;
mod schema;
pub(crate) mod tree;
mod types;
mod warn;

pub use bound::{Bound, Counterpart, References, bind};
pub use canon::id18;
pub use expression::Expression;
pub use fault::{At, Fault, Severity};
pub use lacks::{Lack, lacks};
pub use load::{Loaded, SourceFile, load, load_with};
pub use needs::{Access, Needs, needs};
pub use owners::owner_table;
pub use poll::Poll;
pub use propose::{LeftOut, Pair, Proposal, Proposed, propose};
pub use rule::{
    Cell, Chain, Computed, Conversion, Country, FieldRule, MoneyRule, Otherwise, OwnerRule,
    Reference, ReferenceEnd, Row, Rule, Shape, Table, Unmatched, Values,
};
pub use schema::json_schema;
pub use types::{Create, Delete, Fold, Guard, Limit, Mapping, MatchRule, OnLeave};
