//! A mapping joined to both CRMs' schemas: what is read, compared, carried over and written.
//!
//! Everything here needs a schema; the words of a file alone are judged in `read`. No decision
//! about who wins: that is the merge's.

mod bind;
mod check;
mod convert;
mod fields;
mod gate;
mod names;
mod owner;
mod reads;
mod reference;
mod sample;
mod slot;
mod table;

use std::collections::BTreeMap;

use super::fault::Fault;
use super::types::Mapping;
use crate::model::{
    BySide, HoldReason, LinkId, ObjectSchema, Owner, Problem, RecordId, RecordKey, Side,
};
use slot::Plan;

pub use bind::bind;

/// A mapping that fits its schemas.
#[derive(Clone, Debug)]
pub struct Bound {
    mapping: Mapping,
    objects: BySide<ObjectSchema>,
    owners: BySide<Vec<Owner>>,
    currency: BySide<Option<String>>,
    plans: BTreeMap<String, Plan>,
    reads: BySide<Vec<String>>,
    key: BySide<Option<String>>,
    warnings: Vec<Fault>,
}

/// The links that a batch of records refers to, as the engine loaded them.
#[derive(Clone, Debug, Default)]
pub struct References {
    /// By the record on either side, under the mapping that links it.
    pub links: BTreeMap<RecordKey, LinkId>,
    pub records: BTreeMap<LinkId, BySide<Option<RecordId>>>,
}

impl Bound {
    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// Fields to request on that side: sorted, no duplicates, no associations.
    pub fn read_fields(&self, side: Side) -> &[String] {
        self.reads.get(side)
    }

    /// The field that holds the key of created records; `None` when the side has none.
    pub fn key_field(&self, side: Side) -> Option<&str> {
        self.key.get(side).as_deref()
    }
}

fn problem(reason: HoldReason, detail: impl Into<String>) -> Problem {
    Problem {
        reason,
        detail: detail.into(),
    }
}
