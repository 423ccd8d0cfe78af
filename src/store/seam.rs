//! Where a store is about to make something durable, and where it just has: the places at which a
//! test may stop a process, or look at what is stored.
//!
//! Nothing but tests ever watches; without a watch a seam is one comparison.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use super::error::{Result, StoreError};
use super::{Changes, Store};

/// What a seam shows of the store's next or last commit.
#[derive(Clone, Copy, Debug)]
pub enum Seam<'a> {
    Before(Deed<'a>),
    /// What was announced before is durable now.
    After,
}

#[derive(Clone, Copy, Debug)]
pub enum Deed<'a> {
    Lease {
        owner: &'a str,
    },
    Renew {
        epoch: i64,
    },
    Commit {
        epoch: i64,
        changes: &'a Changes,
    },
    /// Marks that are left without a lease.
    Mark,
    /// What webhooks announced is kept.
    Announce,
    /// What was kept of it becomes marks.
    Fold,
}

/// Whether the store hears that what it did is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    Heard,
    /// As when the connection breaks in a commit: a repeatable deed is done again.
    Lost,
}

type Pause = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// Asked at every seam. The store goes on when the answer is ready, which may be never.
#[derive(Clone)]
pub struct Watch(Arc<dyn Fn(Seam<'_>) -> Pause + Send + Sync>);

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    pub fn new(ask: impl Fn(Seam<'_>) -> Pause + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl Store {
    /// The same store, under watch from here on.
    pub fn watched(self, watch: Watch) -> Self {
        Self {
            watch: Some(watch),
            ..self
        }
    }

    pub(super) async fn seam(&self, seam: Seam<'_>) -> Reply {
        match self.watch.as_ref().map(|watch| (watch.0)(seam)) {
            Some(pause) => pause.await,
            None => Reply::Heard,
        }
    }

    /// The seam after a deed that is done again when nobody heard of it.
    pub(super) async fn heard(&self) -> Result<()> {
        match self.seam(Seam::After).await {
            Reply::Heard => Ok(()),
            Reply::Lost => Err(StoreError::Busy {
                place: self.db.place.clone(),
                why: "the connection broke".to_owned(),
            }),
        }
    }
}
