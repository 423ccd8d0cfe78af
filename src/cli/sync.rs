//! `tandem sync`: one workspace, credentials from the environment; once, or for as long as it runs.

use clap::Args;

use crate::app::{JOURNAL_DAYS, Lacking};
use crate::config::{Credentials, Environment};
use crate::sync::Mode;

use super::arguments::{DataArgs, MappingsArgs};
use super::data::Data;
use super::engine::{self, Ready};
use super::files;
use super::output::{Outcome, Output};

#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Work until nothing is due within 3 minutes, then end; for cron and CI. Without it the run
    /// stays up and syncs on, until Ctrl-C or SIGTERM.
    #[arg(long)]
    once: bool,
    /// Write nothing to either CRM, not even by mistake: note what would be written and what came
    /// of it by other hands, for `tandem observed`.
    #[arg(long)]
    observe: bool,
    /// Keep what `explain` and `undo` need for this many days.
    #[arg(long, value_name = "DAYS", default_value_t = JOURNAL_DAYS,
          value_parser = clap::value_parser!(i64).range(1..=3_650))]
    keep_journal: i64,
    #[command(flatten)]
    run: RunArgs,
}

/// Where a run works, and by which mappings.
#[derive(Debug, Args)]
pub struct PlaceArgs {
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    mappings: MappingsArgs,
}

impl PlaceArgs {
    pub const fn data(&self) -> &DataArgs {
        &self.data
    }

    /// Whether mapping files are named on the command line.
    pub const fn names_mappings(&self) -> bool {
        self.mappings.mappings.is_some()
    }

    /// Checks all of it before the first side effect: mappings, environment, then the store. A run
    /// that writes nothing gets a store of its own.
    pub async fn prepare(&self, environment: &Environment, writes: bool) -> anyhow::Result<Ready> {
        let mappings = files::mappings(self.mappings.mappings.as_deref())?;
        let credentials = Credentials::read(environment)?;
        let data = if writes {
            Data::open_or_create(&self.data).await?
        } else {
            Data::open_scratch(&self.data).await?
        };
        Ok(Ready {
            credentials,
            mappings,
            data,
            max_creates: None,
            journal_days: JOURNAL_DAYS,
            lacking: Lacking::Refused,
        })
    }
}

/// What `sync` and `plan` have in common.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Create at most this many records; the rest waits for a later run.
    #[arg(long, value_name = "N")]
    max_creates: Option<u64>,
}

impl RunArgs {
    pub const fn place(&self) -> &PlaceArgs {
        &self.place
    }

    /// Whether only a part of what is due is asked for.
    pub const fn is_limited(&self) -> bool {
        self.max_creates.is_some()
    }

    /// As [`PlaceArgs::prepare`].
    pub async fn prepare(self, environment: &Environment, writes: bool) -> anyhow::Result<Ready> {
        let ready = self.place.prepare(environment, writes).await?;
        Ok(Ready {
            max_creates: self.max_creates,
            ..ready
        })
    }
}

pub async fn run(
    args: SyncArgs,
    environment: &Environment,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let mut ready = args.run.prepare(environment, true).await?;
    ready.journal_days = args.keep_journal;
    let mode = if args.observe {
        // What only a write needs is no reason not to look.
        ready.lacking = Lacking::Letters;
        Mode::Shadow
    } else {
        Mode::Write
    };
    if args.once {
        Box::pin(engine::sync_once(ready, mode, output)).await
    } else {
        Box::pin(engine::sync_on(ready, mode, output)).await
    }
}
