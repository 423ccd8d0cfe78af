//! Settings of the service: `tandem.toml`, and the environment on top of it.
//!
//! [`KEYS`] is the one list of what can be set; the file that `tandem init` writes and
//! docs/configuration.md come from it. Everything is checked before anything is opened, and all
//! faults are reported at once, each with its key, its value and what is accepted.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::Environment;

/// Larger than any file of settings.
const FILE_CAP: u64 = 256 * 1024;

/// One thing that can be set.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Section and name, as in `server.listen`.
    pub name: &'static str,
    pub default: &'static str,
    pub what: &'static str,
    pub secret: bool,
}

const fn key(name: &'static str, default: &'static str, what: &'static str) -> Key {
    Key {
        name,
        default,
        what,
        secret: false,
    }
}

const fn secret(name: &'static str, what: &'static str) -> Key {
    Key {
        name,
        default: "",
        what,
        secret: true,
    }
}

pub const KEYS: [Key; 20] = [
    key(
        "server.listen",
        "127.0.0.1:8480",
        "address and port that the service listens on",
    ),
    key(
        "server.public_url",
        "http://localhost:8480",
        "how browsers and both CRMs reach the service; https outside of tests",
    ),
    key(
        "server.grace_seconds",
        "25",
        "how long attempts under way may take when it stops; 1 to 300",
    ),
    key(
        "server.workers",
        "8",
        "workspaces that are worked on at the same time; 1 to 256",
    ),
    key(
        "server.requests_per_minute",
        "600",
        "requests to the API that one key may send in a minute; 1 to 100000",
    ),
    key(
        "log.format",
        "text",
        "text for people, or json: one object for each line of the log",
    ),
    key(
        "store.url",
        ".tandem/tandem.db",
        "a SQLite file, or postgres://user:password@host/database",
    ),
    key(
        "vault.key_file",
        "tandem.key",
        "file of the keys that seal credentials; mode 0600",
    ),
    secret(
        "vault.keys",
        "the same keys as text, in place of the file: `id base64, id base64`",
    ),
    key(
        "mappings.folder",
        "",
        "folder of mapping files; the shipped ones when empty",
    ),
    key(
        "sync.keep_journal_days",
        "30",
        "how long explain and undo reach back; 1 to 3650",
    ),
    key(
        "hubspot.client_id",
        "",
        "client id of the HubSpot app that customers connect",
    ),
    secret(
        "hubspot.client_secret",
        "its client secret; webhooks are signed with it",
    ),
    key(
        "hubspot.url",
        "https://api.hubapi.com",
        "where HubSpot is called",
    ),
    key(
        "hubspot.authorize_url",
        "https://app.hubspot.com",
        "where HubSpot's administrators consent",
    ),
    key(
        "hubspot.scopes",
        "",
        "scopes that the HubSpot app requires, separated by blanks; when empty, those of an app \
         that `tandem hubspot-app` made of the mapping files",
    ),
    key(
        "hubspot.optional_scopes",
        "",
        "scopes that the app lists as optional; without hubspot.scopes, those besides what the \
         mapping files need",
    ),
    key(
        "salesforce.client_id",
        "",
        "consumer key of the Salesforce app that customers connect",
    ),
    secret("salesforce.client_secret", "its consumer secret"),
    key(
        "salesforce.login_url",
        "https://login.salesforce.com",
        "where Salesforce's administrators consent, unless a link names another host",
    ),
];

/// Our app on one platform.
#[derive(Clone, Debug)]
pub struct AppKeys {
    pub client_id: String,
    pub client_secret: SecretString,
}

#[derive(Clone, Debug)]
pub enum KeySource {
    File(PathBuf),
    Text(SecretString),
}

/// How lines of the log are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

impl LogFormat {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// What `serve` needs to know.
#[derive(Clone, Debug)]
pub struct Service {
    pub listen: SocketAddr,
    pub public_url: Url,
    pub grace: Duration,
    pub workers: usize,
    pub requests_per_minute: u32,
    pub store: String,
    pub keys: KeySource,
    pub mappings: Option<PathBuf>,
    pub journal_days: i64,
    pub hubspot: Option<AppKeys>,
    pub hubspot_url: Url,
    pub hubspot_authorize_url: Url,
    pub hubspot_scopes: Vec<String>,
    pub hubspot_optional_scopes: Vec<String>,
    pub salesforce: Option<AppKeys>,
    pub salesforce_login_url: Url,
}

/// One setting that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFault {
    /// The key, or the file where it is no single key.
    pub place: String,
    pub what: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFaults(pub Vec<SettingFault>);

impl fmt::Display for SettingFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self
            .0
            .iter()
            .map(|one| format!("{}: {}", one.place, one.what));
        f.write_str(&lines.collect::<Vec<_>>().join("; "))
    }
}

impl std::error::Error for SettingFaults {}

/// The variable that sets a key: `TANDEM_SERVER_LISTEN` for `server.listen`.
pub fn variable(name: &str) -> String {
    format!("TANDEM_{}", name.replace('.', "_").to_uppercase())
}

/// Every setting as text, from the file and the environment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
    /// Paths in the file are meant from its folder.
    folder: PathBuf,
    faults: Vec<SettingFault>,
}

impl Settings {
    /// Reads the file, if it is there, and the environment on top of it.
    pub fn read(file: &Path, environment: &Environment) -> Self {
        let mut settings = Self {
            folder: file.parent().unwrap_or(Path::new("")).to_owned(),
            ..Self::default()
        };
        let long = std::fs::metadata(file).is_ok_and(|about| about.len() > FILE_CAP);
        match std::fs::read_to_string(file) {
            _ if long => settings.fault(&file.display().to_string(), "it is too long"),
            Ok(text) => settings.take(&text, &file.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => settings.fault(&file.display().to_string(), &error.to_string()),
        }
        for key in &KEYS {
            if let Some(text) = environment.get(&variable(key.name)) {
                settings.values.insert(key.name, text.to_owned());
            }
        }
        settings
    }

    fn fault(&mut self, place: &str, what: &str) {
        self.faults.push(SettingFault {
            place: place.to_owned(),
            what: what.to_owned(),
        });
    }

    fn take(&mut self, text: &str, file: &str) {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let line = error
                    .span()
                    .map(|span| text[..span.start].lines().count().max(1));
                let line = line
                    .map(|line| format!(", line {line}"))
                    .unwrap_or_default();
                return self.fault(&format!("{file}{line}"), error.message());
            }
        };
        for (section, body) in table {
            let toml::Value::Table(body) = body else {
                self.unknown(&section);
                continue;
            };
            for (name, value) in body {
                let name = format!("{section}.{name}");
                let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                    self.unknown(&name);
                    continue;
                };
                match value {
                    toml::Value::String(text) => {
                        self.values.insert(key.name, text);
                    }
                    toml::Value::Integer(number) => {
                        self.values.insert(key.name, number.to_string());
                    }
                    other => {
                        let what = format!("takes a text or a number, not a {}", other.type_str());
                        self.fault(key.name, &what);
                    }
                }
            }
        }
    }

    fn unknown(&mut self, name: &str) {
        let near = |key: &&Key| strsim::jaro_winkler(key.name, name) > 0.85;
        let hint = KEYS
            .iter()
            .find(near)
            .map(|key| format!("; did you mean {}?", key.name));
        self.fault(
            name,
            &format!("there is no such setting{}", hint.unwrap_or_default()),
        );
    }

    fn text(&self, name: &'static str) -> &str {
        let known = KEYS.iter().find(|key| key.name == name);
        let default = known.map_or("", |key| key.default);
        self.values.get(name).map_or(default, String::as_str)
    }

    fn words(&self, name: &'static str) -> Vec<String> {
        self.text(name)
            .split_whitespace()
            .map(str::to_owned)
            .collect()
    }

    fn path(&self, name: &'static str) -> PathBuf {
        self.folder.join(self.text(name))
    }

    fn wrong(&mut self, name: &'static str, accepted: &str) {
        let secret = KEYS.iter().any(|key| key.name == name && key.secret);
        let shown = if secret { "***" } else { self.text(name) };
        let what = format!("`{shown}` is not {accepted}");
        self.fault(name, &what);
    }

    fn number(&mut self, name: &'static str, from: i64, to: i64) -> i64 {
        let read = self.text(name).parse().ok();
        read.filter(|number| (from..=to).contains(number))
            .unwrap_or_else(|| {
                self.wrong(name, &format!("a number from {from} to {to}"));
                from
            })
    }

    fn address(&mut self, name: &'static str) -> Url {
        let found = Url::parse(self.text(name)).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.query().is_none()
        });
        found.unwrap_or_else(|| {
            self.wrong(name, "an address such as https://sync.example.com");
            fallback()
        })
    }

    /// How to log, which is needed before anything else is checked. `None` when the setting is
    /// neither of the two.
    pub fn log_format(&self) -> Option<LogFormat> {
        LogFormat::parse(self.text("log.format").trim())
    }

    /// Both parts of an app, or neither.
    fn app(&mut self, id: &'static str, secret: &'static str) -> Option<AppKeys> {
        match (self.text(id), self.text(secret)) {
            ("", "") => None,
            (client_id, client_secret) if !client_id.is_empty() && !client_secret.is_empty() => {
                Some(AppKeys {
                    client_id: client_id.to_owned(),
                    client_secret: SecretString::from(client_secret),
                })
            }
            (client_id, _) => {
                let missing = if client_id.is_empty() { id } else { secret };
                let other = if client_id.is_empty() { secret } else { id };
                let what = format!("is not set, but {other} is; an app needs both");
                self.fault(missing, &what);
                None
            }
        }
    }

    /// Everything checked.
    ///
    /// # Errors
    /// All faults at once.
    pub fn service(mut self) -> Result<Service, SettingFaults> {
        let listen = self.text("server.listen").parse().unwrap_or_else(|_| {
            self.wrong(
                "server.listen",
                "an address and port such as 127.0.0.1:8480",
            );
            SocketAddr::from(([127, 0, 0, 1], 0))
        });
        if self.log_format().is_none() {
            self.wrong("log.format", "text or json");
        }
        let keys = match self.text("vault.keys") {
            "" => KeySource::File(self.path("vault.key_file")),
            text => KeySource::Text(SecretString::from(text)),
        };
        let store = match self.text("store.url") {
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                url.to_owned()
            }
            _ => self.path("store.url").display().to_string(),
        };
        let folder = !self.text("mappings.folder").is_empty();
        let grace = self.number("server.grace_seconds", 1, 300).unsigned_abs();
        let workers = self.number("server.workers", 1, 256);
        let requests = self.number("server.requests_per_minute", 1, 100_000);
        let service = Service {
            listen,
            public_url: self.address("server.public_url"),
            grace: Duration::from_secs(grace),
            workers: usize::try_from(workers).unwrap_or(1),
            requests_per_minute: u32::try_from(requests).unwrap_or(1),
            store,
            keys,
            mappings: folder.then(|| self.path("mappings.folder")),
            journal_days: self.number("sync.keep_journal_days", 1, 3_650),
            hubspot: self.app("hubspot.client_id", "hubspot.client_secret"),
            hubspot_url: self.address("hubspot.url"),
            hubspot_authorize_url: self.address("hubspot.authorize_url"),
            hubspot_scopes: self.words("hubspot.scopes"),
            hubspot_optional_scopes: self.words("hubspot.optional_scopes"),
            salesforce: self.app("salesforce.client_id", "salesforce.client_secret"),
            salesforce_login_url: self.address("salesforce.login_url"),
        };
        if self.faults.is_empty() {
            Ok(service)
        } else {
            Err(SettingFaults(self.faults))
        }
    }
}

/// Stands in for an address that was wrong, until the fault is reported.
fn fallback() -> Url {
    #[allow(clippy::expect_used, reason = "a constant that a test reads")]
    Url::parse("http://localhost").expect("a constant address")
}

/// The commented file that `tandem init` writes: every key with its default, commented out.
pub fn sample() -> String {
    let mut text = String::from(
        "# Settings of `tandem serve`. Every key can also be set by its variable, which wins:\n\
         # TANDEM_SERVER_LISTEN for server.listen. Paths are meant from this file's folder.\n",
    );
    let mut section = "";
    for key in &KEYS {
        let (of, name) = key.name.split_once('.').unwrap_or(("", key.name));
        if of != section {
            section = of;
            text.push_str(&format!("\n[{of}]\n"));
        }
        text.push_str(&format!("# {}\n", key.what));
        if key.secret {
            text.push_str(&format!("# Better kept in {}.\n", variable(key.name)));
        }
        text.push_str(&format!("# {name} = \"{}\"\n", key.default));
    }
    text
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
