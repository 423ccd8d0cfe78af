//! What a run of chaos did and found, shared by its arenas.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tandem::cli::demo::findings::Findings;

/// From a restart to the first write that is right.
pub const LIMIT: Duration = Duration::from_secs(45);

#[derive(Default)]
pub struct Counts {
    pub kills_sqlite: u32,
    pub kills_postgres: u32,
    /// Of these kills, those of `tandem sync --once`.
    pub kills_once: u32,
    pub server_kills: u32,
    pub freezes: u32,
    pub full_disks: u32,
    pub starts: u32,
    /// Steps after which a run waited for its store.
    pub ridden_out: usize,
    pub edits: usize,
    pub arrived: usize,
    pub calls: u64,
    pub writes: u64,
    pub conflicts: usize,
    pub excused: usize,
    pub lost: usize,
    pub duplicates: usize,
    pub pointless: u64,
    pub mismatches: usize,
    pub unexpected: usize,
    /// Seconds from a start of the process, or of PostgreSQL, to the first edit that arrived.
    pub sqlite: Vec<f64>,
    pub postgres: Vec<f64>,
    pub server: Vec<f64>,
    pub takeovers: Vec<f64>,
    pub freed: Vec<f64>,
    pub stops: Vec<f64>,
    /// Everything that should not have been.
    pub faults: Vec<String>,
}

pub struct Tally {
    counts: Mutex<Counts>,
    began: Instant,
    /// What is planned: kills, kills of PostgreSQL.
    planned: (u32, u32),
    progress: bool,
}

impl Tally {
    pub fn new(planned: (u32, u32), progress: bool) -> Self {
        Self {
            counts: Mutex::default(),
            began: Instant::now(),
            planned,
            progress,
        }
    }

    pub fn with<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        let mut counts = self.lock();
        let done = change(&mut counts);
        if self.progress {
            eprint!(
                "\r{} of {} kills, {} of {} of PostgreSQL, {} freezes, {} full disks, {} s ",
                counts.kills_sqlite + counts.kills_postgres,
                self.planned.0,
                counts.server_kills,
                self.planned.1,
                counts.freezes,
                counts.full_disks,
                self.began.elapsed().as_secs(),
            );
        }
        done
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn fault(&self, arena: &str, what: impl std::fmt::Display) {
        self.with(|counts| counts.faults.push(format!("{arena}: {what}")));
    }

    /// Takes down how long a start took; one that took too long is a fault.
    pub fn arrival(
        &self,
        arena: &str,
        took: Result<Duration, String>,
        pick: fn(&mut Counts) -> &mut Vec<f64>,
    ) {
        match took {
            Ok(took) => {
                self.with(|counts| pick(counts).push(took.as_secs_f64()));
                if took > LIMIT {
                    self.fault(
                        arena,
                        format!("{:.1} s to the first write", took.as_secs_f64()),
                    );
                }
            }
            Err(what) => self.fault(arena, what),
        }
    }

    pub fn found(&self, arena: &str, findings: &Findings, pointless: u64) {
        self.with(|counts| {
            counts.lost += findings.lost.len();
            counts.duplicates += findings.duplicates.len();
            counts.mismatches += findings.mismatches.len();
            counts.unexpected += findings.unexpected.len();
            counts.excused += findings.excused;
            counts.pointless += pointless;
        });
        let lost = findings.lost.iter().map(|it| format!("lost: {it}"));
        let twice = findings.duplicates.iter().map(|it| format!("twice: {it}"));
        let differ = findings
            .mismatches
            .iter()
            .map(|it| format!("differs: {it}"));
        let asks = findings.unexpected.iter().map(|it| format!("asks: {it}"));
        for what in lost.chain(twice).chain(differ).chain(asks) {
            self.fault(arena, what);
        }
        if pointless > 0 {
            self.fault(arena, format!("{pointless} writes changed nothing"));
        }
    }

    /// The closing lines.
    pub fn report(&self, seed: u64) -> String {
        let counts = self.lock();
        let mut text = format!(
            "seed {seed}, {} s: {} kills of the process ({} on SQLite, {} on PostgreSQL; {} of \
             `sync --once`), {} kills of PostgreSQL, {} freezes, {} full disks; {} starts, \
             {} waits for a store, {} edits, {} seen to arrive, {} calls, {} records written, \
             {} conflicts",
            self.began.elapsed().as_secs(),
            counts.kills_sqlite + counts.kills_postgres,
            counts.kills_sqlite,
            counts.kills_postgres,
            counts.kills_once,
            counts.server_kills,
            counts.freezes,
            counts.full_disks,
            counts.starts,
            counts.ridden_out,
            counts.edits,
            counts.arrived,
            counts.calls,
            counts.writes,
            counts.conflicts,
        );
        write!(
            text,
            "\n{} lost edits, {} duplicate creates, {} pointless writes, {} differences, \
             {} questions without a cause",
            counts.lost, counts.duplicates, counts.pointless, counts.mismatches, counts.unexpected,
        )
        .unwrap_or_default();
        write!(
            text,
            "\nfirst correct write after a restart: SQLite {}, PostgreSQL {}, after PostgreSQL \
             itself {}, taken over or woken {}, after a full disk {}; told to stop: {}",
            times(&counts.sqlite),
            times(&counts.postgres),
            times(&counts.server),
            times(&counts.takeovers),
            times(&counts.freed),
            times(&counts.stops),
        )
        .unwrap_or_default();
        text
    }

    pub fn faults(&self) -> Vec<String> {
        self.lock().faults.clone()
    }
}

fn times(all: &[f64]) -> String {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    let Some(longest) = all.last() else {
        return "-".to_owned();
    };
    let median = all[all.len() / 2];
    format!(
        "median {median:.1} s, longest {longest:.1} s ({})",
        all.len()
    )
}
