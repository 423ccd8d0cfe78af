//! A throw-away PostgreSQL for tests: one cluster per test binary, one database per caller.
//!
//! Uses the server named by `TANDEM_TEST_POSTGRES_URL`, or starts one from installed binaries:
//! in a temporary directory, on a Unix socket, without syncing, as another user when run as root.
//! With neither, [`database`] says so and returns `None`, or fails if `TANDEM_REQUIRE_POSTGRES=1`.
//! The server outlives no test run: a small shell holds its process id and stops it, and removes
//! its directory, as soon as the pipe from the test process closes, however that ends.

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

const SOCKET: &str = ".s.PGSQL.5432";
const PATIENCE: Duration = Duration::from_secs(30);
/// Tests commit a lot and need not survive the machine.
const QUICK: &[&str] = &[
    "-c",
    "listen_addresses=",
    "-c",
    "fsync=off",
    "-c",
    "synchronous_commit=off",
    "-c",
    "full_page_writes=off",
    "-c",
    "max_connections=200",
    "-c",
    "shared_buffers=32MB",
    "-c",
    "autovacuum=off",
];
/// Stops the server it started when its standard input ends.
pub const KEEPER: &str = r#"
dir=$1; shift
"$@" >"$dir/log" 2>&1 &
server=$!
read -r _
kill -INT "$server"
wait "$server"
rm -rf "$dir"
"#;

struct Server {
    /// Ends in `/`; a database's name comes next.
    before: String,
    after: String,
    /// The system closes its pipe when the tests end.
    _keeper: Option<Child>,
}

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The address of a new, empty database; `None` when there is no PostgreSQL and none is required.
pub async fn database() -> Option<String> {
    let server = SERVER.get_or_init(start).as_ref()?;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("tandem_test_{}_{number}", std::process::id());
    create(&server.url("postgres"), &name).await;
    Some(server.url(&name))
}

/// Makes a database of this name on the server with this address.
pub async fn create(admin: &str, name: &str) {
    let mut admin = connect(admin).await;
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    let created = sqlx::raw_sql(create).execute(&mut admin).await;
    created.expect("a database can be created on the test server");
}

impl Server {
    fn url(&self, database: &str) -> String {
        format!("{}{database}{}", self.before, self.after)
    }
}

/// A server that has just been started refuses callers for a moment.
async fn connect(url: &str) -> PgConnection {
    let start = Instant::now();
    loop {
        match PgConnection::connect(url).await {
            Ok(connection) => return connection,
            Err(error) if start.elapsed() > PATIENCE => panic!("PostgreSQL at {url}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn start() -> Option<Server> {
    if let Ok(url) = std::env::var("TANDEM_TEST_POSTGRES_URL") {
        return Some(given(&url));
    }
    match find_binaries().ok_or("no initdb found".to_owned()) {
        Ok(binaries) => Some(start_cluster(binaries)),
        Err(why) => {
            let required = std::env::var("TANDEM_REQUIRE_POSTGRES").is_ok_and(|set| set == "1");
            assert!(!required, "PostgreSQL is required and missing: {why}");
            println!("PostgreSQL skipped: {why}");
            None
        }
    }
}

fn given(url: &str) -> Server {
    let (address, options) = url.split_once('?').unwrap_or((url, ""));
    let scheme = address.find("://").map_or(0, |at| at + 3);
    let end = address[scheme..]
        .find('/')
        .map_or(address.len(), |at| scheme + at);
    Server {
        before: format!("{}/", &address[..end]),
        after: if options.is_empty() {
            String::new()
        } else {
            format!("?{options}")
        },
        _keeper: None,
    }
}

/// The directory that holds `initdb` and `postgres`: found on the path, or where Debian keeps it.
pub fn find_binaries() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join("initdb"));
    let mut packaged: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin/initdb"))
        .collect();
    packaged.sort();
    let real = |initdb: PathBuf| Some(initdb.canonicalize().ok()?.parent()?.to_path_buf());
    on_path
        .chain(packaged.into_iter().rev())
        .filter_map(real)
        .find(|dir| dir.join("postgres").exists())
}

/// User and group to run as: the server refuses root.
fn unprivileged() -> Option<(u32, u32)> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if String::from_utf8_lossy(&id.stdout).trim() != "0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("there is a list of users");
    let find = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut ids = line.split(':').skip(2).map(str::parse::<u32>);
        Some((ids.next()?.ok()?, ids.next()?.ok()?))
    };
    let user = find("postgres").or_else(|| find("nobody"));
    Some(user.expect("there is a user postgres or nobody to run the server as"))
}

fn as_user(program: &Path, user: Option<(u32, u32)>, home: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(home)
        .env_remove("PGDATA")
        .env_remove("PGPORT");
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

fn start_cluster(binaries: PathBuf) -> Server {
    let site = Site::make(binaries);
    let keeper = site.keep_running(KEEPER, QUICK);
    await_socket(&site);
    Server {
        _keeper: Some(keeper),
        ..given(&site.url(""))
    }
}

/// Where a throw-away cluster lives, and as whom.
pub struct Site {
    binaries: PathBuf,
    dir: PathBuf,
    user: Option<(u32, u32)>,
}

impl Site {
    /// Makes a directory and an empty cluster in it.
    pub fn make(binaries: PathBuf) -> Self {
        let user = unprivileged();
        let dir = tempfile::Builder::new()
            .prefix("tandem-pg-")
            .tempdir_in("/tmp")
            .expect("a temporary directory can be made")
            .keep();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).expect("it is ours");
        if let Some((uid, gid)) = user {
            chown(&dir, Some(uid), Some(gid)).expect("root may give a directory away");
        }
        let site = Self {
            binaries,
            dir,
            user,
        };
        let made = as_user(&site.binaries.join("initdb"), user, &site.dir)
            .arg("-D")
            .arg(site.data())
            .args([
                "-U",
                "tandem",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .output()
            .expect("initdb can be run");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "initdb failed: {said}");
        site
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn url(&self, database: &str) -> String {
        let dir = self.dir.display();
        format!("postgres://tandem@localhost/{database}?host={dir}")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Starts the server under a keeper, a script that stops it when its standard input ends.
    pub fn keep_running(&self, keeper: &str, settings: &[&str]) -> Child {
        as_user(Path::new("/bin/sh"), self.user, Path::new("/"))
            .process_group(0)
            .args(["-c", keeper, "keeper"])
            .arg(&self.dir)
            .arg(self.binaries.join("postgres"))
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(&self.dir)
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell can be started")
    }
}

/// Waits until a server of the site takes callers.
pub fn await_socket(site: &Site) {
    let start = Instant::now();
    while !site.dir().join(SOCKET).exists() {
        assert!(
            start.elapsed() < PATIENCE,
            "PostgreSQL did not start: {}",
            site.log()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
