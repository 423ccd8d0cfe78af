//! `tandem workspace owners`: who on HubSpot stands for whom on Salesforce, in one workspace.

use std::path::{Path, PathBuf};

use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::output::{Advice, Output, table};
use crate::config::Environment;
use crate::mapping::{Fault, SourceFile, owner_table};
use crate::model::OwnerPair;

use super::rows::{Named, cells, open};

/// The pairs of a table, one by one or from a file.
#[derive(Debug, Args)]
pub struct Pairs {
    /// A HubSpot owner and who stands for them on Salesforce, each by e-mail address, id or name;
    /// may be repeated.
    #[arg(long = "owner", value_name = "HUBSPOT=SALESFORCE", value_parser = pair)]
    pairs: Vec<OwnerPair>,
    /// A file of such pairs, written as the `table` of a rule; `-` reads standard input.
    #[arg(long = "owners", value_name = "FILE", conflicts_with = "pairs")]
    file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct OwnersArgs {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    pairs: Pairs,
    /// Take the table away.
    #[arg(long, conflicts_with_all = ["pairs", "file"])]
    none: bool,
}

fn pair(text: &str) -> Result<OwnerPair, String> {
    let (hubspot, salesforce) = text.split_once('=').ok_or("use HUBSPOT=SALESFORCE")?;
    Ok(OwnerPair {
        hubspot: hubspot.to_owned(),
        salesforce: salesforce.to_owned(),
    })
}

impl Pairs {
    /// Them as the API takes them; `None` where none is given.
    pub fn json(self) -> anyhow::Result<Option<Value>> {
        let pairs = match self.file {
            Some(file) => read(&file)?,
            None if self.pairs.is_empty() => return Ok(None),
            None => self.pairs,
        };
        Ok(Some(json!(pairs)))
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<OwnerPair>> {
    let text = match file.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin())?,
        _ => std::fs::read_to_string(file).map_err(|error| {
            let what = format!("cannot read {}: {error}", file.display());
            Advice::new(what, "name a file of pairs, or `-` for standard input")
        })?,
    };
    let path = file.display().to_string();
    let read = owner_table(&SourceFile { path, text });
    let read = read.map_err(|faults| {
        let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
        Advice::new(told.join("\n"), "correct the file; nothing was changed")
    })?;
    Ok(read.pairs().to_vec())
}

/// Shows the table where nothing is given, or replaces it.
pub async fn run(
    args: OwnersArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<()> {
    let named = &args.named;
    let given = if args.none {
        Some(json!([]))
    } else {
        args.pairs.json()?
    };
    let door = open(&named.door, environment).await?;
    let path = format!("/workspaces/{}", named.workspace);
    let Some(pairs) = given else {
        let shown = door.call(Method::GET, &path, None).await?;
        output.answer(&json!({"owners": shown["owners"]}), || text(&shown));
        return Ok(());
    };
    let body = json!({"owners": pairs});
    let changed = door.call(Method::PATCH, &path, Some(body)).await?;
    let object = json!({"owners": changed["owners"], "warnings": changed["warnings"]});
    output.answer(&object, || {
        let warnings = changed["warnings"].as_array().into_iter().flatten();
        let warnings = warnings.filter_map(Value::as_str);
        let warnings: String = warnings.map(|line| format!("{line}\n")).collect();
        format!("{}{warnings}", text(&changed))
    });
    Ok(())
}

fn text(workspace: &Value) -> String {
    let rows = workspace["owners"].as_array().into_iter().flatten();
    let row = |pair: &Value| cells(pair, &["hubspot", "salesforce"]);
    let rows: Vec<Vec<String>> = rows.map(row).collect();
    if rows.is_empty() {
        return "no table of its own; each mapping's counts\n".to_owned();
    }
    table(&["hubspot", "salesforce"], rows)
}
