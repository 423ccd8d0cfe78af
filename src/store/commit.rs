//! One transaction for everything a step decided.
//!
//! The changes become a list of statements first, each with one JSON argument for all its rows;
//! then a transaction proves the lease and runs the list. Running it again is harmless, so the
//! retry of a transaction is one line.

use std::collections::{BTreeMap, BTreeSet};

use crate::bugs::{self, Bug};
use crate::model::{Link, MappingName, RunEnd, Side, Timestamp, Verdict};

use super::Store;
use super::changes::{Changes, Judged, MatchKeys};
use super::db::{Arg, Dialected, again, args};
use super::doc;
use super::error::Result;
use super::lanes::Lease;
use super::records::match_hash;
use super::review::{DeadLetterOf, RunRow};
use super::rows::{
    AliasDb, ApprovalDb, BasesDb, BlockRow, ConflictCloseRow, ConflictDb, CountDb, CursorDb,
    DeadCloseRow, DeadLetterDb, FinishRow, HoldCloseRow, HoldDb, IntentDb, JournalDb, KeyPutRow,
    KeyRow, LinkDb, LinkPartRow, MarkRow, RetryRow, ShadowDb, TombstoneDb, ids, task_key,
};
use super::seam::{Deed, Seam};
use super::sql;

type Step = (&'static Dialected, Vec<Arg>);

impl Store {
    /// Applies all changes or none. `LeaseLost` when the lane has another owner by now, `Conflict`
    /// when a record would have two open links or a link two open intents on one side.
    pub async fn commit(&self, lease: &Lease, changes: Changes) -> Result<()> {
        let fence = args![
            lease.ws.as_str(),
            lease.lane.as_str(),
            lease.owner.as_str(),
            lease.epoch,
            changes.lane_state.as_deref(),
            lease.next_step()
        ];
        let deed = Deed::Commit {
            epoch: lease.epoch,
            changes: &changes,
        };
        self.seam(Seam::Before(deed)).await;
        let steps = Steps::of(lease, self.clock.now()).all(changes);
        let rows = again(|| async {
            let rows = self.apply(lease, &fence, &steps).await?;
            self.heard().await.map(|()| rows)
        })
        .await?;
        self.survey_after(rows).await;
        Ok(())
    }

    /// The number of rows touched. A commit whose reply was lost is tried again like any other; if
    /// it had been applied after all, the fence knows its number and nothing is done twice.
    async fn apply(&self, lease: &Lease, fence: &[Arg], steps: &[Step]) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        if tx.run(&sql::lanes::LANE_FENCE, fence).await? == 0 && !bugs::on(Bug::EpochIgnored) {
            let mine = &fence[..4];
            let done = tx.fetch::<CountDb>(&sql::lanes::LANE_STEP, mine).await?;
            return if done.is_empty() {
                Err(lease.lost())
            } else {
                Ok(0)
            };
        }
        let mut rows = 0;
        for (statement, args) in steps {
            rows += tx.run(statement, args).await?;
        }
        tx.commit().await?;
        Ok(rows)
    }
}

/// The list of statements under construction.
struct Steps<'a> {
    ws: &'a str,
    lane: &'a str,
    now: Timestamp,
    steps: Vec<Step>,
}

/// The last of several rows with one key: a statement may meet a row only once.
fn latest<T, K: Ord>(rows: impl Iterator<Item = T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let by_key: BTreeMap<K, T> = rows.map(|row| (key(&row), row)).collect();
    by_key.into_values().collect()
}

/// Closings that do not overlap, or which of two reasons is kept would be the database's choice:
/// one for all rules (`None`) takes in those for single rules.
fn widest<T>(rows: Vec<T>, key: impl Fn(&T) -> (String, Option<String>)) -> Vec<T> {
    let mut by_key: BTreeMap<(String, Option<String>), T> = BTreeMap::new();
    for row in rows {
        by_key.insert(key(&row), row);
    }
    let all: BTreeSet<String> = by_key
        .keys()
        .filter(|(_, rule)| rule.is_none())
        .map(|(of, _)| of.clone())
        .collect();
    by_key.retain(|(of, rule), _| rule.is_none() || !all.contains(of));
    by_key.into_values().collect()
}

impl<'a> Steps<'a> {
    fn of(lease: &'a Lease, now: Timestamp) -> Self {
        Self {
            ws: lease.ws.as_str(),
            lane: &lease.lane,
            now,
            steps: Vec::new(),
        }
    }

    /// Links come before verdicts, so that blocked work sees a parent linked in this very step.
    fn all(mut self, changes: Changes) -> Vec<Step> {
        let mut changes = changes;
        self.positions(&mut changes);
        self.pairs(&mut changes);
        self.intents(&mut changes);
        self.match_keys(&changes.match_keys);
        self.findings(&mut changes);
        self.lifecycle(&changes);
        self.dead_letters(&mut changes);
        self.approvals(&changes);
        self.verdicts(&changes.verdicts);
        self.lane_rows(&sql::lanes::MARKS_UNBLOCK, &KeyRow::all(&changes.unblock));
        self.marks(&changes);
        self.steps
    }

    /// A statement of the workspace, unless it has no rows.
    fn rows<T: serde::Serialize>(&mut self, statement: &'static Dialected, rows: &[T]) {
        if !rows.is_empty() {
            let args = args![self.ws, doc::rows(rows)];
            self.steps.push((statement, args));
        }
    }

    /// A statement of the lane, unless it has no rows.
    fn lane_rows<T: serde::Serialize>(&mut self, statement: &'static Dialected, rows: &[T]) {
        if !rows.is_empty() {
            let args = args![self.ws, self.lane, doc::rows(rows)];
            self.steps.push((statement, args));
        }
    }

    fn ids<'i>(&mut self, statement: &'static Dialected, of: impl Iterator<Item = &'i str>) {
        let mut of = of.peekable();
        if of.peek().is_some() {
            let args = args![self.ws, ids(of)];
            self.steps.push((statement, args));
        }
    }

    fn positions(&mut self, changes: &mut Changes) {
        let cursors = std::mem::take(&mut changes.cursors);
        let cursors = latest(cursors.into_iter(), |cursor| {
            (cursor.mapping.clone(), cursor.side, cursor.kind.clone())
        });
        let rows: Vec<CursorDb> = cursors.iter().map(CursorDb::of).collect();
        self.rows(&sql::records::CURSORS_PUT, &rows);
    }

    fn pairs(&mut self, changes: &mut Changes) {
        let parted: Vec<LinkPartRow> = changes.links_parted.iter().map(LinkPartRow::of).collect();
        self.rows(&sql::links::LINKS_PART, &parted);
        self.links(&changes.links);
        let bases = latest(changes.bases.iter(), |(link, _)| link);
        let rows: Vec<BasesDb> = bases
            .iter()
            .map(|(link, bases)| BasesDb::of(link, bases))
            .collect();
        if !rows.is_empty() {
            let args = args![self.ws, doc::rows(&rows), self.now];
            self.steps.push((&sql::links::BASES_PUT, args));
        }
        let closed: Vec<HoldCloseRow> = changes
            .holds_closed
            .iter()
            .map(|(link, rule)| HoldCloseRow {
                link_id: link.as_str().to_owned(),
                rule: rule.clone(),
            })
            .collect();
        self.rows(&sql::links::HOLDS_CLOSE, &closed);
        let holds = latest(changes.holds.iter(), |hold| (&hold.link, &hold.rule));
        let rows: Vec<HoldDb> = holds.into_iter().map(HoldDb::of).collect();
        self.rows(&sql::links::HOLDS_PUT, &rows);
    }

    /// Links that close come first, so that a record can change hands within one step.
    fn links(&mut self, links: &[Link]) {
        let mut rows: Vec<LinkDb> = latest(links.iter(), |link| &link.id)
            .into_iter()
            .map(LinkDb::of)
            .collect();
        rows.sort_by_key(|row| row.open_key.is_empty());
        self.rows(&sql::links::LINKS_PUT, &rows);
    }

    fn intents(&mut self, changes: &mut Changes) {
        self.ids(
            &sql::links::INTENTS_CLOSE,
            changes.intents_closed.iter().map(|id| id.as_str()),
        );
        let intents = latest(changes.intents.iter(), |intent| &intent.id);
        let rows: Vec<IntentDb> = intents.into_iter().map(IntentDb::of).collect();
        self.rows(&sql::links::INTENTS_PUT, &rows);
    }

    fn match_keys(&mut self, keys: &[MatchKeys]) {
        let mut by_side: BTreeMap<(&MappingName, Side), Vec<&MatchKeys>> = BTreeMap::new();
        for of in latest(keys.iter(), |of| (&of.mapping, of.side, &of.record)) {
            by_side.entry((&of.mapping, of.side)).or_default().push(of);
        }
        for ((mapping, side), records) in by_side {
            let (mapping, side) = (mapping.as_str(), side.as_str());
            let clear = ids(records.iter().map(|of| of.record.as_str()));
            let clear = args![self.ws, mapping, side, clear];
            self.steps.push((&sql::records::MATCH_KEYS_CLEAR, clear));
            let rows: Vec<KeyPutRow> = records.into_iter().flat_map(key_rows).collect();
            if !rows.is_empty() {
                let put = args![self.ws, mapping, side, doc::rows(&rows)];
                self.steps.push((&sql::records::MATCH_KEYS_PUT, put));
            }
        }
    }

    fn findings(&mut self, changes: &mut Changes) {
        let journal = std::mem::take(&mut changes.journal);
        let rows = latest(journal.into_iter().map(JournalDb::of), |row| {
            row.entry_id.clone()
        });
        self.rows(&sql::review::JOURNAL_PUT, &rows);
        let shadow = std::mem::take(&mut changes.shadow);
        let rows = latest(shadow.into_iter().map(ShadowDb::of), |row| {
            row.shadow_id.clone()
        });
        self.rows(&sql::shadow::SHADOW_PUT, &rows);
        let closed: Vec<ConflictCloseRow> = changes
            .conflicts_closed
            .iter()
            .map(ConflictCloseRow::of)
            .collect();
        let closed = widest(closed, |row| (row.link_id.clone(), row.rule.clone()));
        self.rows(&sql::review::CONFLICTS_CLOSE, &closed);
        let conflicts = std::mem::take(&mut changes.conflicts);
        let rows = latest(conflicts.into_iter().map(ConflictDb::of), |row| {
            let (link, rule) = (row.link_id.clone(), row.rule.clone());
            (link, rule, row.input_hash.clone())
        });
        self.rows(&sql::review::CONFLICTS_PUT, &rows);
    }

    fn lifecycle(&mut self, changes: &Changes) {
        self.rows(
            &sql::records::TOMBSTONES_LIFT,
            &KeyRow::all(&changes.tombstones_lifted),
        );
        let tombstones = latest(changes.tombstones.iter(), |tombstone| &tombstone.key);
        let rows: Vec<TombstoneDb> = tombstones.into_iter().map(TombstoneDb::of).collect();
        self.rows(&sql::records::TOMBSTONES_PUT, &rows);
        let rows: Vec<AliasDb> = latest(changes.aliases.iter(), |(key, _)| key)
            .into_iter()
            .map(|(key, now)| AliasDb::of(key, now))
            .collect();
        self.rows(&sql::records::ALIASES_PUT, &rows);
    }

    fn dead_letters(&mut self, changes: &mut Changes) {
        let closed = &changes.dead_letters_closed;
        let of = |kind: fn(&DeadLetterOf) -> bool| -> Vec<DeadCloseRow> {
            let chosen = closed.iter().filter(|close| kind(&close.of));
            let rows = chosen.map(DeadCloseRow::of).collect();
            widest(rows, |row| (row.of_id.clone(), row.rule.clone()))
        };
        let by_id = of(|of| matches!(of, DeadLetterOf::Id(_)));
        let by_link = of(|of| matches!(of, DeadLetterOf::Link(_)));
        let by_task = of(|of| matches!(of, DeadLetterOf::Task(_)));
        self.rows(&sql::review::DEAD_LETTERS_CLOSE_ID, &by_id);
        self.rows(&sql::review::DEAD_LETTERS_CLOSE_LINK, &by_link);
        self.rows(&sql::review::DEAD_LETTERS_CLOSE_TASK, &by_task);
        let letters = std::mem::take(&mut changes.dead_letters);
        let rows = latest(letters.into_iter().map(DeadLetterDb::of), |row| {
            (row.task_key.clone(), row.rule.clone(), row.state.clone())
        });
        self.rows(&sql::review::DEAD_LETTERS_PUT, &rows);
    }

    fn approvals(&mut self, changes: &Changes) {
        self.ids(
            &sql::review::APPROVALS_USE,
            changes.approvals_used.iter().map(|id| id.as_str()),
        );
        let rows = latest(changes.approvals.iter().map(ApprovalDb::of), |row| {
            let (mapping, side) = (row.mapping.clone(), row.side.clone());
            (mapping, side, row.kind.clone(), row.set_hash.clone())
        });
        self.rows(&sql::review::APPROVALS_PUT, &rows);
        if let Some(run) = &changes.run {
            self.run(run);
        }
    }

    fn run(&mut self, run: &RunRow) {
        if run.ended_at.is_none() {
            let args = args![self.ws, run.id.as_str(), RunEnd::CutOff.as_str()];
            self.steps.push((&sql::review::RUNS_CUT_OFF, args));
        }
        let args = args![
            self.ws,
            run.id.as_str(),
            run.kind.as_str(),
            run.started_at,
            run.ended_at,
            run.summary.as_str(),
            run.end.map(RunEnd::as_str)
        ];
        self.steps.push((&sql::review::RUN_PUT, args));
    }

    fn verdicts(&mut self, verdicts: &[Judged]) {
        let mut finish = Vec::new();
        let mut retry = Vec::new();
        let mut block = Vec::new();
        for judged in latest(verdicts.iter(), |judged| &judged.task) {
            let (task, revision) = (&judged.task, judged.revision);
            match &judged.verdict {
                Verdict::Done | Verdict::Dead(_) => finish.push(FinishRow {
                    task_key: task_key(task),
                    revision,
                }),
                Verdict::RetryAt {
                    at,
                    counted,
                    failure,
                } => retry.push(RetryRow::of(task, revision, *at, *counted, failure)),
                Verdict::BlockedOn { parent, failure } => {
                    block.push(BlockRow::of(task, revision, parent, failure));
                }
            }
        }
        self.lane_rows(&sql::lanes::MARKS_FINISH, &finish);
        self.lane_rows(&sql::lanes::MARKS_REOPEN, &finish);
        self.lane_rows(&sql::lanes::MARKS_RETRY, &retry);
        if !block.is_empty() {
            let args = args![self.ws, self.lane, doc::rows(&block), self.now];
            self.steps.push((&sql::lanes::MARKS_BLOCK, args));
        }
    }

    fn marks(&mut self, changes: &Changes) {
        if !changes.marks.is_empty() {
            let rows = doc::rows(&MarkRow::all(self.ws, &changes.marks));
            let args = args![self.lane, self.now, rows];
            self.steps.push((&sql::lanes::MARKS_PUT, args));
        }
    }
}

/// A blank key matches nothing, so it has no row.
fn key_rows(of: &MatchKeys) -> Vec<KeyPutRow> {
    let numbered = (0_i64..).zip(&of.keys);
    numbered
        .filter_map(|(match_rule, key)| {
            Some(KeyPutRow {
                match_rule,
                hash: match_hash(key.as_deref()?),
                record_id: of.record.as_str().to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::model::{Cause, ErrorClass, Failure, RecordId, RecordKey, Task, WorkspaceId};
    use crate::store::Mark;

    /// The connection broke in the commit: nobody knows whether it was applied, and it was.
    #[tokio::test]
    async fn a_commit_whose_reply_was_lost_counts_no_attempt_twice() {
        let start = Timestamp::from_millis(1_772_442_000_000);
        let store = Store::open("sqlite::memory:", Clock::manual(start)).await;
        let (store, ws) = (store.unwrap(), WorkspaceId::new("acme/test"));
        store.ensure_workspace(&ws).await.unwrap();
        let task = Task::Record(RecordKey {
            mapping: MappingName::new("contacts"),
            side: Side::HubSpot,
            id: RecordId::new("1"),
        });
        let mark = Mark {
            task: task.clone(),
            cause: Cause::Poll,
            not_before: start,
        };
        store.mark(&ws, "sync", &[mark]).await.unwrap();
        let lease = store.lease(&ws, "sync", "me", 30_000).await.unwrap();
        let lease = lease.expect("the lane is free");
        let failure = Failure {
            class: ErrorClass::Transient,
            code: "503".to_owned(),
            message: "down".to_owned(),
            fields: Vec::new(),
        };
        let verdict = Verdict::RetryAt {
            at: start,
            counted: true,
            failure,
        };
        let judged = Judged {
            task,
            revision: 1,
            verdict,
        };
        let changes = Changes {
            verdicts: vec![judged],
            ..Changes::default()
        };
        let fence = args![
            "acme/test",
            "sync",
            "me",
            lease.epoch(),
            None::<&str>,
            1_i64
        ];
        let steps = Steps::of(&lease, start).all(changes);
        for _ in 0..2 {
            store.apply(&lease, &fence, &steps).await.unwrap();
        }
        let queue = store.queue(&ws, "sync", 10).await.unwrap();
        assert_eq!(queue[0].attempts, 1);
        let stale = args![
            "acme/test",
            "sync",
            "me",
            lease.epoch() + 1,
            None::<&str>,
            2_i64
        ];
        let refused = store.apply(&lease, &stale, &steps).await;
        assert!(matches!(
            refused,
            Err(crate::store::StoreError::LeaseLost { .. })
        ));
    }
}
