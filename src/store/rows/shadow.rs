//! Rows of what a run that only observes would have written.

use serde::Serialize;
use sqlx::FromRow;

use crate::model::{BySide, Fields, IntentKind, MappingName, RecordId, Side, Timestamp};
use crate::store::doc::{self, Values};
use crate::store::shadow::{ShadowState, ShadowWrite};

use super::{Fault, side_of};

#[derive(Serialize, FromRow)]
pub(in crate::store) struct ShadowDb {
    pub shadow_id: String,
    mapping: String,
    side: String,
    kind: String,
    record_id: String,
    rule: String,
    first_at: i64,
    state: String,
    ended_at: Option<i64>,
    reason: String,
    vals: String,
}

impl ShadowDb {
    pub fn of(write: ShadowWrite) -> Self {
        let mut inputs = BySide::<Fields>::default();
        *inputs.get_mut(write.side) = write.before;
        *inputs.get_mut(write.side.other()) = write.from;
        let values = Values {
            base: None,
            inputs,
            wrote: Some((write.side, write.after)),
            loser: write.found,
        };
        Self {
            shadow_id: write.id,
            mapping: write.mapping.as_str().to_owned(),
            side: write.side.as_str().to_owned(),
            kind: write.kind.as_str().to_owned(),
            record_id: write.record.as_str().to_owned(),
            rule: write.rule,
            first_at: write.first_at.micros(),
            state: write.state.as_str().to_owned(),
            ended_at: write.ended_at.map(Timestamp::micros),
            reason: write.reason,
            vals: doc::values_text(&values),
        }
    }
}

impl TryFrom<ShadowDb> for ShadowWrite {
    type Error = Fault;

    fn try_from(row: ShadowDb) -> Result<Self, Fault> {
        let side: Side = side_of(&row.side)?;
        let mut values = doc::values_from(&row.vals)?;
        let kind = IntentKind::parse(&row.kind);
        let state = ShadowState::parse(&row.state);
        Ok(Self {
            id: row.shadow_id,
            mapping: MappingName::new(row.mapping),
            side,
            kind: kind.ok_or_else(|| format!("no write is a {:?}", row.kind))?,
            record: RecordId::new(row.record_id),
            rule: row.rule,
            first_at: Timestamp::from_micros(row.first_at),
            state: state.ok_or_else(|| format!("no state is named {:?}", row.state))?,
            ended_at: row.ended_at.map(Timestamp::from_micros),
            reason: row.reason,
            before: std::mem::take(values.inputs.get_mut(side)),
            from: std::mem::take(values.inputs.get_mut(side.other())),
            after: values.wrote.map(|(_, after)| after).unwrap_or_default(),
            found: values.loser,
        })
    }
}
