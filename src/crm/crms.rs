//! Both clients side by side, for callers that do the same thing on either side.
//!
//! Only dispatch lives here: what a side calls an operation and how many records fit in one call.

use std::collections::{BTreeMap, BTreeSet};

use super::hubspot::{Association, AssociationType, HistoryEntry, stamp_property};
use super::salesforce::{Ask, Asked, Told};
use super::{CrmError, Edit, History, HubSpot, RowResult, Salesforce, WriteRow};
use crate::model::{
    AssociationRead, Fields, Raw, Record, RecordId, RoleRead, Side, Ties, Timestamp,
    association_field,
};

/// Records of one Salesforce page in a backfill or scan.
const SALESFORCE_PAGE: u32 = 2_000;
/// Fields of all rows that share a call. With some 64 bytes for one and its name the reply is half
/// of what is read of one; where values are longer and it is too large, each question is asked
/// alone.
const SALESFORCE_CELLS: usize = 128 * 1024;
/// What Salesforce adds to a row, in fields.
const SALESFORCE_OWN: usize = 4;

/// Later than any stamp: 2100-01-01.
const OPEN_END: Timestamp = Timestamp::from_millis(4_102_444_800_000);

pub struct Crms {
    pub hubspot: HubSpot,
    pub salesforce: Salesforce,
}

/// A page of all records of an object, in the order of their ids.
pub struct Listing {
    pub records: Vec<Record>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
    /// The CRM's time when it answered, to the second.
    pub server_time: Option<Timestamp>,
}

/// A page of what changed, in the order of the side's own keyset.
pub struct Changed {
    pub records: Vec<Record>,
    /// The CRM's time when it answered, to the second.
    pub server_time: Option<Timestamp>,
    /// Where the next page begins, when that is not simply behind the last record.
    pub resume: Option<String>,
    /// Nothing follows this page.
    pub complete: bool,
}

/// A stretch of the CRM's own time, and the last row that was seen of it.
#[derive(Clone, Debug)]
pub struct Span {
    pub from: Timestamp,
    /// `None`: up to whatever the CRM shows now.
    pub until: Option<Timestamp>,
    pub after: Option<(Timestamp, RecordId)>,
}

/// What changed of one object in a stretch of time.
#[derive(Clone, Debug)]
pub struct Question {
    pub object: String,
    pub span: Span,
    pub fields: Vec<String>,
}

impl Question {
    fn asked(&self, limit: u32) -> Asked<'_> {
        Asked {
            object: &self.object,
            fields: &self.fields,
            from: self.span.from,
            after: self.span.after.clone(),
            until: self.span.until.unwrap_or(OPEN_END),
            limit,
        }
    }
}

/// What records are tied to, by record and the other end's object; empty where nothing is.
pub type Tied = BTreeMap<(RecordId, String), Vec<Association>>;

impl Crms {
    /// No write leaves from now on: what a run does that only looks is proved here, and not by what
    /// it asks for.
    pub fn refuse_writes(&self) {
        self.hubspot.line().refuse_writes();
        self.salesforce.line().refuse_writes();
    }

    /// Writes from now on leave before this moment or not at all, whatever is to be done first.
    pub fn send_before(&self, until: Timestamp) {
        self.hubspot.line().send_before(until);
        self.salesforce.line().send_before(until);
    }

    /// Calls of both sides since the start.
    pub fn calls(&self) -> u64 {
        self.hubspot.calls().total + self.salesforce.calls().total
    }

    /// Time that went by while calls were under way.
    pub fn busy_millis(&self) -> i64 {
        self.hubspot.line().busy_millis() + self.salesforce.line().busy_millis()
    }

    /// Records that one write call takes.
    pub const fn batch(side: Side) -> usize {
        match side {
            Side::HubSpot => 100,
            Side::Salesforce => 200,
        }
    }

    /// Reads any number of records by id. Each comes back under the id it was asked by.
    pub async fn read(
        &self,
        side: Side,
        object: &str,
        ids: &[RecordId],
        fields: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        match side {
            Side::HubSpot => self.hubspot.batch_read(object, ids, fields).await,
            Side::Salesforce => self.salesforce.retrieve(object, ids, fields).await,
        }
    }

    /// What the fields held since then, by record, and what the first change of that time replaced;
    /// `None` where the side keeps no such memory.
    pub async fn history(
        &self,
        side: Side,
        object: &str,
        ids: &[RecordId],
        fields: &[String],
        since: Timestamp,
    ) -> Result<Option<BTreeMap<RecordId, History>>, CrmError> {
        match side {
            Side::HubSpot => {
                let found = self.hubspot.history(object, ids, fields).await?;
                let edits = |entries: Vec<HistoryEntry>| -> Vec<Edit> {
                    entries.into_iter().map(HistoryEntry::into_edit).collect()
                };
                let records = found.into_iter().map(|(id, by_field)| {
                    let by_field = by_field.into_iter();
                    (id, by_field.map(|(name, of)| (name, edits(of))).collect())
                });
                Ok(Some(records.collect()))
            }
            Side::Salesforce => self.salesforce.history(object, ids, fields, since).await,
        }
    }

    /// Records whose unique field holds one of the values; consistent, unlike a search.
    pub async fn find(
        &self,
        side: Side,
        object: &str,
        field: &str,
        values: &[String],
        fields: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        match side {
            Side::HubSpot => {
                self.hubspot
                    .batch_read_by(object, field, values, fields)
                    .await
            }
            Side::Salesforce => self.salesforce.find_by(object, field, values, fields).await,
        }
    }

    /// The same among what was deleted and can still be restored.
    pub async fn find_deleted(
        &self,
        side: Side,
        object: &str,
        field: &str,
        values: &[String],
        fields: &[String],
    ) -> Result<Vec<Record>, CrmError> {
        match side {
            Side::HubSpot => {
                self.hubspot
                    .archived_by(object, field, values, fields)
                    .await
            }
            Side::Salesforce => {
                let client = &self.salesforce;
                client.deleted_by(object, field, values, fields).await
            }
        }
    }

    /// All live records of an object, a page at a time.
    pub async fn list(
        &self,
        side: Side,
        object: &str,
        fields: &[String],
        after: Option<&str>,
    ) -> Result<Listing, CrmError> {
        match side {
            Side::HubSpot => {
                let page = self.hubspot.list(object, fields, after, false).await?;
                Ok(Listing {
                    records: page.records,
                    next: page.next,
                    server_time: page.server_time,
                })
            }
            Side::Salesforce => {
                let after = after.map(RecordId::new);
                let client = &self.salesforce;
                let page = client
                    .list(object, fields, after.as_ref(), SALESFORCE_PAGE)
                    .await?;
                let server_time = page.server_time;
                let records = client.with_the_rest(page).await?;
                let full = records.len() >= SALESFORCE_PAGE as usize;
                let next = records.last().filter(|_| full).map(id_text);
                Ok(Listing {
                    records,
                    next,
                    server_time,
                })
            }
        }
    }

    /// What lies in HubSpot's recycle bin, a page at a time. Its search never shows deletions;
    /// Salesforce's show among the changes.
    pub async fn list_archived(
        &self,
        object: &str,
        fields: &[String],
        after: Option<&str>,
    ) -> Result<Listing, CrmError> {
        let page = self.hubspot.list(object, fields, after, true).await?;
        Ok(Listing {
            records: page.records,
            next: page.next,
            server_time: page.server_time,
        })
    }

    /// The next page of the records whose stamp lies in a span, for each question. Salesforce
    /// answers several in one call; there the pages may be shorter.
    pub async fn changed(
        &self,
        side: Side,
        questions: &[Question],
    ) -> Vec<Result<Changed, CrmError>> {
        let mut pages = Vec::with_capacity(questions.len());
        match side {
            Side::HubSpot => {
                for question in questions {
                    pages.push(self.changed_in_hubspot(question).await);
                }
            }
            Side::Salesforce => {
                let widths = questions
                    .iter()
                    .map(|one| one.fields.len() + SALESFORCE_OWN);
                let share = SALESFORCE_CELLS / widths.sum::<usize>().max(1);
                let limit = u32::try_from(share).unwrap_or(SALESFORCE_PAGE);
                let limit = limit.clamp(200, SALESFORCE_PAGE);
                let asks = questions.iter().map(|one| Ask::Changed(one.asked(limit)));
                let asks: Vec<Ask<'_>> = asks.collect();
                for told in self.salesforce.ask_all(&asks).await {
                    pages.push(self.changed_in_salesforce(told, limit).await);
                }
            }
        }
        pages
    }

    async fn changed_in_hubspot(&self, question: &Question) -> Result<Changed, CrmError> {
        let Question {
            object,
            span,
            fields,
        } = question;
        let after = span.after.as_ref().map(|(_, id)| id);
        let stamp = stamp_property(object);
        let until = span.until.unwrap_or(OPEN_END);
        let page = self
            .hubspot
            .search_changed(object, stamp, span.from, until, after, fields)
            .await?;
        Ok(Changed {
            records: page.records,
            server_time: page.server_time,
            resume: None,
            complete: page.complete,
        })
    }

    async fn changed_in_salesforce(
        &self,
        told: Result<Told, CrmError>,
        limit: u32,
    ) -> Result<Changed, CrmError> {
        let page = told?.into_page();
        let server_time = page.server_time;
        let records = self.salesforce.with_the_rest(page).await?;
        let complete = records.len() < limit as usize;
        Ok(Changed {
            records,
            server_time,
            resume: None,
            complete,
        })
    }

    pub async fn update(
        &self,
        side: Side,
        object: &str,
        rows: &[WriteRow],
    ) -> Vec<(String, RowResult)> {
        match side {
            Side::HubSpot => self.hubspot.update(object, rows).await,
            Side::Salesforce => self.salesforce.update(object, rows).await,
        }
    }

    /// Creates records; with a key field a repeated create meets its own record.
    pub async fn create(
        &self,
        side: Side,
        object: &str,
        key: Option<&str>,
        rows: &[WriteRow],
    ) -> Vec<(String, RowResult)> {
        match (side, key) {
            (Side::HubSpot, Some(key)) => self.hubspot.upsert(object, key, rows).await,
            (Side::HubSpot, None) => self.hubspot.create(object, rows).await,
            (Side::Salesforce, Some(key)) => self.salesforce.upsert(object, key, rows).await,
            (Side::Salesforce, None) => self.salesforce.create(object, rows).await,
        }
    }

    pub async fn archive(
        &self,
        side: Side,
        object: &str,
        ids: &[RecordId],
    ) -> Vec<(RecordId, Result<(), CrmError>)> {
        match side {
            Side::HubSpot => self.hubspot.archive(object, ids).await,
            Side::Salesforce => self.salesforce.delete(object, ids).await,
        }
    }

    /// Adds what the records are tied to, as fields; Salesforce lookups are fields already. The
    /// associations themselves say more than a field can hold: their other labels.
    pub async fn add_ties(
        &self,
        side: Side,
        object: &str,
        ties: &Ties,
        records: &mut [Record],
    ) -> Result<Tied, CrmError> {
        if records.is_empty() {
            return Ok(Tied::new());
        }
        match side {
            Side::HubSpot => {
                self.add_associations(object, &ties.associations, records)
                    .await
            }
            Side::Salesforce => {
                self.add_roles(&ties.roles, records).await?;
                Ok(Tied::new())
            }
        }
    }

    /// One query per junction object for about 200 records.
    async fn add_roles(&self, wanted: &[RoleRead], records: &mut [Record]) -> Result<(), CrmError> {
        let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
        for reads in wanted.chunk_by(|one, two| one.junction == two.junction) {
            let mut tied: BTreeMap<(RecordId, String), BTreeSet<RecordId>> = BTreeMap::new();
            for row in self.salesforce.role_rows(reads, &ids).await? {
                for read in reads.iter().filter(|read| row.is(read)) {
                    let place = (row.own.clone(), read.field());
                    tied.entry(place).or_default().insert(row.far.clone());
                }
            }
            for record in records.iter_mut() {
                for name in reads.iter().map(RoleRead::field) {
                    let far = tied.remove(&(record.id.clone(), name.clone()));
                    record.fields.insert(name, joined(far.unwrap_or_default()));
                }
            }
        }
        Ok(())
    }

    async fn add_associations(
        &self,
        object: &str,
        wanted: &[AssociationRead],
        records: &mut [Record],
    ) -> Result<Tied, CrmError> {
        let mut tied = Tied::new();
        let ids: Vec<RecordId> = records.iter().map(|record| record.id.clone()).collect();
        let objects: BTreeSet<&str> = wanted.iter().map(|read| read.to.as_str()).collect();
        for to in objects {
            let mut found = self.hubspot.associations(object, to, &ids).await?;
            for record in records.iter_mut() {
                let theirs = found.remove(&record.id).unwrap_or_default();
                for read in wanted.iter().filter(|read| read.to == to) {
                    let name = association_field(to, read.label.as_deref());
                    let ids = labelled(&theirs, read.label.as_deref());
                    record.fields.insert(name, joined(ids));
                }
                tied.insert((record.id.clone(), to.to_owned()), theirs);
            }
        }
        Ok(tied)
    }
}

fn id_text(record: &Record) -> String {
    record.id.as_str().to_owned()
}

fn labelled(associations: &[Association], label: Option<&str>) -> BTreeSet<RecordId> {
    associations
        .iter()
        .filter(|association| association.types.iter().any(|kind| carries(kind, label)))
        .map(|association| association.to.clone())
        .collect()
}

/// Ids as records keep them, sorted.
pub fn joined(ids: BTreeSet<RecordId>) -> Raw {
    if ids.is_empty() {
        return Raw::Null;
    }
    let ids: Vec<&str> = ids.iter().map(RecordId::as_str).collect();
    Raw::Text(ids.join(";"))
}

/// Whether an association type is the one a label names; no label accepts any.
fn carries(kind: &AssociationType, label: Option<&str>) -> bool {
    label.is_none_or(|label| {
        kind.label
            .as_deref()
            .is_some_and(|theirs| theirs.eq_ignore_ascii_case(label))
    })
}

/// The ids an association field holds.
pub fn split_ids(fields: &Fields, name: &str) -> BTreeSet<RecordId> {
    fields
        .get(name)
        .and_then(Raw::as_text)
        .map(|text| {
            text.split(';')
                .filter(|id| !id.is_empty())
                .map(RecordId::new)
                .collect()
        })
        .unwrap_or_default()
}
