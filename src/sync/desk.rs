//! What an attempt works with.

use std::ops::{Deref, DerefMut};

use super::frozen::Frozen;
use super::tally::Tally;
use crate::crm::Crms;
use crate::model::Timestamp;
use crate::pipeline::{Lane, Site};

/// An attempt waits for nothing but its calls. When so much more time has gone by, the process
/// stood still meanwhile, and what it has read may be of another day.
const STILL_MILLIS: i64 = 20_000;

/// What planning works with: no CRM and no lane, so who is given only this can send nothing.
pub struct Planning<'a> {
    pub site: &'a Site,
    pub mode: &'a mut Mode,
    pub limits: Limits,
    pub tally: &'a mut Tally,
}

/// One worker's place at one lane.
pub struct Desk<'a> {
    pub planning: Planning<'a>,
    pub crms: &'a Crms,
    pub lane: &'a mut Lane,
    pub since: Since,
}

impl<'a> Desk<'a> {
    pub fn new(planning: Planning<'a>, crms: &'a Crms, lane: &'a mut Lane) -> Self {
        let since = Since::now(planning.site, crms);
        Self {
            planning,
            crms,
            lane,
            since,
        }
    }
}

impl<'a> Deref for Desk<'a> {
    type Target = Planning<'a>;

    fn deref(&self) -> &Planning<'a> {
        &self.planning
    }
}

impl DerefMut for Desk<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.planning
    }
}

/// When an attempt began, and how long calls had been under way by then.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    at: Timestamp,
    busy_millis: i64,
}

impl Since {
    fn now(site: &Site, crms: &Crms) -> Self {
        Self {
            at: site.clock.now(),
            busy_millis: crms.busy_millis(),
        }
    }
}

impl Desk<'_> {
    /// The next writes leave before this moment or not at all; none do once the process has stood
    /// still in this attempt, because they were decided from what was read before that.
    pub fn send_before(&self, until: Timestamp) {
        let passed = self.site.clock.now().millis_since(self.since.at);
        let busy = self.crms.busy_millis() - self.since.busy_millis;
        let stood_still = passed - busy > STILL_MILLIS;
        let never = Timestamp::from_micros(0);
        self.crms
            .send_before(if stood_still { never } else { until });
    }
}

#[derive(Clone, Debug)]
pub enum Mode {
    Write,
    /// Plans and writes nothing; what would be written is kept in the tally.
    Observe,
    /// The same for as long as it runs: what would be written is kept in the store, and what came
    /// of it by other hands.
    Shadow,
    /// Writes what this plan says and nothing else.
    Apply(Frozen),
    /// As [`Mode::Apply`], but nothing is sent: it shows what would come of the plan.
    Rehearse(Frozen),
}

impl Mode {
    /// Whether anything may be written to a CRM.
    pub const fn writes(&self) -> bool {
        match self {
            Self::Write | Self::Apply(_) => true,
            Self::Observe | Self::Shadow | Self::Rehearse(_) => false,
        }
    }

    /// The word for the run in the store.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Write => "sync",
            Self::Observe | Self::Rehearse(_) => "plan",
            Self::Shadow => "observe",
            Self::Apply(frozen) if frozen.is_undo() => "undo",
            Self::Apply(_) => "apply",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records this run may create; the rest wait.
    pub creates: u64,
}
