//! Writing records in batches of 100, each row traced, each row answered on its own.
//!
//! Results are matched by trace or id and never by position. Nothing is retried here.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::ItemError;
use super::wire::{self, Many, Object};
use super::{BATCH, HubSpot, Op};
use crate::bugs::{self, Bug};
use crate::crm::rows::{all_failed, chunks, prepared};
use crate::crm::{CrmError, RowResult, Sent, WriteRow, Written};
use crate::model::RecordId;

/// Which batch endpoint, with what it needs to know.
#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    Create,
    Update,
    Upsert { id_property: &'a str },
}

impl Kind<'_> {
    const fn path(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Upsert { .. } => "upsert",
        }
    }

    const fn op(self) -> Op {
        Op::write(self.path())
    }

    fn input(self, row: &WriteRow) -> Result<Value, CrmError> {
        let properties: BTreeMap<&str, &str> = row
            .fields
            .iter()
            .filter(|(name, _)| name.as_str() != wire::ID)
            .map(|(name, raw)| (name.as_str(), wire::to_text(raw)))
            .collect();
        let mut input = json!({"properties": properties, "objectWriteTraceId": row.trace});
        match self {
            Self::Create => input["associations"] = json!([]),
            Self::Update => match &row.id {
                Some(id) => input["id"] = json!(id.as_str()),
                None => return Err(CrmError::bad_request("an update names no record")),
            },
            Self::Upsert { id_property } => {
                let key = properties.get(id_property).copied().unwrap_or_default();
                if key.is_empty() {
                    return Err(CrmError::bad_request("an upsert has no value for its key"));
                }
                input["id"] = json!(key);
                input["idProperty"] = json!(id_property);
            }
        }
        Ok(input)
    }
}

impl HubSpot {
    pub async fn create(&self, object: &str, rows: &[WriteRow]) -> Vec<(String, RowResult)> {
        self.write(Kind::Create, object, rows).await
    }

    pub async fn update(&self, object: &str, rows: &[WriteRow]) -> Vec<(String, RowResult)> {
        self.write(Kind::Update, object, rows).await
    }

    /// By a unique property whose value is among each row's fields. With `email` HubSpot wants
    /// complete rows, not parts.
    pub async fn upsert(
        &self,
        object: &str,
        id_property: &str,
        rows: &[WriteRow],
    ) -> Vec<(String, RowResult)> {
        self.write(Kind::Upsert { id_property }, object, rows).await
    }

    async fn write(
        &self,
        kind: Kind<'_>,
        object: &str,
        rows: &[WriteRow],
    ) -> Vec<(String, RowResult)> {
        let mut answers = Vec::with_capacity(rows.len());
        for call in chunks(rows, BATCH) {
            let (sound, inputs) = prepared(call, |row| kind.input(row), &mut answers);
            if !sound.is_empty() {
                answers.extend(self.write_call(kind, object, &sound, inputs).await);
            }
        }
        answers
    }

    async fn write_call(
        &self,
        kind: Kind<'_>,
        object: &str,
        rows: &[&WriteRow],
        inputs: Vec<Value>,
    ) -> Vec<(String, RowResult)> {
        let many = match self.write_batch(kind, object, inputs).await {
            Ok(many) => many,
            Err(error) => return all_failed(rows, &error),
        };
        let now = self.now();
        let items: Vec<ItemError> = many
            .errors
            .iter()
            .map(|item| super::error::from_item(item, now))
            .collect();
        items
            .iter()
            .for_each(|item| self.inner.line.heed_row(&item.error));
        sort_out(kind, rows, many.results.unwrap_or_default(), items)
    }

    async fn write_batch(
        &self,
        kind: Kind<'_>,
        object: &str,
        inputs: Vec<Value>,
    ) -> Result<Many<Object>, CrmError> {
        let url = self.objects_url(object, &["batch", kind.path()]).await?;
        let body = json!({"inputs": inputs});
        self.post(kind.op(), url, &body).await?.json()
    }

    /// HubSpot answers the same whether the ids exist or not. Restorable for 90 days.
    pub async fn archive(
        &self,
        object: &str,
        ids: &[RecordId],
    ) -> Vec<(RecordId, Result<(), CrmError>)> {
        let mut answers = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(BATCH) {
            let outcome = self.archive_batch(object, chunk).await;
            let outcome = outcome.map_err(CrmError::whole_call);
            answers.extend(chunk.iter().map(|id| (id.clone(), outcome.clone())));
        }
        answers
    }

    async fn archive_batch(&self, object: &str, ids: &[RecordId]) -> Result<(), CrmError> {
        let inputs: Vec<Value> = ids.iter().map(|id| json!({"id": id.as_str()})).collect();
        let url = self.objects_url(object, &["batch", "archive"]).await?;
        let body = json!({"inputs": inputs});
        self.post(Op::write("archive"), url, &body).await?;
        Ok(())
    }
}

/// Gives each row its own answer: a result that names it, an error that names it, or the news
/// that the reply does not mention it.
fn sort_out(
    kind: Kind<'_>,
    rows: &[&WriteRow],
    results: Vec<Object>,
    items: Vec<ItemError>,
) -> Vec<(String, RowResult)> {
    let mut answers: BTreeMap<&str, RowResult> = BTreeMap::new();
    for (place, object) in results.into_iter().enumerate() {
        let by_place = rows
            .get(place)
            .filter(|_| bugs::on(Bug::ResultsMatchedByPosition));
        let named = rows.iter().find(|row| is_for(kind, row, &object));
        let Some(row) = by_place.or(named) else {
            continue;
        };
        let created = match kind {
            Kind::Create => true,
            Kind::Update => false,
            Kind::Upsert { .. } => object.new == Some(true),
        };
        if let Some(record) = object.record(None) {
            let written = Written {
                id: record.id.clone(),
                created,
                stored: Some(record),
            };
            answers.insert(&row.trace, Ok(written));
        }
    }
    let mut unnamed = Vec::new();
    for item in items {
        let blamed: Vec<&&WriteRow> = rows
            .iter()
            .filter(|row| is_blamed(kind, row, &item))
            .collect();
        if blamed.is_empty() {
            unnamed.push(item.error);
            continue;
        }
        for row in blamed {
            answers
                .entry(&row.trace)
                .or_insert_with(|| Err(item.error.clone()));
        }
    }
    let silent = rows
        .iter()
        .filter(|row| !answers.contains_key(row.trace.as_str()))
        .count();
    rows.iter()
        .map(|row| {
            let answer = answers
                .remove(row.trace.as_str())
                .unwrap_or_else(|| Err(unmentioned(&unnamed, silent)));
            (row.trace.clone(), answer)
        })
        .collect()
}

/// An error that names no row belongs to the rows without an answer. With one such row it is its
/// own; with several nobody knows which of them were written.
fn unmentioned(unnamed: &[CrmError], silent: usize) -> CrmError {
    match unnamed.first() {
        Some(error) if silent == 1 => error.clone(),
        Some(error) => CrmError {
            sent: Sent::Unknown,
            whole_call: true,
            ..error.clone()
        },
        None => CrmError::row_missing(),
    }
}

fn is_for(kind: Kind<'_>, row: &WriteRow, object: &Object) -> bool {
    if let Some(trace) = &object.object_write_trace_id.0 {
        return *trace == row.trace;
    }
    match kind {
        Kind::Create => false,
        Kind::Update => row.id.as_ref().map(RecordId::as_str) == object.id.0.as_deref(),
        Kind::Upsert { id_property } => {
            let stored = object.properties.get(id_property).cloned();
            let stored = stored.and_then(wire::as_text);
            let sent = row.fields.get(id_property);
            sent.is_some_and(|sent| !sent.is_blank())
                && stored.as_ref().map(wire::to_text) == sent.map(wire::to_text)
        }
    }
}

fn is_blamed(kind: Kind<'_>, row: &WriteRow, item: &ItemError) -> bool {
    if !item.traces.is_empty() {
        return item.traces.contains(&row.trace);
    }
    let key = match kind {
        Kind::Create => None,
        Kind::Update => row.id.as_ref().map(RecordId::as_str),
        Kind::Upsert { id_property } => row.fields.get(id_property).map(wire::to_text),
    };
    key.is_some_and(|key| item.ids.iter().any(|id| id == key))
}
