//! `tandem links`: which record belongs to which, and pairing by hand.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::mapping::{Mapping, SourceFile, load};
use crate::model::{BySide, Link, LinkId, LinkState, MappingName, RecordId, RecordKey, Side};
use crate::review::{LinkJson, marks_of};
use crate::store::{
    Changes, ConflictClose, DeadLetterClose, DeadLetterOf, DeadLetterState, LinkFilter, RuleScope,
};

use super::arguments::DataArgs;
use super::choose::{ChosenArgs, LIST_ROWS, link_state, unknown};
use super::data::Data;
use super::held;
use super::output::{Advice, Outcome, Output, table};

const PAGE: u32 = 1_000;
const UNPAIRED: &str = "unpaired by hand";

#[derive(Debug, Subcommand)]
pub enum LinksCommand {
    /// Show links.
    List {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        filter: FilterArgs,
        /// Show the values that are held back, each with its reason, in place of the links.
        #[arg(long, conflicts_with = "state")]
        held: bool,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = LIST_ROWS)]
        limit: u32,
    },
    /// Link two records; the next run compares them as at first contact.
    Pair {
        #[command(flatten)]
        data: DataArgs,
        /// Name of the mapping.
        mapping: String,
        /// Id of the HubSpot record.
        hubspot_id: String,
        /// Id of the Salesforce record, with all 18 characters.
        salesforce_id: String,
    },
    /// Take links apart; both records stay as they are and are no longer kept in step.
    Unpair {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        chosen: ChosenArgs,
        #[command(flatten)]
        filter: FilterArgs,
    },
}

#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only links of this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Only links in this state.
    #[arg(long, value_parser = link_state)]
    state: Option<LinkState>,
}

pub async fn run(command: LinksCommand, output: &Output) -> anyhow::Result<Outcome> {
    match command {
        LinksCommand::List {
            data,
            filter,
            held,
            limit,
        } => {
            let data = Data::open(&data).await?;
            if held {
                let found = held::find(&data, filter.mapping.as_deref(), limit as usize).await?;
                data.close().await;
                held::list(&found, output);
                return Ok(Outcome::Done);
            }
            let links = filtered(&data, &filter, limit as usize).await?;
            data.close().await;
            list(&links, output);
        }
        LinksCommand::Pair {
            data,
            mapping,
            hubspot_id,
            salesforce_id,
        } => {
            let records = BySide::new(hubspot(&hubspot_id)?, salesforce(&salesforce_id)?);
            let data = Data::open(&data).await?;
            let link = pair(&data, &MappingName::new(mapping), records).await?;
            data.close().await;
            output.answer(&json!(LinkJson::of(&link)), || {
                format!("linked as {}; the next run compares the two\n", link.id)
            });
        }
        LinksCommand::Unpair {
            data,
            chosen,
            filter,
        } => {
            chosen.settled(filter.mapping.is_some() || filter.state.is_some())?;
            let data = Data::open(&data).await?;
            let mut links = if chosen.ids.is_empty() {
                filtered(&data, &filter, usize::MAX).await?
            } else {
                by_ids(&data, &chosen.ids).await?
            };
            links.retain(|link| link.state.is_open());
            unpair(&data, &links).await?;
            data.close().await;
            let ids: Vec<&str> = links.iter().map(|link| link.id.as_str()).collect();
            output.answer(&json!({"unpaired": ids}), || match links.len() {
                0 => "no open link matches; nothing was changed\n".to_owned(),
                count => format!("{count} link(s) taken apart\n"),
            });
        }
    }
    Ok(Outcome::Done)
}

async fn filtered(data: &Data, args: &FilterArgs, limit: usize) -> anyhow::Result<Vec<Link>> {
    let filter = LinkFilter {
        mapping: args.mapping.as_deref().map(MappingName::new),
        state: args.state,
    };
    let mut links: Vec<Link> = Vec::new();
    loop {
        let after = links.last().map(|link| link.id.clone());
        let page = data
            .store
            .links_page(&data.workspace, &filter, after.as_ref(), PAGE)
            .await?;
        let is_last = page.len() < PAGE as usize;
        links.extend(page);
        if is_last || links.len() >= limit {
            links.truncate(limit);
            return Ok(links);
        }
    }
}

async fn by_ids(data: &Data, ids: &[String]) -> anyhow::Result<Vec<Link>> {
    let wanted: Vec<LinkId> = ids.iter().map(LinkId::new).collect();
    let links = data.store.links_by_id(&data.workspace, &wanted).await?;
    let is_open = |id: &&LinkId| {
        let found = links.iter().find(|link| link.id == **id);
        found.is_some_and(|link| link.state.is_open())
    };
    match wanted.iter().find(|id| !is_open(id)) {
        Some(id) => Err(unknown("open link", id.as_str(), "tandem links list")),
        None => Ok(links),
    }
}

/// HubSpot's record ids are decimal numbers.
fn hubspot(text: &str) -> anyhow::Result<RecordId> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        let what = format!("`{text}` is not a HubSpot record id");
        return Err(Advice::new(what, "use the number in the record's address").into());
    }
    Ok(RecordId::new(text))
}

/// Salesforce's record ids have 18 characters; the 15 of the older form do not name a record in
/// places that ignore case.
fn salesforce(text: &str) -> anyhow::Result<RecordId> {
    if text.len() != 18 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        let what = format!("`{text}` is not a Salesforce record id of 18 characters");
        return Err(Advice::new(what, "use the id in the record's address in Lightning").into());
    }
    Ok(RecordId::new(text))
}

async fn pair(
    data: &Data,
    mapping: &MappingName,
    records: BySide<RecordId>,
) -> anyhow::Result<Link> {
    let mapping = active_mapping(data, mapping).await?;
    refuse_second_link(data, &mapping, &records).await?;
    let link = Link {
        id: LinkId::from_uuid(&data.ids.next()),
        mapping: mapping.name.clone(),
        group: mapping.group.clone(),
        records: records.clone().map(Some),
        state: LinkState::Linked,
        note: "paired by hand".to_owned(),
    };
    let key = |side: Side| RecordKey {
        mapping: mapping.name.clone(),
        side,
        id: records.get(side).clone(),
    };
    let changes = Changes {
        links: vec![link.clone()],
        marks: marks_of(&link, data.now()),
        tombstones_lifted: Side::BOTH.map(key).to_vec(),
        ..Changes::default()
    };
    data.commit(changes).await?;
    Ok(link)
}

/// The mapping as the last run used it.
async fn active_mapping(data: &Data, name: &MappingName) -> anyhow::Result<Mapping> {
    let active = data.store.active_revisions(&data.workspace).await?;
    let mut files = Vec::new();
    for (mapping, revision) in &active {
        let text = data.store.revision_text(&data.workspace, revision).await?;
        files.extend(text.map(|text| SourceFile {
            path: mapping.to_string(),
            text,
        }));
    }
    let known: Vec<&str> = active.keys().map(MappingName::as_str).collect();
    if !active.contains_key(name) {
        let what = format!("no run has used a mapping `{name}`; nothing was changed");
        let todo = if known.is_empty() {
            "run `tandem sync --once` first".to_owned()
        } else {
            format!("use one of: {}", known.join(", "))
        };
        return Err(Advice::new(what, todo).into());
    }
    let loaded = load(&files, &BTreeMap::new());
    let mappings = loaded.map(|loaded| loaded.mappings).unwrap_or_default();
    let found = mappings.into_iter().find(|mapping| mapping.name == *name);
    found.ok_or_else(|| {
        let what = format!("the stored revision of `{name}` cannot be read by this version");
        Advice::new(
            what,
            "run `tandem sync --once` first, which stores the files anew",
        )
        .into()
    })
}

/// A record has one open link under a mapping, and a HubSpot record one in a group.
async fn refuse_second_link(
    data: &Data,
    mapping: &Mapping,
    records: &BySide<RecordId>,
) -> anyhow::Result<()> {
    let mut links = Vec::new();
    for side in Side::BOTH {
        let ids = [records.get(side).clone()];
        let found = data
            .store
            .links_by_record(&data.workspace, &mapping.name, side, &ids)
            .await?;
        links.extend(found);
    }
    if let Some(group) = &mapping.group {
        let ids = [records.hubspot.clone()];
        let found = data
            .store
            .links_of_group(&data.workspace, group, &ids)
            .await?;
        links.extend(found);
    }
    match links.iter().find(|link| link.state.is_open()) {
        Some(link) => {
            let (hubspot, salesforce) = (shown(link, Side::HubSpot), shown(link, Side::Salesforce));
            let what = format!(
                "{} already links HubSpot {hubspot} and Salesforce {salesforce} under `{}`; \
                 nothing was changed",
                link.id, link.mapping
            );
            let todo = format!("take it apart first: `tandem links unpair {}`", link.id);
            Err(Advice::new(what, todo).into())
        }
        None => Ok(()),
    }
}

/// Also closes what waited for a person on these links: without the link it has no meaning.
async fn unpair(data: &Data, links: &[Link]) -> anyhow::Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let ids: Vec<LinkId> = links.iter().map(|link| link.id.clone()).collect();
    let holds = data.store.holds(&data.workspace, &ids).await?;
    let apart = |link: &Link| Link {
        state: LinkState::Unlinked,
        note: UNPAIRED.to_owned(),
        ..link.clone()
    };
    let conflict = |link: &LinkId| ConflictClose {
        link: link.clone(),
        rule: None,
        why: UNPAIRED.to_owned(),
    };
    let letter = |link: &LinkId| DeadLetterClose {
        of: DeadLetterOf::Link(link.clone()),
        rules: RuleScope::All,
        state: DeadLetterState::Closed,
        why: UNPAIRED.to_owned(),
    };
    let changes = Changes {
        links: links.iter().map(apart).collect(),
        holds_closed: holds
            .into_iter()
            .map(|hold| (hold.link, hold.rule))
            .collect(),
        conflicts_closed: ids.iter().map(conflict).collect(),
        dead_letters_closed: ids.iter().map(letter).collect(),
        ..Changes::default()
    };
    data.commit(changes).await
}

pub fn shown(link: &Link, side: Side) -> &str {
    link.records
        .get(side)
        .as_ref()
        .map_or("(none yet)", RecordId::as_str)
}

fn list(links: &[Link], output: &Output) {
    let rows: Vec<LinkJson> = links.iter().map(LinkJson::of).collect();
    output.answer(&json!({"links": rows}), || {
        if links.is_empty() {
            return "no links\n".to_owned();
        }
        let row = |link: &Link| {
            vec![
                link.id.to_string(),
                link.mapping.to_string(),
                shown(link, Side::HubSpot).to_owned(),
                shown(link, Side::Salesforce).to_owned(),
                link.state.as_str().to_owned(),
                link.note.clone(),
            ]
        };
        let headers = ["id", "mapping", "HubSpot", "Salesforce", "state", "note"];
        table(&headers, links.iter().map(row).collect())
    });
}
