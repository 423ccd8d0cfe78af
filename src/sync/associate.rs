//! Writes HubSpot associations, which are not properties and have calls of their own.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::load::setback;
use super::unit::{Batch, End};
use super::write::Job;
use crate::crm::hubspot::AssociationType;
use crate::crm::{CrmError, Tied, split_ids};
use crate::mapping::{Bound, ReferenceEnd, Rule};
use crate::model::{Fields, IntentKind, RecordId, Side};

/// Adds and removes the associations that the jobs' rules ask for, one call per rule and kind.
///
/// What was done is put into the stored fields. A rule whose call failed leaves its intent, and
/// its unit fails, so that the rule is planned again.
pub async fn write(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    jobs: &mut [(Job, Fields)],
) {
    for rule in &bound.mapping().rules {
        let Some(ends) = Ends::of(bound, rule) else {
            continue;
        };
        let changes = Changes::gather(batch, jobs, rule, &ends);
        if changes.is_empty() {
            continue;
        }
        if let Some(before) = jobs.iter().map(|(job, _)| job.intent.send_before).min() {
            desk.send_before(before);
        }
        let sent = changes.send(desk, bound, &batch.tied, &ends).await;
        let failed = sent.unwrap_or_else(|error| changes.everything(error));
        for (at, error) in &failed {
            let unit = jobs[*at].0.unit;
            batch.units[unit].finish(End::Failed(setback(error)));
        }
        for (at, (job, stored)) in jobs.iter_mut().enumerate() {
            if failed.contains_key(&at) {
                job.intent
                    .rules
                    .retain(|intended| intended.rule != rule.name);
            } else if let Some(intended) = job
                .intent
                .rules
                .iter()
                .find(|intended| intended.rule == rule.name)
            {
                stored.extend(intended.after.clone());
            }
        }
    }
}

/// The HubSpot end of a reference.
struct Ends {
    to: String,
    label: Option<String>,
    field: String,
}

impl Ends {
    fn of(bound: &Bound, rule: &Rule) -> Option<Self> {
        match &rule.reference()?.hubspot {
            ReferenceEnd::Association { object, label } => Some(Self {
                to: object.clone(),
                label: label.clone(),
                field: bound.reference_field(rule, Side::HubSpot)?,
            }),
            ReferenceEnd::Lookup { .. } | ReferenceEnd::Junction { .. } => None,
        }
    }

    /// A primary association moves from one record to another by itself.
    fn is_primary(&self) -> bool {
        self.label
            .as_deref()
            .is_some_and(|label| label.eq_ignore_ascii_case("primary"))
    }
}

/// Pairs to tie and to untie, each with the job it is for.
#[derive(Default)]
struct Changes {
    add: Vec<(usize, RecordId, RecordId)>,
    remove: Vec<(usize, RecordId, RecordId)>,
    /// Jobs whose record was created just now, so that it has no ties yet.
    created: BTreeSet<usize>,
}

impl Changes {
    fn gather(batch: &Batch, jobs: &[(Job, Fields)], rule: &Rule, ends: &Ends) -> Self {
        let mut changes = Self::default();
        for (at, (job, _)) in jobs.iter().enumerate() {
            let Some(intended) = job.intent.rules.iter().find(|r| r.rule == rule.name) else {
                continue;
            };
            let Some(from) = batch.units[job.unit].records.hubspot.clone() else {
                continue;
            };
            if !intended.after.contains_key(&ends.field) {
                continue;
            }
            if job.intent.kind == IntentKind::Create {
                changes.created.insert(at);
            }
            let before: BTreeSet<RecordId> = split_ids(&intended.before, &ends.field);
            let after: BTreeSet<RecordId> = split_ids(&intended.after, &ends.field);
            for to in after.difference(&before) {
                changes.add.push((at, from.clone(), to.clone()));
            }
            if ends.is_primary() && !after.is_empty() {
                continue;
            }
            for to in before.difference(&after) {
                changes.remove.push((at, from.clone(), to.clone()));
            }
        }
        changes
    }

    fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// The jobs that failed, each with its first error.
    async fn send(
        &self,
        desk: &mut Desk<'_>,
        bound: &Bound,
        tied: &Tied,
        ends: &Ends,
    ) -> Result<BTreeMap<usize, CrmError>, CrmError> {
        let object = bound.object(Side::HubSpot);
        let hubspot = &desk.crms.hubspot;
        let mut failed = BTreeMap::new();
        if !self.add.is_empty() {
            let label = ends.label.as_deref();
            let kind = hubspot.association_type(object, &ends.to, label).await?;
            let mut pairs: Vec<_> = self
                .add
                .iter()
                .map(|(_, from, to)| (from.clone(), to.clone(), kind.clone()))
                .collect();
            pairs.extend(self.labels_to_keep(desk, object, tied, ends).await?);
            let replies = hubspot.associate(object, &ends.to, &pairs).await;
            note(&mut failed, &self.add, replies);
        }
        if !self.remove.is_empty() {
            let replies = self.untie(desk, object, ends).await?;
            note(&mut failed, &self.remove, replies);
        }
        Ok(failed)
    }

    /// A labelled tie replaces the labels its pair has (hubspot.md 7.1), and those are people's.
    async fn labels_to_keep(
        &self,
        desk: &Desk<'_>,
        object: &str,
        tied: &Tied,
        ends: &Ends,
    ) -> Result<Vec<(RecordId, RecordId, AssociationType)>, CrmError> {
        let place = |from: &RecordId| (from.clone(), ends.to.clone());
        let old = self
            .add
            .iter()
            .filter(|(at, ..)| !self.created.contains(at));
        let unread = old.clone().map(|(_, from, _)| from);
        let unread: BTreeSet<&RecordId> = unread
            .filter(|from| !tied.contains_key(&place(from)))
            .collect();
        let mut found = BTreeMap::new();
        if !unread.is_empty() {
            let unread: Vec<RecordId> = unread.into_iter().cloned().collect();
            let hubspot = &desk.crms.hubspot;
            found = hubspot.associations(object, &ends.to, &unread).await?;
        }
        let mut keep = Vec::new();
        for (_, from, to) in old {
            let ties = tied.get(&place(from)).or_else(|| found.get(from));
            let kinds = ties.into_iter().flatten().filter(|tie| tie.to == *to);
            let labelled = kinds
                .flat_map(|tie| &tie.types)
                .filter(|kind| kind.label.is_some());
            keep.extend(labelled.map(|kind| (from.clone(), to.clone(), kind.clone())));
        }
        Ok(keep)
    }

    /// Where the rule is about one label, only that label goes.
    async fn untie(
        &self,
        desk: &Desk<'_>,
        object: &str,
        ends: &Ends,
    ) -> Result<Vec<Result<(), CrmError>>, CrmError> {
        let hubspot = &desk.crms.hubspot;
        let pairs = self
            .remove
            .iter()
            .map(|(_, from, to)| (from.clone(), to.clone()));
        let Some(label) = ends.label.as_deref() else {
            let pairs: Vec<_> = pairs.collect();
            return Ok(hubspot.dissociate(object, &ends.to, &pairs).await);
        };
        let kind = hubspot
            .association_type(object, &ends.to, Some(label))
            .await?;
        let pairs: Vec<_> = pairs.map(|(from, to)| (from, to, kind.clone())).collect();
        Ok(hubspot.unlabel(object, &ends.to, &pairs).await)
    }

    fn everything(&self, error: CrmError) -> BTreeMap<usize, CrmError> {
        let all = self.add.iter().chain(&self.remove);
        all.map(|(at, _, _)| (*at, error.clone())).collect()
    }
}

fn note(
    failed: &mut BTreeMap<usize, CrmError>,
    sent: &[(usize, RecordId, RecordId)],
    replies: Vec<Result<(), CrmError>>,
) {
    for ((at, _, _), reply) in sent.iter().zip(replies) {
        if let Err(error) = reply {
            failed.entry(*at).or_insert(error);
        }
    }
}
