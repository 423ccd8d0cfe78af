//! What went through the guards: counted by the hour, so that a day's limit can be kept, and the
//! grants it went through by are used up, record by record.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::guard::{DAY_HOURS, HOUR_MILLIS, Kind, in_force, of_mapping, set_hash};
use super::unit::{Batch, End, Guarded, Unit};
use crate::mapping::Bound;
use crate::model::{ApprovalId, Intent, IntentKind, RecordId, Side};
use crate::store::{Approval, Changes, CursorPut, StoreError};

/// A guard's case and the record it is about.
type Passed = (Guarded, Option<RecordId>);

/// Counts what went through and uses up the grants it went through by, record by record.
pub async fn settle(desk: &Desk<'_>, bound: &Bound, batch: &mut Batch) -> Result<(), StoreError> {
    let mut passed: Vec<Passed> = Vec::new();
    for unit in &mut batch.units {
        let guarded = std::mem::take(&mut unit.guarded);
        match unit.end {
            Some(End::Done | End::BlockedOn { .. }) if desk.mode.writes() => {}
            // What a frozen plan allowed is done; only the rest is left.
            Some(End::Again(_)) if desk.mode.writes() && unit.left.is_some() => {}
            Some(_) | None => continue,
        }
        // What was released and is planned now stands here twice.
        let once: BTreeMap<_, _> = guarded
            .into_iter()
            .map(|one| ((one.kind, one.side), one))
            .collect();
        let once = once.into_values();
        passed.extend(once.map(|one| {
            let id = unit.records.get(one.side).clone();
            (one, id)
        }));
    }
    account(desk, bound, batch, passed).await
}

/// A write that an earlier attempt left without a verdict took place: it had passed the guards,
/// and nobody has counted it yet.
pub fn note_left(unit: &mut Unit, intent: &Intent) {
    let kinds: Vec<Kind> = match intent.kind {
        IntentKind::Archive => vec![Kind::Deletes],
        IntentKind::Update => {
            let mut kinds = Kind::OF_RULES.to_vec();
            kinds.retain(|kind| intent.rules.iter().any(|rule| kind.concerns(rule, false)));
            kinds
        }
        IntentKind::Create | IntentKind::Associate => Vec::new(),
    };
    let side = intent.side;
    unit.guarded.extend(kinds.into_iter().map(|kind| Guarded {
        kind,
        side,
        grant: None,
    }));
}

/// Counts what [`note_left`] noted; the grants are those that name the records now.
pub async fn settle_left(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    if batch.units.iter().all(|unit| unit.guarded.is_empty()) {
        return Ok(());
    }
    let now = desk.site.clock.now();
    let mut grants = of_mapping(desk, bound).await?;
    grants.retain(|approval| in_force(approval, now));
    let mut passed: Vec<Passed> = Vec::new();
    for unit in &mut batch.units {
        for mut one in std::mem::take(&mut unit.guarded) {
            let id = unit.records.get(one.side).clone();
            let grant = grants.iter().find(|grant| {
                let of_kind = grant.kind == one.kind.as_str() && grant.side == one.side;
                of_kind && id.as_ref().is_some_and(|id| grant.records.contains(id))
            });
            one.grant = grant.map(|grant| grant.id.clone());
            passed.push((one, id));
        }
    }
    account(desk, bound, batch, passed).await
}

async fn account(
    desk: &Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    passed: Vec<Passed>,
) -> Result<(), StoreError> {
    let mut counts: BTreeMap<(Kind, Side), u64> = BTreeMap::new();
    let mut spent: BTreeMap<ApprovalId, BTreeSet<RecordId>> = BTreeMap::new();
    for (one, id) in passed {
        if one.kind != Kind::Deletes {
            *counts.entry((one.kind, one.side)).or_default() += 1;
        }
        if let (Some(grant), Some(id)) = (one.grant, id) {
            spent.entry(grant).or_default().insert(id);
        }
    }
    let mut changes = Changes::default();
    for ((kind, side), count) in counts {
        let mut hours = tally(desk, bound, kind, side).await?;
        let now = hour(desk);
        hours.retain(|at, _| *at > now - DAY_HOURS);
        *hours.entry(now).or_default() += count;
        changes.cursors.push(CursorPut {
            mapping: bound.mapping().name.clone(),
            side,
            kind: kind.code().to_owned(),
            value: serde_json::to_string(&hours).unwrap_or_default(),
        });
    }
    if !spent.is_empty() {
        spend(desk, of_mapping(desk, bound).await?, &spent, &mut changes);
    }
    batch.note(changes);
    Ok(())
}

/// A grant lets each of its records through once: what is left of it is a grant of its own.
fn spend(
    desk: &Desk<'_>,
    approvals: Vec<Approval>,
    spent: &BTreeMap<ApprovalId, BTreeSet<RecordId>>,
    changes: &mut Changes,
) {
    for mut approval in approvals {
        let Some(gone) = spent.get(&approval.id) else {
            continue;
        };
        changes.approvals_used.push(approval.id.clone());
        approval.records.retain(|id| !gone.contains(id));
        if !approval.records.is_empty() {
            approval.id = ApprovalId::from_uuid(&desk.site.ids.next());
            approval.set_hash = set_hash(&approval.records);
            approval.items = approval.records.len() as u64;
            changes.approvals.push(approval);
        }
    }
}

/// Records that went through, by hour.
type Hours = BTreeMap<i64, u64>;

async fn tally(
    desk: &Desk<'_>,
    bound: &Bound,
    kind: Kind,
    side: Side,
) -> Result<Hours, StoreError> {
    let (store, ws) = (&desk.site.store, &desk.site.workspace);
    let name = &bound.mapping().name;
    let text = store.cursor(ws, name, side, kind.code()).await?;
    let hours = text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(hours.unwrap_or_default())
}

/// How many records of a side the last day let through.
pub async fn within_a_day(
    desk: &Desk<'_>,
    bound: &Bound,
    kind: Kind,
    side: Side,
) -> Result<u64, StoreError> {
    Ok(recent(&tally(desk, bound, kind, side).await?, desk))
}

fn hour(desk: &Desk<'_>) -> i64 {
    desk.site.clock.now().millis().div_euclid(HOUR_MILLIS)
}

fn recent(hours: &Hours, desk: &Desk<'_>) -> u64 {
    let now = hour(desk);
    hours
        .range(now - DAY_HOURS + 1..)
        .map(|(_, count)| count)
        .sum()
}
