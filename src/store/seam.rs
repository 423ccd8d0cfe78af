//! Where a store is about to make something durable, and where it just has: the places at which a
//! test may stop a process, or look at what is stored.
//!
//! Nothing but tests ever watches; without a watch a seam is one comparison.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

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
}

type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

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

    pub(super) async fn seam(&self, seam: Seam<'_>) {
        let pause = self.watch.as_ref().map(|watch| (watch.0)(seam));
        if let Some(pause) = pause {
            pause.await;
        }
    }
}
