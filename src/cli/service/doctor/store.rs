//! The store: reachable, of this version, whole, with room.

use std::path::{Path, PathBuf};

use super::Check;
use super::around::beside;
use crate::clock::Clock;
use crate::config::Service;
use crate::store::{Inspection, Store};

/// A first sync of a large account writes some gigabytes.
const ROOM_FEW: u64 = 1024 * 1024 * 1024;
const ROOM_NONE: u64 = 64 * 1024 * 1024;

/// Whether it can be opened for work as it is.
pub async fn check(settings: &Service, checks: &mut Vec<Check>) -> bool {
    let todo = "see store.url, and that its server runs";
    let file = (!settings.store.contains("://")).then(|| PathBuf::from(&settings.store));
    let found = match Store::inspect(&settings.store).await {
        Ok(found) => found,
        Err(error) => {
            checks.push(Check::failed("store", error.to_string(), todo));
            return false;
        }
    };
    let usable = schema(&found, checks);
    if let Some(time) = found.time {
        checks.push(beside("store clock".to_owned(), time, Clock::System.now()));
    }
    if let Some(file) = file {
        checks.extend(room(&file));
    }
    usable
}

fn schema(found: &Inspection, checks: &mut Vec<Check>) -> bool {
    let (place, known) = (&found.place, found.known);
    let Some(schema) = found.schema else {
        let said = format!("{place}: there is nothing yet");
        let todo = "`tandem init` or the first start makes it";
        checks.push(Check::warning("store", said, todo));
        return false;
    };
    if !found.damage.is_empty() {
        let said = format!("{place} is damaged: {}", found.damage.join("; "));
        checks.push(Check::failed(
            "store",
            said,
            "stop the service and restore a backup",
        ));
        return false;
    }
    if schema > known {
        let said = format!("{place} has schema {schema}, this version knows up to {known}");
        checks.push(Check::failed("store", said, "use the newer version"));
        return false;
    }
    if schema < known {
        let said = format!("{place} has schema {schema}; the next start brings it to {known}");
        checks.push(Check::warning("store", said, "make a backup before that"));
        return false;
    }
    let said = format!("{place} answers, is whole and has schema {schema}");
    checks.push(Check::ok("store", said));
    true
}

/// Free room where the file lies, on systems that tell.
fn room(file: &Path) -> Option<Check> {
    let folder = file.ancestors().skip(1).find(|path| path.is_dir());
    let folder = folder.unwrap_or(Path::new("."));
    let free = free(folder)?;
    let said = format!(
        "{} MiB are free at {}",
        free / 1024 / 1024,
        folder.display()
    );
    let todo = "make room, or move the store: without any, nothing is synced";
    Some(match free {
        _ if free < ROOM_NONE => Check::failed("disk", said, todo),
        _ if free < ROOM_FEW => Check::warning("disk", said, todo),
        _ => Check::ok("disk", said),
    })
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let about = rustix::fs::statvfs(folder).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> Option<u64> {
    None
}
