//! A small model of the whole engine around the real `merge::decide` and `merge::settle`.
//!
//! One rule, two sides, one to six edits by users at the worst moments, a crash after any step,
//! replies that get lost, writes that land late, either winner, and a Salesforce that keeps or
//! folds case. The engine of the model follows the design: intents, settling by history, audit of
//! overtaken edits, restoring writes. As designed it must pass every schedule; with one part taken
//! out it must be caught, or the model would prove nothing.

#[path = "model_check/engine.rs"]
mod engine;
#[path = "model_check/world.rs"]
mod world;

use engine::{Engine, Phase};
use fastrand::Rng;

/// The design with one part missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// Nothing durable is noted before a write.
    WithoutIntent,
    /// Nobody looks for an edit between our read and our write.
    WithoutAudit,
    /// The base takes what is about to be sent, before anything was read back.
    BaseWhenPlanned,
    /// Both halves of the base hold the source's value.
    OneSharedBase,
    /// A restoring write looks again at what it replaces, right before it is sent.
    FreshBefore,
    /// Settling takes the source as it is by then, not as it was read for the decision.
    FreshSource,
    /// A write that lands after its intent was settled passes for a user's edit.
    WithoutZombieRule,
    /// The losing value of a conflict is not kept.
    LoserNotKept,
    /// The losing value is noted after the write instead of with its intent.
    LoserKeptLate,
}

const BROKEN: [Broken; 9] = [
    Broken::WithoutIntent,
    Broken::WithoutAudit,
    Broken::BaseWhenPlanned,
    Broken::OneSharedBase,
    Broken::FreshBefore,
    Broken::FreshSource,
    Broken::WithoutZombieRule,
    Broken::LoserNotKept,
    Broken::LoserKeptLate,
];

const STEPS_TO_REST: usize = 400;

/// Plays one schedule. `zombies`: a write may land even after its intent was settled.
fn play(seed: u64, zombies: bool, broken: Option<Broken>) -> Result<Engine, String> {
    let mut rng = Rng::with_seed(seed);
    let mut engine = Engine::new(&mut rng, zombies, broken);
    let mut edits = rng.u8(1..=6);
    let mut idle = rng.u8(0..12);
    while edits > 0 || idle > 0 {
        // Edits next to our reads and writes find the most.
        let tempting = matches!(
            engine.phase,
            Phase::Read(_) | Phase::Sending | Phase::Settling(_)
        );
        match rng.u8(..20) {
            0..=2 => engine.crash(&mut rng),
            3 | 4 => engine.world.land_one(&mut rng),
            draw if edits > 0 && (draw < 9 || (tempting && draw < 13)) => {
                engine.world.edit(&mut rng);
                edits -= 1;
            }
            _ => {
                engine.step(&mut rng)?;
                idle = idle.saturating_sub(u8::from(edits == 0));
            }
        }
    }
    engine.world.land_or_drop_all(&mut rng);
    engine.calm = true;
    for _ in 0..STEPS_TO_REST {
        engine.step(&mut rng)?;
        if engine.at_rest {
            engine.check_rest()?;
            return Ok(engine);
        }
    }
    Err("the sides never come to rest".into())
}

fn passes(schedules: u64, zombies: bool) {
    let mut writes = 0;
    let mut restored = 0;
    for seed in 0..schedules {
        match play(seed, zombies, None) {
            Ok(engine) => {
                writes += engine.writes;
                restored += engine.restored;
            }
            Err(fault) => panic!("schedule {seed}, zombies {zombies}: {fault}"),
        }
    }
    println!("{schedules} schedules, zombies {zombies}: {writes} writes, {restored} restoring");
    assert!(writes > schedules / 2, "hardly anything was written");
    assert!(
        restored > schedules / 1_000,
        "hardly any edit was overtaken"
    );
}

#[test]
fn the_engine_as_designed_loses_nothing() {
    passes(200_000, false);
}

#[test]
fn writes_that_land_after_settling_lose_nothing() {
    passes(200_000, true);
}

#[test]
fn every_broken_engine_is_caught() {
    for broken in BROKEN {
        let zombies = broken == Broken::WithoutZombieRule;
        let caught = (0..100_000).find_map(|seed| {
            let fault = play(seed, zombies, Some(broken)).err()?;
            Some((seed + 1, fault))
        });
        let (schedules, fault) =
            caught.unwrap_or_else(|| panic!("{broken:?} passes all schedules"));
        let fault = fault.lines().next().unwrap_or_default();
        println!("{broken:?} is caught after {schedules} schedules: {fault}");
    }
}
