//! Mappings that somebody set for one workspace, what was active when, and what is paused.
//!
//! Texts and names only: what a mapping says is nothing to the store.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{MappingName, Pauses, Revision, Timestamp, WorkspaceId};

use super::Store;
use super::db::{Tx, again, args};
use super::doc;
use super::error::Result;
use super::rows::{
    ActivationDb, ActivationRow, ActiveDb, DocDb, NameRow, SetMappingDb, SetMappingRow, pauses_text,
};
use super::sql::lanes::MARKS_RESUME;
use super::sql::mappings as sql;
use super::sql::setup::{ACTIVE_CLEAR, ACTIVE_PUT, ACTIVE_REVISIONS};

/// A mapping that stands in the place of the files' one of its name, in one workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetMapping {
    pub name: MappingName,
    pub text: String,
    /// Who set it.
    pub author: String,
    pub made_at: Timestamp,
}

/// A revision that was put to work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    pub at: Timestamp,
    /// `None`: the mapping was taken out.
    pub revision: Option<Revision>,
    /// Who set the mapping or changed what it is read with, or [`Activation::FILES`].
    pub author: String,
}

impl Activation {
    /// The author of what comes from mapping files.
    pub const FILES: &str = "files";
}

/// What a change of variables or owners leaves a workspace's mappings as, until it is at work.
pub type Brought = BTreeMap<MappingName, Pending>;

/// A revision that is to be put to work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub revision: Revision,
    /// Whose change made it; `None` where it was so before.
    pub author: Option<String>,
}

impl Store {
    pub async fn set_mappings(&self, ws: &WorkspaceId) -> Result<Vec<SetMapping>> {
        let args = args![ws.as_str()];
        let found = self
            .db
            .fetch::<SetMappingDb>(&sql::SET_MAPPINGS, &args)
            .await?;
        Ok(found.into_iter().map(SetMapping::from).collect())
    }

    /// Sets these texts by name and takes back those named in `back`, all or nothing.
    pub async fn change_set_mappings(
        &self,
        ws: &WorkspaceId,
        texts: &BTreeMap<MappingName, String>,
        back: &[MappingName],
        author: &str,
    ) -> Result<()> {
        let rows: Vec<SetMappingRow> = texts
            .iter()
            .map(|(name, text)| SetMappingRow {
                mapping: name.as_str().to_owned(),
                body: text.clone(),
            })
            .collect();
        let back: Vec<NameRow> = back
            .iter()
            .map(|name| NameRow {
                mapping: name.as_str().to_owned(),
            })
            .collect();
        let put = args![ws.as_str(), author, self.clock.now(), doc::rows(&rows)];
        let drop = args![ws.as_str(), doc::rows(&back)];
        let version = args![ws.as_str()];
        again(|| async {
            let mut tx = self.db.begin().await?;
            tx.run(&sql::MAPPINGS_VERSION, &version).await?;
            tx.run(&sql::SET_MAPPINGS_DROP, &drop).await?;
            tx.run(&sql::SET_MAPPINGS_PUT, &put).await?;
            tx.commit().await
        })
        .await
    }

    /// Replaces what is paused, if it still is what the caller has seen.
    pub async fn change_pauses(
        &self,
        ws: &WorkspaceId,
        seen: &Pauses,
        pauses: &Pauses,
    ) -> Result<bool> {
        let args = args![ws.as_str(), pauses_text(seen), pauses_text(pauses)];
        Ok(self.db.run(&sql::PAUSES_CHANGE, &args).await? > 0)
    }

    /// An engine works under these pauses from now on. Where they are others than before, all that
    /// waits for a pause to end is made due; what still has to wait is put off once more.
    pub async fn work_under(&self, ws: &WorkspaceId, lane: &str, pauses: &Pauses) -> Result<()> {
        let under = args![ws.as_str(), pauses_text(pauses)];
        let resumed = args![ws.as_str(), lane, self.clock.now()];
        again(|| async {
            let mut tx = self.db.begin().await?;
            if tx.run(&sql::PAUSES_AT_WORK, &under).await? > 0 {
                tx.run(&MARKS_RESUME, &resumed).await?;
            }
            tx.commit().await
        })
        .await
    }

    /// Makes exactly these revisions the active ones; a mapping that is absent is active no more.
    pub async fn activate(
        &self,
        ws: &WorkspaceId,
        revisions: &BTreeMap<MappingName, Revision>,
    ) -> Result<()> {
        let active = |(mapping, revision): (&MappingName, &Revision)| ActiveDb {
            mapping: mapping.as_str().to_owned(),
            revision: revision.as_str().to_owned(),
        };
        let rows: Vec<ActiveDb> = revisions.iter().map(active).collect();
        let put = args![ws.as_str(), doc::rows(&rows)];
        let of = args![ws.as_str()];
        again(|| async {
            let mut tx = self.db.begin().await?;
            let mut before: Vec<ActiveDb> = tx.fetch(&ACTIVE_REVISIONS, &of).await?;
            before.sort_by(|one, other| one.mapping.cmp(&other.mapping));
            if before == rows {
                return tx.commit().await;
            }
            let (seen, mut brought) = fetch_brought(&mut tx, ws).await?;
            let news = activated(&before, &rows, &brought);
            let news = args![ws.as_str(), self.clock.now(), doc::rows(&news)];
            tx.run(&ACTIVE_CLEAR, &of).await?;
            tx.run(&ACTIVE_PUT, &put).await?;
            tx.run(&sql::ACTIVATIONS_PUT, &news).await?;
            brought.retain(|name, one| !is_active(&rows, name, &one.revision));
            put_brought(&mut tx, ws, &seen, &brought).await?;
            tx.commit().await
        })
        .await
    }

    /// What was at work of one mapping, the newest first, from before `before`.
    pub async fn activations(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        before: Option<Timestamp>,
        limit: u32,
    ) -> Result<Vec<Activation>> {
        let before = before.map_or(i64::MAX, Timestamp::micros);
        let args = args![ws.as_str(), mapping.as_str(), before, limit];
        let found = self
            .db
            .fetch::<ActivationDb>(&sql::ACTIVATIONS, &args)
            .await?;
        Ok(found.into_iter().map(Activation::from).collect())
    }
}

/// Keeps whose change made what is to be put to work. What an earlier change made, and this one
/// leaves as it is, stays that one's.
pub(super) async fn bring(tx: &mut Tx, ws: &WorkspaceId, now: &Brought) -> Result<()> {
    let of_it = args![ws.as_str()];
    let active: Vec<ActiveDb> = tx.fetch(&ACTIVE_REVISIONS, &of_it).await?;
    let (seen, earlier) = fetch_brought(tx, ws).await?;
    let mut brought = now.clone();
    for (name, one) in &mut brought {
        let same = earlier.get(name);
        if let Some(same) = same.filter(|old| old.revision == one.revision) {
            one.author.clone_from(&same.author);
        }
    }
    brought.retain(|name, one| one.author.is_some() && !is_active(&active, name, &one.revision));
    put_brought(tx, ws, &seen, &brought).await
}

/// As it is stored, and what it says. What cannot be read costs nothing but a name.
async fn fetch_brought(tx: &mut Tx, ws: &WorkspaceId) -> Result<(String, Brought)> {
    let of_it = args![ws.as_str()];
    let found: Vec<DocDb> = tx.fetch(&sql::BROUGHT, &of_it).await?;
    let seen = found
        .into_iter()
        .next()
        .map_or(String::new(), |row| row.doc);
    let brought = serde_json::from_str(&seen).unwrap_or_default();
    Ok((seen, brought))
}

/// Leaves alone what another change has made of it since it was seen.
async fn put_brought(tx: &mut Tx, ws: &WorkspaceId, seen: &str, brought: &Brought) -> Result<()> {
    let doc = serde_json::to_string(brought).unwrap_or_default();
    let changed = args![ws.as_str(), seen, doc];
    tx.run(&sql::BROUGHT_PUT, &changed).await?;
    Ok(())
}

fn is_active(active: &[ActiveDb], name: &MappingName, revision: &Revision) -> bool {
    let mut of = active.iter();
    of.any(|one| one.mapping == name.as_str() && one.revision == revision.as_str())
}

/// What is new in `after`, and what is not there any more, with an empty revision.
fn activated(before: &[ActiveDb], after: &[ActiveDb], brought: &Brought) -> Vec<ActivationRow> {
    let row = |mapping: &str, revision: &str| {
        let found = brought.get(&MappingName::new(mapping));
        let theirs = found.filter(|one| one.revision.as_str() == revision);
        let author = theirs.and_then(|one| one.author.clone());
        ActivationRow {
            mapping: mapping.to_owned(),
            revision: revision.to_owned(),
            author: author.unwrap_or_default(),
        }
    };
    let new = after.iter().filter(|one| !before.contains(one));
    let known = |name: &str| after.iter().any(|one| one.mapping == name);
    let gone = before.iter().filter(|one| !known(&one.mapping));
    new.map(|one| row(&one.mapping, &one.revision))
        .chain(gone.map(|one| row(&one.mapping, "")))
        .collect()
}
