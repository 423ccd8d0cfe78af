//! `tandem workspace plan`, `apply` and `live --plan`: plans that a running service makes and
//! carries out.

use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Method;
use clap::Args;
use serde_json::{Value, json};

use crate::app::PlanFile;
use crate::cli::output::{Advice, Outcome, Output, table};
use crate::cli::plan::save;
use crate::config::Environment;

use super::door::Door;
use super::rows::{Named, cells, open};

/// From one look at how far a job is to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    named: Named,
    /// Only what this mapping would write; may be repeated.
    #[arg(long = "mapping", value_name = "NAME")]
    mappings: Vec<String>,
    /// Keep the plan in this file; `tandem workspace apply` takes it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    #[command(flatten)]
    named: Named,
    /// The id of a plan, or a file that `plan --out` made.
    plan: String,
    /// Write only this many of the plan's records, drawn by chance, and stop.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    canary: Option<u32>,
}

#[derive(Debug, Args)]
pub struct LiveArgs {
    #[command(flatten)]
    named: Named,
    /// First carry out this plan, by its id or as a file, and write nothing else until then.
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// Write only this many of the plan's records, drawn by chance, and keep observing.
    #[arg(long, value_name = "N", requires = "plan",
          value_parser = clap::value_parser!(u32).range(1..))]
    canary: Option<u32>,
}

/// The way to a service that runs: without one, a job would wait for ever.
async fn running(named: &Named, environment: &Environment) -> anyhow::Result<Door> {
    if named.door.server.is_none() {
        let todo = "name it with --server; `tandem plan` and `tandem apply` need none";
        return Err(Advice::new("a plan of a workspace is made by a running service", todo).into());
    }
    open(&named.door, environment).await
}

pub async fn plan(
    args: PlanArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let door = running(&args.named, environment).await?;
    let path = format!("/workspaces/{}/plans", args.named.workspace);
    let asked = json!({"mappings": args.mappings});
    let asked = door.call(Method::POST, &path, Some(asked)).await?;
    let id = asked["id"].as_str().unwrap_or_default();
    let done = ended(&door, &format!("{path}/{id}")).await?;
    if let Some(out) = &args.out {
        let file = door
            .call(Method::GET, &format!("{path}/{id}/file"), None)
            .await?;
        save(out, &PlanFile::parse(&file.to_string())?.to_text())?;
    }
    let found = &done["found"];
    output.answer(&done, || {
        let records = found["records"].as_array().into_iter().flatten();
        let names = ["mapping", "side", "kind", "records"];
        let rows: Vec<Vec<String>> = records.map(|one| cells(one, &names)).collect();
        let what = match rows.is_empty() {
            true => "Nothing to write.\n".to_owned(),
            false => table(&names, rows),
        };
        let workspace = &args.named.workspace;
        format!("{what}\n{id}; `tandem workspace apply {workspace} {id}` writes exactly this.\n")
    });
    Ok(match found["values"].as_u64() {
        Some(0) => Outcome::Done,
        _ => Outcome::Different,
    })
}

pub async fn apply(
    args: ApplyArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let door = running(&args.named, environment).await?;
    let path = format!("/workspaces/{}/plans", args.named.workspace);
    let id = id_of(&door, &path, &args.plan).await?;
    let body = json!({"canary": args.canary});
    door.call(Method::POST, &format!("{path}/{id}/apply"), Some(body))
        .await?;
    let done = ended(&door, &format!("{path}/{id}")).await?;
    Ok(applied(&done, output))
}

/// Prints how carrying a plan out went.
pub fn applied(done: &Value, output: &Output) -> Outcome {
    let applied = &done["applied"];
    output.answer(done, || {
        let counts = applied["counts"].as_object().into_iter().flatten();
        let rows = counts.map(|(what, count)| vec![what.clone(), count.to_string()]);
        let rows = table(&["values", ""], rows.collect());
        let left = done["left"].as_array().into_iter().flatten();
        let names = ["mapping", "side", "record", "rule", "fate", "why"];
        let left: Vec<Vec<String>> = left.map(|one| cells(one, &names)).collect();
        match left.is_empty() {
            true => rows,
            false => format!("{rows}\n{}", table(&names, left)),
        }
    });
    let failed = applied["counts"]["failed"].as_u64().unwrap_or(0);
    match applied["left"].as_u64() {
        _ if failed > 0 => Outcome::Failed,
        Some(0) => Outcome::Done,
        _ => Outcome::Different,
    }
}

pub async fn live(
    args: LiveArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let door = open(&args.named.door, environment).await?;
    let workspace = &args.named.workspace;
    let path = format!("/workspaces/{workspace}");
    let mut body = json!({});
    if let Some(plan) = &args.plan {
        let id = id_of(&door, &format!("{path}/plans"), plan).await?;
        body = json!({"plan": id, "canary": args.canary});
    }
    let answer = door
        .call(Method::POST, &format!("{path}/live"), Some(body))
        .await?;
    let said = match (&args.plan, args.canary) {
        (None, _) => "writes from now on",
        (Some(_), None) => "carries the plan out, and writes by itself then",
        (Some(_), Some(_)) => "tries the plan out, and keeps observing",
    };
    output.answer(&answer, || format!("{workspace} {said}\n"));
    Ok(Outcome::Done)
}

/// The id of a plan; one in a file is brought along first.
async fn id_of(door: &Door, path: &str, plan: &str) -> anyhow::Result<String> {
    let file = Path::new(plan);
    match file.is_file() {
        true => taken_in(door, path, file).await,
        false => Ok(plan.to_owned()),
    }
}

/// Brings a plan in a file along, and answers the id that it has there.
pub async fn taken_in(door: &Door, path: &str, plan: &Path) -> anyhow::Result<String> {
    let unreadable = |why: String| {
        let what = format!("{}: {why}", plan.display());
        Advice::new(what, "name a file that `plan --out` made")
    };
    let text = std::fs::read_to_string(plan).map_err(|error| unreadable(error.to_string()))?;
    let file: Value = serde_json::from_str(&text).map_err(|error| unreadable(error.to_string()))?;
    let made = door
        .call(Method::POST, path, Some(json!({"file": file})))
        .await?;
    Ok(made["id"].as_str().unwrap_or_default().to_owned())
}

/// Waits until the job of this path has ended; one that failed is an error.
pub async fn ended(door: &Door, path: &str) -> anyhow::Result<Value> {
    loop {
        let job = door.call(Method::GET, path, None).await?;
        match job["state"].as_str().unwrap_or_default() {
            "waiting" | "working" | "to-apply" | "applying" => {}
            "failed" | "stopped" => {
                let text = |name: &str| job["error"][name].as_str().unwrap_or_default().to_owned();
                let todo = format!("docs/errors.md explains `{}`", text("code"));
                return Err(Advice::new(text("detail"), todo).into());
            }
            _ => return Ok(job),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
