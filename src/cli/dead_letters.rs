//! `tandem dead-letters`: work that failed for good.
//!
//! Replay marks the record again and lifts the hold of the letter's rule; nothing that was stored
//! is sent again. The letter stays open until a run has succeeded.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::model::{DeadLetterId, ErrorClass, MappingName, Side};
use crate::review::{DeadLetterJson, discard, replay};
use crate::store::{DeadLetter, DeadLetterFilter, DeadLetterState};

use super::arguments::DataArgs;
use super::choose::{self, ChosenArgs, LIST_ROWS, fields_text, unknown};
use super::data::Data;
use super::output::{Outcome, Output, printable, table};

const PAGE: u32 = 1_000;

#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// Show dead letters, oldest first.
    List {
        #[command(flatten)]
        data: DataArgs,
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
        data: DataArgs,
        /// Id, as the list shows it.
        id: String,
    },
    /// Put the work back in line for the next run.
    Replay {
        #[command(flatten)]
        data: DataArgs,
        #[command(flatten)]
        chosen: ChosenArgs,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Close letters without doing the work.
    Discard {
        #[command(flatten)]
        data: DataArgs,
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
        let words = [&self.mapping, &self.code, &self.rule];
        self.class.is_some() || self.side.is_some() || words.iter().any(|word| word.is_some())
    }
}

fn state(text: &str) -> Result<DeadLetterState, String> {
    DeadLetterState::parse(text).ok_or_else(|| "use open, closed or discarded".to_owned())
}

pub async fn run(command: DeadLettersCommand, output: &Output) -> anyhow::Result<Outcome> {
    match command {
        DeadLettersCommand::List {
            data,
            filter,
            state,
            limit,
        } => {
            let data = Data::open(&data).await?;
            let letters = filtered(&data, &filter, state, limit as usize).await?;
            data.close().await;
            list(&letters, output);
        }
        DeadLettersCommand::Show { data, id } => {
            let data = Data::open(&data).await?;
            let letter = by_id(&data, &id).await?;
            data.close().await;
            output.answer(&json!(DeadLetterJson::of(&letter)), || details(&letter));
        }
        DeadLettersCommand::Replay {
            data,
            chosen,
            filter,
        } => {
            chosen.settled(filter.is_set())?;
            let data = Data::open(&data).await?;
            let letters = open_letters(&data, &chosen, &filter).await?;
            data.commit(replay(&letters, data.now())).await?;
            data.close().await;
            done("replayed", &letters, output);
        }
        DeadLettersCommand::Discard {
            data,
            chosen,
            filter,
            reason,
        } => {
            chosen.settled(filter.is_set())?;
            let data = Data::open(&data).await?;
            let letters = open_letters(&data, &chosen, &filter).await?;
            data.commit(discard(&letters, &reason)).await?;
            data.close().await;
            done("discarded", &letters, output);
        }
    }
    Ok(Outcome::Done)
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

fn done(verb: &str, letters: &[DeadLetter], output: &Output) {
    let ids: Vec<&str> = letters.iter().map(|letter| letter.id.as_str()).collect();
    let object = json!({verb: ids});
    output.answer(&object, || match letters.len() {
        0 => "no open dead letter matches; nothing was changed\n".to_owned(),
        count => format!("{verb} {count} dead letter(s)\n"),
    });
}

fn list(letters: &[DeadLetter], output: &Output) {
    let rows: Vec<DeadLetterJson> = letters.iter().map(DeadLetterJson::of).collect();
    output.answer(&json!({"dead_letters": rows}), || {
        if letters.is_empty() {
            return "no dead letters\n".to_owned();
        }
        let headers = [
            "id", "since", "mapping", "record", "rule", "class", "message",
        ];
        table(&headers, letters.iter().map(row).collect())
    });
}

fn row(letter: &DeadLetter) -> Vec<String> {
    vec![
        letter.id.to_string(),
        letter.first_at.to_string(),
        letter.mapping.to_string(),
        format!("{} {}", letter.task.side(), letter.task.record_id()),
        letter.rule.clone().unwrap_or_default(),
        format!("{} {}", letter.class.as_str(), letter.code),
        letter.message.clone(),
    ]
}

fn details(letter: &DeadLetter) -> String {
    let side = letter.task.side();
    let mut lines = vec![
        format!("{}  ({})", letter.id, letter.state.as_str()),
        format!("mapping    {}", letter.mapping),
        format!("record     {} {}", side.title(), letter.task.record_id()),
        format!("class      {} {}", letter.class.as_str(), letter.code),
        format!("message    {}", letter.message),
        format!("attempts   {}", letter.attempts),
        format!("first      {}", letter.first_at),
        format!("last       {}", letter.at),
    ];
    let optional = [
        ("rule       ", letter.rule.clone()),
        ("link       ", letter.link.as_ref().map(ToString::to_string)),
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
            fields_text(letter.inputs.get(side))
        ));
    }
    if let Some((side, fields)) = &letter.planned {
        lines.push(format!(
            "planned for {}: {}",
            side.title(),
            fields_text(fields)
        ));
    }
    lines.push(format!(
        "\nnext: tandem dead-letters replay {id}   or   tandem dead-letters discard {id}",
        id = letter.id
    ));
    format!("{}\n", printable(&lines.join("\n")))
}
