//! The course of one arena: a first sync that is killed, then edits under kills, freezes and, with
//! PostgreSQL, kills of the server; in the end everybody rests and the verdict is read.

use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tandem::cli::demo::canon::Meaning;
use tandem::cli::demo::ledger::{Ledger, Partners};

use crate::arena::Arena;
use crate::child::{How, Run};
use crate::cluster::Cluster;
use crate::people::People;
use crate::tally::{Counts, Tally};

/// A moment that does not come is not waited for any longer: the lease of a dead owner and a poll.
pub const MOMENT: Duration = Duration::from_secs(50);
/// More patience than the limit, so that what is late is measured.
const LATE: Duration = Duration::from_secs(120);
pub const FREEZE: Duration = Duration::from_secs(60);
/// A run that is told to stop ends within this.
const STOP: Duration = Duration::from_secs(10);

/// What is done to one arena.
#[derive(Clone, Debug)]
pub struct Plan {
    pub name: String,
    pub seed: u64,
    pub records: usize,
    pub kills: u32,
    pub server_kills: u32,
    pub freezes: u32,
    /// How long a moment to strike is waited for.
    pub moment: Duration,
    /// Waits for the fate of writes as long as it takes, instead of moving the store's clock.
    pub patient: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strike {
    Process,
    Server,
    Freeze,
}

/// When the process is struck.
enum Moment {
    /// Right after a write arrived, give or take.
    Write(Duration),
    /// After so many calls.
    Calls(u64),
    Time(Duration),
}

impl Moment {
    fn draw(dice: &mut Rng) -> Self {
        match dice.u8(0..10) {
            0..5 => Self::Write(Duration::from_micros(dice.u64(0..4_000))),
            5..8 => Self::Calls(dice.u64(1..60)),
            _ => Self::Time(Duration::from_millis(dice.u64(0..2_500))),
        }
    }

    /// Waits for it; false when the run ended before.
    fn comes(&self, arena: &Arena, run: &mut Run, longest: Duration) -> bool {
        let began = Instant::now();
        let (calls, writes) = (arena.calls(), arena.writes());
        loop {
            if run.has_ended().is_some() {
                return false;
            }
            let come = match self {
                Self::Write(_) => arena.writes() > writes,
                Self::Calls(number) => arena.calls() >= calls + number,
                Self::Time(time) => began.elapsed() >= *time,
            };
            if come {
                if let Self::Write(after) = self {
                    sleep(*after);
                }
                return true;
            }
            if began.elapsed() > longest {
                return true;
            }
            sleep(Duration::from_micros(200));
        }
    }
}

/// One arena from its first sync to its verdict.
pub fn play(arena: &Arena, cluster: Option<&mut Cluster>, plan: &Plan, tally: &Tally) {
    let mut dice = Rng::with_seed(plan.seed);
    let killed = first_sync(arena, plan, &mut dice, tally);
    if killed > 0 && !plan.patient {
        arena.minutes_pass();
    }
    rest(arena);
    let first = arena.claims();
    let meaning = Meaning::read(&arena.salesforce, &first.links);
    let partners = Partners::new(&first.links);
    let people = People::new(arena, &first, (&meaning, &partners), plan.seed);
    let mut fire = Fire {
        plan,
        tally,
        dice,
        people,
        cluster,
        run: None,
    };
    let ledger = fire.all(plan.kills - killed);
    conclude(arena, plan, &ledger, tally);
}

/// Kills a first sync over and over, so often as it can be done. Every record must be made once all
/// the same.
fn first_sync(arena: &Arena, plan: &Plan, dice: &mut Rng, tally: &Tally) -> u32 {
    let mut killed = 0;
    for _ in 0..plan.kills / 5 {
        let mut run = arena.program.start(How::Once);
        tally.with(|counts| counts.starts += 1);
        let moment = match dice.bool() {
            true => Moment::Write(Duration::from_micros(dice.u64(0..4_000))),
            false => Moment::Calls(20 + dice.u64(0..60)),
        };
        let began = Instant::now();
        while !moment.comes(arena, &mut run, plan.moment) && began.elapsed() < MOMENT {
            // The lane of a process that died is not free yet, or all is done.
            sleep(Duration::from_millis(500));
            run = arena.program.start(How::Once);
        }
        if run.has_ended().is_none() {
            run.kill();
            count_kill(arena, How::Once, tally);
            killed += 1;
        }
    }
    killed
}

fn count_kill(arena: &Arena, how: How, tally: &Tally) {
    tally.with(|counts| {
        match arena.is_postgres() {
            true => counts.kills_postgres += 1,
            false => counts.kills_sqlite += 1,
        }
        counts.kills_once += u32::from(how == How::Once);
    });
}

/// Lets runs end by themselves until none has anything left to do. The lease of a process that was
/// killed has to run out first.
pub fn rest(arena: &Arena) {
    let began = Instant::now();
    while arena.program.once().0 != 0 && began.elapsed() < LATE {
        sleep(Duration::from_secs(1));
    }
    for _ in 0..3 {
        if arena.program.summary()["waiting"] == 0 {
            break;
        }
    }
}

/// Everybody rests; the last runs are left alone, and then the simulators tell.
pub fn conclude(arena: &Arena, plan: &Plan, ledger: &Ledger, tally: &Tally) {
    if !plan.patient {
        arena.minutes_pass();
    }
    rest(arena);
    let told = arena.program.summary();
    if told["writes"] != 0 || told["waiting"] != 0 {
        tally.fault(&plan.name, format!("it does not come to rest: {told}"));
    }
    let outcome = arena.claims();
    let findings = arena.judge(&outcome, ledger);
    tally.found(&plan.name, &findings, arena.pointless());
    tally.with(|counts| {
        counts.edits += ledger.edits.len();
        counts.arrived += ledger.lags().len();
        counts.calls += arena.calls();
        counts.writes += arena.writes();
        counts.conflicts += outcome.conflicts.len();
        counts.ridden_out += arena.program.ridden_out();
    });
}

struct Fire<'a> {
    plan: &'a Plan,
    tally: &'a Tally,
    dice: Rng,
    people: People<'a>,
    cluster: Option<&'a mut Cluster>,
    run: Option<Run>,
}

impl Fire<'_> {
    fn all(&mut self, kills: u32) -> Ledger {
        let mut strikes = vec![Strike::Process; kills as usize];
        strikes.extend(vec![Strike::Server; self.plan.server_kills as usize]);
        strikes.extend(vec![Strike::Freeze; self.plan.freezes as usize]);
        self.dice.shuffle(&mut strikes);
        for strike in strikes {
            match strike {
                Strike::Process => self.until_killed(),
                Strike::Server => self.kill_server(),
                Strike::Freeze => self.freeze(),
            }
        }
        self.stop();
        std::mem::take(&mut self.people.ledger)
    }

    fn arena(&self) -> &Arena {
        self.people.arena()
    }

    fn some(&mut self) -> usize {
        self.dice.usize(3..9)
    }

    fn start(&mut self, how: How) -> (Run, Instant) {
        self.tally.with(|counts| counts.starts += 1);
        let began = Instant::now();
        (self.arena().program.start(how), began)
    }

    fn starts(&self) -> fn(&mut Counts) -> &mut Vec<f64> {
        match self.arena().is_postgres() {
            true => |counts| &mut counts.postgres,
            false => |counts| &mut counts.sqlite,
        }
    }

    /// A run that works: the one there is, or a new one whose first write is waited for.
    fn working(&mut self, how: How) -> Run {
        if let Some(mut run) = self.run.take() {
            if run.has_ended().is_none() && (how == How::Once || run.how == How::Staying) {
                return run;
            }
            if run.how == How::Staying {
                let said = self.arena().program.last_words();
                let what = format!("a run that should stay up ended: {said}");
                self.tally.fault(&self.plan.name, &what);
            }
        }
        let (mut run, began) = self.start(how);
        let took = self.people.first_arrival(&mut run, began, LATE);
        self.tally.arrival(&self.plan.name, took, self.starts());
        run
    }

    /// A run that ended before it could be killed does not count.
    fn until_killed(&mut self) {
        for _ in 0..20 {
            if self.kill_process() {
                return;
            }
        }
        self.tally.fault(&self.plan.name, "no run could be killed");
    }

    /// `kill -9` of the program, in a third of the cases before anything has arrived.
    fn kill_process(&mut self) -> bool {
        let how = match self.dice.bool() {
            true => How::Once,
            false => How::Staying,
        };
        let some = self.some();
        self.people.type_some(some);
        let early = self.run.is_none() && self.dice.u8(0..3) == 0;
        let mut run = if early {
            self.start(how).0
        } else {
            self.working(how)
        };
        if !early {
            let some = self.some();
            self.people.type_some(some);
        }
        let moment = Moment::draw(&mut self.dice);
        let began = Instant::now();
        while !moment.comes(self.arena(), &mut run, self.plan.moment) && began.elapsed() < MOMENT {
            sleep(Duration::from_millis(500));
            run = self.start(How::Once).0;
            let some = self.some();
            self.people.type_some(some);
        }
        self.people.observe();
        if run.has_ended().is_some() {
            return false;
        }
        let how = run.how;
        run.kill();
        count_kill(self.arena(), how, self.tally);
        true
    }

    /// `kill -9` of the postmaster under a run that stays, which has to go on by itself.
    fn kill_server(&mut self) {
        let some = self.some();
        self.people.type_some(some);
        let mut run = self.working(How::Staying);
        let some = self.some();
        self.people.type_some(some);
        Moment::draw(&mut self.dice).comes(self.arena(), &mut run, self.plan.moment);
        let down = Duration::from_millis(self.dice.u64(0..4_000));
        let Some(cluster) = self.cluster.as_deref_mut() else {
            return;
        };
        cluster.kill();
        self.people.watch(down);
        cluster.start();
        let began = Instant::now();
        self.tally.with(|counts| counts.server_kills += 1);
        let some = self.some();
        self.people.type_some(some);
        let took = self.people.first_arrival(&mut run, began, LATE);
        self.tally
            .arrival(&self.plan.name, took, |counts| &mut counts.server);
        self.run = Some(run);
    }

    /// SIGSTOP in the middle of the work, with people typing into what it has just read.
    fn freeze(&mut self) {
        let some = self.some();
        self.people.type_some(some);
        let mut run = self.working(How::Staying);
        let some = self.some();
        self.people.type_some(some);
        let moment = match self.dice.bool() {
            true => Moment::Write(Duration::from_micros(self.dice.u64(0..4_000))),
            false => Moment::Calls(self.dice.u64(1..12)),
        };
        moment.comes(self.arena(), &mut run, self.plan.moment);
        run.freeze();
        let frozen = Instant::now();
        self.people.compete(3);
        let some = self.some();
        self.people.type_some(some);
        self.run = if self.arena().is_postgres() {
            self.succeed(run, frozen)
        } else {
            Some(self.wait_alone(run, frozen))
        };
        self.tally.with(|counts| counts.freezes += 1);
    }

    /// A SQLite store stays with the process that has it, frozen or not: others are refused.
    fn wait_alone(&mut self, mut run: Run, frozen: Instant) -> Run {
        let (code, said) = self.arena().program.once();
        if code != 1 || !said.contains("in use") {
            let what = format!("a second process was not refused: {code} {said}");
            self.tally.fault(&self.plan.name, what);
        }
        self.people.watch(FREEZE.saturating_sub(frozen.elapsed()));
        run.wake();
        let woken = Instant::now();
        let some = self.some();
        self.people.type_some(some);
        let took = self.people.first_arrival(&mut run, woken, LATE);
        self.tally
            .arrival(&self.plan.name, took, |counts| &mut counts.takeovers);
        run
    }

    /// On PostgreSQL a second process takes over when the lease has run out. The first one wakes,
    /// stands by, and takes over in turn when the second is killed.
    fn succeed(&mut self, mut first: Run, frozen: Instant) -> Option<Run> {
        let (mut second, began) = self.start(How::Staying);
        let took = self.people.first_arrival(&mut second, began, LATE);
        self.tally
            .arrival(&self.plan.name, took, |counts| &mut counts.takeovers);
        self.people.watch(FREEZE.saturating_sub(frozen.elapsed()));
        first.wake();
        for _ in 0..4 {
            let some = self.some();
            self.people.type_some(some);
            self.people.watch(Duration::from_secs(3));
        }
        second.kill();
        count_kill(self.arena(), How::Staying, self.tally);
        let began = Instant::now();
        let some = self.some();
        self.people.type_some(some);
        let took = self.people.first_arrival(&mut first, began, LATE);
        self.tally
            .arrival(&self.plan.name, took, |counts| &mut counts.takeovers);
        Some(first)
    }

    /// SIGTERM at any moment.
    fn stop(&mut self) {
        let some = self.some();
        self.people.type_some(some);
        let mut run = match self.run.take().filter(|run| run.how == How::Staying) {
            Some(run) => run,
            None => self.start(How::Staying).0,
        };
        Moment::draw(&mut self.dice).comes(self.arena(), &mut run, self.plan.moment);
        let (took, code) = run.stop();
        self.tally
            .with(|counts| counts.stops.push(took.as_secs_f64()));
        if took > STOP || code != Some(0) {
            let what = format!("told to stop, it ended with {code:?} after {took:?}");
            self.tally.fault(&self.plan.name, what);
        }
    }
}
