//! Field history: what a field held before, and who replaced it, where the org tracks the field.
//!
//! A row tells the value before and the value after one change. It is kept for the fields that an
//! administrator chose, and of long texts and sets it only tells that they changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use super::auth::full_id;
use super::composite::Part;
use super::wire::{self, CREATED};
use super::{Salesforce, query, soql};
use crate::crm::http::Reply;
use crate::crm::{CrmError, Edit, History};
use crate::model::{ErrorClass, Fields, Raw, Record, RecordId, Timestamp};

pub(super) type Tracked = BTreeMap<String, Arc<BTreeSet<String>>>;

/// Records of one query; there may be several rows for each.
const RECORDS: usize = 200;

/// The history object of an object, and its field that names the record.
fn kept_in(object: &str) -> (String, String) {
    match object.strip_suffix("__c") {
        Some(stem) => (format!("{stem}__History"), "ParentId".to_owned()),
        // `OpportunityHistory` is something else: the stages a deal went through.
        None if object == "Opportunity" => (
            "OpportunityFieldHistory".to_owned(),
            "OpportunityId".to_owned(),
        ),
        None => (format!("{object}History"), format!("{object}Id")),
    }
}

/// One row.
#[derive(Clone, Debug, PartialEq)]
struct Change {
    at: Timestamp,
    by: Option<String>,
    old: Raw,
    new: Raw,
}

impl Salesforce {
    /// Changes of these fields since then, newest first, and behind them the value that the oldest
    /// one replaced. A field that is not tracked, or did not change, is absent; `None` when none of
    /// them is tracked.
    pub async fn history(
        &self,
        object: &str,
        ids: &[RecordId],
        fields: &[String],
        since: Timestamp,
    ) -> Result<Option<BTreeMap<RecordId, History>>, CrmError> {
        let wanted = self.tracked_among(object, fields).await?;
        if wanted.is_empty() {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for chunk in ids.chunks(RECORDS) {
            if let Some(soql) = history_query(object, chunk, &wanted, since)? {
                rows.extend(self.query_whole(&soql).await?);
            }
        }
        Ok(Some(self.histories(object, rows, &wanted)?))
    }

    /// Those of the fields that have a history which can be read: without knowing who we are, our
    /// own change cannot be told from a person's.
    pub async fn tracked_among(
        &self,
        object: &str,
        fields: &[String],
    ) -> Result<Vec<String>, CrmError> {
        if self.session().user_id.is_none() {
            return Ok(Vec::new());
        }
        let tracked = self.tracked(object).await?;
        let wanted = fields.iter().filter(|name| tracked.contains(*name));
        Ok(wanted.cloned().collect())
    }

    /// What the rows of a history tell of these fields, by record.
    pub(super) fn histories(
        &self,
        object: &str,
        rows: Vec<Record>,
        wanted: &[String],
    ) -> Result<BTreeMap<RecordId, History>, CrmError> {
        let us = self.session().user_id.unwrap_or_default();
        let (_, owner) = kept_in(soql::name(object)?);
        let mut changes: BTreeMap<(RecordId, String), Vec<Change>> = BTreeMap::new();
        for row in rows {
            if let Some((place, change)) = change(&row, &owner, wanted) {
                changes.entry(place).or_default().push(change);
            }
        }
        let mut histories: BTreeMap<RecordId, History> = BTreeMap::new();
        for ((id, name), changes) in changes {
            let entries = entries(changes, &us);
            let history = histories.entry(id).or_default();
            history.extend(entries.map(|entries| (name, entries)));
        }
        Ok(histories)
    }

    /// Asked for once in a process: who switches tracking on is heard with the next start.
    async fn tracked(&self, object: &str) -> Result<Arc<BTreeSet<String>>, CrmError> {
        if let Some(found) = self.known_tracked().get(object) {
            return Ok(Arc::clone(found));
        }
        let found = match self.ask("query", &tracked_query(object)).await {
            Ok(reply) => tracked_fields(&reply)?,
            Err(error) if error.class() == ErrorClass::Permanent => {
                tracing::warn!(%error, object, "the org does not tell which fields it tracks");
                BTreeSet::new()
            }
            Err(error) => return Err(error),
        };
        Ok(self.remember_tracked(object, found))
    }

    /// Whether [`Self::tracked_among`] has yet to ask about this object.
    pub fn asks_what_is_tracked(&self, object: &str) -> bool {
        self.session().user_id.is_some() && !self.known_tracked().contains_key(object)
    }

    /// Takes the answer to [`tracked_question`].
    pub(super) fn learn_tracked(&self, object: &str, reply: &Reply) -> Result<(), CrmError> {
        self.remember_tracked(object, tracked_fields(reply)?);
        Ok(())
    }

    fn remember_tracked(&self, object: &str, found: BTreeSet<String>) -> Arc<BTreeSet<String>> {
        let found = Arc::new(found);
        let mut known = self.known_tracked();
        known.insert(object.to_owned(), Arc::clone(&found));
        found
    }

    fn known_tracked(&self) -> MutexGuard<'_, Tracked> {
        let known = self.inner.tracked.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question after the fields that have a history.
pub(super) fn tracked_question(object: &str) -> Option<Part> {
    query::question("query", tracked_query(object))
}

fn tracked_query(object: &str) -> String {
    format!(
        "SELECT QualifiedApiName, IsFieldHistoryTracked FROM FieldDefinition \
         WHERE EntityDefinition.QualifiedApiName = {}",
        soql::string(object)
    )
}

fn tracked_fields(reply: &Reply) -> Result<BTreeSet<String>, CrmError> {
    let rows: wire::Rows = reply.json()?;
    let rows = rows
        .records
        .ok_or_else(|| reply.broken("the list of fields is missing"))?;
    let tracked = rows.into_iter().filter_map(|row| {
        let value = |name: &str| row.get(name).and_then(|value| value.0.clone());
        let yes = value("IsFieldHistoryTracked") == Some(Raw::Bool(true));
        let name = value("QualifiedApiName").filter(|_| yes)?;
        name.as_text().map(str::to_owned)
    });
    Ok(tracked.collect())
}

/// A question after histories that one call answers; `None` for none, or more than that.
pub(super) fn history_question(
    object: &str,
    ids: &[RecordId],
    wanted: &[String],
    since: Timestamp,
) -> Option<Part> {
    let one_call = ids.len() <= RECORDS && !wanted.is_empty();
    let soql = one_call.then(|| history_query(object, ids, wanted, since).ok())??;
    query::question("query", soql?)
}

/// `None` when no id is one.
fn history_query(
    object: &str,
    ids: &[RecordId],
    wanted: &[String],
    since: Timestamp,
) -> Result<Option<String>, CrmError> {
    let (kept, owner) = kept_in(soql::name(object)?);
    let names = wanted.iter().flat_map(|name| called(name));
    let names: Vec<String> = names.map(|name| soql::string(&name)).collect();
    let ids = ids.iter().filter_map(|id| full_id(id.as_str()));
    let ids: Vec<String> = ids.map(|id| soql::string(&id)).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let (ids, names, since) = (ids.join(","), names.join(","), soql::datetime(since));
    Ok(Some(format!(
        "SELECT Id, {owner}, Field, DataType, OldValue, NewValue, CreatedById, CreatedDate \
         FROM {kept} WHERE {owner} IN ({ids}) AND Field IN ({names}) \
         AND CreatedDate >= {since} ORDER BY CreatedDate, Id"
    )))
}

/// What a field may be called in a history: a standard lookup goes without its `Id`.
fn called(name: &str) -> Vec<String> {
    let stem = name.strip_suffix("Id").filter(|stem| !stem.is_empty());
    let stem = stem.map(str::to_owned);
    std::iter::once(name.to_owned()).chain(stem).collect()
}

/// `None` for a row that is not asked for: of a lookup there is one with names besides the one
/// with ids.
fn change(row: &Record, owner: &str, wanted: &[String]) -> Option<((RecordId, String), Change)> {
    let fields: &Fields = &row.fields;
    let text = |name: &str| fields.get(name).and_then(Raw::as_text);
    let value = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let id = RecordId::new(full_id(text(owner)?)?);
    let field = text("Field")?;
    let name = wanted
        .iter()
        .find(|name| called(name).iter().any(|called| called == field))?;
    if name != field && text("DataType") != Some("EntityId") {
        return None;
    }
    let change = Change {
        at: text(CREATED).and_then(Timestamp::parse)?,
        by: text("CreatedById").map(str::to_owned),
        old: value("OldValue"),
        new: value("NewValue"),
    };
    Some(((id, name.clone()), change))
}

/// `None` when a change tells no values.
fn entries(changes: Vec<Change>, us: &str) -> Option<Vec<Edit>> {
    let silent = |change: &Change| change.old.is_blank() && change.new.is_blank();
    if changes.iter().any(silent) {
        return None;
    }
    let changes = in_order(changes);
    let first = changes.first()?;
    let before = Edit {
        value: first.old.clone(),
        at: first.at,
        by: None,
        by_machine: false,
    };
    let edits = changes.iter().rev().map(|change| Edit {
        value: change.new.clone(),
        at: change.at,
        by: change.by.clone(),
        by_machine: change.by.as_deref() == Some(us),
    });
    Some(edits.chain([before]).collect())
}

/// Rows of one second are put in the order in which one goes on from where the other ended.
fn in_order(mut changes: Vec<Change>) -> Vec<Change> {
    let mut ordered: Vec<Change> = Vec::with_capacity(changes.len());
    while let Some(first) = changes.first() {
        let group = changes.iter().take_while(|change| change.at == first.at);
        let group: Vec<&Change> = group.collect();
        let goes_on = |change: &&Change| match ordered.last() {
            Some(last) => change.old == last.new,
            None => !group.iter().any(|other| other.new == change.old),
        };
        let next = group.iter().position(goes_on).unwrap_or(0);
        ordered.push(changes.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(old: &str, new: &str, second: i64, by: &str) -> Change {
        Change {
            at: Timestamp::from_millis(second * 1_000),
            by: Some(by.to_owned()),
            old: Raw::text(old),
            new: Raw::text(new),
        }
    }

    fn told(changes: Vec<Change>) -> Vec<(String, bool)> {
        let entries = entries(changes, "us").unwrap();
        let text = |edit: &Edit| edit.value.as_text().unwrap_or_default().to_owned();
        entries
            .iter()
            .map(|edit| (text(edit), edit.by_machine))
            .collect()
    }

    #[test]
    fn changes_of_one_second_are_told_in_the_order_they_were_made() {
        let mixed = vec![
            change("b", "c", 1, "us"),
            change("c", "d", 1, "them"),
            change("a", "b", 1, "them"),
        ];
        let expected = [("d", false), ("c", true), ("b", false), ("a", false)];
        let expected = expected.map(|(value, ours)| (value.to_owned(), ours));
        assert_eq!(told(mixed), expected);
    }

    #[test]
    fn a_change_without_values_tells_nothing() {
        assert_eq!(entries(vec![change("", "", 1, "them")], "us"), None);
    }

    #[test]
    fn histories_are_named_after_their_objects() {
        let named = |object: &str| kept_in(object).0;
        assert_eq!(named("Contact"), "ContactHistory");
        assert_eq!(named("Opportunity"), "OpportunityFieldHistory");
        assert_eq!(named("Invoice__c"), "Invoice__History");
    }
}
