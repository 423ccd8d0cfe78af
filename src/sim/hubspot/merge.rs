//! Merging two records of one type (`hubspot.md 4.8`).

use std::collections::BTreeSet;

use super::failure::Failure;
use super::kind::ObjectKind;
use super::property::{Access, PropertyId};
use super::record::{Record, Source};
use super::state::State;
use super::table::Table;
use super::write::stage_rank;

impl State {
    /// Both records give way to one with a new id, which this returns. The primary's values win,
    /// its blanks are filled from the other.
    pub fn merge_records(
        &mut self,
        kind: ObjectKind,
        primary: u64,
        other: u64,
        source: Source,
    ) -> Result<u64, Failure> {
        let table = self.table(kind);
        let (primary, other) = (table.resolve(primary), table.resolve(other));
        if primary == other {
            return Err(Failure::validation("Cannot merge an object with itself"));
        }
        let (Some(kept), Some(lost)) = (table.live(primary), table.live(other)) else {
            return Err(Failure::not_found());
        };
        let now = self.now();
        let mut record = (**kept).clone();
        let moved = combined(table, kept, lost);
        for (id, text) in &moved {
            record.set(*id, text, Source::Merge, now);
        }
        record.created = kept.created.min(lost.created);
        record.modified = now.max(kept.modified);
        record.id = self.next_id(kind);
        let id = record.id;
        let table = self.table_mut(kind);
        table.merge_away(primary, id, now);
        table.merge_away(other, id, now);
        table.insert(record, now);
        self.associations.move_all(kind, primary, id);
        self.associations.move_all(kind, other, id);
        self.catch_up(kind);
        self.tell_merged(kind, [primary, other, id], moved.len(), source);
        Ok(id)
    }
}

/// The values of the merged record that differ from the primary's.
fn combined(table: &Table, kept: &Record, lost: &Record) -> Vec<(PropertyId, String)> {
    let mut changes = Vec::new();
    for (id, property) in table.catalog.iter() {
        let (mine, theirs) = (kept.get(id), lost.get(id));
        let value = match &*property.name {
            "hs_merged_object_ids" => {
                joined([mine, theirs, &kept.id.to_string(), &lost.id.to_string()])
            }
            "hs_additional_emails" => {
                let email = table.email().map_or("", |id| lost.get(id));
                let own = table.email().map_or("", |id| kept.get(id));
                let email = if own.is_empty() { "" } else { email };
                joined([mine, theirs, email, ""])
            }
            "lifecyclestage" if stage_rank(theirs) > stage_rank(mine) => theirs.to_owned(),
            _ if mine.is_empty() && !matches!(property.access, Access::Derived(_)) => {
                theirs.to_owned()
            }
            _ => continue,
        };
        if value != mine {
            changes.push((id, value));
        }
    }
    changes
}

fn joined(parts: [&str; 4]) -> String {
    let mut seen = BTreeSet::new();
    let all = parts.iter().flat_map(|part| part.split(';'));
    let new = all.filter(|part| !part.is_empty() && seen.insert(*part));
    new.collect::<Vec<_>>().join(";")
}
