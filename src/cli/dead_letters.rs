//! `tandem dead-letters`: work that failed for good.
//!
//! Replay marks the record again and lifts the hold of the letter's rule; nothing that was stored
//! is sent again. The letter stays open until a run has succeeded. What a service has is decided
//! over its API, by the same rules.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::config::Environment;
use crate::model::{DeadLetterId, ErrorClass, MappingName, Side};
use crate::review::{DeadLetterJson, discard, replay};
use crate::store::{DeadLetter, DeadLetterFilter, DeadLetterState};

use super::at::{At, AtArgs};
use super::choose::{self, ChosenArgs, LIST_ROWS, fields_text, titled, unknown};
use super::data::Data;
use super::output::{Outcome, Output, printable, table};
use super::service::segment;

const PAGE: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// Show dead letters, oldest first.
    List {
        #[command(flatten)]
        at: AtArgs,
        #[command(flatten)]
        filter: FilterArgs,
        /// open, closed or discarded.
        #[arg(long, default_value = "open", value_parser = state)]
        state: DeadLetterState,
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
    /// Put the work back in line for the next run.
    Replay {
        #[command(flatten)]
        at: AtArgs,
        #[command(flatten)]
        chosen: ChosenArgs,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Close letters without doing the work.
    Discard {
        #[command(flatten)]
        at: AtArgs,
        #[command(flatten)]
        chosen: ChosenArgs,
        #[command(flatten)]
        filter: FilterArgs,
        /// Why; kept with the letter.
        #[arg(long, default_value = "discarded by hand")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only letters of this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Only letters of this class of failure.
    #[arg(long, value_parser = choose::class)]
    class: Option<ErrorClass>,
    /// Only letters with this code, such as REQUIRED_FIELD_MISSING.
    #[arg(long)]
    code: Option<String>,
    /// Only letters of records on this side.
    #[arg(long, value_parser = choose::side)]
    side: Option<Side>,
    /// Only letters of this rule.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
}

impl FilterArgs {
    fn is_set(&self) -> bool {
        self.words().iter().any(|(_, word)| word.is_some())
    }

    fn words(&self) -> [(&'static str, Option<&str>); 5] {
        [
            ("mapping", self.mapping.as_deref()),
            ("class", self.class.map(ErrorClass::as_str)),
            ("code", self.code.as_deref()),
            ("side", self.side.map(Side::as_str)),
            ("rule", self.rule.as_deref()),
        ]
    }
}

fn state(text: &str) -> Result<DeadLetterState, String> {
    DeadLetterState::parse(text).ok_or_else(|| "use open, closed or discarded".to_owned())
}

pub async fn run(
    command: DeadLettersCommand,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    match command {
        DeadLettersCommand::List {
            at,
            filter,
            state,
            limit,
        } => {
            let limit = limit as usize;
            let letters: Vec<DeadLetterJson> = match at.open(environment).await? {
                At::Here(data) => {
                    let letters = filtered(&data, &filter, state, limit).await?;
                    data.close().await;
                    letters.iter().map(DeadLetterJson::of).collect()
                }
                At::There(there) => {
                    let state = [("state", Some(state.as_str()))];
                    let words = [filter.words().as_slice(), &state].concat();
                    there.rows("dead-letters", &words, limit).await?.0
                }
            };
            list(&letters, output);
        }
        DeadLettersCommand::Show { at, id } => {
            let letter = match at.open(environment).await? {
                At::Here(data) => {
                    let letter = by_id(&data, &id).await?;
                    data.close().await;
                    DeadLetterJson::of(&letter)
                }
                At::There(there) => {
                    let rest = format!("dead-letters/{}", segment(&id));
                    there.get(&rest, &[]).await?
                }
            };
            output.answer(&json!(letter), || details(&letter));
        }
        DeadLettersCommand::Replay { at, chosen, filter } => {
            chosen.settled(filter.is_set())?;
            let at = at.open(environment).await?;
            let ids = decide(at, &chosen, &filter, &Decision::Replay).await?;
            done("replayed", &ids, output);
        }
        DeadLettersCommand::Discard {
            at,
            chosen,
            filter,
            reason,
        } => {
            chosen.settled(filter.is_set())?;
            let at = at.open(environment).await?;
            let ids = decide(at, &chosen, &filter, &Decision::Discard { reason }).await?;
            done("discarded", &ids, output);
        }
    }
    Ok(Outcome::Done)
}

/// What becomes of letters.
enum Decision {
    Replay,
    Discard { reason: String },
}

/// Decides about all letters that are chosen, and answers about which.
async fn decide(
    at: At,
    chosen: &ChosenArgs,
    filter: &FilterArgs,
    decision: &Decision,
) -> anyhow::Result<Vec<String>> {
    match at {
        At::Here(data) => {
            let letters = open_letters(&data, chosen, filter).await?;
            data.commit(match decision {
                Decision::Replay => replay(&letters, data.now()),
                Decision::Discard { reason } => discard(&letters, reason),
            })
            .await?;
            data.close().await;
            Ok(letters.iter().map(|letter| letter.id.to_string()).collect())
        }
        At::There(there) => {
            let (rest, body) = match decision {
                Decision::Replay => ("dead-letters/replay", json!({})),
                Decision::Discard { reason } => ("dead-letters/discard", json!({"reason": reason})),
            };
            there.decide(rest, body, chosen, &filter.words()).await
        }
    }
}

/// The letters an action is about; all of them are there and open, or it is an error.
async fn open_letters(
    data: &Data,
    chosen: &ChosenArgs,
    filter: &FilterArgs,
) -> anyhow::Result<Vec<DeadLetter>> {
    if chosen.ids.is_empty() {
        return filtered(data, filter, DeadLetterState::Open, usize::MAX).await;
    }
    let mut letters = Vec::new();
    for id in &chosen.ids {
        let letter = by_id(data, id).await?;
        if letter.state != DeadLetterState::Open {
            let list = "tandem dead-letters list";
            return Err(unknown("open dead letter", id, list));
        }
        letters.push(letter);
    }
    Ok(letters)
}

async fn filtered(
    data: &Data,
    args: &FilterArgs,
    state: DeadLetterState,
    limit: usize,
) -> anyhow::Result<Vec<DeadLetter>> {
    let mut filter = DeadLetterFilter {
        mapping: args.mapping.as_deref().map(MappingName::new),
        class: args.class,
        code: args.code.clone(),
        state: Some(state),
        side: args.side,
        rule: args.rule.clone(),
        limit: PAGE,
        ..DeadLetterFilter::default()
    };
    let mut letters = Vec::new();
    loop {
        let page = data.store.dead_letters(&data.workspace, &filter).await?;
        let is_last = page.len() < PAGE as usize;
        filter.after = page.last().map(|letter| letter.id.clone());
        letters.extend(page);
        if is_last || letters.len() >= limit {
            letters.truncate(limit);
            return Ok(letters);
        }
    }
}

async fn by_id(data: &Data, id: &str) -> anyhow::Result<DeadLetter> {
    let found = data
        .store
        .dead_letter(&data.workspace, &DeadLetterId::new(id))
        .await?;
    found.ok_or_else(|| unknown("dead letter", id, "tandem dead-letters list"))
}

fn done(verb: &str, ids: &[String], output: &Output) {
    output.answer(&json!({verb: ids}), || match ids.len() {
        0 => "no open dead letter matches; nothing was changed\n".to_owned(),
        count => format!("{verb} {count} dead letter(s)\n"),
    });
}

fn list(letters: &[DeadLetterJson], output: &Output) {
    output.answer(&json!({"dead_letters": letters}), || {
        if letters.is_empty() {
            return "no dead letters\n".to_owned();
        }
        let headers = [
            "id", "since", "mapping", "record", "rule", "class", "message",
        ];
        table(&headers, letters.iter().map(row).collect())
    });
}

fn row(letter: &DeadLetterJson) -> Vec<String> {
    vec![
        letter.id.clone(),
        letter.first_at.clone(),
        letter.mapping.clone(),
        format!("{} {}", letter.side, letter.record),
        letter.rule.clone().unwrap_or_default(),
        format!("{} {}", letter.class, letter.code),
        letter.message.clone(),
    ]
}

fn details(letter: &DeadLetterJson) -> String {
    let mut lines = vec![
        format!("{}  ({})", letter.id, letter.state),
        format!("mapping    {}", letter.mapping),
        format!("record     {} {}", titled(&letter.side), letter.record),
        format!("class      {} {}", letter.class, letter.code),
        format!("message    {}", letter.message),
        format!("attempts   {}", letter.attempts),
        format!("first      {}", letter.first_at),
        format!("last       {}", letter.last_at),
    ];
    let optional = [
        ("rule       ", letter.rule.clone()),
        ("link       ", letter.link.clone()),
        (
            "fields     ",
            (!letter.fields.is_empty()).then(|| letter.fields.join(", ")),
        ),
        (
            "note       ",
            (!letter.note.is_empty()).then(|| letter.note.clone()),
        ),
    ];
    for (label, value) in optional {
        lines.extend(value.map(|value| format!("{label}{value}")));
    }
    for side in Side::BOTH {
        if let Some(base) = &letter.base {
            lines.push(format!(
                "{} then  {}",
                side.title(),
                fields_text(base.get(side))
            ));
        }
        lines.push(format!(
            "{} now   {}",
            side.title(),
            fields_text(letter.now.get(side))
        ));
    }
    if let Some(planned) = &letter.planned {
        lines.push(format!(
            "planned for {}: {}",
            titled(&planned.side),
            fields_text(&planned.fields)
        ));
    }
    lines.push(format!(
        "\nnext: tandem dead-letters replay {id}   or   tandem dead-letters discard {id}",
        id = letter.id
    ));
    format!("{}\n", printable(&lines.join("\n")))
}
