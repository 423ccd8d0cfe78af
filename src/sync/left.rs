//! Settles the intents that an earlier attempt left open, before anything else is planned for
//! their links. Nothing is ever re-sent blindly.

use std::collections::BTreeMap;

use super::audit::{self, Evidence, Histories};
use super::desk::Desk;
use super::load::ReadError;
use super::matching::adopt;
use super::passage;
use super::report;
use super::revisions::Revisions;
use super::sets;
use super::settle::{After, is_applied, settle, unblock_children};
use super::unit::{Batch, End, Unit};
use crate::bugs::{self, Bug};
use crate::crm::{CrmError, ErrorKind};
use crate::mapping::Bound;
use crate::model::{ErrorClass, Intent, IntentKind, Presence, Record, RecordId, Side};
use crate::retry::GRACE_MILLIS;

/// Settles the intents that an earlier attempt left open, by reading. What is not applied may
/// still be on its way until the grace has passed; only then is it planned afresh.
pub async fn left_open(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    if batch.units.iter().all(|unit| unit.intents.is_empty()) {
        return Ok(());
    }
    if bugs::on(Bug::LeftOpenIntentsForgotten) {
        for unit in &mut batch.units {
            let intents = std::mem::take(&mut unit.intents).into_iter();
            let closed = &mut unit.changes.intents_closed;
            closed.extend(intents.map(|intent| intent.id));
        }
        return Ok(());
    }
    let revisions = Revisions::load(desk, bound, batch).await?;
    for side in Side::BOTH {
        let found = read_targets(desk, bound, batch, side, &revisions).await?;
        let histories = histories_of(desk, bound, batch, side, &found).await?;
        for unit in batch.open().filter(|unit| !unit.intents.is_empty()) {
            let intents = std::mem::take(&mut unit.intents);
            for intent in intents {
                if intent.side == side {
                    let planned_by = revisions.of(bound, &intent);
                    settle_open(desk, planned_by, unit, intent, (&found, &histories));
                } else {
                    unit.intents.push(intent);
                }
            }
        }
    }
    passage::settle_left(desk, bound, batch).await?;
    super::carry::store_with(desk, bound, batch, crate::store::Changes::default()).await?;
    Ok(())
}

/// The records the open intents of one side were written to: by id, and creates by their key.
async fn read_targets(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &Batch,
    side: Side,
    revisions: &Revisions,
) -> Result<BTreeMap<String, Record>, ReadError> {
    let (mut ids, mut keys) = (Vec::new(), Vec::new());
    for unit in batch.units.iter().filter(|unit| unit.open()) {
        for intent in unit.intents.iter().filter(|intent| intent.side == side) {
            match (intent.kind, unit.records.get(side)) {
                (IntentKind::Create, None) => keys.push(intent.target.clone()),
                (_, Some(id)) => ids.push(id.clone()),
                (_, None) => {}
            }
        }
    }
    let object = bound.object(side);
    let fields = &revisions.fields(bound, side);
    let mut found = BTreeMap::new();
    desk.lane.keep().await?;
    let ties = revisions.ties(bound);
    if !ids.is_empty() {
        let mut records = desk.crms.read(side, object, &ids, fields).await?;
        super::follow::stand_ins(desk, side, object, fields, &mut records).await?;
        if records.iter().any(|r| r.presence == Presence::Live) {
            desk.crms
                .add_ties(side, object, &ties, &mut records)
                .await?;
        }
        found.extend(records.into_iter().map(|r| (r.id.as_str().to_owned(), r)));
    }
    if let (false, Some(key)) = (keys.is_empty(), bound.key_field(side)) {
        let mut records = desk.crms.find(side, object, key, &keys, fields).await?;
        desk.crms
            .add_ties(side, object, &ties, &mut records)
            .await?;
        found.extend(by_key(key, records));
        keys.retain(|key| !found.contains_key(key));
        if !keys.is_empty() {
            found.extend(by_key(
                key,
                in_bin(desk, side, object, (key, &keys), fields).await?,
            ));
        }
    }
    Ok(found)
}

fn by_key(field: &str, records: Vec<Record>) -> impl Iterator<Item = (String, Record)> {
    records.into_iter().filter_map(move |record| {
        let named = record.fields.get(field)?.as_text()?.to_owned();
        Some((named, record))
    })
}

/// Created records that somebody deleted before we looked for them.
async fn in_bin(
    desk: &Desk<'_>,
    side: Side,
    object: &str,
    (key, values): (&str, &[String]),
    fields: &[String],
) -> Result<Vec<Record>, CrmError> {
    let read = desk
        .crms
        .find_deleted(side, object, key, values, fields)
        .await;
    match read {
        Err(error) if matches!(error.kind, ErrorKind::Rejected | ErrorKind::BadRequest) => {
            tracing::warn!(%error, field = key, "the recycle bin cannot be asked by this field");
            Ok(Vec::new())
        }
        other => other,
    }
}

/// Where the record of an open intent is among those that were read.
fn place_of<'a>(unit: &'a Unit, intent: &'a Intent) -> &'a str {
    let known = unit.records.get(intent.side).as_ref();
    known.map_or(intent.target.as_str(), RecordId::as_str)
}

/// Nobody saw what these writes met: the history of each is asked for, as far as there is any.
async fn histories_of(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &Batch,
    side: Side,
    found: &BTreeMap<String, Record>,
) -> Result<Histories, ReadError> {
    let units = batch.units.iter().filter(|unit| unit.open());
    let open = units.flat_map(|unit| unit.intents.iter().map(move |intent| (unit, intent)));
    let open = open.filter(|(_, intent)| intent.side == side);
    let writes = open.filter_map(|(unit, intent)| {
        let record = found.get(place_of(unit, intent))?;
        (record.presence == Presence::Live).then_some((&record.id, intent))
    });
    let writes: Vec<_> = writes.collect();
    Ok(audit::histories(desk, bound, side, writes.into_iter()).await?)
}

fn settle_open(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: Intent,
    (found, histories): (&BTreeMap<String, Record>, &Histories),
) {
    let known = unit.records.get(intent.side).clone();
    let record = found.get(place_of(unit, &intent));
    let history = record.and_then(|record| histories.get(&record.id));
    let evidence = Evidence {
        history,
        suspected: true,
        by_another: false,
    };
    let over = bugs::on(Bug::GraceNotWaitedFor)
        || desk.site.clock.now() >= intent.send_before.plus_millis(GRACE_MILLIS);
    let outcome = match (intent.kind, record) {
        (IntentKind::Archive, Some(record)) if record.presence == Presence::Deleted => {
            super::gone::bury(
                desk,
                bound,
                unit,
                super::gone::ARCHIVED,
                intent.side.other(),
            );
            After::Settled
        }
        (IntentKind::Archive, _) | (_, None) => After::NotApplied,
        (IntentKind::Create, Some(record)) if known.is_none() => {
            let record = (record, over);
            found_created(desk, bound, unit, &intent, record, &evidence)
        }
        (IntentKind::Create | IntentKind::Update | IntentKind::Associate, Some(record)) => {
            let record = (record, over);
            settle_if_applied(desk, bound, unit, &intent, record, &evidence)
        }
    };
    unit.unsettled |= outcome != After::Settled;
    let gone = record.is_none_or(|record| record.presence == Presence::Deleted);
    if gone && over && outcome != After::Settled {
        audit::keep_by_name(desk, bound, unit, &intent);
    }
    if unit.is_restoring(&intent) {
        return unit.intents.push(intent);
    }
    if outcome != After::Settled && !over {
        wait_for_grace(unit, &intent);
        return unit.intents.push(intent);
    }
    if outcome == After::Settled {
        passage::note_left(unit, &intent);
    }
    unit.reopened = true;
    unit.news |= outcome == After::LookAgain;
    unit.changes.intents_closed.push(intent.id);
}

/// Nothing is stored about an unanswered write before it is certain: all of it is there, or the
/// grace is over.
fn settle_if_applied(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: &Intent,
    (record, over): (&Record, bool),
    evidence: &Evidence<'_>,
) -> After {
    let arrived = |rule| is_applied(bound, intent, rule, &record.fields, evidence);
    let all = intent.rules.iter().all(arrived);
    if !all && !over {
        return After::LookAgain;
    }
    settle(desk, bound, unit, intent, (&record.fields, false), evidence)
}

/// The create was applied although its reply was lost: the record carries our key.
fn found_created(
    desk: &mut Desk<'_>,
    bound: &Bound,
    unit: &mut Unit,
    intent: &Intent,
    (record, over): (&Record, bool),
    evidence: &Evidence<'_>,
) -> After {
    let Some(link) = unit.link.clone() else {
        return After::NotApplied;
    };
    adopt(unit, link, intent.side, record.id.clone());
    desk.tally.links += 1;
    if record.presence != Presence::Live {
        // Whoever deleted it had seen what we made; the pair is judged like any other that lost
        // one of its records.
        if tells(intent, record) {
            let (stored, nothing) = ((&record.fields, false), Evidence::default());
            settle(desk, bound, unit, intent, stored, &nothing);
        }
        unit.news = true;
        return After::Settled;
    }
    unblock_children(unit);
    if !over && sets::rows_may_follow(bound, intent, &record.fields) {
        return After::LookAgain;
    }
    // What stands there now may be a user's edit after our create, which must not be held as if
    // the platform had altered our value.
    settle(desk, bound, unit, intent, (&record.fields, false), evidence);
    After::Settled
}

/// Whether what was written can still be read. Of a record in the bin that is not sure.
fn tells(intent: &Intent, record: &Record) -> bool {
    let mut written = intent.rules.iter().flat_map(|rule| rule.after.keys());
    written.all(|name| record.fields.contains_key(name))
}

fn wait_for_grace(unit: &mut Unit, intent: &Intent) {
    let mut setback = report::setback(
        ErrorClass::UnknownOutcome,
        "outcome-unknown",
        format!(
            "a write to {} had no answer; it may still arrive",
            intent.side.title()
        ),
    );
    setback.retry_after = Some(intent.send_before.plus_millis(GRACE_MILLIS));
    unit.finish(End::Again(setback));
}
