//! `tandem links`: which record belongs to which, and pairing by hand.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::config::Environment;
use crate::model::{Link, LinkId, LinkState, MappingName};
use crate::review::{LinkJson, PairRefusal, Pairing, pair, unpair};
use crate::store::LinkFilter;

use super::at::{At, AtArgs, read};
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
        at: AtArgs,
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
        at: AtArgs,
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
        at: AtArgs,
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

impl FilterArgs {
    fn words(&self) -> [(&'static str, Option<&str>); 2] {
        [
            ("mapping", self.mapping.as_deref()),
            ("state", self.state.map(LinkState::as_str)),
        ]
    }
}

pub async fn run(
    command: LinksCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    match command {
        LinksCommand::List {
            at,
            filter,
            held,
            limit,
        } => {
            let (at, limit) = (at.open(environment).await?, limit as usize);
            if held {
                held::list(
                    &held::find(at, filter.mapping.as_deref(), limit).await?,
                    output,
                );
                return Ok(Outcome::Done);
            }
            let links: Vec<LinkJson> = match at {
                At::Here(data) => {
                    let links = filtered(&data, &filter, limit).await?;
                    data.close().await;
                    links.iter().map(LinkJson::of).collect()
                }
                At::There(there) => there.rows("links", &filter.words(), limit).await?.0,
            };
            list(&links, output);
        }
        LinksCommand::Pair {
            at,
            mapping,
            hubspot_id,
            salesforce_id,
        } => {
            let wanted = Pairing::read(&mapping, &hubspot_id, &salesforce_id).map_err(refused)?;
            let link = match at.open(environment).await? {
                At::Here(data) => pair_here(data, &wanted).await?,
                At::There(there) => {
                    let body = json!({"mapping": mapping, "hubspot_id": hubspot_id,
                        "salesforce_id": salesforce_id});
                    read(there.post("links", body).await?)?
                }
            };
            output.answer(&json!(link), || {
                format!("linked as {}; the next run compares the two\n", link.id)
            });
        }
        LinksCommand::Unpair { at, chosen, filter } => {
            let words = filter.words();
            chosen.settled(words.iter().any(|(_, word)| word.is_some()))?;
            let ids = match at.open(environment).await? {
                At::Here(data) => unpair_here(data, &chosen, &filter).await?,
                At::There(there) => {
                    there
                        .decide("links/unpair", json!({}), &chosen, &words)
                        .await?
                }
            };
            output.answer(&json!({"unpaired": ids}), || match ids.len() {
                0 => "no open link matches; nothing was changed\n".to_owned(),
                count => format!("{count} link(s) taken apart\n"),
            });
        }
    }
    Ok(Outcome::Done)
}

async fn pair_here(data: Data, wanted: &Pairing) -> anyhow::Result<LinkJson> {
    let (store, ws) = (&data.store, &data.workspace);
    let paired = pair(store, ws, wanted, &data.ids, data.now()).await;
    let (link, changes) = paired.map_err(refused)?;
    data.commit(changes).await?;
    data.close().await;
    Ok(LinkJson::of(&link))
}

async fn unpair_here(
    data: Data,
    chosen: &ChosenArgs,
    filter: &FilterArgs,
) -> anyhow::Result<Vec<String>> {
    let mut links = if chosen.ids.is_empty() {
        filtered(&data, filter, usize::MAX).await?
    } else {
        by_ids(&data, &chosen.ids).await?
    };
    links.retain(|link| link.state.is_open());
    if !links.is_empty() {
        let changes = unpair(&data.store, &data.workspace, &links).await?;
        data.commit(changes).await?;
    }
    data.close().await;
    Ok(links.iter().map(|link| link.id.to_string()).collect())
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

pub fn shown(id: Option<&str>) -> &str {
    id.unwrap_or("(none yet)")
}

fn list(links: &[LinkJson], output: &Output) {
    output.answer(&json!({"links": links}), || {
        if links.is_empty() {
            return "no links\n".to_owned();
        }
        let row = |link: &LinkJson| {
            vec![
                link.id.clone(),
                link.mapping.clone(),
                shown(link.hubspot_id.as_deref()).to_owned(),
                shown(link.salesforce_id.as_deref()).to_owned(),
                link.state.clone(),
                link.note.clone(),
            ]
        };
        let headers = ["id", "mapping", "HubSpot", "Salesforce", "state", "note"];
        table(&headers, links.iter().map(row).collect())
    });
}
