//! `tandem doctor`: is this installation fit to serve? One line for each thing that is checked.
//!
//! Looks and tries, and writes to neither CRM. The only thing it may change is a token that has run
//! out, which is renewed as work would renew it.

mod around;
mod connections;
mod store;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{Outcome, Output, printable};
use crate::config::{self, Environment, Settings};

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The settings of the service.
    #[arg(long, value_name = "FILE", default_value = "tandem.toml")]
    pub config: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ok,
    Warning,
    Failed,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What was found about one thing.
#[derive(Debug)]
pub(super) struct Check {
    name: String,
    state: State,
    said: String,
    todo: String,
}

impl Check {
    pub fn ok(name: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: State::Ok,
            said: said.into(),
            todo: String::new(),
        }
    }

    pub fn warning(
        name: impl Into<String>,
        said: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Warning,
            todo: todo.into(),
            ..Self::ok(name, said)
        }
    }

    pub fn failed(
        name: impl Into<String>,
        said: impl Into<String>,
        todo: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Failed,
            ..Self::warning(name, said, todo)
        }
    }

    fn json(&self) -> Value {
        json!({"check": self.name, "state": self.state.as_str(), "said": self.said,
            "do": Some(&self.todo).filter(|todo| !todo.is_empty())})
    }
}

pub async fn run(
    args: DoctorArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let file = args.config.display().to_string();
    let checks = match Settings::read(&args.config, environment).service() {
        Ok(settings) => all(&file, args.config.exists(), &settings).await,
        Err(faults) => {
            let todo = format!("correct {file} or the variable; the rest was not checked");
            let faults = faults.0.into_iter();
            faults
                .map(|fault| Check::failed("settings", said(&fault), todo.as_str()))
                .collect()
        }
    };
    let failed = checks.iter().any(|check| check.state == State::Failed);
    let rows: Vec<Value> = checks.iter().map(Check::json).collect();
    output.answer(&json!({"ok": !failed, "checks": rows}), || text(&checks));
    Ok(if failed {
        Outcome::Failed
    } else {
        Outcome::Done
    })
}

fn said(fault: &config::SettingFault) -> String {
    format!("{}: {}", fault.place, fault.what)
}

async fn all(file: &str, exists: bool, settings: &config::Service) -> Vec<Check> {
    let mut checks = vec![if exists {
        Check::ok("settings", format!("{file} and the environment"))
    } else {
        let said = format!("there is no {file}; defaults and the environment count");
        Check::warning("settings", said, "`tandem init` makes one")
    }];
    checks.push(around::keys(settings));
    checks.push(around::public_url(settings));
    checks.extend(around::apps(settings));
    checks.extend(around::clocks(settings).await);
    let (files, found) = around::mappings(settings);
    checks.push(found);
    let usable = store::check(settings, &mut checks).await;
    let has_key = |check: &Check| check.name != "key" || check.state == State::Ok;
    if let Some(files) = files
        && usable
        && checks.iter().all(has_key)
    {
        checks.extend(connections::check(settings.clone(), &files).await);
    }
    checks
}

/// One line for each check, in columns; what to do stands behind what was found.
fn text(checks: &[Check]) -> String {
    let wide = checks.iter().map(|check| check.name.chars().count()).max();
    let wide = wide.unwrap_or(0);
    let line = |check: &Check| {
        let todo = match check.todo.as_str() {
            "" => String::new(),
            todo => format!("; {todo}"),
        };
        let (state, name) = (check.state.as_str(), &check.name);
        let one_line = format!("{}{todo}", check.said).replace('\n', " ");
        format!("{state:<7}  {name:<wide$}  {}\n", printable(&one_line))
    };
    checks.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_in_columns_and_say_what_to_do() {
        let checks = [
            Check::ok("key", "2 keys"),
            Check::failed("public_url", "it is\nhttp", "set it"),
        ];
        let text = text(&checks);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "ok       key         2 keys");
        assert_eq!(lines[1], "failed   public_url  it is http; set it");
    }
}
