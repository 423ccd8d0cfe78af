//! Single records: match keys, cursors, aliases, tombstones.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{LinkId, MappingName, RecordId, RecordKey, Side, Timestamp, WorkspaceId};

use super::Store;
use super::changes::{CursorPut, Tombstone};
use super::db::args;
use super::doc;
use super::error::Result;
use super::rows::{
    AliasDb, CountDb, CursorDb, HashRow, IdRow, KeyRow, MatchDb, ReachedDb, RepeatedDb, RepeatsDb,
    TombstoneDb, ids,
};
use super::sql::records as sql;

/// What the store keeps of a match key: half of its SHA-256, in 32 hexadecimal digits.
pub fn match_hash(key: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.as_bytes());
    let mut hex = String::with_capacity(32);
    for byte in &digest.as_ref()[..16] {
        hex.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        hex.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    hex
}

impl Store {
    /// Which records have these keys: match rule, key text as asked, record; in that order.
    pub async fn match_lookup(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        keys: &[(u16, String)],
    ) -> Result<Vec<(u16, String, RecordId)>> {
        let mut texts: BTreeMap<(i64, String), &str> = BTreeMap::new();
        for (rule, text) in keys {
            texts.insert((i64::from(*rule), match_hash(text)), text);
        }
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let wanted: Vec<HashRow> = texts
            .keys()
            .map(|(match_rule, hash)| HashRow {
                match_rule: *match_rule,
                hash: hash.clone(),
            })
            .collect();
        let args = args![
            ws.as_str(),
            mapping.as_str(),
            side.as_str(),
            doc::rows(&wanted)
        ];
        let found = self.db.fetch::<MatchDb>(&sql::MATCH_LOOKUP, &args).await?;
        let mut answer = Vec::with_capacity(found.len());
        for row in found {
            let rule = self.small(row.match_rule)?;
            if let Some(text) = texts.get(&(row.match_rule, row.hash)) {
                answer.push((rule, (*text).to_owned(), RecordId::new(row.record_id)));
            }
        }
        answer.sort();
        Ok(answer)
    }

    /// The keys of records as stored: match rule and [`match_hash`]. A record without is absent.
    pub async fn match_keys_of(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        records: &[RecordId],
    ) -> Result<BTreeMap<RecordId, Vec<(u16, String)>>> {
        let args = args![
            ws.as_str(),
            mapping.as_str(),
            side.as_str(),
            ids(records.iter().map(RecordId::as_str))
        ];
        let found = self.db.fetch::<MatchDb>(&sql::MATCH_KEYS_OF, &args).await?;
        let mut keys: BTreeMap<RecordId, Vec<(u16, String)>> = BTreeMap::new();
        for row in found {
            let rule = self.small(row.match_rule)?;
            let of = keys.entry(RecordId::new(row.record_id)).or_default();
            of.push((rule, row.hash));
        }
        keys.values_mut().for_each(|of| of.sort());
        Ok(keys)
    }

    /// The records of one side that have any of these keys, given as the store keeps them.
    pub async fn match_holders(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        keys: &[(u16, String)],
    ) -> Result<BTreeSet<RecordId>> {
        let members = self.match_members(ws, mapping, side, keys).await?;
        Ok(members.into_values().flatten().collect())
    }

    /// The same by key. A key that nobody has is absent.
    pub async fn match_members(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        keys: &[(u16, String)],
    ) -> Result<BTreeMap<(u16, String), BTreeSet<RecordId>>> {
        let wanted = keys.iter().map(|(rule, hash)| HashRow {
            match_rule: i64::from(*rule),
            hash: hash.clone(),
        });
        let wanted: Vec<HashRow> = wanted.collect();
        let args = args![
            ws.as_str(),
            mapping.as_str(),
            side.as_str(),
            doc::rows(&wanted)
        ];
        let mut members: BTreeMap<(u16, String), BTreeSet<RecordId>> = BTreeMap::new();
        for row in self.db.fetch::<MatchDb>(&sql::MATCH_LOOKUP, &args).await? {
            let key = (self.small(row.match_rule)?, row.hash);
            let of = members.entry(key).or_default();
            of.insert(RecordId::new(row.record_id));
        }
        Ok(members)
    }

    /// How many keys several records of one side share, and how many records that are, by match
    /// rule.
    pub async fn match_repeats(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
    ) -> Result<BTreeMap<u16, (u64, u64)>> {
        let args = args![ws.as_str(), mapping.as_str(), side.as_str()];
        let found = self.db.fetch::<RepeatsDb>(&sql::MATCH_REPEATS, &args);
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let mut repeats = BTreeMap::new();
        for row in found.await? {
            let counts = (count(row.shared_keys), count(row.n));
            repeats.insert(self.small(row.match_rule)?, counts);
        }
        Ok(repeats)
    }

    /// The keys that most records of one side share, those with the most first.
    pub async fn match_repeated(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        limit: u32,
    ) -> Result<Vec<(u16, String)>> {
        let args = args![ws.as_str(), mapping.as_str(), side.as_str(), limit];
        let found = self.db.fetch::<RepeatedDb>(&sql::MATCH_REPEATED, &args);
        let mut keys = Vec::new();
        for row in found.await? {
            keys.push((self.small(row.match_rule)?, row.hash));
        }
        Ok(keys)
    }

    pub async fn cursor(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        kind: &str,
    ) -> Result<Option<String>> {
        let args = args![ws.as_str(), mapping.as_str(), side.as_str(), kind];
        let found = self.db.fetch_one::<ReachedDb>(&sql::CURSOR, &args).await?;
        Ok(found.map(|row| row.reached))
    }

    pub async fn cursors(&self, ws: &WorkspaceId) -> Result<Vec<CursorPut>> {
        let args = args![ws.as_str()];
        self.each(self.db.fetch::<CursorDb>(&sql::CURSORS, &args).await?)
    }

    pub async fn tombstones(&self, ws: &WorkspaceId, keys: &[RecordKey]) -> Result<Vec<Tombstone>> {
        let args = args![ws.as_str(), doc::rows(&KeyRow::all(keys))];
        let found = self
            .db
            .fetch::<TombstoneDb>(&sql::TOMBSTONES, &args)
            .await?;
        let mut tombstones: Vec<Tombstone> = self.each(found)?;
        tombstones.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(tombstones)
    }

    /// Where records that were merged away live on. Not followed further; a chain is the caller's.
    pub async fn aliases(
        &self,
        ws: &WorkspaceId,
        keys: &[RecordKey],
    ) -> Result<BTreeMap<RecordKey, RecordId>> {
        let args = args![ws.as_str(), doc::rows(&KeyRow::all(keys))];
        let found = self.db.fetch::<AliasDb>(&sql::ALIASES, &args).await?;
        let pairs: Vec<(RecordKey, RecordId)> = self.each(found)?;
        Ok(pairs.into_iter().collect())
    }

    /// How many records of this side were tombstoned for this reason at or after `since`.
    pub async fn tombstones_since(
        &self,
        ws: &WorkspaceId,
        mapping: &MappingName,
        side: Side,
        reason: &str,
        since: Timestamp,
    ) -> Result<u64> {
        let args = args![ws.as_str(), mapping.as_str(), side.as_str(), reason, since];
        let found = self
            .db
            .fetch_one::<CountDb>(&sql::TOMBSTONES_SINCE, &args)
            .await?;
        Ok(found.map_or(0, |row| row.count()))
    }
}

/// Ids as the one argument of a statement.
pub(super) fn link_ids(links: &[LinkId]) -> String {
    doc::rows(&links.iter().map(IdRow::from_link).collect::<Vec<_>>())
}
