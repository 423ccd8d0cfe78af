//! Coming to rest after trouble, and judging what is then.

use tandem::app::Step;
use tandem::model::{Cause, LinkId, RecordId, RecordKey, Task};
use tandem::store::{
    ConflictFilter, DeadLetter, DeadLetterFilter, DeadLetterState, JournalFilter, LinkFilter, Mark,
};

use crate::invariants::{self, Rest};
use crate::run::Run;

const LANE: &str = "sync";
/// Work that is due later than this is left to wait.
const HORIZON_MILLIS: i64 = 30 * 60_000;
const STEPS_MAX: u32 = 600;
const ROUNDS_MAX: u32 = 12;
/// What one late pass leads to may be news to the next one, and so on a few times.
const LATE_ROUNDS_MAX: u32 = 4;
/// Longer than a slow index and a late transaction take.
const LATE_MILLIS: i64 = 11 * 60_000;
/// How far a pass came is remembered once a minute; the late pass follows the memory.
const REMEMBERED_MILLIS: i64 = 61_000;
/// HubSpot's recycle bin is walked once an hour.
const BIN_MILLIS: i64 = 61 * 60_000;

/// Looks until a round finds no record to work on. Whether an earlier one found any.
pub async fn settle(run: &mut Run<'_>) -> bool {
    for nth in 0..ROUNDS_MAX {
        run.pass(30_000).await;
        run.look().await;
        if work(run).await == 0 {
            return nth > 0;
        }
    }
    run.with(|stage| stage.violated("I17", "the two sides do not come to rest".to_owned()));
    true
}

/// Looks until the late pass has shown what there is to show.
async fn settle_late(run: &mut Run<'_>) {
    let bin = run.with(|stage| !stage.ledger.deleted.is_empty());
    let mut wait = if bin { BIN_MILLIS } else { LATE_MILLIS };
    for _ in 0..LATE_ROUNDS_MAX {
        if run.cast.filter {
            // A value of ours that leaves the filter is news in a poll, and an echo elsewhere.
            run.pass(REMEMBERED_MILLIS).await;
            run.look().await;
            work(run).await;
        }
        run.pass(wait).await;
        let worked = settle(run).await;
        if !worked || !run.cast.filter {
            return;
        }
        // What was written now may lie outside the filter and be shown late in its turn.
        wait = LATE_MILLIS;
    }
}

/// Steps until nothing is due within the horizon, moving the clock to what is due next. Returns
/// how often records were worked on.
async fn work(run: &mut Run<'_>) -> u32 {
    let mut worked = 0;
    for _ in 0..STEPS_MAX {
        let until = match run.step().await {
            Step::Worked(work) => {
                worked += u32::from(work.kind == "record");
                continue;
            }
            Step::Wait(until) => until,
        };
        if !is_due(run).await {
            return worked;
        }
        let now = run.with(|stage| stage.clock.now());
        let wait = until.map_or(1_000, |at| at.millis_since(now) + 1);
        run.pass(wait.max(1)).await;
    }
    run.with(|stage| stage.violated("I17", "the engine never runs out of work".to_owned()));
    worked
}

async fn is_due(run: &Run<'_>) -> bool {
    let now = run.with(|stage| stage.clock.now());
    let horizon = now.plus_millis(HORIZON_MILLIS);
    let scan = run
        .store()
        .next_due_of(&run.workspace, LANE, "scan")
        .await
        .unwrap();
    run.engine()
        .next_work()
        .await
        .unwrap()
        .is_some_and(|at| at <= horizon)
        || scan.is_some_and(|at| at <= now)
        || run.engine().poll_is_due().await.unwrap()
}

/// Records that came through the API, no-ops included.
fn writes(run: &Run<'_>) -> u64 {
    run.with(|stage| {
        let hubspot = stage.hubspot.counters();
        let salesforce = stage.salesforce.counters();
        hubspot.records_created
            + hubspot.records_updated
            + hubspot.records_archived
            + hubspot.noop_updates
            + salesforce.records_created
            + salesforce.records_updated
            + salesforce.records_deleted
            + salesforce.noop_updates
    })
}

/// Asks for every record once more, as `replay` does.
async fn replay(run: &Run<'_>) {
    let marks: Vec<Mark> = run.with(|stage| {
        let now = stage.clock.now();
        let records = stage.shots().0.into_iter();
        records
            .map(|((side, id), shot)| Mark {
                task: Task::Record(RecordKey {
                    mapping: tandem::model::MappingName::new(shot.mapping),
                    side,
                    id: RecordId::new(id),
                }),
                cause: Cause::Person,
                not_before: now,
            })
            .collect()
    });
    run.store()
        .mark(&run.workspace, LANE, &marks)
        .await
        .unwrap();
}

pub async fn judge(run: &mut Run<'_>) {
    settle(run).await;
    settle_late(run).await;
    // Asked before the replay, which would settle what was left open.
    let intents = run.store().open_intents(&run.workspace).await.unwrap();
    let letters = open_letters(run).await;
    let rivals = letters.iter().any(|letter| letter.code == "already-linked");
    let moves = run.with(|stage| stage.mirror.moves);
    run.scan().await;
    work(run).await;
    let missed = run.with(|stage| stage.mirror.moves) - moves;
    let before = writes(run);
    replay(run).await;
    work(run).await;
    let idle_writes = writes(run) - before;
    let mut rest = look_around(run, missed, idle_writes).await;
    rest.rivals = rivals;
    rest.intents.extend(intents);
    run.with(|stage| {
        if stage.violations.is_empty() {
            invariants::at_rest(stage, &rest);
        }
    });
}

async fn open_letters(run: &Run<'_>) -> Vec<DeadLetter> {
    let open = DeadLetterFilter {
        state: Some(DeadLetterState::Open),
        limit: 1_000,
        ..DeadLetterFilter::default()
    };
    run.store()
        .dead_letters(&run.workspace, &open)
        .await
        .unwrap()
}

async fn look_around(run: &Run<'_>, missed: u64, idle_writes: u64) -> Rest {
    let (store, ws) = (run.store(), &run.workspace);
    let links = store
        .links_page(ws, &LinkFilter::default(), None, 1_000)
        .await
        .unwrap();
    let ids: Vec<LinkId> = links.iter().map(|link| link.id.clone()).collect();
    let journal = JournalFilter {
        limit: 10_000,
        ..JournalFilter::default()
    };
    let mut queue = store.queue(ws, LANE, 1_000).await.unwrap();
    queue.retain(|claimed| claimed.task.kind() == "record");
    Rest {
        shots: run.with(|stage| stage.shots()),
        holds: store.holds(ws, &ids).await.unwrap(),
        conflicts: store
            .conflicts(ws, &ConflictFilter::default(), 1_000)
            .await
            .unwrap(),
        letters: open_letters(run).await,
        journal: store.journal_page(ws, &journal).await.unwrap(),
        intents: store.open_intents(ws).await.unwrap(),
        queue,
        links,
        missed,
        rivals: false,
        idle_writes,
    }
}
