//! A throw-away PostgreSQL that can be killed and started again over the same data.
//!
//! Unlike the one that other tests use it keeps what it was told to keep: nothing that makes a
//! commit less than one is switched off.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tokio::runtime::Handle;

use crate::postgres::{Site, find_binaries};

const PATIENCE: Duration = Duration::from_secs(60);
const DATABASE: &str = "tandem";
const SETTINGS: &[&str] = &[
    "-c",
    "listen_addresses=",
    "-c",
    "max_connections=40",
    "-c",
    "shared_buffers=32MB",
];

/// Stops the server when its standard input ends, and leaves the directory for the next one.
const KEEPER: &str = r#"
dir=$1; shift
"$@" >>"$dir/log" 2>&1 &
server=$!
read -r _
kill -INT "$server" 2>/dev/null
wait "$server"
"#;
/// Removes the directory a little after that.
const REMOVER: &str = r#"read -r _; sleep 5; rm -rf "$1""#;

pub struct Cluster {
    site: Site,
    keeper: Option<Child>,
    _remover: Child,
    handle: Handle,
}

impl Cluster {
    /// `None` when PostgreSQL is not installed.
    pub fn new(handle: &Handle) -> Option<Self> {
        let site = Site::make(find_binaries()?);
        let remover = Command::new("/bin/sh")
            .args(["-c", REMOVER, "remover"])
            .arg(site.dir())
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let mut cluster = Self {
            site,
            keeper: None,
            _remover: remover,
            handle: handle.clone(),
        };
        cluster.start();
        let admin = cluster.url("postgres");
        cluster.handle.block_on(async {
            let mut admin = PgConnection::connect(&admin).await.expect("it listens");
            let made = sqlx::raw_sql("CREATE DATABASE tandem").execute(&mut admin);
            made.await.expect("a database can be made");
        });
        Some(cluster)
    }

    fn url(&self, database: &str) -> String {
        self.site.url(database)
    }

    /// The address of the store.
    pub fn store(&self) -> String {
        self.url(DATABASE)
    }

    /// Starts the server, or starts it again, and waits until it takes callers.
    pub fn start(&mut self) {
        self.keeper = Some(self.site.keep_running(KEEPER, SETTINGS));
        let url = self.url("postgres");
        let began = Instant::now();
        while self
            .handle
            .block_on(PgConnection::connect(&url))
            .map(drop)
            .is_err()
        {
            assert!(began.elapsed() < PATIENCE, "{}", self.site.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9` of the postmaster. Its children end by themselves when they find it gone; a new
    /// one starts only after the last of them.
    pub fn kill(&mut self) {
        let postmaster = self.postmaster();
        let children = children(postmaster);
        let killed = Command::new("kill")
            .args(["-9", &postmaster.to_string()])
            .status();
        assert!(killed.expect("kill can be run").success());
        let began = Instant::now();
        while children.iter().any(|child| is_there(*child)) {
            assert!(began.elapsed() < PATIENCE, "its children stay");
            std::thread::sleep(Duration::from_millis(10));
        }
        // Its parent has to take note of its death, or the next server takes it for alive.
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().expect("the keeper ends");
        }
    }

    fn postmaster(&self) -> u32 {
        let file = self.site.data().join("postmaster.pid");
        let text = std::fs::read_to_string(file).expect("the server says who it is");
        let id = text
            .lines()
            .next()
            .and_then(|line| line.trim().parse().ok());
        id.expect("a process id")
    }
}

fn children(of: u32) -> Vec<u32> {
    let file = PathBuf::from(format!("/proc/{of}/task/{of}/children"));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|id| id.parse().ok())
        .collect()
}

/// A process that has ended and was not asked for yet counts as gone.
fn is_there(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = status.rsplit(") ").next().unwrap_or_default();
    !status.is_empty() && !state.starts_with('Z')
}
