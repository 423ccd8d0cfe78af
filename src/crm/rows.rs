//! Rows written to a CRM and what became of each. Shared by both clients; no JSON in here.

use std::collections::BTreeMap;

use super::CrmError;
use crate::model::{Fields, Raw, Record, RecordId, Timestamp};

/// One record to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRow {
    /// Names the row in the answer; unique within the call.
    pub trace: String,
    /// The record to update; `None` for creates and upserts.
    pub id: Option<RecordId>,
    /// Real fields of the object only: associations are written by their own calls.
    pub fields: Fields,
    /// Refuse the update when the record was changed later than this. Salesforce only, and only a
    /// row at a time.
    pub unless_changed_since: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub id: RecordId,
    pub created: bool,
    /// What the CRM says it now holds. HubSpot's reply carries it; Salesforce's does not.
    pub stored: Option<Record>,
}

/// One value that a field was given, as the CRM remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub value: Raw,
    pub at: Timestamp,
    /// The app on HubSpot, the user on Salesforce; `None` on HubSpot for everybody who is no app.
    pub by: Option<String>,
    /// Made through an API that Tandem might have used.
    pub by_machine: bool,
}

/// The values each field had, newest first.
pub type History = BTreeMap<String, Vec<Edit>>;

/// A row that the reply does not mention is an error with [`Sent::Unknown`](super::Sent::Unknown).
pub type RowResult = Result<Written, CrmError>;

/// Splits rows into calls of at most `size` in which no record and no trace occurs twice; both
/// platforms refuse or garble a call that writes one record twice.
pub(super) fn chunks(rows: &[WriteRow], size: usize) -> Vec<Vec<&WriteRow>> {
    let mut calls: Vec<Vec<&WriteRow>> = Vec::new();
    let mut current: Vec<&WriteRow> = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    let mut traces = std::collections::BTreeSet::new();
    for row in rows {
        let repeats = row.id.as_ref().is_some_and(|id| ids.contains(id))
            || traces.contains(row.trace.as_str());
        if current.len() == size || repeats {
            calls.push(std::mem::take(&mut current));
            ids.clear();
            traces.clear();
        }
        ids.extend(row.id.as_ref());
        traces.insert(row.trace.as_str());
        current.push(row);
    }
    if !current.is_empty() {
        calls.push(current);
    }
    calls
}

/// The rows of a call that can be put into the platform's form, each with that form. The others
/// are answered at once and cost the call nothing.
pub(super) fn prepared<'r, T>(
    call: Vec<&'r WriteRow>,
    form: impl Fn(&WriteRow) -> Result<T, CrmError>,
    answers: &mut Vec<(String, RowResult)>,
) -> (Vec<&'r WriteRow>, Vec<T>) {
    let mut sound = Vec::with_capacity(call.len());
    let mut forms = Vec::with_capacity(call.len());
    for row in call {
        match form(row) {
            Ok(form) => {
                forms.push(form);
                sound.push(row);
            }
            Err(error) => answers.push((row.trace.clone(), Err(error))),
        }
    }
    (sound, forms)
}

/// The same error for each row of a call that failed as one.
pub(super) fn all_failed(rows: &[&WriteRow], error: &CrmError) -> Vec<(String, RowResult)> {
    let error = error.clone().whole_call();
    rows.iter()
        .map(|row| (row.trace.clone(), Err(error.clone())))
        .collect()
}
