//! `tandem links list --held`: values that stay as they are until somebody or something moves.

use std::collections::BTreeMap;

use serde_json::json;

use crate::model::{Hold, Link, LinkId, Side};
use crate::review::HoldJson;
use crate::store::HoldPlace;

use super::choose::fields_text;
use super::data::Data;
use super::links::shown;
use super::output::{Output, table};

const PAGE: u32 = 1_000;

/// A held value and the pair it belongs to.
pub struct Held {
    link: Link,
    hold: Hold,
}

pub async fn find(data: &Data, mapping: Option<&str>, limit: usize) -> anyhow::Result<Vec<Held>> {
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
            let link = links.get(&hold.link)?.clone();
            let asked = mapping.is_none_or(|name| link.mapping.as_str() == name);
            asked.then_some(Held { link, hold })
        }));
        if is_last || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

pub fn list(found: &[Held], output: &Output) {
    let rows: Vec<HoldJson> = found
        .iter()
        .map(|held| HoldJson::of(&held.link, &held.hold))
        .collect();
    output.answer(&json!({"holds": rows}), || {
        if found.is_empty() {
            return "nothing is held\n".to_owned();
        }
        let headers = ["link", "mapping", "rule", "HubSpot", "Salesforce", "why"];
        table(&headers, found.iter().map(row).collect())
    });
}

fn row(held: &Held) -> Vec<String> {
    let side = |side: Side| {
        let values = fields_text(held.hold.sides.get(side));
        format!("{}: {values}", shown(&held.link, side))
    };
    vec![
        held.link.id.to_string(),
        held.link.mapping.to_string(),
        held.hold.rule.clone(),
        side(Side::HubSpot),
        side(Side::Salesforce),
        format!("{}: {}", held.hold.reason.as_str(), held.hold.detail),
    ]
}
