//! What is there when an engine has come to rest: both CRMs and the store, line by line.
//!
//! Two plays of one scenario that end in the same picture lost, doubled and wrote the same.

use std::collections::BTreeSet;

use serde_json::Value;
use tandem::model::{Link, LinkId, RecordId};

use crate::world::{LANE, World};

const HUBSPOT: [&str; 3] = ["contacts", "companies", "deals"];
const SALESFORCE: [&str; 5] = [
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
];
const LINES_MAX: usize = 12;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture(BTreeSet<String>);

impl Picture {
    pub async fn take(world: &World) -> Self {
        let mut lines = BTreeSet::new();
        lines.extend(hubspot(world));
        lines.extend(salesforce(world));
        lines.extend(written(world));
        lines.extend(stored(world).await);
        lines.extend(asked(world).await);
        let copies = copies(world);
        let named = lines.into_iter().map(|mut line| {
            for (id, key) in &copies {
                line = line.replace(id, key);
            }
            line
        });
        Self(named.collect())
    }

    /// How many lines begin so.
    pub fn count(&self, beginning: &str) -> usize {
        let lines = self.0.iter();
        lines.filter(|line| line.starts_with(beginning)).count()
    }

    /// What holds at the end of every play, whatever else varies.
    pub fn is_at_rest(&self) -> Result<(), String> {
        match (self.count("open intent"), self.count("written in vain: 0")) {
            (0, 1) => Ok(()),
            (open, _) => Err(format!("{open} intents are open, or a write was in vain")),
        }
    }

    /// What another picture has in place of what is in this one.
    pub fn against(&self, other: &Self) -> Result<(), String> {
        let gone = self.0.difference(&other.0).map(|line| format!("- {line}"));
        let come = other.0.difference(&self.0).map(|line| format!("+ {line}"));
        let lines: Vec<String> = gone.chain(come).take(LINES_MAX).collect();
        if lines.is_empty() {
            return Ok(());
        }
        Err(lines.join("\n"))
    }
}

/// What each write moves, and what the CRM counts for itself.
fn is_a_stamp(name: &str) -> bool {
    let name = name.to_lowercase();
    let kept = ["hs_lead_status"].contains(&name.as_str());
    let moves = ["date", "modstamp", "modified", "time", "notes_"];
    !kept && (name.starts_with("hs_") || moves.iter().any(|part| name.contains(part)))
}

/// Ids of records that were made by us, and the key that each was made with: which of two copies
/// is made first is nobody's business.
fn copies(world: &World) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for object in HUBSPOT {
        for record in world.hubspot.records(object) {
            let key = record.properties.get("tandem_link_id");
            found.extend(key.map(|key| (record.id.clone(), key.clone())));
        }
    }
    for object in SALESFORCE {
        for record in world.salesforce.records(object) {
            let key = record.fields.get("Tandem_Link_Id__c");
            let key = key.and_then(Value::as_str);
            found.extend(key.map(|key| (record.id.clone(), key.to_owned())));
        }
    }
    found.retain(|(_, key)| !key.is_empty());
    found
}

fn hubspot(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for object in HUBSPOT {
        for record in world.hubspot.records(object) {
            let id = record.id;
            let mut line = format!("hubspot {object} {id}");
            if record.archived {
                line.push_str(" archived");
            }
            for (name, value) in &record.properties {
                if !is_a_stamp(name) && !value.is_empty() {
                    line.push_str(&format!(" {name}={value}"));
                }
            }
            lines.push(line);
            for other in ["companies", "deals"] {
                for (to, mut types) in world.hubspot.associations(object, &id, other) {
                    types.sort_unstable();
                    lines.push(format!("tie of {object} {id} to {other} {to}: {types:?}"));
                }
            }
        }
    }
    lines
}

fn salesforce(world: &World) -> Vec<String> {
    let mut lines = Vec::new();
    for object in SALESFORCE {
        for record in world.salesforce.records(object) {
            let mut line = format!("salesforce {object} {}", record.id);
            if record.deleted {
                line.push_str(" deleted");
            }
            for (name, value) in &record.fields {
                if !is_a_stamp(name) && !matches!(value, Value::Null | Value::Bool(false)) {
                    line.push_str(&format!(" {name}={value}"));
                }
            }
            lines.push(line);
        }
    }
    lines
}

/// Records that came through the API. What a crash repeats shows here.
fn written(world: &World) -> Vec<String> {
    let (hubspot, salesforce) = (world.hubspot.counters(), world.salesforce.counters());
    vec![
        format!("made on hubspot: {}", hubspot.records_created),
        format!("made on salesforce: {}", salesforce.records_created),
        format!("changed on hubspot: {}", hubspot.records_updated),
        format!("changed on salesforce: {}", salesforce.records_updated),
        format!("deleted on hubspot: {}", hubspot.records_archived),
        format!("deleted on salesforce: {}", salesforce.records_deleted),
        format!("written in vain: {}", world.noop_writes()),
    ]
}

fn name_of(links: &[Link], id: &LinkId) -> String {
    let link = links.iter().find(|link| link.id == *id);
    link.map_or_else(|| "an unknown link".to_owned(), pair)
}

fn pair(link: &Link) -> String {
    let text = |id: &Option<RecordId>| id.as_ref().map_or("", RecordId::as_str).to_owned();
    let (here, there) = (text(&link.records.hubspot), text(&link.records.salesforce));
    format!("{} {here}/{there}", link.mapping.as_str())
}

/// Links and what was agreed under them, and work that is still to do.
async fn stored(world: &World) -> Vec<String> {
    let (store, ws) = (&world.store, &world.workspace);
    let links = world.links().await;
    let ids: Vec<LinkId> = links.iter().map(|link| link.id.clone()).collect();
    let mut lines = Vec::new();
    for link in &links {
        lines.push(format!("link {} {:?}", pair(link), link.state));
    }
    for (id, bases) in store.bases(ws, &ids).await.unwrap() {
        for (rule, halves) in bases {
            let (name, sides) = (name_of(&links, &id), &halves.sides);
            lines.push(format!("base {rule} of {name}: {sides:?}"));
        }
    }
    for intent in store.open_intents(ws).await.unwrap() {
        let target = &intent.target;
        lines.push(format!("open intent for {} {target}", intent.side));
    }
    for waiting in store.queue(ws, LANE, 1_000).await.unwrap() {
        if waiting.task.kind() == "record" {
            lines.push(format!("waiting {:?}", waiting.task));
        }
    }
    lines
}

/// What a person is told of.
async fn asked(world: &World) -> Vec<String> {
    let links = world.links().await;
    let mut lines = Vec::new();
    for hold in world.holds().await {
        let (name, reason) = (name_of(&links, &hold.link), hold.reason);
        lines.push(format!("hold {} of {name}: {reason:?}", hold.rule));
    }
    for row in world.conflicts().await {
        let (name, lost) = (name_of(&links, &row.link), &row.loser);
        let (winner, state) = (row.winner, row.state);
        lines.push(format!(
            "conflict {} of {name}: {winner:?} won, {lost:?} lost, {state:?}",
            row.rule
        ));
    }
    for letter in world.letters().await {
        let (code, task) = (&letter.code, letter.task.record_id());
        lines.push(format!("letter {code} of {task}, {:?}", letter.rule));
    }
    let approvals = world.store.approvals(&world.workspace).await.unwrap();
    for one in approvals {
        let (kind, side, state) = (&one.kind, one.side, one.state);
        lines.push(format!(
            "question {kind} {side} {:?}: {state:?}",
            one.records
        ));
    }
    lines
}
