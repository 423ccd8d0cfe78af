//! What becomes of a row that a CRM did not take: tried later, held in part, or given up.
//!
//! Decides from the class and the kind of the error alone; sending again is `write`'s.

use std::collections::BTreeMap;

use super::audit::RESTORE;
use super::desk::Desk;
use super::load::{ReadError, setback};
use super::matching::{adopt, named_by, open_links, taken};
use super::outcome::put_hold;
use super::unit::{Batch, End, Unit};
use super::write::{Job, look_again};
use crate::bugs::{self, Bug};
use crate::crm::{CrmError, ErrorKind};
use crate::mapping::Bound;
use crate::model::{
    BySide, ErrorClass, Fields, HoldReason, IntentId, IntentKind, Link, LinkState, Problem,
    RecordId, Side,
};
use crate::retry::GRACE_MILLIS;
use crate::store::StoreError;

/// What becomes of a row that was not written. Returns a smaller row to send instead, if any.
pub fn refused(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    job: Job,
    error: &CrmError,
) -> Option<Job> {
    let unit = &mut batch.units[job.unit];
    let class = error.class();
    if class == ErrorClass::UnknownOutcome && bugs::on(Bug::UnknownOutcomeTakenForSuccess) {
        unit.changes.intents_closed.push(job.intent.id.clone());
        unit.finish(End::Done);
        return None;
    }
    let unknown = class == ErrorClass::UnknownOutcome;
    if unknown && !bugs::on(Bug::UnknownOutcomeTakenForFailure) {
        let mut later = setback(error);
        later.retry_after = Some(job.intent.send_before.plus_millis(GRACE_MILLIS));
        unit.finish(End::Failed(later));
        return None;
    }
    let restores = job.intent.rules.iter().any(|rule| rule.reason == RESTORE);
    if restores && !matches!(class, ErrorClass::Permanent | ErrorClass::NeedsPerson) {
        // The intent is all that knows of the edit which it would have put back.
        unit.finish(End::Failed(setback(error)));
        return None;
    }
    unit.changes.intents_closed.push(job.intent.id.clone());
    match error.kind {
        ErrorKind::Duplicate if job.intent.kind == IntentKind::Create => {
            duplicate(unit, error);
            None
        }
        // Dirty again, but not at once: a record that is changed all the time is no hot circle.
        ErrorKind::Conflict if error.code == "changed-meanwhile" => {
            let mut again = setback(error);
            again.failure.class = ErrorClass::Transient;
            unit.finish(End::Failed(again));
            None
        }
        ErrorKind::NotFound => {
            // Read as live a moment ago. The next read tells what became of it; the pause keeps a
            // record that can be read and never written from being tried in a circle.
            let mut gone = setback(error);
            gone.failure.class = ErrorClass::Transient;
            unit.finish(End::Failed(gone));
            None
        }
        ErrorKind::UnknownField if unit.is_first_attempt() => {
            // The schema is read again, and then the whole record is tried once more.
            unit.finish(End::Failed(setback(error)));
            None
        }
        _ if !error.fields.is_empty() && job.intent.kind != IntentKind::Archive => {
            without_fields(desk, bound, unit, job, error)
        }
        _ => {
            unit.finish(End::Failed(setback(error)));
            None
        }
    }
}

/// The record exists on the other side already and may become the partner, unless a duplicate rule
/// only thinks that it is the same.
fn duplicate(unit: &mut Unit, error: &CrmError) {
    match error.existing.clone() {
        Some(existing) if error.code != "DUPLICATES_DETECTED" => unit.existing = Some(existing),
        Some(_) | None => unit.finish(End::Failed(setback(error))),
    }
}

/// Links the records that a refused create named, where they have no link yet.
pub async fn adopt_existing(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
) -> Result<(), StoreError> {
    let named: Vec<RecordId> = batch
        .units
        .iter()
        .filter_map(|u| u.existing.clone())
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let mut links = open_links(desk, bound, side, &named).await?;
    let makers = match makers(desk, bound, side, &named).await {
        Ok(makers) => makers,
        Err(error) => {
            let end = error.ends()?;
            let waiting = batch
                .units
                .iter_mut()
                .filter(|unit| unit.existing.is_some());
            for unit in waiting {
                unit.existing = None;
                unit.finish(end.clone());
            }
            return Ok(());
        }
    };
    for (id, maker) in makers {
        links.entry(id).or_insert(maker);
    }
    for unit in &mut batch.units {
        let (Some(existing), Some(link)) = (unit.existing.take(), unit.link.clone()) else {
            continue;
        };
        match links.get(&existing).filter(|holder| holder.id != link.id) {
            Some(holder) => {
                let end = taken(desk, unit, side.other(), &existing, holder);
                unit.finish(end);
            }
            None => {
                links.insert(existing.clone(), link.clone());
                adopt(unit, link, side, existing);
                unit.finish(look_again(desk));
            }
        }
    }
    Ok(())
}

/// Records that are the copies of others, whose creates have had no answer yet: by the key they
/// carry. Whose create is settled first must not decide whose copy it is.
async fn makers(
    desk: &Desk<'_>,
    bound: &Bound,
    side: Side,
    ids: &[RecordId],
) -> Result<BTreeMap<RecordId, Link>, ReadError> {
    let Some(key) = bound.key_field(side) else {
        return Ok(BTreeMap::new());
    };
    let fields = [key.to_owned()];
    let records = desk
        .crms
        .read(side, bound.object(side), ids, &fields)
        .await?;
    let from = side.other();
    let named = records.into_iter().filter_map(|record| {
        let key = record.fields.get(key)?.as_text()?.to_owned();
        Some((record.id, named_by(desk, from, &key)?))
    });
    let named: BTreeMap<RecordId, RecordId> = named.collect();
    let sources: Vec<RecordId> = named.values().cloned().collect();
    let links = open_links(desk, bound, from, &sources).await?;
    let made = named.into_iter().filter_map(|(copy, source)| {
        let link = links.get(&source)?;
        (link.state == LinkState::Creating(side)).then(|| (copy, link.clone()))
    });
    Ok(made.collect())
}

/// The rules that own the refused fields are held; the rest of the record goes on without them.
fn without_fields(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    mut job: Job,
    error: &CrmError,
) -> Option<Job> {
    let side = job.intent.side;
    let is_blamed = |name: &String| error.fields.iter().any(|f| f.eq_ignore_ascii_case(name));
    let (blamed, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut job.intent.rules)
        .into_iter()
        .partition(|rule| rule.after.keys().any(is_blamed));
    let sent: Fields = rest.iter().flat_map(|rule| rule.after.clone()).collect();
    let creating = job.intent.kind == IntentKind::Create;
    let unsendable = creating && !bound.missing_for_create(side, &sent).is_empty();
    if blamed.is_empty() || unsendable {
        unit.finish(End::Failed(setback(error)));
        return None;
    }
    for intended in blamed {
        let Some(rule) = bound.mapping().rule(&intended.rule) else {
            continue;
        };
        let mut sides = BySide::<Fields>::default();
        sides.get_mut(side).clone_from(&intended.before);
        sides.get_mut(side.other()).clone_from(&intended.source);
        let detail = format!(
            "{} refused it: {} ({})",
            side.title(),
            error.message,
            error.code
        );
        let problem = Problem {
            reason: HoldReason::Refused,
            detail,
        };
        put_hold(desk, bound, unit, rule, sides, &problem);
    }
    if rest.is_empty() {
        return None;
    }
    job.intent.rules = rest;
    job.intent.id = IntentId::from_uuid(&desk.site.ids.next());
    Some(job)
}
