//! The store a command works on, and the one way a command changes it.
//!
//! Commands act on one workspace; its name and lane are fixed here.

use std::path::{Path, PathBuf};

use crate::app::Scratch;
use crate::clock::{Chance, Clock, Ids};
use crate::model::{Timestamp, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{Changes, Store};

use super::arguments::DataArgs;
use super::output::Advice;

/// The workspace of everything that runs without the service.
pub const WORKSPACE: &str = "default/production";

pub const FILE: &str = "tandem.db";
/// Longer than any commit takes.
const LEASE_MILLIS: i64 = 30_000;

/// An open store, with what is needed to make rows.
pub struct Data {
    pub store: Store,
    pub workspace: WorkspaceId,
    pub clock: Clock,
    pub ids: Ids,
    /// The folder of a store that goes away with this.
    pub scratch: Option<Scratch>,
}

/// What `--data` names.
enum Place {
    File(PathBuf),
    Server(String),
}

impl Data {
    /// For commands that look at or change what a run left behind. Creates nothing.
    pub async fn open(args: &DataArgs) -> anyhow::Result<Self> {
        match place(args)? {
            Place::Server(url) => Self::connect(&url).await,
            Place::File(file) if file.exists() => Self::connect(&text(&file)?).await,
            Place::File(_) => {
                let what = format!("there is no store in {}", args.data.display());
                let todo = "name its folder with --data, or make one with `tandem sync --once`";
                Err(Advice::new(what, todo).into())
            }
        }
    }

    /// For a command that only looks: beside a run that has the store, where that can be.
    pub async fn open_to_read(args: &DataArgs) -> anyhow::Result<Self> {
        if let Place::File(file) = place(args)?
            && file.exists()
            && let Some(store) = Store::open_to_read(&file, Clock::System).await
        {
            return Ok(Self::around(store, Clock::System));
        }
        Self::open(args).await
    }

    /// For a run that writes: makes the folder and the store when they are missing.
    pub async fn open_or_create(args: &DataArgs) -> anyhow::Result<Self> {
        match place(args)? {
            Place::Server(url) => Self::connect(&url).await,
            Place::File(file) => {
                std::fs::create_dir_all(&args.data).map_err(|error| {
                    let what = format!("cannot make {}: {error}", args.data.display());
                    Advice::new(what, "name a folder that can be written with --data")
                })?;
                Self::connect(&text(&file)?).await
            }
        }
    }

    /// For a run that writes nothing: a copy of the store, or an empty one where there is none.
    /// The copy may change in the course of planning; the store stays as it is, to the byte.
    pub async fn open_scratch(args: &DataArgs) -> anyhow::Result<Self> {
        match place(args)? {
            Place::File(file) if file.exists() => {
                let scratch = Scratch::make().map_err(|error| {
                    let todo = "name a folder that can be written with TMPDIR";
                    Advice::new(error.to_string(), todo)
                })?;
                let copy = Store::open_copy(&file, scratch.path(), Clock::System).await?;
                let mut data = Self::of(copy, Clock::System).await?;
                data.scratch = Some(scratch);
                Ok(data)
            }
            Place::File(_) => Self::connect("sqlite::memory:").await,
            Place::Server(_) => {
                let what = "a plan needs a copy of the store, which is made of SQLite files only";
                let todo = "name a folder with --data: an empty one shows what a first run would \
                            write";
                Err(Advice::new(what, todo).into())
            }
        }
    }

    async fn connect(url: &str) -> anyhow::Result<Self> {
        let clock = Clock::System;
        Self::of(Store::open(url, clock.clone()).await?, clock).await
    }

    async fn of(store: Store, clock: Clock) -> anyhow::Result<Self> {
        let data = Self::around(store, clock);
        data.store.ensure_workspace(&data.workspace).await?;
        Ok(data)
    }

    fn around(store: Store, clock: Clock) -> Self {
        Self {
            store,
            workspace: WorkspaceId::new(WORKSPACE),
            ids: Ids::new(clock.clone(), Chance::from_entropy()),
            clock,
            scratch: None,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Applies all of `changes` or nothing, as the lane's owner.
    pub async fn commit(&self, changes: Changes) -> anyhow::Result<()> {
        let owner = format!("cli-{}", self.ids.next());
        let lease = self
            .store
            .lease(&self.workspace, LANE, &owner, LEASE_MILLIS)
            .await?
            .ok_or_else(|| {
                Advice::new(
                    "another process is working on this workspace; nothing was changed",
                    "wait until it ends, or half a minute if it crashed, and try again",
                )
            })?;
        let committed = self.store.commit(&lease, changes).await;
        self.store.release(lease).await?;
        Ok(committed?)
    }

    pub async fn close(self) {
        self.store.close().await;
    }
}

fn place(args: &DataArgs) -> anyhow::Result<Place> {
    let data = text(&args.data)?;
    if data.starts_with("postgres://") || data.starts_with("postgresql://") {
        return Ok(Place::Server(data));
    }
    if args.data.is_file() {
        let what = format!("{data} is a file");
        return Err(Advice::new(what, "--data takes the folder the store is in").into());
    }
    Ok(Place::File(args.data.join(FILE)))
}

fn text(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| {
        let what = format!("the path {} is not valid Unicode", path.display());
        Advice::new(what, "name another folder with --data").into()
    })
}
