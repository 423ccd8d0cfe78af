//! A copy of one workspace in a store of its own, for runs that plan: what they note there reaches
//! neither the original nor any other workspace.

use std::path::Path;

use serde_json::Value;

use crate::model::{JournalId, Side, WorkspaceId};

use super::Store;
use super::db::{Arg, args};
use super::error::{Result, StoreError};
use super::rows::DocDb;
use super::sql::copy::{self as sql, Copied};

/// Rows that travel at once.
const PAGE: u32 = 1_000;
/// How much of the journal goes along: as far back as any decision of an engine looks.
const JOURNAL_MILLIS: i64 = 7 * 24 * 3_600_000;

impl Store {
    /// Opens a new SQLite store in the folder `into` with all that an engine needs to know of the
    /// workspace, and nothing of any other: no credentials, no keys, no old journal, nor what waits
    /// in the inbox, because a run that plans asks the sources itself. The caller holds the
    /// workspace's lane, so that the copy is of one moment.
    pub async fn copy_workspace(&self, ws: &WorkspaceId, into: &Path) -> Result<Self> {
        let file = into.join("copy.db");
        let place = file.display().to_string();
        let copy = Self::open_file(&file, place, None, self.clock.clone()).await?;
        copy.ensure_workspace(ws).await?;
        let known = self.connections(ws).await?;
        for side in Side::BOTH {
            if let Some(one) = known.get(side) {
                copy.put_connection(ws, side, &one.account_id, &one.url)
                    .await?;
            }
        }
        for table in sql::TABLES {
            self.copy_table(&copy, ws, table).await?;
        }
        Ok(copy)
    }

    async fn copy_table(&self, copy: &Self, ws: &WorkspaceId, table: &Copied) -> Result<()> {
        let mut after = self.beginning(table);
        loop {
            let mut args = args![ws.as_str(), PAGE];
            args.extend(after.iter().cloned().map(Arg::Text));
            let found = self.db.fetch::<DocDb>(&table.out, &args).await?;
            let Some(last) = found.last() else {
                return Ok(());
            };
            after = self.place_of(&last.doc, table)?;
            let full = found.len() == PAGE as usize;
            let docs: Vec<String> = found.into_iter().map(|row| row.doc).collect();
            let rows = format!("[{}]", docs.join(","));
            let args = args![ws.as_str(), rows];
            copy.db.run(&table.into, &args).await?;
            if !full {
                return Ok(());
            }
        }
    }

    /// Before every row; of the journal before every row that is young enough.
    fn beginning(&self, table: &Copied) -> Vec<String> {
        let first = |key: &&str| match *key {
            "match_rule" => "-1".to_owned(),
            // Ids begin with their time, as UUIDs of version 7 do.
            "entry_id" => {
                let since = self.clock.now().plus_millis(-JOURNAL_MILLIS);
                let millis = format!("{:012x}", since.millis().max(0));
                JournalId::from_uuid(&millis).to_string()
            }
            _ => String::new(),
        };
        table.keys.iter().map(first).collect()
    }

    fn place_of(&self, doc: &str, table: &Copied) -> Result<Vec<String>> {
        let corrupt = |why: String| StoreError::Corrupt {
            place: self.db.place.clone(),
            why,
        };
        let row: Value = serde_json::from_str(doc).map_err(|error| corrupt(error.to_string()))?;
        let key = |name: &&str| match row.get(*name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(corrupt(format!("{name} is no key"))),
        };
        table.keys.iter().map(key).collect()
    }
}
