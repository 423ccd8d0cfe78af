//! The walker: one scenario is played once in peace, and then again and again with the process
//! dying at a seam. Every play has to come to rest in the picture of the first one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;

use tokio::runtime::Runtime;

use super::picture::Picture;
use crate::seams::{Kill, Way};
use crate::world::World;

pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A small script: how it begins, what the engine does then, and what has become true.
pub struct Scenario {
    pub name: &'static str,
    /// Everything up to the moment at which the process may begin to die.
    ready: fn() -> Doing<'static, World>,
    /// What the engine does while it may die, and does to its end after it died.
    work: for<'a> fn(&'a mut World) -> Doing<'a, ()>,
    /// Asked of the play in peace, whose picture all others must repeat.
    ends: fn(&World, &Picture),
    /// Whether it is asked of every play, in place of comparing pictures.
    varies: bool,
}

impl Scenario {
    pub const fn new(
        name: &'static str,
        ready: fn() -> Doing<'static, World>,
        ends: fn(&World, &Picture),
    ) -> Self {
        Self {
            name,
            ready,
            work: |world| Box::pin(world.settle()),
            ends,
            varies: false,
        }
    }

    /// What a lost process knew and nobody can find out again decides between several right ends.
    pub const fn varying(self) -> Self {
        Self {
            varies: true,
            ..self
        }
    }

    /// What is to be found shows in no poll.
    pub const fn scanned(self) -> Self {
        let work: for<'a> fn(&'a mut World) -> Doing<'a, ()> = |world| {
            Box::pin(async {
                world.scan().await;
                world.settle().await;
            })
        };
        self.working(work)
    }

    pub const fn working(self, work: for<'a> fn(&'a mut World) -> Doing<'a, ()>) -> Self {
        Self { work, ..self }
    }
}

/// How a play ended.
pub struct Played {
    pub picture: Picture,
    /// Whether a full comparison found something that the polls had passed.
    scanned: Result<(), String>,
    /// The seams of the last life of the process, up to the end of the work.
    pub met: Vec<String>,
    pub deaths: usize,
}

/// A process that cannot start, because a reply was lost, is started again.
const STARTS_MAX: u32 = 10;

async fn live(scenario: &Scenario, world: &mut World) {
    for _ in 0..STARTS_MAX {
        if world.is_open() {
            break;
        }
        if world.start().await.is_err() {
            world.pass(31_000);
        }
    }
    assert!(world.is_open(), "the engine does not open");
    (scenario.work)(world).await;
}

/// From the beginning to rest; the process dies at each of these seams in turn, each counted from
/// the start of its life.
async fn play(scenario: &Scenario, kills: &[Kill]) -> (World, Played) {
    let mut world = (scenario.ready)().await;
    let seams = world.seams.clone();
    let mut deaths = 0;
    for kill in kills {
        seams.arm(Some(*kill));
        let is_dead = tokio::select! {
            biased;
            () = seams.died() => true,
            () = live(scenario, &mut world) => false,
        };
        if !is_dead {
            break;
        }
        deaths += 1;
        seams.arm(None);
        world.die().await;
    }
    seams.arm(None);
    live(scenario, &mut world).await;
    let met = seams.met();
    world.settle().await;
    let picture = Picture::take(&world).await;
    world.scan().await;
    world.settle().await;
    let scanned = picture.against(&Picture::take(&world).await);
    let played = Played {
        picture,
        scanned: scanned.map_err(|what| format!("only a scan found this:\n{what}")),
        met,
        deaths,
    };
    (world, played)
}

/// The play in peace, which says what the others have to come to.
pub fn in_peace(runtime: &Runtime, scenario: &Scenario) -> Played {
    runtime.block_on(async {
        let (mut world, played) = play(scenario, &[]).await;
        (scenario.ends)(&world, &played.picture);
        let scanned = played.scanned.as_ref();
        assert_eq!(scanned, Ok(&()), "{}", scenario.name);
        world.assert_quiet().await;
        played
    })
}

/// One play with deaths: how often the process died, or what is wrong in the end.
pub fn with_deaths(
    runtime: &Runtime,
    scenario: &Scenario,
    kills: &[Kill],
    peace: &Played,
) -> Result<usize, String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let (world, played) = play(scenario, kills).await;
            if scenario.varies {
                (scenario.ends)(&world, &played.picture);
                played.picture.is_at_rest()?;
            } else {
                peace.picture.against(&played.picture)?;
            }
            played.scanned?;
            Ok(played.deaths)
        })
    }));
    let found = played.unwrap_or_else(|panic| Err(said(panic.as_ref())));
    found.map_err(|what| format!("{}\n{what}", place(scenario, kills, peace)))
}

pub fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// Where the process died, as `TANDEM_TEST_KILLS` takes it, and what it met there.
fn place(scenario: &Scenario, kills: &[Kill], peace: &Played) -> String {
    let mut text = scenario.name.to_owned();
    for kill in kills {
        text.push_str(&format!(" / {} {}", kill.seam, kill.way.word()));
    }
    let first = kills.first().and_then(|kill| peace.met.get(kill.seam));
    format!("{text} ({})", first.map_or("in peace", String::as_str))
}

/// What was walked, and what it found.
#[derive(Default)]
pub struct Tally {
    pub seams: usize,
    pub kills: usize,
    pub pairs: usize,
    pub failures: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.seams += other.seams;
        self.kills += other.kills;
        self.pairs += other.pairs;
        self.failures.extend(other.failures);
    }
}

/// How much of a scenario is walked: one kill of so many, and so many pairs.
#[derive(Clone, Copy)]
pub struct Share {
    pub one_of: u64,
    pub pairs: u32,
    pub seed: u64,
}

/// Failures of one scenario that are told of.
const FAILURES_MAX: usize = 6;

pub fn walk(scenario: &Scenario, share: Share) -> Tally {
    let runtime = super::runtime();
    let peace = in_peace(&runtime, scenario);
    let name = scenario.name.bytes().map(u64::from);
    let salt = name.fold(share.seed, |sum, byte| sum.wrapping_mul(31) + byte);
    let mut dice = fastrand::Rng::with_seed(salt);
    let mut tally = Tally {
        seams: peace.met.len(),
        ..Tally::default()
    };
    let kills = all_kills(peace.met.len());
    let mut plans: Vec<Vec<Kill>> = Vec::new();
    for kill in &kills {
        if dice.u64(..share.one_of) == 0 {
            plans.push(vec![*kill]);
        }
    }
    for _ in 0..share.pairs {
        plans.push(
            (0..2)
                .filter_map(|_| dice.choice(&kills).copied())
                .collect(),
        );
    }
    for plan in plans {
        match with_deaths(&runtime, scenario, &plan, &peace) {
            Ok(deaths) => {
                tally.kills += deaths;
                tally.pairs += usize::from(deaths == 2);
            }
            Err(what) => tally.failures.push(what),
        }
        if tally.failures.len() >= FAILURES_MAX {
            break;
        }
    }
    tally
}

pub fn all_kills(seams: usize) -> Vec<Kill> {
    let places = (0..seams).flat_map(|seam| Way::ALL.map(|way| Kill { seam, way }));
    places.collect()
}
