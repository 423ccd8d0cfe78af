//! `tandem links list --held`: values that stay as they are until somebody or something moves.

use std::collections::BTreeMap;

use serde_json::json;

use crate::model::{Link, LinkId, Side};
use crate::review::HoldJson;
use crate::store::HoldPlace;

use super::at::{At, There};
use super::choose::fields_text;
use super::data::Data;
use super::links::shown;
use super::output::{Output, table};

const PAGE: u32 = 1_000;

/// Held values of a mapping, or of all.
pub async fn find(at: At, mapping: Option<&str>, limit: usize) -> anyhow::Result<Vec<HoldJson>> {
    match at {
        At::Here(data) => {
            let found = here(&data, mapping, limit).await?;
            data.close().await;
            Ok(found)
        }
        At::There(there) => listed(&there, mapping, limit).await,
    }
}

async fn here(data: &Data, mapping: Option<&str>, limit: usize) -> anyhow::Result<Vec<HoldJson>> {
    let mut found = Vec::new();
    let mut after: Option<HoldPlace> = None;
    loop {
        let (store, ws) = (&data.store, &data.workspace);
        let page = store.holds_page(ws, None, after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        after = page.last().map(HoldPlace::of);
        let mut ids: Vec<LinkId> = page.iter().map(|hold| hold.link.clone()).collect();
        ids.dedup();
        let links = store.links_by_id(ws, &ids).await?;
        let links: BTreeMap<LinkId, Link> = links
            .into_iter()
            .map(|link| (link.id.clone(), link))
            .collect();
        found.extend(page.into_iter().filter_map(|hold| {
            let link = links.get(&hold.link)?;
            let asked = mapping.is_none_or(|name| link.mapping.as_str() == name);
            asked.then(|| HoldJson::of(link, &hold))
        }));
        if is_last || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

async fn listed(
    there: &There,
    mapping: Option<&str>,
    limit: usize,
) -> anyhow::Result<Vec<HoldJson>> {
    let words = [("mapping", mapping)];
    Ok(there.rows("holds", &words, limit).await?.0)
}

pub fn list(found: &[HoldJson], output: &Output) {
    output.answer(&json!({"holds": found}), || {
        if found.is_empty() {
            return "nothing is held\n".to_owned();
        }
        let headers = ["link", "mapping", "rule", "HubSpot", "Salesforce", "why"];
        table(&headers, found.iter().map(row).collect())
    });
}

fn row(held: &HoldJson) -> Vec<String> {
    let side = |side: Side| {
        let (id, values) = match side {
            Side::HubSpot => (&held.hubspot_id, &held.hubspot),
            Side::Salesforce => (&held.salesforce_id, &held.salesforce),
        };
        format!("{}: {}", shown(id.as_deref()), fields_text(values))
    };
    vec![
        held.link.clone(),
        held.mapping.clone(),
        held.rule.clone(),
        side(Side::HubSpot),
        side(Side::Salesforce),
        format!("{}: {}", held.reason, held.detail),
    ]
}
