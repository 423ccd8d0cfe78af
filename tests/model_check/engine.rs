//! The engine of the model: steps that each end in one commit, and a crash that forgets the rest.

use std::collections::BTreeSet;

use fastrand::Rng;
use tandem::merge::{self, Agreement, Decision, Lost, RuleInput, Settled};
use tandem::model::{
    Blank, BySide, Conflict, Direction, FirstSync, Policy, Side, Tolerance, Value,
};

use crate::Broken;
use crate::world::{Flight, Id, Origin, World};

#[derive(Clone, Debug)]
struct Intent {
    id: u32,
    side: Side,
    source: Id,
    sent: Value,
    before: Value,
    /// Length of the destination's history when it was read for the decision.
    read_at: usize,
    /// Puts back what an earlier write of ours overwrote; the base is not its business.
    restores: bool,
    /// A loser that a broken engine notes only when it settles.
    late_loser: Option<Id>,
}

#[derive(Clone, Copy, Debug)]
pub enum Phase {
    Idle,
    Half(Side, usize),
    Read(BySide<usize>),
    Sending,
    Sent(bool),
    /// Length of the destination's history as read for settling.
    Settling((usize, bool)),
}

pub struct Engine {
    pub world: World,
    pub phase: Phase,
    /// No more crashes, lost replies or late writes.
    pub calm: bool,
    pub at_rest: bool,
    pub writes: u64,
    pub restored: u64,
    zombies: bool,
    broken: Option<Broken>,
    policy: Policy,
    // What survives a crash:
    base: Option<BySide<Value>>,
    intent: Option<Intent>,
    kept: BTreeSet<Id>,
    accounted: BTreeSet<Id>,
    next_intent: u32,
}

impl Engine {
    pub fn new(rng: &mut Rng, zombies: bool, broken: Option<Broken>) -> Self {
        let folds_case = rng.bool();
        let agreed = rng.u8(..5) != 0;
        let winner = if rng.bool() {
            Side::HubSpot
        } else {
            Side::Salesforce
        };
        let world = World::new(rng, folds_case, agreed);
        let base = agreed.then(|| BySide::from_fn(|side| world.value((side, 0)).clone()));
        Self {
            world,
            phase: Phase::Idle,
            calm: false,
            at_rest: false,
            writes: 0,
            restored: 0,
            zombies,
            broken,
            policy: Policy {
                direction: Direction::Both,
                conflict: Conflict::Wins(winner),
                first_sync: FirstSync::Wins(winner),
                enforce: false,
                once: false,
                blank: Blank::Travels,
                tolerances: if folds_case {
                    vec![Tolerance::Case]
                } else {
                    Vec::new()
                },
            },
            base,
            intent: None,
            kept: BTreeSet::new(),
            accounted: BTreeSet::new(),
            next_intent: 0,
        }
    }

    fn is(&self, broken: Broken) -> bool {
        self.broken == Some(broken)
    }

    /// Forgets what was not committed. A worker that froze right before sending may yet send.
    pub fn crash(&mut self, rng: &mut Rng) {
        if let (Phase::Sending, Some(intent), true) = (self.phase, &self.intent, self.zombies)
            && rng.bool()
        {
            self.world.flights.push(flight(intent));
        }
        if self.is(Broken::WithoutIntent) {
            self.intent = None;
        }
        if let Some(intent) = &mut self.intent {
            intent.late_loser = None;
        }
        self.phase = Phase::Idle;
    }

    pub fn step(&mut self, rng: &mut Rng) -> Result<(), String> {
        self.at_rest = false;
        self.phase = match self.phase {
            Phase::Idle if self.intent.is_some() => Phase::Sent(false),
            Phase::Idle => {
                let side = if rng.bool() {
                    Side::HubSpot
                } else {
                    Side::Salesforce
                };
                Phase::Half(side, self.world.last(side))
            }
            Phase::Half(side, at) => {
                let mut read = BySide::new(at, at);
                *read.get_mut(side.other()) = self.world.last(side.other());
                Phase::Read(read)
            }
            Phase::Read(read) => match self.restore_after_zombies(read) {
                Some(phase) => phase,
                None => self.plan(read)?,
            },
            Phase::Sending => self.send(rng)?,
            Phase::Sent(acknowledged) => {
                if !(self.zombies && !self.calm && rng.u8(..4) == 0) {
                    self.world.land_or_drop_all(rng);
                }
                let side = self.intent.as_ref().map(|intent| intent.side);
                let length = side.map_or(0, |side| self.world.sides.get(side).len());
                Phase::Settling((length, acknowledged))
            }
            Phase::Settling((length, acknowledged)) => self.settle(length, acknowledged)?,
        };
        Ok(())
    }

    fn decide(&self, base: Option<BySide<Value>>, now: BySide<Value>) -> Result<Decision, String> {
        let carried = BySide::new(Ok(now.salesforce.clone()), Ok(now.hubspot.clone()));
        let mut input = RuleInput::new("rule", &self.policy, now.map(Ok), carried);
        input.base = base;
        match merge::decide(&input).0 {
            Decision::Hold { detail, .. } => Err(format!("held: {detail}")),
            Decision::Skip => Err("skipped".into()),
            decision => Ok(decision),
        }
    }

    fn plan(&mut self, read: BySide<usize>) -> Result<Phase, String> {
        let ids = BySide::from_fn(|side| (side, *read.get(side)));
        let now = ids.map(|id| self.world.value(id).clone());
        match self.decide(self.base.clone(), now.clone())? {
            Decision::Unchanged => {
                // An edit after the read marks the link again.
                self.at_rest = Side::BOTH
                    .iter()
                    .all(|side| *read.get(*side) == self.world.last(*side));
                Ok(Phase::Idle)
            }
            Decision::Agree {
                how: Agreement::Kept,
            } => Err("left apart".into()),
            Decision::Agree {
                how: Agreement::Equal | Agreement::Tolerated,
            } => {
                self.world.equate(ids.hubspot, ids.salesforce);
                self.set_base(now)?;
                Ok(Phase::Idle)
            }
            Decision::Write { values, lost } => {
                let side = match &values.hubspot {
                    Some(_) => Side::HubSpot,
                    None => Side::Salesforce,
                };
                let sent = values.get(side).clone().ok_or("a write without a value")?;
                self.open(ids, side, sent, lost)
            }
            Decision::Hold { .. } | Decision::Skip => Err("neither belongs here".into()),
        }
    }

    fn open(
        &mut self,
        read: BySide<Id>,
        side: Side,
        sent: Value,
        lost: Option<Lost>,
    ) -> Result<Phase, String> {
        let source = *read.get(side.other());
        let target = *read.get(side);
        let before = self.world.value(target).clone();
        if before == sent {
            return Err(format!("{side} already holds {sent}"));
        }
        if matches!(self.world.entry(source).origin, Origin::Ours(_))
            && self.world.rests_on(source, target)
        {
            return Err(format!("{sent} is an echo of {before}"));
        }
        let loser = lost.map(|_| target);
        let late_loser = loser.filter(|_| self.is(Broken::LoserKeptLate));
        if late_loser.is_none() && !self.is(Broken::LoserNotKept) {
            self.kept.extend(loser);
        }
        if self.is(Broken::BaseWhenPlanned) {
            let mut base = BySide::new(sent.clone(), sent.clone());
            *base.get_mut(side.other()) = self.world.value(source).clone();
            self.base = Some(base);
        }
        self.intent = Some(Intent {
            id: self.next_intent,
            side,
            source,
            sent,
            before,
            read_at: target.1 + 1,
            restores: false,
            late_loser,
        });
        self.next_intent += 1;
        Ok(Phase::Sending)
    }

    fn send(&mut self, rng: &mut Rng) -> Result<Phase, String> {
        let fresh = self.is(Broken::FreshBefore);
        let intent = self.intent.as_mut().ok_or("nothing to send")?;
        if fresh && intent.restores {
            intent.read_at = self.world.sides.get(intent.side).len();
            intent.before = self.world.value((intent.side, intent.read_at - 1)).clone();
        }
        self.writes += 1;
        let flight = flight(intent);
        match rng.u8(..10) {
            0 if !self.calm => self.world.flights.push(flight),
            1 if !self.calm => {}
            2 if !self.calm => self.world.land(&flight),
            _ => {
                self.world.land(&flight);
                return Ok(Phase::Sent(true));
            }
        }
        Ok(Phase::Sent(false))
    }

    /// One commit: the intent closes and the base advances, or a restoring intent takes its place.
    fn settle(&mut self, length: usize, acknowledged: bool) -> Result<Phase, String> {
        let intent = self.intent.take().ok_or("nothing to settle")?;
        self.kept.extend(intent.late_loser);
        let ours = (intent.read_at..length)
            .find(|at| self.world.entry((intent.side, *at)).origin == Origin::Ours(intent.id));
        match ours {
            Some(at) => self.settle_applied(&intent, at, length),
            None if acknowledged && !self.is(Broken::FreshBefore) => {
                Err("acknowledged, but not in the history".into())
            }
            None => self.settle_absent(intent, length),
        }
    }

    fn settle_absent(&mut self, intent: Intent, length: usize) -> Result<Phase, String> {
        if intent.restores {
            // What it should put back is known to nobody else.
            if length == intent.read_at {
                return Ok(self.restore(intent.side, intent.source, length));
            }
            self.kept.insert(intent.source);
            return Ok(Phase::Idle);
        }
        let last = (intent.side, length - 1);
        let stored = self.world.value(last).clone();
        match self.verdict(&intent, &stored, false) {
            // Somebody typed what we meant to write, or an older write of ours landed late. That
            // one is agreed on now and must not be taken back; what it overwrote is kept.
            Settled::Applied => {
                if matches!(self.world.entry(last).origin, Origin::Ours(_)) {
                    self.accounted.insert(last);
                    self.kept.insert((last.0, last.1 - 1));
                }
                self.world.equate(last, intent.source);
                self.advance(&intent, stored)?;
            }
            Settled::NotApplied | Settled::Overtaken | Settled::Followed => {}
            Settled::NotKept | Settled::Altered => return Err("nobody acknowledged".into()),
        }
        Ok(Phase::Idle)
    }

    fn settle_applied(
        &mut self,
        intent: &Intent,
        at: usize,
        length: usize,
    ) -> Result<Phase, String> {
        self.accounted.insert((intent.side, at));
        let stored = self.world.value((intent.side, at)).clone();
        let verdict = self.verdict(intent, &stored, true);
        if verdict != Settled::Applied {
            return Err(format!(
                "{} was stored as {stored}: {verdict:?}",
                intent.sent
            ));
        }
        let agreed = self.base.clone();
        if !intent.restores {
            self.advance(intent, stored)?;
        }
        let overtaken = (intent.side, at - 1);
        let by_user = self.world.entry(overtaken).origin == Origin::User;
        if at == intent.read_at || !by_user || self.is(Broken::WithoutAudit) {
            return Ok(Phase::Idle);
        }
        let on_top = at + 1 == length;
        if intent.restores {
            // The edit saw our first write; what we restored over it did not.
            self.kept.insert(intent.source);
            return Ok(self.restore_or_keep(overtaken, on_top, length));
        }
        let mut now = BySide::new(Value::Null, Value::Null);
        *now.get_mut(intent.side) = self.world.value(overtaken).clone();
        *now.get_mut(intent.side.other()) = self.world.value(intent.source).clone();
        match self.decide(agreed, now)? {
            Decision::Write { values, .. } if values.get(intent.side).is_some() => {
                self.kept.insert(overtaken);
                Ok(Phase::Idle)
            }
            Decision::Write { .. } => {
                self.kept.insert(intent.source);
                Ok(self.restore_or_keep(overtaken, on_top, length))
            }
            Decision::Agree { .. } | Decision::Unchanged => {
                self.world.equate(overtaken, intent.source);
                Ok(Phase::Idle)
            }
            Decision::Hold { .. } | Decision::Skip => Err("neither belongs here".into()),
        }
    }

    fn verdict(&self, intent: &Intent, stored: &Value, acknowledged: bool) -> Settled {
        let tolerances = &self.policy.tolerances;
        merge::settle(
            &intent.sent,
            &intent.before,
            stored,
            acknowledged,
            tolerances,
        )
    }

    fn restore_or_keep(&mut self, entry: Id, on_top: bool, length: usize) -> Phase {
        if on_top {
            self.restore(entry.0, entry, length)
        } else {
            self.kept.insert(entry);
            Phase::Idle
        }
    }

    /// Opens an intent that writes `source`, an entry of the same side, back over its last one.
    fn restore(&mut self, side: Side, source: Id, length: usize) -> Phase {
        self.restored += 1;
        self.intent = Some(Intent {
            id: self.next_intent,
            side,
            source,
            sent: self.world.value(source).clone(),
            before: self.world.value((side, length - 1)).clone(),
            read_at: length,
            restores: true,
            late_loser: None,
        });
        self.next_intent += 1;
        Phase::Sending
    }

    /// An entry of ours that no settled intent accounts for landed late: what it overwrote is put
    /// back, or kept when somebody has edited since.
    fn restore_after_zombies(&mut self, read: BySide<usize>) -> Option<Phase> {
        if !self.zombies || self.is(Broken::WithoutZombieRule) {
            return None;
        }
        for side in Side::BOTH {
            let last = *read.get(side);
            for at in 1..=last {
                let late = matches!(self.world.entry((side, at)).origin, Origin::Ours(_));
                if !late || !self.accounted.insert((side, at)) {
                    continue;
                }
                if at == last && self.world.value((side, at - 1)) != self.world.value((side, at)) {
                    return Some(self.restore(side, (side, at - 1), at + 1));
                }
                self.kept.insert((side, at - 1));
            }
        }
        None
    }

    fn advance(&mut self, intent: &Intent, stored: Value) -> Result<(), String> {
        let mut source = self.world.value(intent.source).clone();
        if self.is(Broken::FreshSource) {
            let side = intent.source.0;
            source = self.world.value((side, self.world.last(side))).clone();
        }
        let mut base = BySide::new(source.clone(), source);
        if !self.is(Broken::OneSharedBase) {
            *base.get_mut(intent.side) = stored;
        }
        self.set_base(base)
    }

    /// No half of a base may be a value that its side never held. The one broken engine that
    /// breaks this by design shall be caught by what follows from it.
    fn set_base(&mut self, base: BySide<Value>) -> Result<(), String> {
        for side in Side::BOTH {
            if !self.world.ever_held(side, base.get(side)) && !self.is(Broken::OneSharedBase) {
                return Err(format!("{side} never held {}", base.get(side)));
            }
        }
        self.base = Some(base);
        Ok(())
    }

    pub fn check_rest(&self) -> Result<(), String> {
        let now = BySide::from_fn(|side| self.world.value((side, self.world.last(side))).clone());
        let carried = BySide::new(Ok(now.salesforce.clone()), Ok(now.hubspot.clone()));
        let input = RuleInput::new("rule", &self.policy, now.clone().map(Ok), carried);
        if merge::corresponds(&input).is_none() {
            return Err(format!(
                "{} and {} do not agree",
                now.hubspot, now.salesforce
            ));
        }
        match self.world.lost_edit(&self.kept) {
            None => Ok(()),
            Some(id) => Err(format!(
                "the edit {} at {} is lost\n{}kept: {:?}",
                self.world.value(id),
                id.0,
                self.world.story(),
                self.kept
            )),
        }
    }
}

fn flight(intent: &Intent) -> Flight {
    Flight {
        intent: intent.id,
        side: intent.side,
        value: intent.sent.clone(),
        source: intent.source,
    }
}
