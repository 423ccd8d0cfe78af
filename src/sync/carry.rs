//! Carries a planned batch out: commit what needs no call, then write, then store the verdicts.

use super::audit;
use super::desk::{Desk, Mode};
use super::frozen;
use super::load;
use super::observe;
use super::passage;
use super::pause;
use super::plan;
use super::report;
use super::settle::unblock_children;
use super::shadow;
use super::unit::{Batch, End, Left, Unit};
use super::write;
use crate::bugs::{self, Bug};
use crate::mapping::Bound;
use crate::model::{ErrorClass, LinkState, Side};
use crate::store::{Changes, StoreError};

pub async fn carry_out(
    desk: &mut Desk<'_>,
    bound: &Bound,
    mut batch: Batch,
) -> Result<(), StoreError> {
    desk.tally.proposed = 0;
    if desk.mode.writes() {
        let over = |unit: &&mut Unit| unit.end == Some(End::Done);
        for unit in batch.units.iter_mut().filter(over) {
            audit::end_with_pair(desk, bound, unit);
        }
    } else if matches!(desk.mode, Mode::Shadow) {
        shadow::keep(desk, bound, &mut batch).await?;
    } else {
        observe::note(desk, bound, &mut batch);
    }
    for unit in &mut batch.units {
        if unit.writes.is_empty() && unit.restores.is_empty() {
            finish(desk, unit);
        }
    }
    commit_units(desk, bound, &mut batch).await?;
    write::write_all(desk, bound, &mut batch).await?;
    if end_or_plan_on(desk, &mut batch) {
        if let Err(error) = load::ties(desk, bound, &mut batch).await {
            batch.fail(error.ends()?);
        }
        plan::plan(desk, bound, &mut batch).await?;
        write::write_all(desk, bound, &mut batch).await?;
        end_or_plan_on(desk, &mut batch);
    }
    frozen::judge(desk, bound, &batch);
    passage::settle(desk, bound, &mut batch).await?;
    commit_units(desk, bound, &mut batch).await?;
    note_decided(desk, bound, &batch);
    Ok(())
}

/// What HubSpot's search shows of these records in the next moments may be what was read here. Of
/// pairs that nothing was written to, it equals the base.
fn note_decided(desk: &Desk<'_>, bound: &Bound, batch: &Batch) {
    let unpaired = |unit: &Unit| unit.link.is_none() && unit.is_marked(Side::HubSpot);
    let over = |unit: &&Unit| unit.end == Some(End::Done) && (unit.wrote || unpaired(unit));
    if desk.mode.writes() {
        let units = batch.units.iter().filter(over);
        let read = units.filter_map(|unit| unit.read.hubspot.as_ref());
        let now = desk.site.clock.now();
        desk.site.decided.note(bound, read, now);
    }
}

/// Plans on with the pairs whose record was created with more than it was given and is settled by
/// now, so that the rest of them is written along with the others.
pub async fn plan_created(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let units = batch.units.iter().enumerate();
    let wanted = units.filter(|(_, unit)| unit.plan_on && unit.open());
    let places: Vec<usize> = wanted.map(|(at, _)| at).collect();
    if places.is_empty() {
        return Ok(());
    }
    // Apart from the others, whose plans are being carried out.
    let mut created = Batch {
        tied: std::mem::take(&mut batch.tied),
        ..Batch::default()
    };
    for at in &places {
        let mut unit = std::mem::take(&mut batch.units[*at]);
        unit.plan_on = false;
        unit.writes.clear();
        created.units.push(unit);
    }
    if let Err(error) = load::ties(desk, bound, &mut created).await {
        created.fail(error.ends()?);
    }
    plan::plan(desk, bound, &mut created).await?;
    batch.tied = created.tied;
    for (at, unit) in places.into_iter().zip(created.units) {
        batch.units[at] = unit;
    }
    Ok(())
}

/// Ends every unit but those whose record was created with more than it was given. Its values are
/// known from the create itself, so looking again would only read them once more.
fn end_or_plan_on(desk: &mut Desk<'_>, batch: &mut Batch) -> bool {
    let mut any = false;
    for unit in &mut batch.units {
        if std::mem::take(&mut unit.plan_on) && unit.open() {
            unit.writes.clear();
            any = true;
        } else {
            finish(desk, unit);
        }
    }
    any
}

/// Work is done when nothing ended it otherwise, or waits for the parent it still lacks.
fn finish(desk: &mut Desk<'_>, unit: &mut Unit) {
    if unit.open() {
        let end = match unit.left {
            Some(Left::Unplanned) => Some(frozen::left(desk, unit)),
            Some(Left::Paused) => Some(pause::left(desk)),
            None => None,
        };
        unit.end = end;
    }
    match unit.blocked_on.take().filter(|_| unit.open()) {
        Some((parent, setback)) => unit.finish(End::BlockedOn {
            parent,
            setback,
            required: false,
        }),
        None => unit.finish(End::Done),
    }
}

/// Stores what the units have gathered, in one commit, and the verdicts of those that ended.
async fn commit_units(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    for unit in batch
        .units
        .iter_mut()
        .filter(|unit| unit.end.is_some() && !unit.judged)
    {
        report::judge(desk, bound, unit);
        unit.judged = true;
    }
    let more = Changes {
        lane_state: Some(desk.crms.gates()),
        ..Changes::default()
    };
    store(desk, bound, batch, more).await
}

/// Commits what the units have gathered together with `more`. If that fails because a record is
/// linked elsewhere by now, the units are stored one by one and only the one at fault pays; then
/// `more` is the caller's to send again, and the answer is false.
pub async fn store_with(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    more: Changes,
) -> Result<bool, StoreError> {
    let mut parts = Vec::with_capacity(batch.units.len());
    let mut all = more;
    for (at, unit) in batch.units.iter_mut().enumerate() {
        let mut part = Changes::default();
        collect(unit, &mut part);
        all.append(part.clone());
        parts.push((at, part));
    }
    match desk.lane.commit(all).await {
        Err(StoreError::Conflict { .. }) => {}
        other => return other.map(|()| true),
    }
    for (at, part) in parts {
        match desk.lane.commit(part.clone()).await {
            Err(StoreError::Conflict { .. }) => {
                give_up(desk, bound, &mut batch.units[at], part).await?;
            }
            other => other?,
        }
    }
    Ok(false)
}

async fn store(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    more: Changes,
) -> Result<(), StoreError> {
    let again = more.clone();
    if store_with(desk, bound, batch, more).await? {
        return Ok(());
    }
    desk.lane.commit(again).await
}

/// Somebody else's link holds one of the unit's records. What was found out and what was closed is
/// kept; the link, and what hangs on it, is not.
async fn give_up(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    part: Changes,
) -> Result<(), StoreError> {
    unit.writes.clear();
    unit.link = None;
    unit.end = Some(End::Failed(report::setback(
        ErrorClass::Ours,
        "link-taken",
        "one of the two records was linked elsewhere at the same time".to_owned(),
    )));
    unit.changes = Changes {
        links: Vec::new(),
        bases: Vec::new(),
        holds: Vec::new(),
        intents: Vec::new(),
        verdicts: Vec::new(),
        dead_letters: Vec::new(),
        dead_letters_closed: Vec::new(),
        ..part
    };
    report::judge(desk, bound, unit);
    unit.judged = true;
    let changes = std::mem::take(&mut unit.changes);
    desk.lane.commit(changes).await
}

/// Moves what a unit has gathered into one set of changes.
pub fn collect(unit: &mut Unit, changes: &mut Changes) {
    if unit.link_dirty {
        if unit.link_state() == Some(LinkState::Linked) {
            unblock_children(unit);
        }
        unit.changes.links.extend(unit.link.clone());
        unit.link_dirty = false;
    }
    if unit.bases_dirty
        && !bugs::on(Bug::BasesNotStored)
        && let Some(link) = &unit.link
    {
        unit.changes
            .bases
            .push((link.id.clone(), unit.bases.clone()));
        unit.bases_dirty = false;
    }
    changes.append(std::mem::take(&mut unit.changes));
}
