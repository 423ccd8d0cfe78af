//! Writing records in collections of 200, each row answered on its own, in order.
//!
//! Never all or none, never past a duplicate rule, never through assignment rules.

use std::collections::BTreeMap;

use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use super::auth::full_id;
use super::composite::Part;
use super::wire::{ID, Saved};
use super::{Op, Salesforce, data_path, error, soql};
use crate::crm::http::Reply;
use crate::crm::rows::{all_failed, chunks, prepared};
use crate::crm::{CrmError, RowResult, WriteRow, Written, json};
use crate::model::{Raw, RecordId};

pub(super) const BATCH: usize = 200;

#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    Create,
    Update,
    Upsert { external_field: &'a str },
}

impl Kind<'_> {
    const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Upsert { .. } => "upsert",
        }
    }
}

type Line = BTreeMap<String, Box<RawValue>>;

#[derive(Serialize)]
struct Collection<'a> {
    #[serde(rename = "allOrNone")]
    all_or_none: bool,
    records: &'a [Line],
}

impl Salesforce {
    pub async fn create(&self, object: &str, rows: &[WriteRow]) -> Vec<(String, RowResult)> {
        self.write(Kind::Create, object, rows).await
    }

    pub async fn update(&self, object: &str, rows: &[WriteRow]) -> Vec<(String, RowResult)> {
        let guarded = |row: &&WriteRow| row.unless_changed_since.is_some();
        let (guarded, free): (Vec<&WriteRow>, Vec<&WriteRow>) = rows.iter().partition(guarded);
        let free: Vec<WriteRow> = free.into_iter().cloned().collect();
        let mut answers = self.write(Kind::Update, object, &free).await;
        for row in guarded {
            let answer = self.update_guarded(object, row).await;
            answers.push((row.trace.clone(), answer));
        }
        answers
    }

    /// One row by its own call: only there Salesforce compares the time of the last change.
    async fn update_guarded(&self, object: &str, row: &WriteRow) -> RowResult {
        let mut line = line(Kind::Update, object, row)?;
        line.remove("attributes");
        line.remove("id");
        let id = row.id.as_ref().and_then(|id| full_id(id.as_str()));
        let id = id.ok_or_else(|| CrmError::bad_request("an update names no record"))?;
        let body = serde_json::to_vec(&line)
            .map_err(|_| CrmError::bad_request("the body of a request cannot be written"))?;
        let draft = super::Draft {
            method: Method::PATCH,
            path: data_path(&["sobjects", soql::name(object)?, &id], &[]),
            body: Some(body),
            unless_changed_since: row.unless_changed_since,
        };
        match self.send(Op::write("update", object), draft).await {
            Ok(_) => Ok(Written {
                id: RecordId::new(id),
                created: false,
                stored: None,
            }),
            Err(error) if error.status == Some(412) => Err(CrmError::changed_meanwhile()),
            Err(error) => Err(error),
        }
    }

    /// By an external id field whose value is among each row's fields.
    pub async fn upsert(
        &self,
        object: &str,
        external_field: &str,
        rows: &[WriteRow],
    ) -> Vec<(String, RowResult)> {
        self.write(Kind::Upsert { external_field }, object, rows)
            .await
    }

    async fn write(
        &self,
        kind: Kind<'_>,
        object: &str,
        rows: &[WriteRow],
    ) -> Vec<(String, RowResult)> {
        let mut answers = Vec::with_capacity(rows.len());
        for call in chunks(rows, BATCH) {
            let (sound, lines) = prepared(call, |row| line(kind, object, row), &mut answers);
            if !sound.is_empty() {
                answers.extend(self.write_call(kind, object, &sound, &lines).await);
            }
        }
        answers
    }

    async fn write_call(
        &self,
        kind: Kind<'_>,
        object: &str,
        rows: &[&WriteRow],
        lines: &[Line],
    ) -> Vec<(String, RowResult)> {
        match self.save(kind, object, lines).await {
            Ok(saved) => self.judge_all(kind, object, rows, saved),
            Err(error) => all_failed(rows, &error),
        }
    }

    fn judge_all(
        &self,
        kind: Kind<'_>,
        object: &str,
        rows: &[&WriteRow],
        saved: Vec<Saved>,
    ) -> Vec<(String, RowResult)> {
        let mut saved = saved.into_iter();
        rows.iter()
            .map(|row| {
                let answer = saved.next().map_or_else(
                    || Err(CrmError::row_missing()),
                    |one| self.judge(kind, object, row, one),
                );
                (row.trace.clone(), answer)
            })
            .collect()
    }

    async fn save(
        &self,
        kind: Kind<'_>,
        object: &str,
        lines: &[Line],
    ) -> Result<Vec<Saved>, CrmError> {
        let (method, path) = place(kind, object)?;
        let body = Collection {
            all_or_none: false,
            records: lines,
        };
        let op = Op::write(kind.name(), object);
        self.with_body(op, method, path, &body).await?.list()
    }

    /// A row counts as written only when it says so and names the record that was meant.
    fn judge(&self, kind: Kind<'_>, object: &str, row: &WriteRow, saved: Saved) -> RowResult {
        if saved.success == Some(false) {
            let refused = error::from_row(&saved.errors, self.now(), object);
            self.inner.line.heed_row(&refused);
            return Err(refused);
        }
        let id = saved.id.0.as_deref().and_then(full_id);
        let meant = match &row.id {
            Some(meant) if matches!(kind, Kind::Update) => full_id(meant.as_str()),
            Some(_) | None => id.clone(),
        };
        match id {
            Some(id) if saved.success == Some(true) && meant.as_deref() == Some(&id) => {
                Ok(Written {
                    id: RecordId::new(id),
                    created: match kind {
                        Kind::Create => true,
                        Kind::Update => false,
                        Kind::Upsert { .. } => saved.created == Some(true),
                    },
                    stored: None,
                })
            }
            Some(_) | None => Err(CrmError::row_missing()),
        }
    }

    /// Into the recycle bin, for about 15 days.
    pub async fn delete(
        &self,
        object: &str,
        ids: &[RecordId],
    ) -> Vec<(RecordId, Result<(), CrmError>)> {
        let mut answers = Vec::with_capacity(ids.len());
        // The ids stand in the address, parted by commas: text that is no id could name another.
        let (sound, odd): (Vec<RecordId>, Vec<RecordId>) = ids
            .iter()
            .cloned()
            .partition(|id| full_id(id.as_str()).is_some());
        for chunk in sound.chunks(BATCH) {
            match self.delete_call(object, chunk).await {
                Ok(saved) => {
                    let mut saved = saved.into_iter();
                    answers.extend(chunk.iter().map(|id| {
                        let one = saved.next().unwrap_or_default();
                        (id.clone(), self.judge_delete(object, &one))
                    }));
                }
                Err(error) => {
                    let error = error.whole_call();
                    answers.extend(chunk.iter().map(|id| (id.clone(), Err(error.clone()))));
                }
            }
        }
        let refused = CrmError::bad_request("that is no id of a Salesforce record");
        answers.extend(odd.into_iter().map(|id| (id, Err(refused.clone()))));
        answers
    }

    async fn delete_call(&self, object: &str, ids: &[RecordId]) -> Result<Vec<Saved>, CrmError> {
        let ids: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
        let query = [("ids", ids.join(",")), ("allOrNone", "false".to_owned())];
        let query: Vec<(&str, &str)> = query.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let draft = super::Draft {
            method: Method::DELETE,
            path: data_path(&["composite", "sobjects"], &query),
            body: None,
            unless_changed_since: None,
        };
        self.send(Op::write("delete", object), draft).await?.list()
    }

    fn judge_delete(&self, object: &str, saved: &Saved) -> Result<(), CrmError> {
        match saved.success {
            Some(true) => Ok(()),
            Some(false) => Err(error::from_row(&saved.errors, self.now(), object)),
            None => Err(CrmError::row_missing()),
        }
    }
}

/// A collection of rows on its way in a call with others.
pub(super) struct Collected<'r> {
    kind: Kind<'r>,
    object: &'r str,
    rows: Vec<&'r WriteRow>,
    part: Option<Part>,
    /// Rows that cannot be sent.
    unsound: Vec<(String, RowResult)>,
}

impl<'r> Collected<'r> {
    /// Updates, at most 200 in each, and no record twice in one.
    pub fn updates(object: &'r str, rows: &'r [WriteRow]) -> Vec<Self> {
        Self::all(Kind::Update, object, rows)
    }

    /// As [`Salesforce::upsert`].
    pub fn upserts(object: &'r str, external_field: &'r str, rows: &'r [WriteRow]) -> Vec<Self> {
        Self::all(Kind::Upsert { external_field }, object, rows)
    }

    fn all(kind: Kind<'r>, object: &'r str, rows: &'r [WriteRow]) -> Vec<Self> {
        let calls = chunks(rows, BATCH).into_iter();
        calls.map(|call| Self::of(kind, object, call)).collect()
    }

    fn of(kind: Kind<'r>, object: &'r str, call: Vec<&'r WriteRow>) -> Self {
        let mut unsound = Vec::new();
        let (rows, lines) = prepared(call, |row| line(kind, object, row), &mut unsound);
        let body = Collection {
            all_or_none: false,
            records: &lines,
        };
        let part = match (lines.is_empty(), place(kind, object)) {
            (false, Ok((method, path))) => Part::with_body(method, path, &body).ok(),
            _ => None,
        };
        Self {
            kind,
            object,
            rows,
            part,
            unsound,
        }
    }

    pub const fn part(&self) -> &Option<Part> {
        &self.part
    }

    pub fn failed(self, error: &CrmError) -> Vec<(String, RowResult)> {
        let mut answers = self.unsound;
        answers.extend(all_failed(&self.rows, error));
        answers
    }

    pub fn answered(
        self,
        client: &Salesforce,
        reply: Option<Result<Reply, CrmError>>,
    ) -> Vec<(String, RowResult)> {
        let Some(reply) = reply else {
            let unsent = CrmError::bad_request("the body of a request cannot be written");
            return self.failed(&unsent);
        };
        match reply.and_then(|reply| reply.list()) {
            Err(error) => self.failed(&error),
            Ok(saved) => {
                let mut answers = self.unsound;
                answers.extend(client.judge_all(self.kind, self.object, &self.rows, saved));
                answers
            }
        }
    }
}

/// Where collections of a kind are sent.
fn place(kind: Kind<'_>, object: &str) -> Result<(Method, String), CrmError> {
    Ok(match kind {
        Kind::Create => (Method::POST, data_path(&["composite", "sobjects"], &[])),
        Kind::Update => (Method::PATCH, data_path(&["composite", "sobjects"], &[])),
        Kind::Upsert { external_field } => {
            let (object, field) = (soql::name(object)?, soql::name(external_field)?);
            let path = data_path(&["composite", "sobjects", object, field], &[]);
            (Method::PATCH, path)
        }
    })
}

fn line(kind: Kind<'_>, object: &str, row: &WriteRow) -> Result<Line, CrmError> {
    let object = soql::name(object)?;
    let mut line = Line::new();
    let attributes = serde_json::value::to_raw_value(&serde_json::json!({"type": object}))
        .map_err(|_| CrmError::bad_request("the type of a row cannot be written"))?;
    line.insert("attributes".to_owned(), attributes);
    for (name, raw) in row.fields.iter().filter(|(name, _)| name.as_str() != ID) {
        line.insert(soql::name(name)?.to_owned(), literal(name, raw)?);
    }
    match kind {
        Kind::Create => {}
        Kind::Update => {
            let id = row.id.as_ref().and_then(|id| full_id(id.as_str()));
            let id = id.ok_or_else(|| CrmError::bad_request("an update names no record"))?;
            line.insert("id".to_owned(), literal("id", &Raw::text(id))?);
        }
        Kind::Upsert { external_field } => {
            if row.fields.get(external_field).is_none_or(Raw::is_blank) {
                return Err(CrmError::bad_request("an upsert has no value for its key"));
            }
        }
    }
    Ok(line)
}

/// Blank text is sent as null, which is what Salesforce would store for it.
fn literal(name: &str, raw: &Raw) -> Result<Box<RawValue>, CrmError> {
    let raw = if raw.is_blank() { &Raw::Null } else { raw };
    json::write(raw).ok_or_else(|| {
        let message = format!("the value for {name} is no number that can be sent");
        let mut error = CrmError::bad_request(&message);
        error.kind = crate::crm::ErrorKind::Rejected;
        error.fields = vec![name.to_owned()];
        error
    })
}
