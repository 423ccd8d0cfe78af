//! The seams of a process: every request it sends and every commit of its store, numbered in the
//! order in which they are met, and the one at which it dies.

use std::sync::{Arc, Mutex};

use tandem::store::{Deed, Reply, Seam, Watch};
use tokio::sync::Notify;

/// How a process dies at a seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Before the request leaves, or the commit begins.
    Before,
    /// As soon as it is carried out, before anybody hears of it.
    After,
    /// It is carried out and its reply is lost: the process hears of a time-out or a broken
    /// connection, notes what it makes of that, and dies right after it has.
    WithoutReply,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Before, Self::After, Self::WithoutReply];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::WithoutReply => "without-reply",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    pub seam: usize,
    pub way: Way,
}

#[derive(Default)]
struct State {
    /// What was met, in order; a place in it is the number of a seam.
    met: Vec<String>,
    kill: Option<Kill>,
    /// What becomes of the commit that is under way.
    commit: Option<Way>,
    /// A reply was lost; the next commit is the last thing the process does.
    doomed: bool,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    died: Notify,
}

/// Shared by the wires and the store of one process.
#[derive(Clone, Default)]
pub struct Seams(Arc<Inner>);

impl Seams {
    /// Counts from here on, up to the seam at which the process is to die.
    pub fn arm(&self, kill: Option<Kill>) {
        *self.0.state.lock().unwrap() = State {
            kill,
            ..State::default()
        };
    }

    /// What was met since the last [`Seams::arm`].
    pub fn met(&self) -> Vec<String> {
        self.0.state.lock().unwrap().met.clone()
    }

    /// Returns when the process has met its end; whatever it was doing waits for ever.
    pub async fn died(&self) {
        self.0.died.notified().await;
    }

    pub async fn die(&self) {
        self.0.died.notify_one();
        std::future::pending().await
    }

    /// The next seam, and how the process dies there if it does.
    pub fn meet(&self, what: String) -> Option<Way> {
        let mut state = self.0.state.lock().unwrap();
        let seam = state.met.len();
        state.met.push(what);
        state
            .kill
            .filter(|kill| kill.seam == seam)
            .map(|kill| kill.way)
    }

    /// A request was carried out and its reply is lost.
    pub fn doom(&self) {
        self.0.state.lock().unwrap().doomed = true;
    }

    /// Stands at the seams of a store.
    pub fn watch(&self) -> Watch {
        let seams = self.clone();
        Watch::new(move |seam| {
            let seams = seams.clone();
            let dies = match seam {
                Seam::Before(deed) => seams.before_commit(deed),
                Seam::After => match seams.after_commit() {
                    Some(Way::WithoutReply) => return Box::pin(async { Reply::Lost }),
                    dies => dies.is_some(),
                },
            };
            Box::pin(async move {
                if dies {
                    seams.die().await;
                }
                Reply::Heard
            })
        })
    }

    fn before_commit(&self, deed: Deed<'_>) -> bool {
        let way = self.meet(said(deed));
        // Nothing is asked twice for a lease: who does not hear of it waits until it is over.
        let repeated = !matches!(deed, Deed::Lease { .. } | Deed::Renew { .. });
        self.0.state.lock().unwrap().commit = match way {
            Some(Way::WithoutReply) if !repeated => Some(Way::After),
            way => way,
        };
        way == Some(Way::Before)
    }

    /// A commit whose reply is lost is tried again, and only then the process dies.
    fn after_commit(&self) -> Option<Way> {
        let mut state = self.0.state.lock().unwrap();
        let way = state.commit.take();
        if way == Some(Way::WithoutReply) {
            state.commit = Some(Way::After);
        }
        way.or(state.doomed.then_some(Way::After))
    }
}

fn said(deed: Deed<'_>) -> String {
    let Deed::Commit { changes, .. } = deed else {
        return match deed {
            Deed::Lease { .. } => "lease",
            Deed::Renew { .. } => "renew",
            Deed::Announce => "announce",
            Deed::Fold => "fold",
            Deed::Commit { .. } | Deed::Mark => "mark",
        }
        .to_owned();
    };
    let mut text = "commit".to_owned();
    for (what, number) in [
        ("links", changes.links.len()),
        ("bases", changes.bases.len()),
        ("intents", changes.intents.len()),
        ("intents closed", changes.intents_closed.len()),
        ("marks", changes.marks.len()),
        ("verdicts", changes.verdicts.len()),
        ("cursors", changes.cursors.len()),
    ] {
        if number > 0 {
            text.push_str(&format!(", {what} {number}"));
        }
    }
    text
}
