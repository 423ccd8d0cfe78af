//! What can go wrong in the store, classed once where sqlx hands it over.

use std::fmt;

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Every message names the place and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the SQLite file.
    #[error("the store {place} is in use by another process; stop it or name another store")]
    Locked { place: String },
    /// The file or database is something else.
    #[error("{place} is not a store of this program: {why}; name another path or move it away")]
    NotAStore { place: String, why: String },
    /// The store is ours, but what is in it cannot be read.
    #[error("the store {place} is damaged: {why}; restore it from a backup")]
    Corrupt { place: String, why: String },
    /// Written by a later version. Nothing was touched.
    #[error(
        "the store has schema {found}, this version of tandem knows up to {known}; \
         use the newer version"
    )]
    Newer { found: i64, known: i64 },
    #[error("the store {place} cannot be reached: {why}")]
    Unreachable { place: String, why: String },
    /// The database asked to try again or the connection was lost, and trying again did not help.
    #[error("the store {place} could not finish: {why}; try again")]
    Busy { place: String, why: String },
    /// A uniqueness rule said no; nothing of the commit was applied.
    #[error("{0}; nothing was stored")]
    Conflict(Taken),
    /// Somebody else owns the lane now; nothing was applied.
    #[error("the lease of lane {lane} was lost; nothing was stored")]
    LeaseLost { lane: String },
    #[error("the store {place} failed during {during}: {why}")]
    Other {
        place: String,
        during: String,
        why: String,
    },
}

/// Which uniqueness rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    /// The HubSpot record has an open link under this mapping already.
    HubSpotRecord,
    /// The Salesforce record has an open link under this mapping already.
    SalesforceRecord,
    /// The HubSpot record has an open link under another mapping of the group.
    Group,
    /// The link has an open intent on this side already.
    Intent,
    /// The workspace has an open job already.
    Job,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HubSpotRecord => "the HubSpot record already has an open link",
            Self::SalesforceRecord => "the Salesforce record already has an open link",
            Self::Group => "the HubSpot record has an open link in another mapping of its group",
            Self::Intent => "the link already has an open intent on that side",
            Self::Job => "the workspace already has an open job",
        })
    }
}

impl StoreError {
    /// Trying the same again at once may succeed.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// The place itself fails, from a full disk to a server that is down. Whoever stays up waits
    /// for it: nothing of what failed was stored, and it is found again by its marks and intents.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }
}

/// What [`classify`] is told while there is no connection yet: failing then is not passing.
pub(super) const OPENING: &str = "opening";

/// Turns what sqlx reports into our own error. `during` is the statement's name or [`OPENING`].
pub(super) fn classify(error: sqlx::Error, place: &str, during: &str) -> StoreError {
    let place = place.to_owned();
    match error {
        sqlx::Error::Database(found) => {
            let why = found.message().to_owned();
            if found.is_unique_violation()
                && let Some(taken) = taken(found.constraint(), &why)
            {
                return StoreError::Conflict(taken);
            }
            let code = found.code().unwrap_or_default().into_owned();
            if found
                .try_downcast_ref::<sqlx::sqlite::SqliteError>()
                .is_some()
            {
                from_sqlite(&code, place, during, why)
            } else {
                from_postgres(&code, place, during, why)
            }
        }
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut
            if during != OPENING =>
        {
            let why = error.to_string();
            StoreError::Busy { place, why }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Configuration(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => {
            let why = error.to_string();
            StoreError::Unreachable { place, why }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Corrupt {
            place,
            why: format!("{during}: {error}"),
        },
        other => StoreError::Other {
            place,
            during: during.to_owned(),
            why: other.to_string(),
        },
    }
}

/// PostgreSQL names the index; SQLite lists its columns in the message.
fn taken(constraint: Option<&str>, message: &str) -> Option<Taken> {
    match constraint {
        Some("links_hubspot") => return Some(Taken::HubSpotRecord),
        Some("links_salesforce") => return Some(Taken::SalesforceRecord),
        Some("links_group") => return Some(Taken::Group),
        Some("intents_open") => return Some(Taken::Intent),
        Some("jobs_open") => return Some(Taken::Job),
        Some(_) | None => {}
    }
    if message.contains("links.link_group") {
        Some(Taken::Group)
    } else if message.contains("links.hubspot_id") {
        Some(Taken::HubSpotRecord)
    } else if message.contains("links.salesforce_id") {
        Some(Taken::SalesforceRecord)
    } else if message.contains("intents.link_id") {
        Some(Taken::Intent)
    } else if message.contains("jobs.workspace_id") {
        Some(Taken::Job)
    } else {
        None
    }
}

/// Primary result codes of <https://www.sqlite.org/rescode.html>; the low byte of extended ones.
fn from_sqlite(code: &str, place: String, during: &str, why: String) -> StoreError {
    match code.parse::<i32>().unwrap_or(1) & 0xff {
        5 | 6 => StoreError::Busy { place, why },
        8 | 10 | 13 | 14 => StoreError::Unreachable { place, why },
        11 => StoreError::Corrupt { place, why },
        26 => StoreError::NotAStore { place, why },
        _ => StoreError::Other {
            place,
            during: during.to_owned(),
            why,
        },
    }
}

/// SQLSTATE: 40001 and 40P01 were rolled back; classes 08 lost the connection, 53 ran out of
/// resources, 57P is shutting down, 25P03 stood still for too long, 28 and 3D were refused at the
/// door.
fn from_postgres(code: &str, place: String, during: &str, why: String) -> StoreError {
    let class = code.get(..2).unwrap_or_default();
    let lost = matches!(class, "08" | "53") || code.starts_with("57P") || code == "25P03";
    if code == "40001" || code == "40P01" || (lost && during != OPENING) {
        StoreError::Busy { place, why }
    } else if lost || matches!(class, "28" | "3D") {
        StoreError::Unreachable { place, why }
    } else if matches!(code, "XX001" | "XX002") {
        StoreError::Corrupt { place, why }
    } else {
        StoreError::Other {
            place,
            during: during.to_owned(),
            why,
        }
    }
}
