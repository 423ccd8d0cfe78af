//! Settles the writes of this attempt by what the CRMs say they hold now: HubSpot in its reply,
//! Salesforce when it is read back. Sends nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::audit::{self, Evidence, Histories, Sought};
use super::desk::Desk;
use super::frozen;
use super::gone::{ARCHIVED, bury};
use super::load::setback;
use super::settle::{self, After};
use super::times::stamped_by_another;
use super::unit::{Batch, End, Unit};
use super::write::{Job, look_again};
use crate::bugs::{self, Bug};
use crate::crm::salesforce::{Ask, Told};
use crate::crm::{CrmError, Written};
use crate::mapping::Bound;
use crate::merge::Settled;
use crate::model::{Fields, Intent, IntentKind, Presence, Raw, Record, RecordId, Side};
use crate::store::StoreError;

/// HubSpot's replies carry what it stored: they settle the rows, once associations are written.
pub async fn settle_replies(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    written: Vec<(Job, Written)>,
) -> Result<(), StoreError> {
    let mut jobs = Vec::with_capacity(written.len());
    for (job, written) in written {
        let unit = &batch.units[job.unit];
        let mut stored = expected(bound, unit, &job.intent);
        untied(bound, &job, &written, &mut stored);
        if let Some(record) = written.stored {
            stored.extend(record.fields);
        }
        jobs.push((job, stored));
    }
    super::associate::write(desk, bound, batch, &mut jobs).await;
    let known = Known {
        sampled: !jobs.is_empty() && audit::sampled(desk),
        ..Known::default()
    };
    close_all(desk, bound, batch, Side::HubSpot, jobs, known).await;
    Ok(())
}

/// Histories that were asked for before it was known which writes would need one.
#[derive(Default)]
struct Known {
    /// The attempt is looked at for the count.
    sampled: bool,
    asked: BTreeSet<RecordId>,
    histories: Histories,
}

fn is_suspect(desk: &Desk<'_>, bound: &Bound, batch: &Batch, job: &Job, sampled: bool) -> bool {
    let unit = &batch.units[job.unit];
    job.intent.kind == IntentKind::Update && (sampled || audit::suspects(desk, bound, unit, job))
}

/// Closes the writes, those that something speaks against in the light of their history. When
/// that cannot be read just now, they stay open for the next attempt.
async fn close_all(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    side: Side,
    jobs: Vec<(Job, Fields)>,
    known: Known,
) {
    let suspect = |(job, stored): &(Job, Fields)| {
        let unit = &batch.units[job.unit];
        let moved = || moved_besides(bound, unit, &job.intent, stored);
        let is_update = job.intent.kind == IntentKind::Update;
        is_suspect(desk, bound, batch, job, known.sampled) || (is_update && moved())
    };
    let (suspects, clear): (Vec<_>, Vec<_>) = jobs.into_iter().partition(suspect);
    for (job, stored) in clear {
        let evidence = Evidence {
            by_another: stamped_by_another(desk, &stored),
            ..Evidence::default()
        };
        close(desk, bound, batch, &job, &stored, &evidence);
    }
    let targets: Vec<RecordId> = suspects
        .iter()
        .map(|(job, _)| RecordId::new(&job.intent.target))
        .collect();
    let writes = targets
        .iter()
        .zip(suspects.iter().map(|(job, _)| &job.intent));
    let unasked = writes.filter(|(id, _)| !known.asked.contains(*id));
    let histories = audit::histories(desk, bound, side, unasked).await;
    for ((job, stored), target) in suspects.into_iter().zip(&targets) {
        let found = match &histories {
            Err(error) if !known.asked.contains(target) => {
                batch.units[job.unit].finish(End::Failed(setback(error)));
                continue;
            }
            Err(_) => None,
            Ok(found) => found.get(target),
        };
        let evidence = Evidence {
            history: found.or_else(|| known.histories.get(target)),
            suspected: true,
            by_another: stamped_by_another(desk, &stored),
        };
        close(desk, bound, batch, &job, &stored, &evidence);
    }
}

/// A record's fields as they stand when the reply does not mention them: as read, or blank on a
/// record that did not exist.
fn expected(bound: &Bound, unit: &Unit, intent: &Intent) -> Fields {
    match unit.fields(intent.side) {
        Some(fields) => fields.clone(),
        None => {
            let names = bound.read_fields(intent.side).iter().cloned();
            names.map(|name| (name, Raw::Null)).collect()
        }
    }
}

/// A record that was made by this very call is tied to nothing but what we tie it to.
fn untied(bound: &Bound, job: &Job, written: &Written, stored: &mut Fields) {
    if written.created {
        for name in bound.ties().fields(job.intent.side) {
            stored.entry(name).or_insert(Raw::Null);
        }
    }
}

/// Salesforce says only yes: one retrieve shows what triggers, flows and rounding made of it. What
/// was `seen` in the call that wrote it is not asked for again.
pub async fn settle_by_reading(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    written: Vec<(Job, Written)>,
    mut seen: Seen,
) -> Result<(), StoreError> {
    if written.is_empty() {
        return Ok(());
    }
    let side = Side::Salesforce;
    let unseen = |(_, to): &&(Job, Written)| !seen.records.contains_key(&to.id);
    let unseen: Vec<_> = written.iter().filter(unseen).collect();
    let mut read = Ok(());
    if !unseen.is_empty() {
        desk.lane.keep().await?;
        let unseen = unseen.iter().map(|(job, to)| (job, &to.id));
        let back = LookBack::of(desk, bound, batch, unseen).await;
        let told = desk.crms.salesforce.ask_all(&back.asks(bound)).await;
        read = back.seen(told).map(|more| seen.add(more));
    }
    let Seen { records, known } = seen;
    let records: Vec<Record> = records.into_values().collect();
    let read = match read {
        Ok(()) => with_roles(desk, bound, &written, records).await,
        Err(error) => Err(error),
    };
    let records: BTreeMap<RecordId, Record> = match read {
        Ok(records) => records.into_iter().map(|r| (r.id.clone(), r)).collect(),
        Err(error) => {
            // The writes were done; the next attempt finds the open intents and reads again.
            for (job, _) in written {
                batch.units[job.unit].finish(End::Failed(setback(&error)));
            }
            return Ok(());
        }
    };
    let mut jobs = Vec::with_capacity(written.len());
    for (job, written) in written {
        match records.get(&written.id) {
            Some(record) if record.presence == Presence::Live => {
                let mut stored = record.fields.clone();
                untied(bound, &job, &written, &mut stored);
                jobs.push((job, stored));
            }
            // Gone or hidden right after our write: the open intent is settled by the next pass.
            Some(_) | None => batch.units[job.unit].finish(look_again(desk)),
        }
    }
    close_all(desk, bound, batch, side, jobs, known).await;
    Ok(())
}

/// What is asked once Salesforce was written to: the records as they are now and, in the same call,
/// the histories that will be wanted.
pub struct LookBack {
    ids: Vec<RecordId>,
    /// Of records that are made in the same call, so that nobody knows their ids yet.
    pub keys: Vec<String>,
    sought: Option<Sought>,
    /// Those of the sought fields that have a history.
    tracked: Vec<String>,
    sampled: bool,
}

impl LookBack {
    pub async fn of<'j>(
        desk: &Desk<'_>,
        bound: &Bound,
        batch: &Batch,
        written: impl Iterator<Item = (&'j Job, &'j RecordId)>,
    ) -> Self {
        let side = Side::Salesforce;
        let sampled = audit::sampled(desk);
        let (mut ids, mut suspects) = (Vec::new(), Vec::new());
        for (job, id) in written {
            ids.push(id.clone());
            if is_suspect(desk, bound, batch, job, sampled) {
                suspects.push((RecordId::new(&job.intent.target), &job.intent));
            }
        }
        let sought = audit::sought(desk, side, suspects.iter().map(|(id, of)| (id, *of)));
        let mut tracked = Vec::new();
        if let Some(Sought { names, .. }) = &sought {
            // When it cannot be told now, the histories are asked for by themselves.
            let client = &desk.crms.salesforce;
            let told = client.tracked_among(bound.object(side), names).await;
            tracked = told.unwrap_or_default();
        }
        Self {
            ids,
            keys: Vec::new(),
            sought,
            tracked,
            sampled,
        }
    }

    pub fn asks<'a>(&'a self, bound: &'a Bound) -> Vec<Ask<'a>> {
        let side = Side::Salesforce;
        let object = bound.object(side);
        let (ids, fields) = (&self.ids, bound.read_fields(side));
        let mut asks = vec![
            match bound.key_field(side).filter(|_| !self.keys.is_empty()) {
                Some(key) => Ask::Written {
                    object,
                    ids,
                    key,
                    values: &self.keys,
                    fields,
                },
                None => Ask::Retrieve {
                    object,
                    ids,
                    fields,
                },
            },
        ];
        let sought = self.sought.as_ref().filter(|_| !self.tracked.is_empty());
        asks.extend(sought.map(|sought| Ask::History {
            object,
            ids: &sought.ids,
            tracked: &self.tracked,
            since: sought.since,
        }));
        asks
    }

    /// What came of [`Self::asks`].
    pub fn seen(self, told: Vec<Result<Told, CrmError>>) -> Result<Seen, CrmError> {
        let mut seen = Seen::default();
        seen.known.sampled = self.sampled;
        let mut told = told.into_iter();
        if let Some(page) = told.next() {
            let records = page?.into_page().records.into_iter();
            seen.records = records.map(|record| (record.id.clone(), record)).collect();
        }
        if let (Some(Ok(Told::Histories(found))), Some(sought)) = (told.next(), self.sought) {
            seen.known.histories = found;
            seen.known.asked.extend(sought.ids);
        }
        Ok(seen)
    }
}

/// Written records as they were right after, as far as they were looked at.
#[derive(Default)]
pub struct Seen {
    records: BTreeMap<RecordId, Record>,
    known: Known,
}

impl Seen {
    /// Forgets all but these records.
    pub fn keep(&mut self, stands: &BTreeSet<RecordId>) {
        self.records.retain(|id, _| stands.contains(id));
        self.known.asked.retain(|id| stands.contains(id));
        self.known.histories.retain(|id, _| stands.contains(id));
    }

    pub fn add(&mut self, more: Self) {
        self.records.extend(more.records);
        self.known.sampled |= more.known.sampled;
        self.known.asked.extend(more.known.asked);
        self.known.histories.extend(more.known.histories);
    }
}

/// Roles are no fields, so they are read along only where some were written.
async fn with_roles(
    desk: &Desk<'_>,
    bound: &Bound,
    written: &[(Job, Written)],
    mut records: Vec<Record>,
) -> Result<Vec<Record>, CrmError> {
    let ties = bound.ties();
    let is_role = |name: &String| ties.roles.iter().any(|read| read.field() == *name);
    let rules = written.iter().flat_map(|(job, _)| &job.intent.rules);
    if rules.flat_map(|rule| rule.after.keys()).any(is_role) {
        let side = Side::Salesforce;
        desk.crms
            .add_ties(side, bound.object(side), &ties, &mut records)
            .await?;
    }
    Ok(records)
}

fn close(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    job: &Job,
    stored: &Fields,
    evidence: &Evidence<'_>,
) {
    let unit = &mut batch.units[job.unit];
    let intent = &job.intent;
    if intent.kind == IntentKind::Archive {
        unit.changes.intents_closed.push(intent.id.clone());
        frozen::settled(desk, unit, intent, "", Settled::Applied);
        return bury(desk, bound, unit, ARCHIVED, intent.side.other());
    }
    unit.made |= intent.kind == IntentKind::Create;
    let after = settle::settle(desk, bound, unit, intent, (stored, true), evidence);
    if !unit.is_restoring(intent) && !bugs::on(Bug::IntentNotClosed) {
        unit.changes.intents_closed.push(intent.id.clone());
    }
    if after == After::Settled && !moved_besides(bound, unit, intent, stored) {
        return;
    }
    if intent.kind != IntentKind::Create {
        return unit.finish(look_again(desk));
    }
    *unit.read.get_mut(intent.side) = unit.records.get(intent.side).clone().map(|id| Record {
        id,
        fields: stored.clone(),
        modified_at: None,
        created_at: None,
        presence: Presence::Live,
    });
    unit.plan_on = true;
}

/// Another mapped value is not as it was when the plan was made: somebody edited meanwhile.
fn moved_besides(bound: &Bound, unit: &Unit, intent: &Intent, stored: &Fields) -> bool {
    let Some(read) = unit.fields(intent.side) else {
        return false;
    };
    bound.mapping().rules.iter().any(|rule| {
        !intent
            .rules
            .iter()
            .any(|intended| intended.rule == rule.name)
            && rule.sides.get(intent.side).iter().any(|name| {
                stored.contains_key(name)
                    && read.contains_key(name)
                    && stored.get(name) != read.get(name)
            })
    })
}
