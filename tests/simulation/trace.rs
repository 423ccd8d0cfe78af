//! What a schedule did, as a hash always asked for and as lines when somebody wants to read it.

use std::fmt::Write as _;

/// What every look for changes says.
const DULL: [&str; 7] = [
    "/search",
    "queryAll",
    "store: mark",
    "renew",
    "-> 200",
    "marks 1, verdicts 1, cursors 1",
    "poll : Done",
];

/// Nothing is kept unless a run is to be compared or read: most runs are neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Nothing,
    Hash,
    Lines,
}

pub struct Trace {
    keep: Keep,
    hash: u64,
    lines: Vec<String>,
}

impl Trace {
    pub fn new(keep: Keep) -> Self {
        Self {
            keep,
            hash: 0xcbf2_9ce4_8422_2325,
            lines: Vec::new(),
        }
    }

    pub fn wanted(&self) -> bool {
        self.keep != Keep::Nothing
    }

    /// Something that belongs to the hash but is too long to read.
    pub fn weigh(&mut self, bytes: &[u8]) {
        if self.wanted() {
            for byte in bytes {
                self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }

    pub fn say(&mut self, line: impl FnOnce() -> String) {
        if self.keep == Keep::Nothing {
            return;
        }
        let line = line();
        self.weigh(line.as_bytes());
        if self.keep == Keep::Lines {
            self.lines.push(line);
        }
    }

    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The last so many lines, without those of polls that found nothing.
    pub fn tail(&self, lines: usize) -> String {
        let loud = std::env::var("LOUD").is_ok();
        let dull = |line: &&String| !loud && DULL.iter().any(|part| line.contains(part));
        let told: Vec<&String> = self.lines.iter().filter(|line| !dull(line)).collect();
        let from = if loud {
            0
        } else {
            told.len().saturating_sub(lines)
        };
        let mut text = String::new();
        for line in &told[from..] {
            let _ = writeln!(text, "    {line}");
        }
        text
    }
}
