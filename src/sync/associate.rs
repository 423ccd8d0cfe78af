//! Writes HubSpot associations, which are not properties and have calls of their own.
//!
//! A record that cannot be tied is written all the same: what failed is the rule's matter alone.

use std::collections::{BTreeMap, BTreeSet};

use super::desk::Desk;
use super::load::setback;
use super::outcome::put_hold;
use super::unit::{Batch, End};
use super::write::Job;
use crate::crm::hubspot::AssociationType;
use crate::crm::{CrmError, ErrorKind, Tied, split_ids};
use crate::mapping::{Bound, Reference, ReferenceEnd, Rule};
use crate::model::{
    BySide, Cause, ErrorClass, Fields, HoldReason, IntendedRule, IntentKind, Problem, RecordId,
    RecordKey, Side, Task,
};
use crate::store::Mark;

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
    // Records that an earlier rule has tied here: what was read of them is no longer so.
    let mut touched = BTreeSet::new();
    for rule in &bound.mapping().rules {
        let Some(ends) = Ends::of(bound, rule) else {
            continue;
        };
        let changes = Changes::gather(batch, jobs, rule, &ends, &touched);
        if changes.is_empty() {
            continue;
        }
        if let Some(before) = jobs.iter().map(|(job, _)| job.intent.send_before).min() {
            desk.send_before(before);
        }
        let sent = changes.send(desk, bound, &batch.tied, &ends).await;
        for (_, from, _) in changes.add.iter().chain(&changes.remove) {
            let place = (from.clone(), ends.to.clone());
            batch.tied.remove(&place);
            touched.insert(place);
        }
        let mut failed = sent.unwrap_or_else(|error| changes.everything(error));
        for (at, (job, stored)) in jobs.iter_mut().enumerate() {
            let rules = &mut job.intent.rules;
            let Some(place) = rules.iter().position(|one| one.rule == rule.name) else {
                continue;
            };
            match failed.remove(&at) {
                None => stored.extend(rules[place].after.clone()),
                Some(failure) => {
                    let intended = rules.remove(place);
                    fail(desk, bound, batch, (job.unit, rule), intended, failure);
                }
            }
        }
    }
}

/// Why one pair was not tied or untied.
#[derive(Clone, Debug)]
struct Failure {
    /// The record it was about; `None` when nothing was sent for any pair.
    to: Option<RecordId>,
    error: CrmError,
}

/// A record that is not there is not the fault of the one that was to be tied to it: its rule is
/// held, and the other record is looked at at once. When it is found to be gone, the rule waits for
/// it like for any parent.
fn fail(
    desk: &mut Desk<'_>,
    bound: &Bound,
    batch: &mut Batch,
    (at, rule): (usize, &Rule),
    intended: IntendedRule,
    failure: Failure,
) {
    let unit = &mut batch.units[at];
    let Failure { to, error } = failure;
    let mut again = setback(&error);
    if let (ErrorKind::NotFound, Some(to), Some(reference)) = (error.kind, to, rule.reference()) {
        again.failure.class = ErrorClass::Transient;
        let problem = Problem {
            reason: HoldReason::Unresolved,
            detail: format!(
                "HubSpot cannot tie it to record {to} of mapping `{}`: one of them is not there",
                reference.mapping
            ),
        };
        let sides = BySide::new(intended.before, intended.source);
        put_hold(desk, bound, unit, rule, sides, &problem);
        unit.changes.marks.push(look_at(desk, reference, to));
    }
    unit.finish(End::Failed(again));
}

fn look_at(desk: &Desk<'_>, reference: &Reference, id: RecordId) -> Mark {
    Mark {
        task: Task::Record(RecordKey {
            mapping: reference.mapping.clone(),
            side: Side::HubSpot,
            id,
        }),
        cause: Cause::Follow,
        not_before: desk.site.clock.now(),
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

/// The job that wants it, and the two records.
type Pair = (usize, RecordId, RecordId);

type Tie = (RecordId, RecordId, AssociationType);

/// Pairs to tie and to untie.
#[derive(Default)]
struct Changes {
    add: Vec<Pair>,
    remove: Vec<Pair>,
    /// Jobs whose record was created just now, so that it has no ties yet.
    created: BTreeSet<usize>,
}

impl Changes {
    fn gather(
        batch: &Batch,
        jobs: &[(Job, Fields)],
        rule: &Rule,
        ends: &Ends,
        touched: &BTreeSet<(RecordId, String)>,
    ) -> Self {
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
            let place = (from.clone(), ends.to.clone());
            if job.intent.kind == IntentKind::Create && !touched.contains(&place) {
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
    ) -> Result<BTreeMap<usize, Failure>, CrmError> {
        let object = bound.object(Side::HubSpot);
        let mut failed = BTreeMap::new();
        if !self.add.is_empty() {
            let replies = self.tie(desk, object, tied, ends).await?;
            note(&mut failed, &self.add, replies);
        }
        if !self.remove.is_empty() {
            let mut replies = self.untie(desk, object, ends).await?;
            // What is not there is tied to nothing, as it should be.
            for reply in &mut replies {
                if matches!(reply, Err(error) if error.kind == ErrorKind::NotFound) {
                    *reply = Ok(());
                }
            }
            note(&mut failed, &self.remove, replies);
        }
        Ok(failed)
    }

    /// One answer for each pair. A call that is refused as a whole is halved until the pair at
    /// fault stands alone.
    async fn tie(
        &self,
        desk: &Desk<'_>,
        object: &str,
        tied: &Tied,
        ends: &Ends,
    ) -> Result<Vec<Result<(), CrmError>>, CrmError> {
        let hubspot = &desk.crms.hubspot;
        let label = ends.label.as_deref();
        let kind = hubspot.association_type(object, &ends.to, label).await?;
        let keep = self.labels_to_keep(desk, object, tied, ends).await?;
        let mut results = Vec::with_capacity(self.add.len());
        let mut waiting = vec![self.add.as_slice()];
        while let Some(part) = waiting.pop() {
            let tie = |(_, from, to): &Pair| (from.clone(), to.clone(), kind.clone());
            let mut pairs: Vec<Tie> = part.iter().map(tie).collect();
            for (_, from, to) in part {
                let same = keep.iter().filter(|tie| tie.0 == *from && tie.1 == *to);
                pairs.extend(same.cloned());
            }
            let mut replies = hubspot.associate(object, &ends.to, &pairs).await;
            replies.truncate(part.len());
            if part.len() > 1 && replies.iter().any(is_spoilt) {
                let (left, right) = part.split_at(part.len() / 2);
                waiting.extend([right, left]);
            } else {
                results.extend(replies);
            }
        }
        Ok(results)
    }

    /// A labelled tie replaces the labels its pair has (hubspot.md 7.1), and those are people's.
    async fn labels_to_keep(
        &self,
        desk: &Desk<'_>,
        object: &str,
        tied: &Tied,
        ends: &Ends,
    ) -> Result<Vec<Tie>, CrmError> {
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

    fn everything(&self, error: CrmError) -> BTreeMap<usize, Failure> {
        let failure = Failure { to: None, error };
        let all = self.add.iter().chain(&self.remove);
        all.map(|(at, ..)| (*at, failure.clone())).collect()
    }
}

/// The platform blames a call that names many pairs; one of them may be the only culprit. Ties can
/// be made twice without harm.
fn is_spoilt(reply: &Result<(), CrmError>) -> bool {
    let blames = |kind| {
        matches!(
            kind,
            ErrorKind::NotFound | ErrorKind::Rejected | ErrorKind::BadRequest
        )
    };
    matches!(reply, Err(error) if error.whole_call && blames(error.kind))
}

fn note(failed: &mut BTreeMap<usize, Failure>, sent: &[Pair], replies: Vec<Result<(), CrmError>>) {
    for ((at, _, to), reply) in sent.iter().zip(replies) {
        if let Err(error) = reply {
            let to = Some(to.clone());
            failed.entry(*at).or_insert(Failure { to, error });
        }
    }
}
