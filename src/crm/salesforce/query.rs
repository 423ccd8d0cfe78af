//! Queries: pages of rows, what changed since a point, and walks over all records.

use std::collections::BTreeSet;

use super::composite::Part;
use super::wire::{self, ID, STAMP};
use super::{Op, Salesforce, URL_CHARS, data_path, soql};
use crate::crm::CrmError;
use crate::crm::http::Reply;
use crate::model::{Presence, Record, RecordId, Timestamp};

const QUERY: Op<'static> = Op::read("query");
/// More pages of 200 rows, the smallest Salesforce makes, than any list has that is read whole.
const PAGES: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryPage {
    pub records: Vec<Record>,
    /// Hand it to [`Salesforce::query_more`]; `None` at the end. A short page is not the end.
    pub next: Option<String>,
    /// The server's clock when it answered, to the second; not every hop sends one.
    pub server_time: Option<Timestamp>,
}

/// What is asked of one object: its records stamped in a stretch of time, from a row on.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub object: &'a str,
    pub fields: &'a [String],
    pub from: Timestamp,
    pub after: Option<(Timestamp, RecordId)>,
    pub until: Timestamp,
    pub limit: u32,
}

impl Asked<'_> {
    /// `None` for more fields than an address can name.
    pub(super) fn question(&self) -> Option<Part> {
        let soql = statement(self.object, self.fields, &self.rest()).ok()?;
        question("queryAll", soql)
    }

    fn rest(&self) -> String {
        let (from, until) = (soql::datetime(self.from), soql::datetime(self.until));
        let mut only = format!("{STAMP} >= {from} AND {STAMP} < {until}");
        if let Some((at, id)) = &self.after {
            let (at, id) = (soql::datetime(*at), soql::string(id.as_str()));
            only.push_str(&format!(
                " AND ({STAMP} > {at} OR ({STAMP} = {at} AND {ID} > {id}))"
            ));
        }
        let limit = self.limit;
        format!("WHERE {only} ORDER BY {STAMP} ASC, {ID} ASC LIMIT {limit}")
    }
}

impl Salesforce {
    /// Rows of the recycle bin included. Every row must carry `Id`.
    pub async fn query_all(&self, soql: &str) -> Result<QueryPage, CrmError> {
        page(&self.ask("queryAll", soql).await?)
    }

    /// Live rows only. Every row must carry `Id`.
    pub async fn query(&self, soql: &str) -> Result<QueryPage, CrmError> {
        page(&self.ask("query", soql).await?)
    }

    /// The next page of a query. A cursor that is gone is
    /// [`ErrorKind::CursorLost`](crate::crm::ErrorKind::CursorLost): start again.
    pub async fn query_more(&self, next: &str) -> Result<QueryPage, CrmError> {
        if !is_cursor(next) {
            return Err(CrmError::bad_request("that is no cursor of a query"));
        }
        page(&self.get(QUERY, next.to_owned()).await?)
    }

    /// All pages of a query over live rows; for lists that are known to be short.
    pub(super) async fn query_whole(&self, soql: &str) -> Result<Vec<Record>, CrmError> {
        let page = self.query(soql).await?;
        self.with_the_rest(page).await
    }

    /// The rows of a page and of all pages behind it. A walk that comes round to a page again, or
    /// to no end, is given up.
    pub(in crate::crm) async fn with_the_rest(
        &self,
        page: QueryPage,
    ) -> Result<Vec<Record>, CrmError> {
        let QueryPage {
            mut records,
            mut next,
            ..
        } = page;
        let mut met = BTreeSet::new();
        while let Some(cursor) = next {
            let page = self.query_more(&cursor).await?;
            if !met.insert(cursor) || met.len() > PAGES {
                let message = "the pages of the query come to no end";
                return Err(CrmError::broken(message, QUERY.sent()));
            }
            records.extend(page.records);
            next = page.next;
        }
        Ok(records)
    }

    /// Records stamped in `[from, until)`, deleted, merged and converted ones included, ordered by
    /// (`SystemModstamp`, `Id`) and only those behind `after`; at most `limit`. The stamp for the
    /// next `after` is the field `SystemModstamp`; `modified_at` is `LastModifiedDate`.
    pub async fn changed(&self, asked: &Asked<'_>) -> Result<QueryPage, CrmError> {
        let (object, fields) = (asked.object, asked.fields);
        self.select("queryAll", object, fields, &asked.rest()).await
    }

    /// All live records by id, those behind `after_id`, at most `limit`.
    pub async fn list(
        &self,
        object: &str,
        fields: &[String],
        after_id: Option<&RecordId>,
        limit: u32,
    ) -> Result<QueryPage, CrmError> {
        let only = after_id.map_or_else(String::new, |id| {
            format!("WHERE {ID} > {} ", soql::string(id.as_str()))
        });
        let rest = format!("{only}ORDER BY {ID} ASC LIMIT {limit}");
        self.select("query", object, fields, &rest).await
    }

    /// Selects the fields and those that tell a record's state. Field lists too long for an
    /// address are read by id in a second call.
    pub(super) async fn select(
        &self,
        verb: &str,
        object: &str,
        fields: &[String],
        rest: &str,
    ) -> Result<QueryPage, CrmError> {
        let wide = statement(object, fields, rest)?;
        if fits(&wide) {
            return page(&self.ask(verb, &wide).await?);
        }
        let mut page = page(&self.ask(verb, &statement(object, &[], rest)?).await?)?;
        let live: Vec<RecordId> = page
            .records
            .iter()
            .filter(|record| record.presence == Presence::Live)
            .map(|record| record.id.clone())
            .collect();
        let mut full = self.retrieve(object, &live, fields).await?.into_iter();
        for record in &mut page.records {
            if record.presence == Presence::Live
                && let Some(read) = full.next()
            {
                // The stamp stays the one that was queried, or the walk could pass rows over.
                let stamp = record.fields.get(STAMP).cloned();
                *record = read;
                if let Some(stamp) = stamp {
                    record.fields.insert(STAMP.to_owned(), stamp);
                }
            }
        }
        Ok(page)
    }

    pub(super) async fn ask(&self, verb: &str, soql: &str) -> Result<Reply, CrmError> {
        self.get(QUERY, data_path(&[verb], &[("q", soql)])).await
    }
}

pub(super) fn page(reply: &Reply) -> Result<QueryPage, CrmError> {
    let rows: wire::Rows = reply.json()?;
    let next = match (rows.done, rows.next_records_url.0) {
        (Some(true), _) => None,
        (Some(false), Some(next)) => Some(next),
        (Some(false), None) | (None, _) => {
            return Err(reply.broken("the reply does not say whether more rows follow"));
        }
    };
    let records: Option<Vec<Record>> = rows
        .records
        .ok_or_else(|| reply.broken("the list of rows is missing"))?
        .into_iter()
        .map(wire::record)
        .collect();
    Ok(QueryPage {
        records: records.ok_or_else(|| reply.broken("a row without an id is in the list"))?,
        next,
        server_time: reply.server_time(),
    })
}

/// Whether a path out of a reply leads where queries are: it is asked for with our token. A parser
/// of addresses would read `%2e%2e`, a backslash or a line end as something else, so the path must
/// come out of it unchanged.
fn is_cursor(next: &str) -> bool {
    let path = next.split(['?', '#']).next().unwrap_or_default();
    next.starts_with("/services/data/")
        && !next.contains('#')
        && url::Url::parse("https://org.invalid")
            .and_then(|base| base.join(next))
            .is_ok_and(|url| url.path() == path)
}

pub(super) fn statement(object: &str, fields: &[String], rest: &str) -> Result<String, CrmError> {
    let object = soql::name(object)?;
    let mut names: BTreeSet<&str> = wire::state_fields(object).into_iter().collect();
    for field in fields {
        names.insert(soql::name(field)?);
    }
    let names: Vec<&str> = names.into_iter().collect();
    Ok(format!("SELECT {} FROM {object} {rest}", names.join(", ")))
}

/// A query as part of a call; `None` when it is too long to be asked in an address.
pub(super) fn question(verb: &str, soql: String) -> Option<Part> {
    fits(&soql).then(|| Part::get(data_path(&[verb], &[("q", &soql)])))
}

/// Whether the query fits into an address, with room for the host.
fn fits(soql: &str) -> bool {
    data_path(&["queryAll"], &[("q", soql)]).len() + 300 <= URL_CHARS
}
