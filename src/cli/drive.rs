//! The loop that steps an engine, and when it ends.
//!
//! Waits, listens for Ctrl-C and rides out a store that is away; decides nothing about records.

use std::pin::Pin;
use std::time::Duration;

use crate::app::{Engine, Step};
use crate::store::StoreError;

use super::engine::RENEW;
use super::output::Advice;

/// How long a store that is busy or out of reach is waited for, time and again, in seconds.
const STORE_WAITS: [u64; 5] = [1, 2, 5, 10, 20];
/// The longest of these waits where there is no end of patience.
const STORE_WAIT_MAX: u64 = 10;
/// An attempt under way when somebody presses Ctrl-C may take this long to end by itself.
pub const STOP_WITHIN: Duration = Duration::from_secs(7);

/// Resolves when somebody pressed Ctrl-C or sent SIGTERM; must not be asked again then.
pub type Stop = Pin<Box<dyn Future<Output = std::io::Result<()>>>>;

/// How long a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// Until nothing is due within so many milliseconds.
    UntilQuiet(i64),
    /// Until it is told to stop, whatever the store and the CRMs do meanwhile.
    UntilTold,
}

/// Steps the engine on its course. True when somebody pressed Ctrl-C or sent SIGTERM.
pub async fn drive(engine: &mut Engine, stop: &mut Stop, course: Course) -> anyhow::Result<bool> {
    let mut failures = 0;
    let mut refused = false;
    loop {
        let step = {
            let step = engine.step();
            tokio::pin!(step);
            tokio::select! {
                biased;
                told = &mut *stop => {
                    told?;
                    return finish(step, course).await;
                }
                step = &mut step => step,
            }
        };
        let until = match step {
            Ok(Step::Wait(until)) => Some(until),
            Ok(Step::Worked(_)) => None,
            Err(error) => {
                // Nothing of the step was lost: what it had begun is found again by its marks and
                // open intents.
                let Some(seconds) = store_wait(&error, course, failures) else {
                    return Err(error.into());
                };
                failures += 1;
                tracing::warn!(%error, "trying again in {seconds} s");
                if rest(stop, Duration::from_secs(seconds)).await? {
                    return Ok(true);
                }
                continue;
            }
        };
        failures = 0;
        told_of_refusal(engine, course, &mut refused)?;
        let Some(until) = until else { continue };
        if let Course::UntilQuiet(horizon) = course
            && engine.is_quiet(until, horizon).await?
        {
            return Ok(false);
        }
        let now = engine.site().clock.now();
        let millis = until
            .map_or(1_000, |at| at.millis_since(now))
            .clamp(10, 5_000);
        let wait = Duration::from_millis(u64::try_from(millis).unwrap_or(10));
        if rest(stop, wait).await? {
            return Ok(true);
        }
    }
}

/// Lets the attempt under way end. What it cannot finish is found again by its open intents, and a
/// store that fails now does not keep a run from ending that has no other end.
async fn finish(
    step: impl Future<Output = Result<Step, StoreError>>,
    course: Course,
) -> anyhow::Result<bool> {
    match (tokio::time::timeout(STOP_WITHIN, step).await, course) {
        (Ok(Err(error)), Course::UntilTold) => tracing::warn!(%error, "stopped in an attempt"),
        (Ok(Err(error)), Course::UntilQuiet(_)) => return Err(error.into()),
        (Ok(Ok(_)) | Err(_), _) => {}
    }
    Ok(true)
}

/// How long the store is given before the next step; `None` when the run ends with the error.
fn store_wait(error: &StoreError, course: Course, failures: usize) -> Option<u64> {
    let wait = STORE_WAITS.get(failures).copied();
    match course {
        Course::UntilQuiet(_) => wait.filter(|_| error.is_passing()),
        Course::UntilTold => error
            .is_outage()
            .then(|| wait.unwrap_or(STORE_WAIT_MAX).min(STORE_WAIT_MAX)),
    }
}

/// A run that ends anyway ends when credentials are refused; one that stays up says so once, and
/// goes on when they are good again.
fn told_of_refusal(engine: &Engine, course: Course, refused: &mut bool) -> anyhow::Result<()> {
    let Some(failure) = engine.auth_failure() else {
        *refused = false;
        return Ok(());
    };
    let what = format!("a CRM refused the credentials: {}", failure.message);
    match course {
        Course::UntilQuiet(_) => {
            return Err(Advice::new(what, RENEW).into());
        }
        Course::UntilTold if !*refused => tracing::warn!("{what}"),
        Course::UntilTold => {}
    }
    *refused = true;
    Ok(())
}

/// Waits; true when the run was told to stop meanwhile.
async fn rest(stop: &mut Stop, wait: Duration) -> anyhow::Result<bool> {
    tokio::select! {
        biased;
        told = stop => {
            told?;
            Ok(true)
        }
        () = tokio::time::sleep(wait) => Ok(false),
    }
}
