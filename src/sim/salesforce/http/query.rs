//! `query`, `queryAll` and the pages behind a locator: `salesforce.md 3.1`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Incoming, Outgoing, Reply};
use crate::sim::salesforce::error::Refusal;
use crate::sim::salesforce::org::Org;
use crate::sim::salesforce::save;
use crate::sim::salesforce::soql::{self, Bound};

const PAGE: usize = 2_000;
const SMALLEST_PAGE: usize = 200;
const OPEN_CURSORS: usize = 10;
const CURSOR_LIFE_MS: i64 = 2 * 24 * 60 * 60 * 1_000;

/// A fixed set of ids being paged; the rows are read when their page is.
pub(in crate::sim::salesforce) struct Cursor {
    id: String,
    bound: Arc<Bound>,
    numbers: Arc<Vec<u64>>,
    with_bin: bool,
    opened: i64,
    page: usize,
}

pub(super) fn run(org: &mut Org, incoming: &Incoming, version: &str, with_bin: bool) -> Reply {
    let text = incoming
        .parameter("q")
        .filter(|text| !text.trim().is_empty())
        .ok_or_else(|| Refusal::new("MALFORMED_QUERY", "SOQL statement is missing: send ?q="))?;
    let bound = soql::prepare(org, text)?;
    save::shift_page(org, bound.object);
    if org.schema.objects[bound.object]
        .name
        .ends_with("Definition")
    {
        org.define();
    }
    let mut numbers = bound.run(org, with_bin);
    numbers.retain(|number| !org.hides(bound.object, *number));
    if bound.output.is_none() {
        let body = json!({ "totalSize": numbers.len(), "done": true, "records": [] });
        return Ok(Outgoing::json(200, body));
    }
    let page = incoming
        .header_option("Sforce-Query-Options", "batchSize")
        .and_then(|size| size.parse().ok())
        .unwrap_or(PAGE)
        .clamp(SMALLEST_PAGE, PAGE);
    let cursor = Cursor {
        id: locator(org),
        bound: Arc::new(bound),
        numbers: Arc::new(numbers),
        with_bin,
        opened: org.clock.now().millis(),
        page,
    };
    let body = show(org, &cursor, 0, version);
    if cursor.numbers.len() > page {
        if org.cursors.len() == OPEN_CURSORS {
            org.cursors.pop_front();
        }
        org.cursors.push_back(cursor);
    }
    Ok(Outgoing::json(200, body))
}

fn locator(org: &mut Org) -> String {
    format!("0r8{}AAA", super::session::random(org, 12).to_lowercase())
}

pub(super) fn more(org: &Org, version: &str, text: &str) -> Reply {
    let invalid = || Refusal::new("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (id, offset) = text.split_once('-').ok_or_else(invalid)?;
    let offset: usize = offset.parse().map_err(|_| invalid())?;
    let now = org.clock.now().millis();
    let cursor = org
        .cursors
        .iter()
        .find(|cursor| cursor.id == id && now - cursor.opened <= CURSOR_LIFE_MS)
        .filter(|cursor| offset < cursor.numbers.len())
        .ok_or_else(invalid)?;
    Ok(Outgoing::json(200, show(org, cursor, offset, version)))
}

fn show(org: &Org, cursor: &Cursor, offset: usize, version: &str) -> Value {
    let total = cursor.numbers.len();
    let end = total.min(offset + cursor.page);
    let table = &org.tables[cursor.bound.object];
    let records: Vec<Value> = cursor.numbers[offset.min(total)..end]
        .iter()
        .filter_map(|number| table.get(*number))
        .filter(|row| cursor.with_bin || !row.deleted)
        .filter_map(|row| Some(cursor.bound.output.as_ref()?.row(org, row, version)))
        .collect();
    let mut body = json!({ "totalSize": total, "done": end == total });
    body["records"] = Value::Array(records);
    if end < total {
        let next = format!("/services/data/{version}/query/{}-{end}", cursor.id);
        body["nextRecordsUrl"] = json!(next);
    }
    body
}
