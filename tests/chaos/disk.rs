//! A SQLite store on a disk that is full from time to time.
//!
//! A run that stays waits until there is room again; a run of `sync --once` ends with one line.
//! Needs the right to mount a small file system in memory.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use tandem::cli::demo::canon::Meaning;
use tandem::cli::demo::ledger::Partners;
use tokio::runtime::Handle;

use tandem::clock::Clock;
use tandem::model::WorkspaceId;
use tandem::store::{Changes, Store};

use crate::arena::Arena;
use crate::child::How;
use crate::course::{Plan, conclude, rest};
use crate::people::People;
use crate::tally::Tally;

const SIZE: &str = "size=16m";
const LATE: Duration = Duration::from_secs(120);
/// Long enough for a poll to fall into it.
const FULL: Duration = Duration::from_secs(13);

/// A file system in memory, taken away in the end.
struct Tight(tempfile::TempDir);

impl Tight {
    /// `None` when mounting is not permitted here.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]);
        let mounted = mount.arg(folder.path()).output().ok()?;
        mounted.status.success().then_some(Self(folder))
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Writes until nothing more goes in.
    fn fill(&self) {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.filler());
        let mut file: File = file.expect("a file can be made");
        for size in [1 << 16, 1 << 12, 1 << 8, 1] {
            while file.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).expect("the filler can be removed");
    }
}

impl Drop for Tight {
    fn drop(&mut self) {
        let gone = Command::new("umount").arg(self.0.path()).status();
        if !gone.is_ok_and(|status| status.success()) {
            eprintln!("{} is still mounted", self.0.path().display());
        }
    }
}

pub fn play(handle: &Handle, plan: &Plan, times: u32, tally: &Tally) {
    let Some(tight) = Tight::mount() else {
        println!("full disk skipped: mounting a file system is not permitted here");
        return;
    };
    // The arena's store must be let go of before its file system can be taken away.
    let arena = Arena::in_tight_folder(
        handle,
        &tight.0.path().join("store"),
        plan.records,
        plan.seed,
    );
    rest(&arena);
    let first = arena.claims();
    let meaning = Meaning::read(&arena.salesforce, &first.links);
    let partners = Partners::new(&first.links);
    let mut people = People::new(&arena, &first, (&meaning, &partners), plan.seed);
    people.type_some(6);
    let began = Instant::now();
    let mut run = arena.program.start(How::Staying);
    let took = people.first_arrival(&mut run, began, LATE);
    tally.arrival(&plan.name, took, |counts| &mut counts.sqlite);
    for nth in 0..times {
        people.type_some(6);
        people.watch(Duration::from_millis(1_300 * u64::from(nth)));
        tight.fill();
        people.type_some(6);
        people.watch(FULL);
        if let Some(status) = run.has_ended() {
            let last = arena.program.last_words();
            let what = format!("it did not outlast the full disk: {status}: {last}");
            tally.fault(&plan.name, what);
            run = arena.program.start(How::Staying);
        }
        tight.free();
        let freed = Instant::now();
        people.type_some(6);
        let took = people.first_arrival(&mut run, freed, LATE);
        tally.arrival(&plan.name, took, |counts| &mut counts.freed);
        tally.with(|counts| counts.full_disks += 1);
    }
    run.stop();
    if arena.program.ridden_out() == 0 {
        tally.fault(&plan.name, "the store never felt the full disk");
    }
    people.type_some(6);
    tight.fill();
    refused(&arena, plan, tally);
    tight.free();
    let ledger = std::mem::take(&mut people.ledger);
    conclude(&arena, plan, &ledger, tally);
}

/// `sync --once` on a full disk: exit code 1 and one line that names the store.
fn refused(arena: &Arena, plan: &Plan, tally: &Tally) {
    let (code, said) = arena.program.once();
    let errors = said.lines().filter(|line| line.starts_with("error: "));
    let named = said.contains("tandem.db");
    if code != 1 || errors.count() != 1 || !named {
        tally.fault(&plan.name, format!("on a full disk: {code} {said}"));
    }
}

/// Once the driver took the connection to be in a transaction for ever after.
#[test]
fn a_store_whose_disk_was_full_goes_on_when_there_is_room() {
    let Some(tight) = Tight::mount() else {
        println!("full disk skipped: mounting a file system is not permitted here");
        return;
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let file = tight.0.path().join("tandem.db");
        let store = Store::open(&file.display().to_string(), Clock::System).await;
        let (store, ws) = (store.expect("it opens"), WorkspaceId::new("acme/test"));
        store.ensure_workspace(&ws).await.expect("there is room");
        let lease = store.lease(&ws, "sync", "me", 600_000).await;
        let lease = lease.expect("there is room").expect("the lane is free");
        let of = |length: usize| Changes {
            lane_state: Some("x".repeat(length)),
            ..Changes::default()
        };
        tight.fill();
        let mut refused = 0;
        for nth in 0..60 {
            refused += u32::from(store.commit(&lease, of(20_000 * nth)).await.is_err());
        }
        assert!(refused > 10, "the disk was full: {refused}");
        tight.free();
        let stored = store.commit(&lease, of(7)).await;
        stored.expect("there is room again");
        let state = store.lane_state(&ws, "sync").await;
        assert_eq!(state.expect("it reads").as_deref(), Some("xxxxxxx"));
        store.close().await;
    });
}
