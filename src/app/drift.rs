//! The comparison of both sides that the engine makes by itself, a chunk at a time: how far it is,
//! what it found, and when it goes on. What differs without a reason is looked at a second time,
//! because an edit of this minute is no drift.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Engine, planned};
use crate::model::{BySide, Cause, LinkId, MappingName, Side, Task, Timestamp, WorkspaceId};
use crate::pipeline::LANE;
use crate::sources::{self, SourceError};
use crate::store::{Changes, Claimed, CursorPut, Mark, Store, StoreError};
use crate::sync::{
    self, Compared, Desk, Difference, Mode, Part, PlannedValues, Planning, ReadError, Why,
};

/// The name of its cursor.
const DRIFT: &str = "drift";
/// Longer than polls, their late pass and a slow index take together.
const SECOND_LOOK_MILLIS: i64 = 15 * 60_000;
/// Pairs that are looked at a second time; more than that are drift as they are.
const SUSPECTS_MAX: usize = 1_000;
/// Differences that are named.
const NAMED_MAX: usize = 50;

/// How far a comparison is, and what the last whole one found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Course {
    began: i64,
    after: Option<String>,
    found: Found,
    /// Pairs to look at again.
    suspects: Vec<String>,
    /// The first look at all pairs is over.
    second: bool,
    last: Option<DriftFound>,
}

/// What both sides of a mapping hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    pub pairs: u64,
    /// Values that were compared, by rule, and how many of them agree.
    pub values: BTreeMap<String, (u64, u64)>,
    /// What differs, by the reason.
    pub reasons: BTreeMap<String, u64>,
    /// One number over all values of a side, in hexadecimal.
    pub digests: BySide<String>,
    /// Some of what differs without a reason.
    pub named: Vec<Named>,
}

/// A value that differs, or a record that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    pub records: BySide<Option<String>>,
    /// Empty when a record as a whole is gone.
    pub rule: String,
    pub why: String,
}

/// A whole comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftFound {
    pub began: i64,
    pub ended: i64,
    pub found: Found,
}

impl DriftFound {
    /// Values that were compared, and how many of them agree.
    pub fn values(&self) -> (u64, u64) {
        let values = self.found.values.values();
        values.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Differences that somebody should look at.
    pub fn drift(&self) -> u64 {
        let counted = [Why::Drift, Why::Gone].map(Why::as_str);
        let reasons = self.found.reasons.iter();
        let counted = reasons.filter(|(why, _)| counted.contains(&why.as_str()));
        counted.map(|(_, count)| count).sum()
    }
}

impl Found {
    fn add(&mut self, compared: &Compared) {
        self.pairs += compared.pairs;
        for (rule, (values, agree)) in &compared.values {
            let count = self.values.entry(rule.clone()).or_default();
            *count = (count.0 + values, count.1 + agree);
        }
        for side in Side::BOTH {
            let sum = self.digests.get_mut(side);
            let so_far = u128::from_str_radix(sum, 16).unwrap_or(0);
            *sum = format!("{:x}", so_far.wrapping_add(*compared.digests.get(side)));
        }
    }

    fn note(&mut self, difference: &Difference) {
        let why = difference.why.as_str();
        *self.reasons.entry(why.to_owned()).or_default() += 1;
        if is_unexplained(difference) && self.named.len() < NAMED_MAX {
            let id = |side: Side| Some(difference.records.get(side).as_ref()?.to_string());
            self.named.push(Named {
                records: BySide::from_fn(id),
                rule: difference.rule.clone(),
                why: why.to_owned(),
            });
        }
    }
}

fn is_unexplained(difference: &Difference) -> bool {
    matches!(difference.why, Why::Drift | Why::Gone)
}

impl Course {
    /// Takes in one step; answers how long until the next one, `None` when the comparison is over.
    fn take(&mut self, compared: &Compared) -> Option<i64> {
        if self.second {
            for difference in &compared.differences {
                self.found.note(difference);
            }
            return None;
        }
        self.found.add(compared);
        let differences = compared.differences.iter();
        let unexplained = differences.clone().filter(|one| is_unexplained(one));
        let room = SUSPECTS_MAX.saturating_sub(self.suspects.len());
        let suspects: BTreeSet<&LinkId> = unexplained.map(|one| &one.link).collect();
        let suspects: BTreeSet<&LinkId> = suspects.into_iter().take(room).collect();
        // All that is to be said of a suspect is said after the second look.
        for difference in differences.filter(|one| !suspects.contains(&one.link)) {
            self.found.note(difference);
        }
        let suspects = suspects.into_iter().map(|link| link.as_str().to_owned());
        self.suspects.extend(suspects);
        self.after = compared.next.as_ref().map(|next| next.as_str().to_owned());
        if self.after.is_some() {
            return Some(0);
        }
        self.second = true;
        (!self.suspects.is_empty()).then_some(SECOND_LOOK_MILLIS)
    }
}

/// What the last whole comparison of each mapping found.
pub async fn drift_found(
    store: &Store,
    workspace: &WorkspaceId,
    mappings: impl IntoIterator<Item = MappingName>,
) -> Result<BTreeMap<MappingName, DriftFound>, StoreError> {
    let mut found = BTreeMap::new();
    for name in mappings {
        let course = course(store, workspace, &name).await?;
        if let Some(last) = course.last {
            found.insert(name, last);
        }
    }
    Ok(found)
}

/// Whether the first look at all pairs is over, and some of them are to be looked at again.
pub(super) async fn is_on_second_look(
    store: &Store,
    workspace: &WorkspaceId,
    mapping: &MappingName,
) -> Result<bool, StoreError> {
    Ok(course(store, workspace, mapping).await?.second)
}

async fn course(
    store: &Store,
    workspace: &WorkspaceId,
    mapping: &MappingName,
) -> Result<Course, StoreError> {
    let text = store
        .cursor(workspace, mapping, Side::HubSpot, DRIFT)
        .await?;
    // A course that cannot be read begins anew.
    Ok(text
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default())
}

impl Engine {
    /// The next part of the comparison of a mapping. Reads both CRMs; where it is and what it found
    /// is one commit with its verdict.
    pub(super) async fn compare_on(&mut self, claimed: Claimed) -> Result<u64, StoreError> {
        // A run that plans, or keeps to a plan, has no use for it.
        if !matches!(self.options.mode, Mode::Write | Mode::Shadow)
            && let Some(next) = planned::not_now(&self.site, &claimed)
        {
            return self.put_aside(&claimed, next).await;
        }
        let name = claimed.task.mapping().clone();
        let known = self.site.mappings.contains_key(&name);
        let mut course = course(&self.site.store, &self.site.workspace, &name).await?;
        let now = self.site.clock.now();
        if course.began == 0 {
            course.began = now.micros();
        }
        let after = course.after.as_deref().map(LinkId::new);
        let suspects: Vec<LinkId> = course.suspects.iter().map(LinkId::new).collect();
        let part = match course.second {
            true => Part::Of(&suspects),
            false => Part::After(after.as_ref()),
        };
        let compared = self.compare(&name, part, &PlannedValues::new()).await;
        let Some(lane) = &mut self.lane else {
            return Ok(0);
        };
        let mut changes = Changes::default();
        let mut pairs = 0;
        match compared {
            Err(ReadError::Store(error)) => return Err(error),
            Err(ReadError::Crm(error)) => {
                let setback = SourceError::Crm(error).setback()?;
                changes
                    .verdicts
                    .push(lane.failed_source(&claimed, &setback));
            }
            Ok(compared) => {
                pairs = compared.pairs;
                let next = course.take(&compared).unwrap_or_else(|| {
                    course = Course {
                        last: Some(ended(&name, &course, now)),
                        ..Course::default()
                    };
                    self.options.drift_millis
                });
                changes.verdicts.push(lane.done(&claimed));
                if known {
                    changes.marks.push(Mark {
                        task: claimed.task.clone(),
                        cause: Cause::Scan,
                        not_before: now.plus_millis(next),
                    });
                    changes.cursors.push(CursorPut {
                        mapping: name,
                        side: Side::HubSpot,
                        kind: DRIFT.to_owned(),
                        value: serde_json::to_string(&course).unwrap_or_default(),
                    });
                }
            }
        }
        lane.commit(changes).await?;
        Ok(pairs)
    }

    /// Compares some pairs of a mapping, value by value. Reads only.
    ///
    /// # Errors
    /// When a CRM cannot be read or the store fails; the step can be repeated.
    pub async fn compare(
        &mut self,
        mapping: &MappingName,
        part: Part<'_>,
        planned: &PlannedValues,
    ) -> Result<Compared, ReadError> {
        let (Some(bound), Some(lane)) = (self.site.mappings.get(mapping), &mut self.lane) else {
            return Ok(Compared::default());
        };
        lane.keep().await?;
        let planning = Planning {
            site: &self.site,
            mode: &mut self.options.mode,
            limits: self.options.limits,
            tally: &mut self.tally,
        };
        let mut desk = Desk::new(planning, &self.crms, lane);
        sync::compare(&mut desk, bound, part, planned).await
    }

    /// Asks for a comparison of every mapping, now.
    pub async fn compare_now(&self) -> Result<(), StoreError> {
        self.arrange_comparisons(0).await
    }

    /// Sees to it that every mapping is compared some time; one that waits already is not put off.
    pub(super) async fn arrange_comparisons(&self, wait: i64) -> Result<(), StoreError> {
        let marks = self.comparisons(wait);
        let (store, ws) = (&self.site.store, &self.site.workspace);
        store.mark(ws, LANE, &marks).await
    }

    pub(super) fn comparisons(&self, wait: i64) -> Vec<Mark> {
        let not_before = self.site.clock.now().plus_millis(wait);
        let marks = self.site.mappings.keys().map(|mapping| Mark {
            task: Task::Drift {
                mapping: mapping.clone(),
            },
            cause: Cause::Scan,
            not_before,
        });
        marks.collect()
    }

    /// Asks for a scan of everything, now.
    pub async fn scan_now(&self) -> Result<(), StoreError> {
        let site = &self.site;
        let names = site.mappings.keys();
        let marks: Vec<Mark> = names
            .flat_map(|name| sources::scan_marks(site, name))
            .collect();
        site.store.mark(&site.workspace, LANE, &marks).await
    }
}

fn ended(name: &MappingName, course: &Course, now: Timestamp) -> DriftFound {
    let found = DriftFound {
        began: course.began,
        ended: now.micros(),
        found: course.found.clone(),
    };
    match found.drift() {
        0 => tracing::info!(
            mapping = name.as_str(),
            pairs = found.found.pairs,
            "no drift"
        ),
        drift => tracing::warn!(
            mapping = name.as_str(),
            drift,
            "values differ without a reason; `tandem drift --last` names them"
        ),
    }
    found
}
