//! What everybody in a schedule shares: both CRMs, the clock, the seed, and what was seen so far.
//!
//! Here the seed decides what happens at a seam. A seam is before or after a commit of the store,
//! or before or after a request; they are numbered in the order in which they are met.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::request::Parts;
use tandem::clock::Clock;
use tandem::model::{BySide, Side, Timestamp};
use tandem::sim::hubspot::HubSpotSim;
use tandem::sim::salesforce::{LateCommit, SalesforceSim};
use tandem::store::{Deed, Seam};
use tokio::sync::Notify;

use crate::cast::Cast;
use crate::counts::Counts;
use crate::dice::Dice;
use crate::invariants;
use crate::ledger::Ledger;
use crate::mirror::Mirror;
use crate::shots::{Difference, Shots};
use crate::trace::Trace;
use crate::users;

/// What becomes of the process at a seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Go,
    Die,
    Freeze,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    Arrives,
    /// Never arrives; the caller hears of a gateway's time-out.
    Lost,
    /// Arrives; its reply does not.
    ReplyLost,
    /// The caller hears of a time-out now, and the request arrives later, or never.
    Late,
    /// Answered by a gateway, without arriving.
    Refused(u16, Option<u32>),
}

#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: &'static str,
    pub what: String,
}

/// A write that was given up on and may still arrive.
pub struct Deferred {
    pub side: Side,
    pub head: Parts,
    pub body: Bytes,
    pub until: Timestamp,
}

pub struct Stage {
    pub cast: &'static Cast,
    pub clock: Clock,
    pub hubspot: HubSpotSim,
    pub salesforce: SalesforceSim,
    pub dice: Dice,
    pub seams: u32,
    /// Trouble is over: users rest, nothing is lost, nobody dies.
    pub calm: bool,
    /// Another engine works beside a frozen one; one death at a time.
    pub alone: bool,
    /// A process that starts has nothing yet that a successor could take from it.
    pub starting: bool,
    /// A process that was frozen goes on, and does not know what its successor was told.
    pub thawed: bool,
    pub ledger: Ledger,
    pub mirror: Mirror,
    pub counts: Counts,
    pub trace: Trace,
    pub deferred: Vec<Deferred>,
    pub late: Vec<(LateCommit, Timestamp)>,
    /// No request may be sent to a side before this.
    pub closed_until: BySide<Option<Timestamp>>,
    pub violations: Vec<Violation>,
    /// Edits that are to be made in this order, whenever the seed lets them.
    pub script: Vec<users::Scripted>,
    /// Values are few and come again, or each is the only one of its kind.
    pub pooled: bool,
    pub next_value: u32,
    /// The seam at which the present step began.
    pub step_from: u32,
    /// What there was before the request that is being carried out, and what it says.
    pub before_write: Option<(Shots, Bytes)>,
}

/// The stage and the bells that stop and go on the process under test.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    stage: Mutex<Option<Stage>>,
    died: Notify,
    froze: Notify,
    thaw: Notify,
}

impl Hub {
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            stage: Mutex::new(None),
            died: Notify::new(),
            froze: Notify::new(),
            thaw: Notify::new(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Stage>> {
        self.0.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, stage: Stage) {
        *self.lock() = Some(stage);
    }

    pub fn take(&self) -> Stage {
        self.lock().take().expect("a schedule is running")
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Stage) -> T) -> T {
        act(self.lock().as_mut().expect("a schedule is running"))
    }

    pub async fn died(&self) {
        self.0.died.notified().await;
    }

    pub async fn froze(&self) {
        self.0.froze.notified().await;
    }

    pub fn thaw(&self) {
        self.0.thaw.notify_one();
    }

    /// Goes on, waits for ever, or waits until it is told to go on.
    pub async fn meet(&self, fate: Fate) {
        match fate {
            Fate::Go => {}
            Fate::Die => {
                self.0.died.notify_one();
                std::future::pending::<()>().await;
            }
            Fate::Freeze => {
                self.0.froze.notify_one();
                self.0.thaw.notified().await;
            }
        }
    }

    /// A seam of the store.
    pub fn at_commit(&self, seam: Seam<'_>) -> Fate {
        let mut stage = self.lock();
        let Some(stage) = stage.as_mut() else {
            return Fate::Go;
        };
        match seam {
            Seam::Before(deed) => stage.before_commit(deed),
            Seam::After => stage.after_commit(),
        }
    }
}

impl Stage {
    pub fn violated(&mut self, invariant: &'static str, what: String) {
        let seam = self.seams;
        self.trace
            .say(|| format!("VIOLATED {invariant} at seam {seam}: {what}"));
        self.violations.push(Violation { invariant, what });
    }

    pub fn check(&mut self, invariant: &'static str, found: Result<(), String>) {
        if let Err(what) = found {
            self.violated(invariant, what);
        }
    }

    pub fn shots(&self) -> Shots {
        Shots::take(self.cast, &self.hubspot, &self.salesforce)
    }

    fn before_commit(&mut self, deed: Deed<'_>) -> Fate {
        self.mirror.announce(deed);
        let seam = self.seams;
        self.trace.say(|| format!("#{seam} store: {}", said(deed)));
        if self.trace.wanted()
            && let Deed::Commit { changes, .. } = deed
        {
            self.trace.weigh(format!("{changes:?}").as_bytes());
        }
        self.seam(true)
    }

    fn after_commit(&mut self) -> Fate {
        if let Some(pending) = self.mirror.take_pending() {
            self.counts.add("commits", 1);
            self.counts.add("conflicts", pending.conflicts);
            self.counts.add("holds", pending.holds);
            self.counts.add("dead letters", pending.letters);
            invariants::at_commit(self, &pending);
            self.ledger.settled(&self.mirror, &pending);
            self.mirror.apply(pending, self.step_from, self.seams);
        }
        self.seam(true)
    }

    /// Counts the seam and lets the seed decide what happens here. A process freezes only where it
    /// holds nothing of the store, and is not in the middle of a request.
    fn seam(&mut self, may_freeze: bool) -> Fate {
        self.seams += 1;
        if self.calm {
            return Fate::Go;
        }
        let rates = self.dice.rates;
        while self.dice.happens(rates.act) {
            users::act(self);
        }
        if !self.script.is_empty() && self.dice.one_in(8) {
            users::next_of_script(self);
        }
        if self.dice.happens(rates.clock) {
            let most = if may_freeze { 40_000 } else { 18_000 };
            let millis = self.dice.between(100, most);
            self.pass_a_little(millis);
        }
        if self.alone {
            return Fate::Go;
        }
        let seam = self.seams;
        if self.dice.happens(rates.crash) {
            self.counts.add("crashes", 1);
            self.trace.say(|| format!("#{seam} the process dies"));
            return Fate::Die;
        }
        if may_freeze && !self.starting && self.dice.happens(rates.freeze) {
            self.counts.add("freezes", 1);
            self.trace.say(|| format!("#{seam} the process freezes"));
            return Fate::Freeze;
        }
        Fate::Go
    }

    /// Moves the clock within a step, never past what is still to arrive.
    fn pass_a_little(&mut self, millis: i64) {
        let now = self.clock.now();
        let least = self
            .deferred
            .iter()
            .map(|one| one.until.millis_since(now))
            .min();
        let millis = least.map_or(millis, |least| least.min(millis));
        if millis > 0 {
            self.clock.advance_millis(millis);
            self.counts.add("clock moves", 1);
            self.trace.say(|| format!("{millis} ms pass"));
        }
    }

    /// What becomes of a request, before it arrives.
    pub fn before_request(&mut self, side: Side, what: &str, body: &[u8], writes: bool) -> Fate {
        let seam = self.seams;
        self.trace.say(|| format!("#{seam} {side} <- {what}"));
        self.trace.weigh(body);
        self.counts.add("requests", 1);
        let found = invariants::work::waits_as_told(self, side);
        self.check("I13", found);
        if writes && self.thawed {
            let what = format!("{side} is written to by a process that had lost its lease");
            self.violated("I5", what);
        }
        self.seam(false)
    }

    pub fn mail(&mut self, side: Side, writes: bool, login: bool) -> Mail {
        let rate = self.dice.rates.fault * if writes { 2 } else { 1 };
        if self.calm || login || !self.dice.happens(rate) {
            return Mail::Arrives;
        }
        self.counts.add("faults", 1);
        let mail = match self.dice.below(if writes { 8 } else { 4 }) {
            0 => Mail::Refused(429, Some(1 + self.dice.below(12) as u32)),
            1 => Mail::Refused(503, None),
            2 => Mail::Lost,
            3 | 4 => Mail::ReplyLost,
            5 => Mail::Lost,
            _ => Mail::Late,
        };
        if let Mail::Refused(_, Some(seconds)) = mail {
            let until = self.clock.now().plus_millis(i64::from(seconds) * 1_000);
            *self.closed_until.get_mut(side) = Some(until);
        }
        self.trace.say(|| format!("    {side}: {mail:?}"));
        mail
    }

    /// After a request was carried out, whether or not anybody hears of it.
    pub fn carried_out(&mut self, writes: bool) {
        if !writes {
            return;
        }
        let Some((before, body)) = self.before_write.take() else {
            return;
        };
        let after = self.shots();
        let difference = Difference::between(&before, &after);
        self.ledger.note_values(&after);
        invariants::at_write(self, &before, &after, &difference);
        let intents = std::mem::take(&mut self.mirror.intents);
        let body = String::from_utf8_lossy(&body);
        self.ledger.took(self.cast, &body, &after, &intents);
        self.ledger.written(&difference, &intents);
        self.mirror.intents = intents;
        self.counts.add("creates", difference.created.len() as u64);
        self.counts
            .add("deletes by us", difference.deleted.len() as u64);
        self.counts
            .add("fields written", difference.changed.len() as u64);
        for (place, field, was, now) in &difference.changed {
            self.trace
                .say(|| format!("    {} {}.{field}: {was:?} -> {now:?}", place.0, place.1));
        }
    }

    pub fn after_request(&mut self, side: Side, status: u16, body: &[u8]) -> Fate {
        let seam = self.seams;
        self.trace
            .say(|| format!("#{seam} {side} -> {status}, {} bytes", body.len()));
        self.trace.weigh(body);
        self.seam(false)
    }
}

fn said(deed: Deed<'_>) -> String {
    match deed {
        Deed::Lease { .. } => "lease".to_owned(),
        Deed::Renew { epoch } => format!("renew, epoch {epoch}"),
        Deed::Mark => "mark".to_owned(),
        Deed::Announce => "announce".to_owned(),
        Deed::Fold => "fold".to_owned(),
        Deed::Commit { epoch, changes } => {
            let mut text = format!("commit, epoch {epoch}");
            for (what, number) in [
                ("links", changes.links.len()),
                ("bases", changes.bases.len()),
                ("intents", changes.intents.len()),
                ("intents closed", changes.intents_closed.len()),
                ("marks", changes.marks.len()),
                ("verdicts", changes.verdicts.len()),
                ("holds", changes.holds.len()),
                ("conflicts", changes.conflicts.len()),
                ("dead letters", changes.dead_letters.len()),
                ("cursors", changes.cursors.len()),
            ] {
                if number > 0 {
                    text.push_str(&format!(", {what} {number}"));
                }
            }
            for judged in &changes.verdicts {
                text.push_str(&format!(
                    "\n      {} {}: {:?}",
                    judged.task.kind(),
                    judged.task.record_id(),
                    judged.verdict
                ));
            }
            for entry in &changes.journal {
                text.push_str(&format!(
                    "\n      journal {} {} {} {:?} wrote {:?}",
                    entry.rule, entry.decision, entry.reason, entry.inputs, entry.wrote
                ));
            }
            text
        }
    }
}
