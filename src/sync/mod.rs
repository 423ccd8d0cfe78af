//! Joins it all for a batch of dirty records of one mapping: read both sides, plan, write, settle.
//!
//! The road, in order: [`fold`] marks into units, settle what an earlier attempt left open, read
//! the marked records, stop where nothing moved, find partners for records without a link, read
//! the rest, [`follow`] merges and conversions, judge what is gone, [`plan`] each unit, commit,
//! then write and settle per call.
//! Every remote write goes through [`write`] and its [`call`]; nothing else in the product writes
//! to a CRM.

mod ahead;
mod associate;
mod audit;
mod call;
mod carry;
mod choices;
mod compare;
mod convert;
mod create;
mod desk;
mod fold;
mod follow;
mod forecast;
mod frozen;
mod gone;
mod guard;
mod input;
mod kin;
mod lag;
mod left;
mod load;
mod lookup;
mod matching;
mod observe;
mod oscillation;
mod outcome;
mod passage;
mod pause;
mod plan;
mod refused;
mod replies;
mod report;
mod revisions;
mod roles;
mod screen;
mod sets;
mod settle;
mod shadow;
mod single;
mod survivor;
mod tally;
mod times;
mod trail;
mod undo;
mod unit;
mod write;

pub use compare::{Compared, Difference, Filled, Matched, Part, PlannedValues, Why, compare};
pub use create::CREATED;
pub use desk::{Desk, Limits, Mode, Planning};
pub use forecast::Forecast;
pub use frozen::{Fate, Frozen, Row};
pub use gone::ARCHIVED;
pub use lag::Lag;
pub use load::ReadError;
pub use observe::Planned;
pub use pause::PAUSE_MILLIS;
pub use single::{Foreseen, Given, Stop, single};
pub use tally::{Results, Tally, VerdictClass};
pub use undo::UNDONE;

use crate::bugs::{self, Bug};
use crate::model::MappingName;
use crate::store::{Claimed, StoreError};

/// Does one attempt for marks of one mapping. Every claimed mark ends in a stored verdict.
pub async fn reconcile(
    desk: &mut Desk<'_>,
    mapping: &MappingName,
    claimed: Vec<Claimed>,
) -> Result<(), StoreError> {
    let Some(bound) = desk.site.mappings.get(mapping) else {
        return report::drop_orphans(desk, claimed).await;
    };
    let mut batch = fold::fold(desk, bound, claimed.clone()).await?;
    if let Err(error) = prepare(desk, bound, &mut batch).await {
        if error.may_be_one_record() && claimed.len() > 1 {
            return halves(desk, mapping, claimed).await;
        }
        let end = match bugs::on(Bug::FailedReadTakenForDone) {
            true => unit::End::Done,
            false => error.ends()?,
        };
        batch.fail(end);
    }
    plan::plan(desk, bound, &mut batch).await?;
    carry::carry_out(desk, bound, batch).await
}

/// One record that cannot even be read must not fail its neighbours: the batch is halved until it
/// stands alone. What a half has stored already is found there by the next one.
async fn halves(
    desk: &mut Desk<'_>,
    mapping: &MappingName,
    mut claimed: Vec<Claimed>,
) -> Result<(), StoreError> {
    let right = claimed.split_off(claimed.len() / 2);
    Box::pin(reconcile(desk, mapping, claimed)).await?;
    Box::pin(reconcile(desk, mapping, right)).await
}

/// Everything that must be known before a plan can be made. An error here is a failed read: it
/// fails the units that are still open, and those that ended before keep their end.
async fn prepare(
    desk: &mut Desk<'_>,
    bound: &crate::mapping::Bound,
    batch: &mut unit::Batch,
) -> Result<(), load::ReadError> {
    left::left_open(desk, bound, batch).await?;
    fold::join_partners(desk, bound, batch).await?;
    screen::leave_linked_to_peers(desk, bound, batch).await?;
    screen::wait_for_stock(desk, bound, batch).await?;
    load::marked(desk, bound, batch).await?;
    matching::find_partners(desk, bound, batch).await?;
    lookup::before_creating(desk, bound, batch).await?;
    fold::join_partners(desk, bound, batch).await?;
    load::others(desk, bound, batch).await?;
    follow::follow(desk, bound, batch).await?;
    gone::judge(desk, bound, batch).await?;
    Ok(())
}
