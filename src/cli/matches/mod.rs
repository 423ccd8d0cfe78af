//! `tandem match`: before the first write, who pairs with whom and what stands in the way.
//!
//! The engine makes a run that writes nothing, on a store of its own; what it found out is
//! collected, and every record is read once more to be counted.

mod found;
mod gather;
mod page;
mod propose;
mod report;
mod survey;
mod text;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use crate::app::{Engine, Lacking};
use crate::config::Environment;
use crate::mapping::{Mapping, lacks};
use crate::model::{MappingName, Timestamp};

use super::output::{Advice, Outcome, Output};
use super::plan::save;
use super::planned::{chosen, look};
use super::run_report::RunReport;
use super::sync::PlaceArgs;
use found::Found;
use report::Report;
use survey::Fates;

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
    #[arg(long, conflicts_with_all = ["mapping", "html"])]
    propose: bool,
    /// Propose for this HubSpot object, or a pair such as contacts=Contact; contacts when left out.
    #[arg(long, value_name = "OBJECT", requires = "propose")]
    object: Vec<String>,
    /// Write a file for each object into this folder: without --object for contacts, companies and
    /// deals.
    #[arg(long, value_name = "DIR", requires = "propose")]
    out: Option<PathBuf>,
}

pub async fn run(
    args: MatchArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    if args.propose {
        return propose::run(&args.object, args.out.as_deref(), environment, output).await;
    }
    let mut ready = args.place.prepare(environment, false).await?;
    // What a CRM lacks is a part of the inventory.
    ready.lacking = Lacking::Letters;
    let names = ready.mappings.mappings.iter().map(|mapping| &mapping.name);
    let chosen = chosen(names, args.mapping.as_deref())?;
    let started = ready.data.now();
    let find = async |engine: &mut Engine| find_out(engine, &chosen, started).await;
    let report = Box::pin(look(ready, "inventory", find)).await?;
    if let Some(path) = &args.html {
        save(path, &page::page(&report))?;
    }
    output.answer(&report.json(), || text::text(&report));
    Ok(if report.needs_person() {
        Outcome::Different
    } else {
        Outcome::Done
    })
}

/// Collects all that is to be told of a run that has ended.
async fn find_out(
    engine: &mut Engine,
    chosen: &[MappingName],
    started: Timestamp,
) -> anyhow::Result<Report> {
    let rest = RunReport::of(engine, started).await?;
    if rest.is_blind() {
        let what = format!("the inventory is not complete: {}", rest.blind_spots());
        return Err(Advice::new(what, "run it again").into());
    }
    let mut found = BTreeMap::new();
    for name in chosen {
        let Some(bound) = engine.site().mappings.get(name) else {
            continue;
        };
        let mut of = Found::new(bound);
        gather::pairs(engine, name, &mut of).await?;
        gather::failures(engine, name, &mut of).await?;
        gather::doubles(engine, name, &mut of).await?;
        found.insert(name.clone(), of);
    }
    gather::holds(engine, &mut found).await?;
    let fates = Fates {
        created: gather::created(engine),
        waiting: gather::waiting(engine).await?,
    };
    survey::survey(engine, &fates, &mut found).await?;
    let site = engine.site();
    let mappings = found.keys().filter_map(|name| site.mappings.get(name));
    let mappings: Vec<Mapping> = mappings.map(|bound| bound.mapping().clone()).collect();
    let lacking = lacks(&mappings, &site.schemas);
    Ok(Report {
        accounts: site.accounts.clone(),
        workspace: site.workspace.to_string(),
        made_at: site.clock.now(),
        missing: lacking.iter().map(ToString::to_string).collect(),
        calls: engine.calls_of_sides(),
        found: found.into_values().collect(),
    })
}
