//! `tandem plan`: what `sync --once` would write, rule by rule. Writes nothing to a CRM.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::config::Environment;
use crate::sync::Mode;

use super::at::ServedArgs;
use super::output::{Advice, Outcome, Output};
use super::plan_report::PlanReport;
use super::sync::RunArgs;
use super::{plan_page, planned, served};

#[derive(Debug, Args)]
pub struct PlanArgs {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    served: ServedArgs,
}

/// Where a plan is kept.
#[derive(Debug, Args)]
pub struct KeepArgs {
    /// Keep the plan in this file; `tandem apply FILE` does exactly that.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write it as one self-contained page, to look at or to send to a colleague.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl KeepArgs {
    pub fn keep(&self, report: &PlanReport) -> anyhow::Result<()> {
        if let Some(path) = &self.out {
            save(path, &report.file.to_text())?;
        }
        if let Some(path) = &self.html {
            save(path, &plan_page::page(report))?;
        }
        Ok(())
    }
}

pub async fn run(
    args: PlanArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let place = args.run.place();
    if let Some(there) = args.served.at_work(place, environment).await? {
        if args.run.is_limited() {
            let what = "a service plans all of what it would write";
            return Err(Advice::new(what, "leave out --max-creates").into());
        }
        let planned = Box::pin(served::plan(&there, "plans", json!({}))).await?;
        return shown(&planned.report, &args.keep, output);
    }
    let ready = args.run.prepare(environment, false).await?;
    let found = Box::pin(planned::find_out(ready, Mode::Observe)).await?;
    shown(&found.report, &args.keep, output)
}

fn shown(report: &PlanReport, keep: &KeepArgs, output: &Output) -> anyhow::Result<Outcome> {
    keep.keep(report)?;
    output.answer(&report.json(), || {
        let mut text = report.text();
        if let Some(out) = &keep.out {
            let line = format!("`tandem apply {}` writes exactly this.\n", out.display());
            text.push_str(&line);
        }
        text
    });
    Ok(if report.is_empty() {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

/// Whole or not at all: a file that was there stays until the new one is complete.
pub fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    save_bytes(path, text.as_bytes())
}

/// As [`save`], for what is no text.
pub fn save_bytes(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let fail = |error: std::io::Error| {
        let what = format!("cannot write {}: {error}", path.display());
        Advice::new(what, "name a file in a folder that can be written")
    };
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    if name.is_empty() {
        return Err(fail(std::io::ErrorKind::IsADirectory.into()).into());
    }
    name.push(".part");
    let part = path.with_file_name(name);
    std::fs::write(&part, content).map_err(fail)?;
    std::fs::rename(&part, path).map_err(fail)?;
    Ok(())
}
