//! Search for what changed, walked by record id so that no cap and no shared stamp stops it.
//!
//! The index is late and not in order (hubspot.md 5.1): a row may be newer than the window, and a
//! second pass has to come later. Both are the caller's business.

use std::collections::BTreeSet;

use serde_json::json;

use super::wire::{ID, Many, Object};
use super::{Bucket, HubSpot, Op};
use crate::crm::CrmError;
use crate::model::{Record, RecordId, Timestamp};

const SEARCH: Op = Op::read("search").via(Bucket::Search);
const PAGE: usize = 200;
/// Longer bodies are refused.
const BODY_CHARS: usize = 3_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPage {
    /// Ordered by id. The last id is the next `after_id`.
    pub records: Vec<Record>,
    /// HubSpot's own estimate of matches after `after_id`; for progress only.
    pub total: u64,
    /// Nothing follows this page.
    pub complete: bool,
    /// HubSpot's time when it answered, to the second.
    pub server_time: Option<Timestamp>,
}

impl HubSpot {
    /// Records whose `stamp_property` lies in `[from, to]`, to the millisecond, with an id above
    /// `after_id`; 200 a page. `modified_at` is filled, so that rows outside the window can be
    /// told. Property lists too long for a search cost two batch reads more.
    pub async fn search_changed(
        &self,
        object: &str,
        stamp_property: &str,
        from: Timestamp,
        to: Timestamp,
        after_id: Option<&RecordId>,
        properties: &[String],
    ) -> Result<SearchPage, CrmError> {
        let mut names: BTreeSet<&str> = properties.iter().map(String::as_str).collect();
        names.extend([ID, stamp_property]);
        let mut body = search_body(stamp_property, (from, to), after_id);
        body["properties"] = json!(&names);
        let narrow = body.to_string().chars().count() <= BODY_CHARS;
        if !narrow {
            body["properties"] = json!([ID, stamp_property]);
        }
        let url = self.objects_url(object, &["search"]).await?;
        let reply = self.post(SEARCH, url, &body).await?;
        let many: Many<Object> = reply.json()?;
        let more = many.paging.next.after.0.is_some();
        let results = many
            .results
            .ok_or_else(|| reply.broken("the list of found records is missing"))?;
        let total = many.total.unwrap_or(results.len() as u64);
        let complete = results.is_empty() || (!more && total <= results.len() as u64);
        let found: Option<Vec<Record>> = results
            .into_iter()
            .map(|object| object.record(Some(stamp_property)))
            .collect();
        let mut records = found.ok_or_else(|| reply.broken("a record without an id was found"))?;
        if let (false, Some(after), Some(last)) = (complete, after_id, records.last())
            && rank(&last.id) <= rank(after)
        {
            return Err(reply.broken("the search does not move past the last id"));
        }
        if !narrow {
            let ids: Vec<RecordId> = records.into_iter().map(|record| record.id).collect();
            let mut wide: Vec<String> = properties.to_vec();
            wide.push(stamp_property.to_owned());
            records = self.batch_read(object, &ids, &wide).await?;
        }
        Ok(SearchPage {
            records,
            total,
            complete,
            server_time: reply.server_time(),
        })
    }
}

fn search_body(
    stamp_property: &str,
    (from, to): (Timestamp, Timestamp),
    after_id: Option<&RecordId>,
) -> serde_json::Value {
    let mut filters = vec![json!({
        "propertyName": stamp_property,
        "operator": "BETWEEN",
        "value": from.millis().to_string(),
        "highValue": to.millis().to_string(),
    })];
    if let Some(after) = after_id {
        filters.push(json!({
            "propertyName": ID,
            "operator": "GT",
            "value": after.as_str(),
        }));
    }
    json!({
        "filterGroups": [{"filters": filters}],
        "sorts": [{"propertyName": ID, "direction": "ASCENDING"}],
        "limit": PAGE,
    })
}

/// Ids are decimal text and sort as numbers: by length, then by digits.
fn rank(id: &RecordId) -> (usize, &str) {
    let digits = id.as_str().trim_start_matches('0');
    (digits.len(), digits)
}
