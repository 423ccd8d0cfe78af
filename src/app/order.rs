//! What an engine puts in order when it takes the lane, before its first attempt.

use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Options};
use crate::mapping::{self, Mapping, SourceFile};
use crate::model::{
    Cause, IntentKind, MappingName, RecordId, RecordKey, Revision, Side, Task, Timestamp,
};
use crate::pipeline::{LANE, Lane, Site};
use crate::sources;
use crate::store::{Changes, Mark, ShadowState, ShadowWrite, StoreError, journal_kept_from};
use crate::sync::Mode;

impl Engine {
    /// Records which mapping revisions run now, what that means for what was read before, and
    /// marks everything an earlier process may have left half done.
    pub(super) async fn put_in_order(&mut self) -> Result<(), StoreError> {
        let site = &self.site;
        let (store, ws) = (&site.store, &site.workspace);
        let before = store.active_revisions(ws).await?;
        let mut active: BTreeMap<MappingName, Revision> = BTreeMap::new();
        let mut changes = Changes::default();
        for (name, bound) in &site.mappings {
            let mapping = bound.mapping();
            if before.get(name) != Some(&mapping.revision) {
                store
                    .put_revision(ws, name, &mapping.revision, &mapping.text, "{}")
                    .await?;
            }
            active.insert(name.clone(), mapping.revision.clone());
            match before.get(name) {
                None if !before.is_empty() => {
                    changes.cursors.extend(sources::backfill_again(site, name));
                }
                Some(revision) if *revision != mapping.revision => {
                    let text = store.revision_text(ws, revision).await?;
                    if text.is_none_or(|text| matches_otherwise(&text, mapping)) {
                        changes.cursors.extend(sources::backfill_again(site, name));
                    }
                    changes.marks.extend(sources::scan_marks(site, name));
                }
                None | Some(_) => {}
            }
        }
        for intent in store.open_intents(ws).await? {
            changes.marks.extend(self.marks_of(&intent).await?);
        }
        let often = self.options.comes_and_goes;
        let nothing = changes.marks.is_empty() && changes.cursors.is_empty();
        changes.run = (!often).then(|| self.run_row(None));
        if let Some(lane) = &self.lane
            && !(often && nothing)
        {
            lane.commit(changes).await?;
        }
        if before != active {
            store.activate(ws, &active).await?;
        }
        store.work_under(ws, LANE, &site.pauses).await?;
        let mut marks = sources::arranged(site).await?;
        marks.extend(self.comparisons(self.options.drift_millis));
        if let Some(lane) = &self.lane
            && often
        {
            let tasks = marks.iter().map(|mark| mark.task.clone()).collect();
            let due = lane.marked(&tasks).await?;
            marks.retain_mut(|mark| match due.get(&mark.task) {
                None => true,
                // What an earlier process put off because it heard webhooks is not put off here.
                Some(at) => {
                    let latest = sources::next_look(site, &mark.task, &self.pace);
                    mark.not_before = latest.unwrap_or(*at);
                    mark.not_before < *at
                }
            });
        }
        store.mark(ws, LANE, &marks).await?;
        self.mark_planned().await?;
        self.in_order = true;
        self.noted = (!often).then(|| self.site.clock.now());
        Ok(())
    }

    /// An intent that is still open belongs to an attempt that never ended.
    async fn marks_of(&self, intent: &crate::model::Intent) -> Result<Vec<Mark>, StoreError> {
        let (store, ws) = (&self.site.store, &self.site.workspace);
        let links = store
            .links_by_id(ws, std::slice::from_ref(&intent.link))
            .await?;
        let now = self.site.clock.now();
        Ok(links
            .into_iter()
            .flat_map(|link| {
                let mapping = link.mapping.clone();
                Side::BOTH.into_iter().filter_map(move |side| {
                    let id = link.records.get(side).clone()?;
                    let key = crate::model::RecordKey {
                        mapping: mapping.clone(),
                        side,
                        id,
                    };
                    let task = Task::Record(key);
                    Some(Mark {
                        task,
                        cause: Cause::Follow,
                        not_before: now,
                    })
                })
            })
            .collect())
    }
}

/// What is to be done once an hour: work that waits too long for a parent is woken, what is not to
/// be kept any longer goes, and what others may have written meanwhile is looked at.
pub(super) async fn look_through(
    lane: &Lane,
    site: &Site,
    options: &Options,
) -> Result<(), StoreError> {
    lane.wake_overdue(&site.workspace).await?;
    let kept = site.clock.now().plus_millis(-options.journal_millis);
    prune_journal(lane, site, kept).await?;
    prune_shadow(site, kept).await?;
    match options.mode {
        // What nobody wrote is what a plan is about.
        Mode::Shadow | Mode::Observe => shadowed(lane, site, ShadowState::Open).await,
        Mode::Write => shadowed(lane, site, ShadowState::TakenOver).await,
        Mode::Apply(_) | Mode::Rehearse(_) => Ok(()),
    }
}

/// Rows of one page.
const PAGE: u32 = 1_000;

/// Marks both records of what a run that observed would have written and is still open, and leaves
/// the rows in this state.
async fn shadowed(lane: &Lane, site: &Site, state: ShadowState) -> Result<(), StoreError> {
    let (store, ws, now) = (&site.store, &site.workspace, site.clock.now());
    let ever = (Timestamp::from_micros(0), now.plus_millis(1));
    let mut after: Option<String> = None;
    loop {
        let from = after.as_deref();
        let open = Some(ShadowState::Open);
        let rows = store.shadow_since(ws, ever, open, from, PAGE).await?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = Some(last.id.clone());
        let mut changes = Changes::default();
        for (key, cause) in pairs_of(site, &rows).await? {
            changes.marks.push(Mark {
                task: Task::Record(key),
                cause,
                not_before: now,
            });
        }
        if state != ShadowState::Open {
            changes.shadow = rows;
            for row in &mut changes.shadow {
                row.state = state;
                row.ended_at = Some(now);
            }
        }
        lane.commit(changes).await?;
    }
}

/// Both records of the pairs that the rows are about.
async fn pairs_of(
    site: &Site,
    rows: &[ShadowWrite],
) -> Result<BTreeSet<(RecordKey, Cause)>, StoreError> {
    let (store, ws) = (&site.store, &site.workspace);
    let mut found = BTreeSet::new();
    let mut by_place: BTreeMap<(&MappingName, Side), Vec<RecordId>> = BTreeMap::new();
    for row in rows {
        let side = match row.kind {
            IntentKind::Create => row.side.other(),
            IntentKind::Update | IntentKind::Associate | IntentKind::Archive => row.side,
        };
        let place = by_place.entry((&row.mapping, side)).or_default();
        place.push(row.record.clone());
    }
    for ((mapping, side), ids) in by_place {
        let key = |side: Side, id: &RecordId| RecordKey {
            mapping: mapping.clone(),
            side,
            id: id.clone(),
        };
        found.extend(ids.iter().map(|id| (key(side, id), Cause::Follow)));
        for link in store.links_by_record(ws, mapping, side, &ids).await? {
            let other = side.other();
            let partner = link.records.get(other).as_ref();
            found.extend(partner.map(|id| (key(other, id), Cause::Follow)));
        }
    }
    Ok(found)
}

/// Old entries go a part at a time, so that no statement takes long.
const PRUNED_AT_ONCE: u32 = 5_000;
const PRUNES: usize = 20;

/// Removes what the journal is not to keep any longer; the rest of a very long one goes next time.
async fn prune_journal(lane: &Lane, site: &Site, before: Timestamp) -> Result<(), StoreError> {
    let (store, ws) = (&site.store, &site.workspace);
    for nth in 0..PRUNES {
        let oldest = store.journal_oldest(ws).await?;
        if oldest.is_none_or(|at| at >= before) {
            return Ok(());
        }
        if nth == 0 {
            let changes = Changes {
                cursors: vec![journal_kept_from(before)],
                ..Changes::default()
            };
            lane.commit(changes).await?;
        }
        store.prune_journal(ws, before, PRUNED_AT_ONCE).await?;
    }
    Ok(())
}

/// The same for what a run that observed noted, as far as it is over.
async fn prune_shadow(site: &Site, before: Timestamp) -> Result<(), StoreError> {
    for _ in 0..PRUNES {
        let (store, ws) = (&site.store, &site.workspace);
        let gone = store.shadow_prune(ws, before, PRUNED_AT_ONCE).await?;
        if gone < u64::from(PRUNED_AT_ONCE) {
            break;
        }
    }
    Ok(())
}

/// Whether the records would be matched otherwise than under the earlier text of the mapping. Match
/// keys are kept by the place of their rule, so all of them have to be made again then.
fn matches_otherwise(before: &str, mapping: &Mapping) -> bool {
    let file = SourceFile {
        path: mapping.name.as_str().to_owned(),
        text: before.to_owned(),
    };
    let loaded = mapping::load(&[file], &BTreeMap::new());
    let old = loaded.ok().and_then(|mut loaded| loaded.mappings.pop());
    old.is_none_or(|old| old.matches != mapping.matches || old.objects != mapping.objects)
}
