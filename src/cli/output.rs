//! How answers and errors reach people and machines.
//!
//! The only place that prints. Answers go to stdout, as text or as one JSON object; an error is
//! one line on stderr that says what happened and what to do.

use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use serde_json::{Value, json};

/// How a command ended, when it did not fail with an error.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    Done,
    /// The answer has been printed and it says that something is wrong.
    Failed,
    /// Differences were found; nothing went wrong.
    Different,
    /// A command that chose its own exit code.
    Code(ExitCode),
}

impl Outcome {
    pub fn code(self) -> ExitCode {
        match self {
            Self::Done => ExitCode::SUCCESS,
            Self::Failed => ExitCode::FAILURE,
            Self::Different => ExitCode::from(2),
            Self::Code(code) => code,
        }
    }
}

/// An error that says what to do about it.
#[derive(Debug)]
pub struct Advice {
    what: String,
    todo: String,
    /// What is to be done first, each in a line of its own.
    missing: Vec<String>,
}

impl Advice {
    pub fn new(what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            todo: todo.into(),
            missing: Vec::new(),
        }
    }

    pub fn missing(mut self, missing: Vec<String>) -> Self {
        self.missing = missing;
        self
    }

    /// Takes the fault and the tips out of clap's several lines.
    pub fn of_command_line(error: &clap::Error) -> Self {
        let text = error.to_string();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or("the command line cannot be read");
        let mut what = first.trim_start_matches("error: ").to_owned();
        let mut tips = Vec::new();
        for line in lines {
            if line.starts_with("Usage:") || line.starts_with("For more information") {
                break;
            }
            match line.strip_prefix("tip: ") {
                Some(tip) => tips.push(tip.to_owned()),
                None => what = format!("{what} {line}"),
            }
        }
        if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            "the command is not complete".clone_into(&mut what);
            tips.clear();
        }
        tips.push("`tandem --help` and `tandem COMMAND --help` list what is accepted".to_owned());
        Self::new(what, tips.join("; "))
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Advice {}

/// Where and how a command prints.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(json: bool, no_color: bool) -> Self {
        if no_color || !std::io::stdout().is_terminal() {
            console::set_colors_enabled(false);
        }
        if no_color || !std::io::stderr().is_terminal() {
            console::set_colors_enabled_stderr(false);
        }
        Self { json }
    }

    /// Prints the answer: `object` for machines, or what `text` makes of it for people.
    pub fn answer(self, object: &Value, text: impl FnOnce() -> String) {
        if self.json {
            print(&format!("{object}\n"));
        } else {
            print(&text());
        }
    }

    /// Prints an error as one line, below one for each thing that is missing; with `--json` also as
    /// an object in place of the answer.
    pub fn error(self, error: &anyhow::Error) {
        let (what, todo) = explained(error);
        let missing = missing(error);
        if self.json {
            let mut object = json!({"error": {"message": what, "do": todo}});
            if !missing.is_empty() {
                object["error"]["missing"] = json!(missing);
            }
            print(&format!("{object}\n"));
        }
        let label = console::style("missing:").yellow().bold().for_stderr();
        for line in missing {
            put(
                &mut std::io::stderr().lock(),
                &format!("{label} {}\n", one_line(line)),
            );
        }
        let label = console::style("error:").red().bold().for_stderr();
        // Both may quote what was typed or what a CRM holds.
        let (what, todo) = (printable(&what), todo.map(|todo| printable(&todo)));
        let line = match todo {
            Some(todo) => format!("{label} {what}: {todo}\n"),
            None => format!("{label} {what}\n"),
        };
        put(&mut std::io::stderr().lock(), &line);
    }
}

impl Output {
    /// As [`Output::error`], where stderr is a log of objects: the line is one of them.
    pub fn log_error(self, error: &anyhow::Error) {
        let (what, todo) = explained(error);
        let missing = missing(error);
        if self.json {
            let object = json!({"message": what, "do": todo, "missing": missing});
            print(&format!("{}\n", json!({"error": object})));
        }
        let (todo, missing) = (todo.unwrap_or_default(), missing.join("; "));
        tracing::error!(todo, missing, "{what}");
    }
}

fn missing(error: &anyhow::Error) -> &[String] {
    let mut causes = error.chain();
    let advice = causes.find_map(|cause| cause.downcast_ref::<Advice>());
    advice.map_or(&[], |advice| &advice.missing)
}

/// What happened and what to do, each on one line.
fn explained(error: &anyhow::Error) -> (String, Option<String>) {
    let advice = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Advice>());
    let todo = advice.map(|advice| advice.todo.clone());
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    (
        one_line(&causes.join(": ")),
        todo.map(|todo| one_line(&todo)),
    )
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A table for people. On a terminal too narrow for it, cells are broken into lines, and then rows
/// are set apart.
pub fn table(headers: &[&str], rows: Vec<Vec<String>>) -> String {
    let rule = LineStyle::none().fill('─').junction('─');
    let plain = TableStyle::new().header_separator(rule);
    let mut table = Table::new();
    table.load_style(plain);
    table.set_header(headers.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)));
    }
    let text = table.trim_fmt();
    let room = console::Term::stdout().size_checked();
    let fits = |(_, columns): (u16, u16)| {
        text.lines()
            .all(|line| console::measure_text_width(line) <= usize::from(columns))
    };
    if room.is_none_or(fits) {
        return format!("{text}\n");
    }
    table.load_style(plain.row_separator(rule));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    format!("{}\n", table.trim_fmt())
}

/// Values come from two CRMs: control characters in them must not steer the terminal.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\n' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// Writes to stdout. A reader that has gone away, as `head` does, is no error.
pub fn print(text: &str) {
    put(&mut std::io::stdout().lock(), text);
}

fn put(to: &mut impl Write, text: &str) {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => tracing::error!(%error, "cannot print"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_with_its_causes_and_what_to_do() {
        let advice = Advice::new("no store at\n  .tandem", "run `tandem sync --once` first");
        let error = anyhow::Error::new(advice).context("cannot list conflicts");
        let (what, todo) = explained(&error);
        assert_eq!(what, "cannot list conflicts: no store at .tandem");
        assert_eq!(todo.as_deref(), Some("run `tandem sync --once` first"));
    }

    #[test]
    fn control_characters_of_a_value_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
