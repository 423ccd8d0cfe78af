//! What a store says became of the records: links, holds, dead letters and conflicts.
//!
//! The verification takes these as claims about the simulators, never as truth.

use std::collections::BTreeMap;

use crate::model::{BySide, Fields, Hold, Link, LinkId, Raw, Side, Task, WorkspaceId};
use crate::store::{
    ConflictFilter, ConflictRow, DeadLetter, DeadLetterFilter, DeadLetterState, HoldPlace,
    LinkFilter, Store, StoreError,
};

use super::outcome::{ConflictSeen, Open, Outcome};

const PAGE: u32 = 5_000;

/// # Errors
/// When the store cannot be read.
pub async fn read(store: &Store, ws: &WorkspaceId) -> Result<Outcome, StoreError> {
    let links = links(store, ws).await?;
    let mut outcome = Outcome::default();
    for link in links.values().filter(|link| link.state.is_open()) {
        let (hubspot, salesforce) = (id(link, Side::HubSpot), id(link, Side::Salesforce));
        // A record whose partner is still to be made is no pair yet.
        if !hubspot.is_empty() && !salesforce.is_empty() {
            let mapping = link.mapping.as_str().to_owned();
            outcome.links.push((mapping, hubspot, salesforce));
        }
    }
    let mut after = None;
    loop {
        let page = store.holds_page(ws, None, after.as_ref(), PAGE).await?;
        after = page.last().map(HoldPlace::of);
        let last = page.len() < PAGE as usize;
        let open = page.iter().filter_map(|hold| open_hold(&links, hold));
        outcome.holds.extend(open);
        if last {
            break;
        }
    }
    let filter = ConflictFilter::default();
    for conflict in store.conflicts(ws, &filter, u32::MAX >> 1).await? {
        outcome.conflicts.extend(seen(&links, &conflict));
    }
    outcome.dead_letters = dead_letters(store, ws, &links).await?;
    Ok(outcome)
}

async fn links(store: &Store, ws: &WorkspaceId) -> Result<BTreeMap<LinkId, Link>, StoreError> {
    let mut links = BTreeMap::new();
    let mut after: Option<LinkId> = None;
    loop {
        let filter = LinkFilter::default();
        let page = store.links_page(ws, &filter, after.as_ref(), PAGE).await?;
        let last = page.len() < PAGE as usize;
        after = page.last().map(|link| link.id.clone());
        links.extend(page.into_iter().map(|link| (link.id.clone(), link)));
        if last {
            return Ok(links);
        }
    }
}

async fn dead_letters(
    store: &Store,
    ws: &WorkspaceId,
    links: &BTreeMap<LinkId, Link>,
) -> Result<Vec<Open>, StoreError> {
    let mut found = Vec::new();
    let mut filter = DeadLetterFilter {
        state: Some(DeadLetterState::Open),
        limit: PAGE,
        ..DeadLetterFilter::default()
    };
    loop {
        let page = store.dead_letters(ws, &filter).await?;
        let last = page.len() < PAGE as usize;
        filter.after = page.last().map(|letter| letter.id.clone());
        found.extend(page.iter().map(|letter| open_letter(links, letter)));
        if last {
            return Ok(found);
        }
    }
}

fn id(link: &Link, side: Side) -> String {
    link.records
        .get(side)
        .as_ref()
        .map_or_else(String::new, |id| id.as_str().to_owned())
}

fn open_hold(links: &BTreeMap<LinkId, Link>, hold: &Hold) -> Option<Open> {
    let link = links.get(&hold.link)?;
    Some(Open {
        mapping: link.mapping.as_str().to_owned(),
        hubspot_id: id(link, Side::HubSpot),
        salesforce_id: id(link, Side::Salesforce),
        rule: Some(hold.rule.clone()),
        why: format!("{}: {}", hold.reason.as_str(), hold.detail),
    })
}

fn open_letter(links: &BTreeMap<LinkId, Link>, letter: &DeadLetter) -> Open {
    let link = letter.link.as_ref().and_then(|link| links.get(link));
    let mut ids = BySide::from_fn(|side| link.map_or_else(String::new, |link| id(link, side)));
    if let Task::Record(key) = &letter.task {
        key.id.as_str().clone_into(ids.get_mut(key.side));
    }
    Open {
        mapping: letter.mapping.as_str().to_owned(),
        hubspot_id: ids.hubspot,
        salesforce_id: ids.salesforce,
        rule: letter.rule.clone(),
        why: format!("{}: {}", letter.code, letter.message),
    }
}

fn seen(links: &BTreeMap<LinkId, Link>, conflict: &ConflictRow) -> Option<ConflictSeen> {
    let link = links.get(&conflict.link)?;
    let loser = conflict
        .loser
        .iter()
        .map(|(name, raw)| (name.clone(), raw.as_text().unwrap_or_default().to_owned()))
        .collect();
    Some(ConflictSeen {
        mapping: conflict.mapping.as_str().to_owned(),
        hubspot_id: id(link, Side::HubSpot),
        salesforce_id: id(link, Side::Salesforce),
        rule: conflict.rule.clone(),
        base: conflict
            .base
            .as_ref()
            .map_or_else(String::new, |base| texts(&base.hubspot)),
        hubspot: texts(&conflict.inputs.hubspot),
        salesforce: texts(&conflict.inputs.salesforce),
        winner: conflict.winner,
        loser,
    })
}

fn texts(fields: &Fields) -> String {
    let texts: Vec<&str> = fields.values().filter_map(Raw::as_text).collect();
    texts.join(" / ")
}
