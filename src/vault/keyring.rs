//! The keys from outside: read from a file or the environment, named, the newest first.
//!
//! One line per key: `<id> <base64 of 32 bytes>`; `#` begins a comment. The first one seals, all of
//! them open.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

use super::VaultError;
use super::envelope::{DataKey, KEY_LEN};

/// Longer than any sensible file of keys.
const FILE_CAP: u64 = 64 * 1024;
const PLACE: &str = "data-key";

#[derive(Clone)]
pub struct Keyring {
    /// By id; never empty.
    keys: Vec<(String, DataKey)>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids = self.keys.iter().map(|(id, _)| id.as_str());
        write!(f, "Keyring({})", ids.collect::<Vec<_>>().join(", "))
    }
}

/// Why there is no usable key. Shows nothing of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringFault {
    #[error("cannot read the key file {path}: {why}")]
    Unreadable { path: String, why: String },
    #[error("the key file {path} can be read by others (mode {mode:03o}); run `chmod 600 {path}`")]
    OpenToOthers { path: String, mode: u32 },
    #[error("{place} holds no key")]
    Empty { place: String },
    #[error("{place}, line {line}: not a key; a line is an id, a blank and 32 bytes in base64")]
    NotAKey { place: String, line: usize },
    #[error("{place}: the key {id} is there twice")]
    Twice { place: String, id: String },
}

impl Keyring {
    /// Reads a file that nobody else can read, or that root hands to this service.
    pub fn read(path: &Path) -> Result<Self, KeyringFault> {
        let shown = path.display().to_string();
        let unreadable = |error: std::io::Error| KeyringFault::Unreadable {
            path: shown.clone(),
            why: error.to_string(),
        };
        let about = std::fs::metadata(path).map_err(unreadable)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, PermissionsExt};
            let mode = about.permissions().mode() & 0o777;
            if !is_private(mode, about.uid()) {
                return Err(KeyringFault::OpenToOthers { path: shown, mode });
            }
        }
        if about.len() > FILE_CAP {
            return Err(unreadable(std::io::Error::other("it is too long")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&SecretString::from(text), &shown)
    }

    /// Reads lines of keys, or entries separated by commas where there are no lines.
    pub fn parse(text: &SecretString, place: &str) -> Result<Self, KeyringFault> {
        let mut keys: Vec<(String, DataKey)> = Vec::new();
        let lines = text.expose_secret().split(['\n', ',']);
        for (at, line) in lines.enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (id, key) = key_of(line).ok_or_else(|| KeyringFault::NotAKey {
                place: place.to_owned(),
                line: at + 1,
            })?;
            if keys.iter().any(|(known, _)| *known == id) {
                let place = place.to_owned();
                return Err(KeyringFault::Twice { place, id });
            }
            keys.push((id, key));
        }
        if keys.is_empty() {
            let place = place.to_owned();
            return Err(KeyringFault::Empty { place });
        }
        Ok(Self { keys })
    }

    /// The line of a fresh key.
    pub fn fresh_line(id: &str) -> SecretString {
        let key = DataKey::random();
        SecretString::from(format!("{id} {}", STANDARD.encode(key.bytes())))
    }

    /// A name for one more key: the first of `key-1`, `key-2` … that is not taken.
    pub fn free_id(&self) -> String {
        let taken = |id: &String| self.keys.iter().any(|(known, _)| known == id);
        let mut ids = (1..).map(|number: u64| format!("key-{number}"));
        ids.find(|id| !taken(id)).unwrap_or_default()
    }

    /// Seals a data key of the workspace with the first key.
    pub(super) fn wrap(&self, ws: &str, key: &DataKey) -> String {
        let (id, first) = &self.keys[0];
        format!("{id}:{}", first.seal(&place(ws, id), key.bytes()))
    }

    pub(super) fn unwrap(&self, ws: &str, wrapped: &str) -> Result<DataKey, VaultError> {
        let (id, sealed) = wrapped.split_once(':').ok_or(VaultError::WrongKey)?;
        let known = self.keys.iter().find(|(known, _)| known == id);
        let (_, key) = known.ok_or_else(|| VaultError::UnknownKey {
            found: id.to_owned(),
        })?;
        let plain = key
            .open(&place(ws, id), sealed)
            .ok_or(VaultError::WrongKey)?;
        DataKey::of(&plain).ok_or(VaultError::WrongKey)
    }

    /// Whether a data key is sealed with the first key.
    pub(super) fn is_current(&self, wrapped: &str) -> bool {
        wrapped
            .split_once(':')
            .is_some_and(|(id, _)| id == self.keys[0].0)
    }
}

/// Whether nobody else can read a file. systemd and Kubernetes hand a service a file of root's that
/// its group may read as well, and nobody may write.
#[cfg(unix)]
fn is_private(mode: u32, owner: u32) -> bool {
    mode & 0o077 == 0 || (owner == 0 && mode & 0o237 == 0)
}

fn place(ws: &str, id: &str) -> String {
    super::tied(ws, &format!("{PLACE}/{id}"))
}

fn key_of(line: &str) -> Option<(String, DataKey)> {
    let (id, key) = line.split_once([' ', '\t'])?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if id.len() > 64 || !id.bytes().all(plain) {
        return None;
    }
    let bytes = STANDARD.decode(key.trim()).ok()?;
    (bytes.len() == KEY_LEN)
        .then(|| DataKey::of(&bytes))?
        .map(|key| (id.to_owned(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(ids: &[&str]) -> (Keyring, String) {
        let lines: Vec<String> = ids
            .iter()
            .map(|id| Keyring::fresh_line(id).expose_secret().to_owned())
            .collect();
        let text = lines.join("\n");
        let parsed = Keyring::parse(&SecretString::from(text.clone()), "here").unwrap();
        (parsed, text)
    }

    #[test]
    fn the_first_key_seals_and_all_of_them_open() {
        let (old, text) = ring(&["k1"]);
        let key = DataKey::random();
        let wrapped = old.wrap("acme/production", &key);
        let newer = format!("{}\n{text}", Keyring::fresh_line("k2").expose_secret());
        let newer = Keyring::parse(&SecretString::from(newer), "here").unwrap();
        let found = newer.unwrap("acme/production", &wrapped).unwrap();
        assert_eq!(found.bytes(), key.bytes());
        assert!(!newer.is_current(&wrapped));
        assert!(newer.is_current(&newer.wrap("acme/production", &key)));
        assert!(
            newer.unwrap("acme/sandbox", &wrapped).is_err(),
            "tied to its workspace"
        );
        let (other, _) = ring(&["k1"]);
        assert!(matches!(
            other.unwrap("acme/production", &wrapped),
            Err(VaultError::WrongKey)
        ));
        let (third, _) = ring(&["k3"]);
        let unknown = third.unwrap("acme/production", &wrapped);
        assert!(matches!(unknown, Err(VaultError::UnknownKey { found }) if found == "k1"));
    }

    #[test]
    fn a_text_that_holds_no_key_says_where() {
        let parse = |text: &str| Keyring::parse(&SecretString::from(text.to_owned()), "f");
        let empty = KeyringFault::Empty {
            place: "f".to_owned(),
        };
        assert_eq!(parse("# nothing\n\n").unwrap_err(), empty);
        let (_, line) = ring(&["k1"]);
        let at = |line| KeyringFault::NotAKey {
            place: "f".to_owned(),
            line,
        };
        assert_eq!(parse(&format!("{line}\nk2 c2hvcnQ=")).unwrap_err(), at(2));
        assert_eq!(parse("k1").unwrap_err(), at(1));
        let twice = parse(&format!("{line}\n{line}")).unwrap_err();
        assert!(matches!(twice, KeyringFault::Twice { id, .. } if id == "k1"));
        assert!(
            !format!("{:?}", ring(&["k1"]).0).contains('='),
            "shows no key"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_a_service_is_handed_may_be_read_by_its_group() {
        assert!(is_private(0o600, 1_000) && is_private(0o400, 0));
        assert!(is_private(0o440, 0), "a credential of systemd");
        for (mode, owner) in [
            (0o440, 1_000),
            (0o640, 0),
            (0o460, 0),
            (0o444, 0),
            (0o604, 0),
        ] {
            assert!(!is_private(mode, owner), "{mode:o} of {owner}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tandem.key");
        std::fs::write(&path, Keyring::fresh_line("k1").expose_secret()).unwrap();
        let set = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        set(0o644);
        let refused = Keyring::read(&path).unwrap_err();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
        set(0o600);
        assert!(Keyring::read(&path).is_ok());
    }
}
