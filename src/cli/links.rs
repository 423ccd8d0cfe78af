//! `tandem links`: which record belongs to which, and pairing by hand.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::model::{Link, LinkId, LinkState, MappingName, RecordId, Side};
use crate::review::{LinkJson, PairRefusal, Pairing, pair, unpair};
use crate::store::LinkFilter;

use super::arguments::DataArgs;
use super::choose::{ChosenArgs, LIST_ROWS, link_state, unknown};
use super::data::Data;
use super::held;
use super::output::{Advice, Outcome, Output, table};

const PAGE: u32 = 1_000;

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
            let wanted = Pairing::read(&mapping, &hubspot_id, &salesforce_id).map_err(refused)?;
            let data = Data::open(&data).await?;
            let (store, ws) = (&data.store, &data.workspace);
            let paired = pair(store, ws, &wanted, &data.ids, data.now()).await;
            let (link, changes) = paired.map_err(refused)?;
            data.commit(changes).await?;
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
            if !links.is_empty() {
                let changes = unpair(&data.store, &data.workspace, &links).await?;
                data.commit(changes).await?;
            }
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

fn refused(refusal: PairRefusal) -> anyhow::Error {
    let what = refusal.to_string();
    let todo = match refusal {
        PairRefusal::NotHubSpots(_) => "use the number in the record's address".to_owned(),
        PairRefusal::NotSalesforces(_) => {
            "use the id in the record's address in Lightning".to_owned()
        }
        PairRefusal::UnknownMapping { known, .. } if known.is_empty() => {
            "run `tandem sync --once` first".to_owned()
        }
        PairRefusal::UnknownMapping { known, .. } => {
            let known: Vec<&str> = known.iter().map(MappingName::as_str).collect();
            format!("use one of: {}", known.join(", "))
        }
        PairRefusal::Unreadable(_) => {
            "run `tandem sync --once` first, which stores the files anew".to_owned()
        }
        PairRefusal::Linked(link) => {
            format!("take it apart first: `tandem links unpair {}`", link.id)
        }
        PairRefusal::Store(error) => return error.into(),
    };
    Advice::new(what, todo).into()
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
