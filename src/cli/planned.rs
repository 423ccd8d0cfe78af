//! Runs that plan, and runs that carry a plan out. What they decide is the engine's; here files are
//! read and written and engines opened.

use std::io::Read as _;
use std::path::Path;

use crate::app::{Engine, NotAPlan, PlanFile};
use crate::clock::Chance;
use crate::model::{BySide, MappingName, RunEnd, Side};
use crate::sync::{Frozen, Mode, Row};

use super::apply_report::ApplyReport;
use super::drive::{Course, Stop, drive};
use super::engine::{HORIZON_MILLIS, Ready, close, open_unless, run_end};
use super::output::{Advice, Outcome, Output};
use super::plan_report::PlanReport;
use super::run_report::RunReport;
use super::sim::told_to_stop;

/// A plan waits for a passing fault only, not for the fate of somebody's earlier write.
const PLAN_HORIZON_MILLIS: i64 = 10_000;
/// How far a run goes that writes nothing.
pub const LOOKING: Course = Course::UntilQuiet(PLAN_HORIZON_MILLIS);
/// Larger files are not read: a plan of a million writes is smaller.
const FILE_MAX: u64 = 1 << 30;

/// A plan with what else is to be said of it.
pub struct Found {
    pub report: PlanReport,
    /// What became of the rows of a plan that was rehearsed.
    pub rows: Vec<Row>,
}

/// Finds out what a run in `mode` would write, on a store of its own, so that nothing is left of
/// it.
pub async fn find_out(mut ready: Ready, mode: Mode) -> anyhow::Result<Found> {
    let started = ready.data.now();
    let scratch = ready.data.scratch.take();
    let mut stop: Stop = Box::pin(told_to_stop());
    let (mut engine, store, told) = open_unless(&mut stop, ready, mode, LOOKING).await?;
    let linked = store.summary(&engine.site().workspace).await?.links;
    let ended = match told {
        true => Ok(true),
        false => drive(&mut engine, &mut stop, LOOKING).await,
    };
    let rest = RunReport::of(&engine, started).await;
    let rows = engine.mode().frozen().map(|frozen| frozen.rows().to_vec());
    let report = match &rest {
        Ok(rest) => Some(PlanReport::of(&engine, &linked, rest).await),
        Err(_) => None,
    };
    close(engine, store, RunEnd::Finished).await?;
    drop(scratch);
    if ended? {
        return Err(Advice::new("stopped before the plan was complete", "run it again").into());
    }
    let rest = rest?;
    if rest.is_blind() {
        let what = format!("the plan is not complete: {}", rest.blind_spots());
        return Err(Advice::new(what, "run it again").into());
    }
    let report = report.transpose()?;
    let report = report.ok_or_else(|| Advice::new("there is no plan", "run it again"))?;
    let rows = rows.unwrap_or_default();
    Ok(Found { report, rows })
}

/// Brings an engine up to now that writes nothing, on a store of its own, and hands it to `find`.
/// Ctrl-C ends it at any moment: `unfinished` says what is not complete then.
pub async fn look<T>(
    mut ready: Ready,
    unfinished: &str,
    find: impl AsyncFnOnce(&mut Engine) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let scratch = ready.data.scratch.take();
    let mut stop: Stop = Box::pin(told_to_stop());
    let opened = open_unless(&mut stop, ready, Mode::Observe, LOOKING).await?;
    let (mut engine, store, told) = opened;
    let stopped = || {
        let what = format!("stopped before the {unfinished} was complete");
        Err(Advice::new(what, "run it again").into())
    };
    let found = async {
        if told || drive(&mut engine, &mut stop, LOOKING).await? {
            return stopped();
        }
        tokio::select! {
            biased;
            told = &mut stop => {
                told?;
                stopped()
            }
            found = find(&mut engine) => found,
        }
    };
    let found = Box::pin(found).await;
    close(engine, store, RunEnd::Finished).await?;
    drop(scratch);
    found
}

/// The mappings that a command is about: all of them, or the one that was asked for.
pub fn chosen<'a>(
    names: impl Iterator<Item = &'a MappingName>,
    asked: Option<&str>,
) -> anyhow::Result<Vec<MappingName>> {
    let names: Vec<MappingName> = names.cloned().collect();
    let Some(asked) = asked else {
        return Ok(names);
    };
    if let Some(name) = names.iter().find(|name| name.as_str() == asked) {
        return Ok(vec![name.clone()]);
    }
    let names: Vec<&str> = names.iter().map(MappingName::as_str).collect();
    let todo = format!("name one of {}", names.join(", "));
    Err(Advice::new(format!("there is no mapping `{asked}`"), todo).into())
}

/// Reads a plan and refuses one that was not made for this workspace and these mappings.
pub fn read(path: &Path, ready: &Ready) -> anyhow::Result<PlanFile> {
    let place = path.display();
    let refuse = |why: String, todo: &str| Advice::new(format!("{place}: {why}"), todo);
    let mut text = String::new();
    let file = std::fs::File::open(path)
        .map_err(|error| refuse(error.to_string(), "name a file that `plan --out` made"))?;
    file.take(FILE_MAX)
        .read_to_string(&mut text)
        .map_err(|error| refuse(error.to_string(), "name a file that `plan --out` made"))?;
    let plan = PlanFile::parse(&text).map_err(|error| {
        let todo = match &error {
            NotAPlan::Changed => {
                "a plan is carried out as it was made or not at all; make a new one with `tandem \
                 plan --out`"
            }
            NotAPlan::Unreadable(_) | NotAPlan::Format(_) => {
                "make a new one with `tandem plan --out`"
            }
        };
        refuse(error.to_string(), todo)
    })?;
    let again = "make a new plan with `tandem plan --out`";
    let mappings = &ready.mappings.mappings;
    if let Some(why) = plan.misfit(&ready.data.workspace, mappings) {
        return Err(refuse(why, again).into());
    }
    Ok(plan)
}

/// Carries out a plan, or the writes of `canary` of its records.
pub async fn carry_out(
    ready: Ready,
    plan: PlanFile,
    canary: Option<usize>,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let started = ready.data.now();
    let mut frozen = Frozen::new(plan.writes.clone()).on(plan.accounts.clone());
    if let Some(count) = canary {
        frozen.draw(count, &Chance::from_entropy());
    }
    let mut stop: Stop = Box::pin(told_to_stop());
    let course = Course::UntilQuiet(HORIZON_MILLIS);
    let opened = open_unless(&mut stop, ready, Mode::Apply(frozen), course).await?;
    let (mut engine, store, told) = opened;
    let ended = match told {
        true => Ok(true),
        false => drive(&mut engine, &mut stop, course).await,
    };
    let rows = engine.mode().frozen().map(|frozen| frozen.rows().to_vec());
    let report = ApplyReport {
        rows: rows.unwrap_or_default(),
        run: engine.site().run.clone(),
        foreseen: plan.calls,
        used: engine.calls_of_sides(),
        canary: canary.is_some(),
        elapsed_ms: engine.site().clock.now().millis_since(started),
        stopped: matches!(ended, Ok(true)),
    };
    let end = run_end(&engine, &ended);
    close(engine, store, end).await?;
    ended?;
    output.answer(&report.json(), || report.text());
    Ok(report.outcome())
}

/// The difference to what was foreseen, in percent; `None` where nothing was.
pub fn off_percent(foreseen: &BySide<u64>, used: &BySide<u64>) -> Option<f64> {
    let sum = |calls: &BySide<u64>| {
        let both = Side::BOTH.map(|side| *calls.get(side));
        both.iter().sum::<u64>()
    };
    let (foreseen, used) = (sum(foreseen), sum(used));
    #[allow(
        clippy::cast_precision_loss,
        reason = "calls are few enough for a float"
    )]
    let percent = (foreseen > 0).then(|| used as f64 / foreseen as f64 * 100.0 - 100.0);
    percent
}
