//! The service's closed sets: how a workspace is run, what a connection is, what a key may do.

use std::collections::BTreeMap;

use super::{BySide, MappingName, OwnerTable, Timestamp, WorkspaceId};

/// Writes the two ways between a closed set and its names.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $case:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$of])* $case),+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$case),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$case => $text),+ }
            }

            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

named!(
    /// What the service does in a workspace.
    WorkspaceMode {
        /// It matches and plans; the clients refuse every write.
        Observing = "observing",
        /// It writes.
        Live = "live",
    }
);

named!(
    /// Whether a connection can be used.
    ConnectionState {
        Connected = "connected",
        /// The grant was revoked or has run out: an administrator has to connect again.
        Reconnect = "needs-reconnect",
        /// The credentials now lead to another account than the one that was connected.
        WrongAccount = "wrong-account",
    }
);

named!(
    /// What a key opens.
    KeyKind {
        /// All workspaces.
        Management = "management",
        /// One workspace.
        Workspace = "workspace",
        /// Sending events into one workspace, and nothing else; may be shown in a browser.
        Publishable = "publishable",
    }
);

named!(
    /// What the holder of a key may do; each role may do what those before it may.
    Role {
        /// Looks.
        Viewer = "viewer",
        /// Decides what waits for a person, pauses, runs and connects.
        Operator = "operator",
        /// Makes and deletes workspaces and keys, and lets a workspace write.
        Admin = "admin",
    }
);

/// One customer in one environment, as the service runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub mode: WorkspaceMode,
    pub paused: bool,
    /// Values for `${vars.x}` in mapping files.
    pub vars: BTreeMap<String, String>,
    /// Goes before the table of every rule about owners.
    pub owners: OwnerTable,
    pub created_at: Timestamp,
    pub pauses: Pauses,
    /// Rises whenever a mapping is set for this workspace, or one is taken back.
    pub mappings_version: i64,
}

/// The sides that nothing is written to, by mapping.
pub type Pauses = BTreeMap<MappingName, BySide<bool>>;

impl WorkspaceId {
    /// What a name looks like, for people who got it wrong.
    pub const SHAPE: &'static str = "customer/environment, each of up to 63 small letters, digits, \
                                     `-` and `_`, beginning with a letter or digit";

    /// Reads a name that somebody chose; `None` when it has another shape than [`Self::SHAPE`].
    pub fn parse(text: &str) -> Option<Self> {
        let (customer, environment) = text.split_once('/')?;
        let good = |part: &str| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            part.len() <= 63
                && part.bytes().next().is_some_and(plain)
                && part.bytes().all(|b| plain(b) || matches!(b, b'-' | b'_'))
        };
        (good(customer) && good(environment)).then(|| Self::new(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_is_named_by_customer_and_environment() {
        for good in ["acme/production", "a/b", "4711/eu-1", "a_b/c"] {
            assert!(WorkspaceId::parse(good).is_some(), "{good}");
        }
        let long = format!("{}/x", "a".repeat(64));
        for bad in [
            "", "acme", "acme/", "/x", "a/b/c", "Acme/x", "a b/c", "-a/b", "../etc", "a/%2e",
            "a/b\n", &long,
        ] {
            assert_eq!(WorkspaceId::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn roles_are_ordered_by_what_they_may_do() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
        assert_eq!(Role::parse("admin"), Some(Role::Admin));
        assert_eq!(Role::parse("root"), None);
    }
}
