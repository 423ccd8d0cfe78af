//! Runs one target: what is kept in its corpus first, then random inputs from a seed.
//!
//! A panic, a refusal of the check, too much memory or too much time is a finding. The input is
//! on disk before it is tried, so that even a stack that overflows leaves it behind.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::allocation;
use crate::mutate::{Shape, recipes};

/// What any input may cost, and how much more per byte of it.
const MEMORY: usize = 32 << 20;
const MEMORY_PER_BYTE: usize = 200;
/// On the processor; waiting for a busy machine does not count.
const TIME_MILLIS: u64 = 1_000;
/// A case that does not end within so many looks of the watchdog hangs.
const LOOKS: u32 = 120;
const LOOK: Duration = Duration::from_millis(500);

pub struct Target {
    pub name: &'static str,
    pub shape: Shape,
    /// Random inputs when nothing else is said.
    pub cases: u32,
    /// Sound inputs to begin from, beside the corpus.
    pub samples: Vec<Vec<u8>>,
    pub check: fn(&[u8]) -> Result<(), String>,
}

/// What the inputs of one target cost at most.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    bytes: usize,
    millis: u64,
}

impl Target {
    pub fn run(self) {
        let saved = saved(self.name);
        let mut most = Cost::default();
        let mut faults = String::new();
        for (name, input) in &saved {
            match self.attempt(input) {
                Ok(cost) => most = most.and(cost),
                Err(fault) => faults.push_str(&format!("\n{}/{name}: {fault}", self.name)),
            }
        }
        assert!(faults.is_empty(), "saved cases:{faults}");
        let mut samples = self.samples.clone();
        samples.extend(saved.iter().map(|(_, input)| input.clone()));
        let seed = number("TANDEM_FUZZ_SEED").unwrap_or(1);
        let cases = number("TANDEM_FUZZ_CASES")
            .and_then(|cases| u32::try_from(cases).ok())
            .unwrap_or(self.cases);
        most = most.and(self.random(&samples, seed, cases));
        println!(
            "fuzz {}: {} saved, {cases} random from seed {seed}; at most {} KiB and {} ms",
            self.name,
            saved.len(),
            most.bytes / 1024,
            most.millis,
        );
    }

    fn random(&self, samples: &[Vec<u8>], seed: u64, cases: u32) -> Cost {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        for (place, byte) in bytes[8..].iter_mut().zip(self.name.bytes()) {
            *place = byte;
        }
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let config = Config {
            cases,
            failure_persistence: None,
            max_shrink_iters: 400,
            ..Config::default()
        };
        let most = Mutex::new(Cost::default());
        let outcome = TestRunner::new_with_rng(config, rng).run(&recipes(), |recipe| {
            let input = recipe.cook(self.shape, samples);
            let cost = self.attempt(&input).map_err(TestCaseError::fail)?;
            let mut most = most.lock().unwrap_or_else(PoisonError::into_inner);
            *most = most.and(cost);
            Ok(())
        });
        if let Err(error) = outcome {
            let TestError::Fail(reason, recipe) = error else {
                panic!("{}: {error}", self.name);
            };
            let input = recipe.cook(self.shape, samples);
            let kept = scratch(&format!("found-{}-{seed}", self.name));
            std::fs::write(&kept, &input).unwrap();
            panic!(
                "{}: {reason}\nwith TANDEM_FUZZ_SEED={seed} TANDEM_FUZZ_CASES={cases}; the input \
                 is in {}, move it into tests/fuzz/corpus/{} to keep it:\n{}",
                self.name,
                kept.display(),
                self.name,
                shown(&input),
            );
        }
        most.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn attempt(&self, input: &[u8]) -> Result<Cost, String> {
        std::fs::write(scratch(&format!("now-{}", self.name)), input).unwrap();
        let watch = Watch::begin(self.name);
        let began = processor_millis();
        let tried = || catch_unwind(AssertUnwindSafe(|| (self.check)(input)));
        let (outcome, bytes) = allocation::peak(tried);
        let millis = processor_millis().saturating_sub(began);
        drop(watch);
        match outcome {
            Err(panic) => return Err(format!("a panic: {}", panic_text(&*panic))),
            Ok(Err(fault)) => return Err(fault),
            Ok(Ok(())) => {}
        }
        if millis > TIME_MILLIS {
            return Err(format!("{millis} ms on the processor"));
        }
        if bytes > MEMORY + MEMORY_PER_BYTE * input.len() {
            let length = input.len();
            return Err(format!("{bytes} bytes of memory for {length} of input"));
        }
        Ok(Cost { bytes, millis })
    }
}

impl Cost {
    fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            millis: self.millis.max(other.millis),
        }
    }
}

/// The corpus of a target by file name.
fn saved(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(name);
    let mut files: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, unfold(&std::fs::read(&path).unwrap()))
        })
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{name} has no saved cases");
    files
}

/// Replaces `<<N*TEXT>>` by N times TEXT, in which `{n}` and `{n+1}` count: large cases stay small
/// files.
fn unfold(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"<<") {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        match folded(&after[2..]) {
            Some((times, text, behind)) => {
                for n in 0..times {
                    let text = String::from_utf8_lossy(text);
                    let text = text.replace("{n+1}", &(n + 1).to_string());
                    out.extend_from_slice(text.replace("{n}", &n.to_string()).as_bytes());
                }
                rest = behind;
            }
            None => {
                out.extend_from_slice(b"<<");
                rest = &after[2..];
            }
        }
    }
    out.extend_from_slice(rest);
    out
}

fn folded(text: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let star = text.iter().position(|&byte| byte == b'*')?;
    let times = std::str::from_utf8(&text[..star]).ok()?.parse().ok()?;
    let body = &text[star + 1..];
    let end = body.windows(2).position(|pair| pair == b">>")?;
    Some((times, &body[..end], &body[end + 2..]))
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a number")),
    )
}

fn shown(input: &[u8]) -> String {
    let text = String::from_utf8_lossy(input);
    text.chars()
        .take(2_000)
        .flat_map(char::escape_debug)
        .collect()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("(no text)").to_owned()
}

/// Time this thread has spent on a processor. Zero where the system does not say.
fn processor_millis() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text
        .split(' ')
        .next()
        .and_then(|word| word.parse::<u64>().ok());
    nanos.unwrap_or(0) / 1_000_000
}

/// What each target is at, and for how many looks already.
static AT: Mutex<BTreeMap<&'static str, u32>> = Mutex::new(BTreeMap::new());
static DOG: Once = Once::new();

struct Watch(&'static str);

impl Watch {
    fn begin(name: &'static str) -> Self {
        DOG.call_once(|| drop(std::thread::spawn(watch)));
        AT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, 0);
        Self(name)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        AT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(self.0);
    }
}

fn watch() {
    loop {
        std::thread::sleep(LOOK);
        for (name, looks) in AT.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            *looks += 1;
            if *looks > LOOKS {
                let input = scratch(&format!("now-{name}"));
                eprintln!("fuzz {name}: a hang; the input is in {}", input.display());
                std::process::abort();
            }
        }
    }
}
