//! `tandem match`: before the first write, who pairs with whom and what stands in the way.
//!
//! The engine makes a run that writes nothing, on a store of its own; what it found out is
//! collected, and every record is read once more to be counted.

mod page;
mod propose;
mod text;
mod words;

use std::path::PathBuf;

use clap::Args;

use crate::app::matches::Report;
use crate::app::{Engine, Lacking, matches};
use crate::config::Environment;

use super::at::{ServedArgs, There};
use super::engine::unfinished;
use super::output::{Advice, Outcome, Output};
use super::plan::save;
use super::planned::{chosen, look};
use super::served;
use super::sync::PlaceArgs;

#[derive(Debug, Args)]
pub struct MatchArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Only this mapping.
    #[arg(long, value_name = "NAME")]
    mapping: Option<String>,
    /// Write it as one self-contained page, to look at or to send to a colleague.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Instead, propose a starting mapping from both schemas; needs no mapping files.
    #[arg(long, conflicts_with_all = ["mapping", "html", "workspace"])]
    propose: bool,
    /// Propose for this HubSpot object, or a pair such as contacts=Contact; contacts when left out.
    #[arg(long, value_name = "OBJECT", requires = "propose")]
    object: Vec<String>,
    /// Write a file for each object into this folder: without --object for contacts, companies and
    /// deals.
    #[arg(long, value_name = "DIR", requires = "propose")]
    out: Option<PathBuf>,
    #[command(flatten)]
    served: ServedArgs,
}

pub async fn run(
    args: MatchArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    if let Some(there) = args.served.at_work(&args.place, environment).await? {
        return match_there(&args, &there, output).await;
    }
    if args.propose {
        return propose::run(&args.object, args.out.as_deref(), environment, output).await;
    }
    let mut ready = args.place.prepare(environment, false).await?;
    // What a CRM lacks is a part of the inventory.
    ready.lacking = Lacking::Letters;
    let names = ready.mappings.mappings.iter().map(|mapping| &mapping.name);
    let chosen = chosen(names, args.mapping.as_deref())?;
    let find = async |engine: &mut Engine| {
        let found = matches::find_out(engine, &chosen).await;
        found.map_err(unfinished)
    };
    let report = Box::pin(look(ready, "inventory", find)).await?;
    shown(&args, &report, output)
}

/// An inventory that a service takes.
async fn match_there(args: &MatchArgs, there: &There, output: &Output) -> anyhow::Result<Outcome> {
    let inventory = served::inventory(there, args.mapping.as_deref()).await?;
    let report = matches::retold(&inventory).ok_or_else(|| {
        let what = "the service's answer cannot be read";
        Advice::new(what, "use the same version as the service")
    })?;
    shown(args, &report, output)
}

fn shown(args: &MatchArgs, report: &Report, output: &Output) -> anyhow::Result<Outcome> {
    if let Some(path) = &args.html {
        save(path, &page::page(report))?;
    }
    output.answer(&report.json(), || text::text(report));
    Ok(if report.needs_person() {
        Outcome::Different
    } else {
        Outcome::Done
    })
}
