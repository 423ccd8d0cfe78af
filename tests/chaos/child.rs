//! The program as a child process: started, killed, frozen, woken, told to stop.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any run takes that waits for the fate of a write.
const PATIENCE: Duration = Duration::from_secs(420);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `tandem sync --once`, started anew when it ends, as by cron.
    Once,
    /// `tandem sync`.
    Staying,
}

/// What is needed to start a run.
#[derive(Clone)]
pub struct Program {
    pub variables: Vec<(&'static str, String)>,
    /// What `--data` takes.
    pub data: String,
    /// Takes what the runs say on stderr.
    pub log: PathBuf,
}

impl Program {
    fn command(&self, how: How) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tandem"));
        command
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .args(["sync", "--json", "--data", &self.data])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log(&self.log));
        if how == How::Once {
            command.arg("--once");
        }
        command
    }

    pub fn start(&self, how: How) -> Run {
        let child = self.command(how).spawn().expect("the program starts");
        Run { child, how }
    }

    /// The last line that a run said on stderr.
    pub fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        said.lines().last().unwrap_or_default().to_owned()
    }

    /// How often a run had to wait for its store.
    pub fn ridden_out(&self) -> usize {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let waits = said.lines().filter(|line| line.contains("trying again in"));
        waits.count()
    }

    /// A run that is left alone until it ends: its exit code, and its last words on stderr.
    pub fn once(&self) -> (i32, String) {
        let mut command = self.command(How::Once);
        command.stderr(Stdio::piped());
        let ended = command.output().expect("the program can be run");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        (ended.status.code().unwrap_or(-1), said)
    }

    /// A run that must end well; its summary.
    pub fn summary(&self) -> Value {
        let mut command = self.command(How::Once);
        command.stdout(Stdio::piped());
        let began = Instant::now();
        let ended = command.output().expect("the program can be run");
        assert!(began.elapsed() < PATIENCE, "the last run took too long");
        let said = String::from_utf8_lossy(&ended.stdout);
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        assert!(ended.status.success(), "the last run: {said}\n{log}");
        serde_json::from_str(&said).expect("a summary")
    }
}

fn log(path: &Path) -> Stdio {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_or_else(|_| Stdio::null(), |file: File| Stdio::from(file))
}

/// A run under way; killed when it is dropped.
pub struct Run {
    child: Child,
    pub how: How,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Run {
    /// `kill -9`.
    pub fn kill(self) {}

    pub fn freeze(&self) {
        self.signal("-STOP");
    }

    pub fn wake(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status();
        assert!(sent.expect("kill can be run").success(), "{signal}");
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("it can be asked")
    }

    /// SIGTERM: how long it took to end, and how it did.
    pub fn stop(mut self) -> (Duration, Option<i32>) {
        let began = Instant::now();
        self.signal("-TERM");
        loop {
            if let Some(status) = self.has_ended() {
                return (began.elapsed(), status.code());
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
