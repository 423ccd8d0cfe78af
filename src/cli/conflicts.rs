//! `tandem conflicts`: edits of both sides that met.
//!
//! A choice is stored and the records are marked; the next run carries it out and journals it.
//! What a service has is decided over its API, by the same rules.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::config::Environment;
use crate::model::{Choice, ConflictId, Link, LinkId, MappingName, Side};
use crate::review::{ConflictJson, Take, TakeRefusal};
use crate::store::{ConflictFilter, ConflictRow, ConflictState};

use super::at::{At, AtArgs, Filter, There, read};
use super::choose::{ChosenArgs, LIST_ROWS, fields_text, titled, unknown};
use super::data::Data;
use super::output::{Advice, Outcome, Output, printable, table};
use super::service::segment;

/// As many as one bulk action takes; more conflicts than a workspace keeps.
const ROWS_MAX: u32 = 1_000_000;

#[derive(Debug, Subcommand)]
pub enum ConflictsCommand {
    /// Show conflicts in the order they were found; closed ones only when asked for.
    List {
        #[command(flatten)]
        at: AtArgs,
        #[command(flatten)]
        filter: FilterArgs,
        /// open (waits for a person), decided (a rule decided) or closed.
        #[arg(long, value_parser = state)]
        state: Option<ConflictState>,
        /// At most this many.
        #[arg(long, value_name = "N", default_value_t = LIST_ROWS)]
        limit: u32,
    },
    /// Show everything that is known about one.
    Show {
        #[command(flatten)]
        at: AtArgs,
        /// Id, as the list shows it.
        id: String,
    },
    /// Choose the value both sides shall hold; the next run writes it.
    Take {
        #[command(flatten)]
        at: AtArgs,
        /// hubspot, salesforce, or a value; `=VALUE` where a value could be taken for a side.
        #[arg(value_name = "hubspot|salesforce|VALUE", allow_hyphen_values = true)]
        choice: String,
        #[command(flatten)]
        chosen: ChosenArgs,
        #[command(flatten)]
        filter: FilterArgs,
        /// With a filter: conflicts in this state, open or decided.
        #[arg(long, default_value = "open", value_parser = undecided)]
        state: ConflictState,
    },
}

#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only conflicts of this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Only conflicts of this rule.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
}

fn state(text: &str) -> Result<ConflictState, String> {
    ConflictState::parse(text).ok_or_else(|| "use open, decided or closed".to_owned())
}

fn undecided(text: &str) -> Result<ConflictState, String> {
    let found = ConflictState::parse(text).filter(|state| *state != ConflictState::Closed);
    found.ok_or_else(|| "use open or decided".to_owned())
}

impl FilterArgs {
    const fn is_set(&self) -> bool {
        self.mapping.is_some() || self.rule.is_some()
    }

    fn words(&self, state: ConflictState) -> [(&'static str, Option<&str>); 3] {
        [
            ("mapping", self.mapping.as_deref()),
            ("rule", self.rule.as_deref()),
            ("state", Some(state.as_str())),
        ]
    }
}

/// The conflicts that are shown.
struct Found {
    shown: Vec<ConflictJson>,
    /// How many there are.
    total: u64,
}

pub async fn run(
    command: ConflictsCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    match command {
        ConflictsCommand::List {
            at,
            filter,
            state,
            limit,
        } => {
            let limit = limit as usize;
            let found = match at.open(environment).await? {
                At::Here(data) => {
                    let conflicts = filtered(&data, &filter, state).await?;
                    data.close().await;
                    let shown = conflicts.iter().take(limit).map(ConflictJson::of);
                    Found {
                        shown: shown.collect(),
                        total: conflicts.len() as u64,
                    }
                }
                At::There(there) => listed(&there, &filter, state, limit).await?,
            };
            list(&found, output);
        }
        ConflictsCommand::Show { at, id } => {
            let conflict = match at.open(environment).await? {
                At::Here(data) => {
                    let conflict = by_id(&data, &id).await?;
                    data.close().await;
                    ConflictJson::of(&conflict)
                }
                At::There(there) => {
                    there
                        .get(&format!("conflicts/{}", segment(&id)), &[])
                        .await?
                }
            };
            output.answer(&json!(conflict), || details(&conflict));
        }
        ConflictsCommand::Take {
            at,
            choice,
            chosen,
            filter,
            state,
        } => {
            chosen.settled(filter.is_set())?;
            let count = match at.open(environment).await? {
                At::Here(data) => {
                    let count = take_here(&data, &choice, &chosen, &filter, state).await?;
                    data.close().await;
                    count
                }
                At::There(there) => {
                    let (body, words) = (json!({"choice": choice}), filter.words(state));
                    let taken = there.decide("conflicts/take", body, &chosen, &words);
                    taken.await?.len()
                }
            };
            output.answer(&json!({"taken": count}), || match count {
                0 => "no conflict matches; nothing was changed\n".to_owned(),
                _ => format!("{count} choice(s) stored; the next run writes them\n"),
            });
        }
    }
    Ok(Outcome::Done)
}

/// As [`filtered`], from a service: its lists are about one state each.
async fn listed(
    there: &There,
    args: &FilterArgs,
    state: Option<ConflictState>,
    limit: usize,
) -> anyhow::Result<Found> {
    let states = match state {
        Some(state) => vec![state],
        None => vec![ConflictState::Open, ConflictState::Decided],
    };
    let mut found: Vec<ConflictJson> = Vec::new();
    let mut total = 0;
    for state in states {
        let words = args.words(state);
        total += counted(there, &words).await?;
        let (rows, _) = there.rows("conflicts", &words, limit).await?;
        found.extend(rows);
    }
    // Ids are in the order the conflicts were found.
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.truncate(limit);
    Ok(Found {
        shown: found,
        total,
    })
}

/// How many there are in all.
async fn counted(there: &There, words: &Filter<'_>) -> anyhow::Result<u64> {
    let one = [("limit", Some("1"))];
    let page: Value = there.get("conflicts", &[words, &one].concat()).await?;
    read(page["total"].clone())
}

async fn take_here(
    data: &Data,
    choice: &str,
    chosen: &ChosenArgs,
    filter: &FilterArgs,
    state: ConflictState,
) -> anyhow::Result<usize> {
    let by_id = !chosen.ids.is_empty();
    let conflicts = if by_id {
        by_ids(data, &chosen.ids).await?
    } else {
        filtered(data, filter, Some(state)).await?
    };
    take(data, &conflicts, &Choice::parse(choice), by_id).await
}

async fn filtered(
    data: &Data,
    args: &FilterArgs,
    state: Option<ConflictState>,
) -> anyhow::Result<Vec<ConflictRow>> {
    let filter = ConflictFilter {
        mapping: args.mapping.as_deref().map(MappingName::new),
        rule: args.rule.clone(),
        state,
        ..ConflictFilter::default()
    };
    let mut found = data
        .store
        .conflicts(&data.workspace, &filter, ROWS_MAX)
        .await?;
    found.retain(|conflict| state.is_some() || conflict.state != ConflictState::Closed);
    Ok(found)
}

async fn by_ids(data: &Data, ids: &[String]) -> anyhow::Result<Vec<ConflictRow>> {
    let mut found = Vec::new();
    for id in ids {
        let conflict = by_id(data, id).await?;
        if conflict.state == ConflictState::Closed {
            return Err(unknown(
                "open or decided conflict",
                id,
                "tandem conflicts list",
            ));
        }
        found.push(conflict);
    }
    Ok(found)
}

async fn by_id(data: &Data, id: &str) -> anyhow::Result<ConflictRow> {
    let found = data
        .store
        .conflict(&data.workspace, &ConflictId::new(id))
        .await?;
    found.ok_or_else(|| unknown("conflict", id, "tandem conflicts list"))
}

/// Stores the choice for each conflict in one commit, and tells how many those are.
async fn take(
    data: &Data,
    conflicts: &[ConflictRow],
    choice: &Choice,
    by_id: bool,
) -> anyhow::Result<usize> {
    let links = links_of(data, conflicts).await?;
    let waiting = data.store.choices_waiting(&data.workspace).await?;
    let take = Take {
        choice,
        links: &links,
        waiting: &waiting,
        now: data.now(),
        ids: &data.ids,
    };
    let (changes, taken) = take.changes(conflicts, !by_id).map_err(refused)?;
    if !taken.is_empty() {
        data.commit(changes).await?;
    }
    Ok(taken.len())
}

fn refused(refusal: TakeRefusal) -> anyhow::Error {
    let todo = match refusal {
        TakeRefusal::HoldsAlready(_) => "take the other side, or a value",
        TakeRefusal::NoLongerLinked(_) => "pair them first with `tandem links pair`",
        TakeRefusal::DifferentRules => "add --mapping and --rule, or name ids",
        TakeRefusal::SeveralFields(_) => "take hubspot or salesforce",
    };
    Advice::new(refusal.to_string(), todo).into()
}

async fn links_of(data: &Data, conflicts: &[ConflictRow]) -> anyhow::Result<Vec<Link>> {
    let mut ids: Vec<LinkId> = conflicts.iter().map(|found| found.link.clone()).collect();
    ids.sort();
    ids.dedup();
    Ok(data.store.links_by_id(&data.workspace, &ids).await?)
}

fn list(found: &Found, output: &Output) {
    let Found { shown, total } = found;
    output.answer(&json!({"conflicts": shown, "total": total}), || {
        if shown.is_empty() {
            return "no conflicts\n".to_owned();
        }
        let headers = [
            "id",
            "state",
            "mapping",
            "rule",
            "HubSpot",
            "Salesforce",
            "winner",
        ];
        let mut text = table(&headers, shown.iter().map(row).collect());
        match total.saturating_sub(shown.len() as u64) {
            0 => {}
            more => text.push_str(&format!("{more} more; show them with --limit\n")),
        }
        text
    });
}

fn winner(conflict: &ConflictJson) -> &str {
    conflict.winner.as_deref().map_or("(asked)", titled)
}

fn row(conflict: &ConflictJson) -> Vec<String> {
    vec![
        conflict.id.clone(),
        conflict.state.clone(),
        conflict.mapping.clone(),
        conflict.rule.clone(),
        fields_text(&conflict.inputs.hubspot),
        fields_text(&conflict.inputs.salesforce),
        winner(conflict).to_owned(),
    ]
}

fn details(conflict: &ConflictJson) -> String {
    let base = |side: Side| match &conflict.base {
        Some(base) => fields_text(base.get(side)),
        None => "(no agreement yet)".to_owned(),
    };
    let mut lines = vec![
        format!("{}  ({})", conflict.id, conflict.state),
        format!("found      {}", conflict.at),
        format!("mapping    {}, rule {}", conflict.mapping, conflict.rule),
        format!("link       {}", conflict.link),
    ];
    for side in Side::BOTH {
        lines.push(format!(
            "{:<10} {}",
            side.title(),
            fields_text(conflict.inputs.get(side))
        ));
        lines.push(format!("  before   {}", base(side)));
    }
    lines.push(format!(
        "winner     {}: {}",
        winner(conflict),
        conflict.reason
    ));
    lines.push(format!("lost       {}", fields_text(&conflict.loser)));
    lines.push(format!(
        "\nnext: tandem conflicts take hubspot|salesforce|VALUE {}",
        conflict.id
    ));
    format!("{}\n", printable(&lines.join("\n")))
}
