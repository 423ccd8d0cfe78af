//! Stores what webhooks announce: many requests, one commit, and only then the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::app::Service;
use crate::clock::Clock;
use crate::model::{Cause, MappingName, RecordId, RecordKey, Side, Task, Timestamp, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{Mark, Store, StoreError};

/// Requests that wait for a commit; one more is told to come again.
const WAITING: usize = 2_000;
/// Requests of one commit.
const TOGETHER: usize = 500;
/// How long what is known of an account or a workspace's mappings is believed.
const KNOWN_MILLIS: i64 = 10_000;
/// Accounts and workspaces that are remembered at most.
const KNOWN: usize = 50_000;

/// A record of an account that is said to have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hint {
    /// As mappings name it: `contacts`, `Contact`; a custom object of HubSpot by its type id.
    pub object: String,
    pub record: RecordId,
}

struct Arrival {
    marks: BTreeMap<WorkspaceId, Vec<Mark>>,
    stored: oneshot::Sender<bool>,
}

/// Mappings by the object they read, for one side of one workspace.
type Objects = BTreeMap<String, Vec<MappingName>>;

struct Remembered<T> {
    until: Timestamp,
    what: Arc<T>,
}

#[derive(Default)]
struct Memory {
    accounts: BTreeMap<(Side, String), Remembered<Vec<WorkspaceId>>>,
    objects: BTreeMap<(Side, WorkspaceId), Remembered<Objects>>,
}

/// Hands what arrived to the one task that stores it.
#[derive(Clone)]
pub struct Intake {
    arrivals: mpsc::Sender<Arrival>,
    service: Arc<Service>,
    store: Arc<Store>,
    clock: Clock,
    memory: Arc<Mutex<Memory>>,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Everything that could be placed is in the store; so many hints could not.
    Yes { unknown: usize },
    /// Nothing is; it should come again.
    No,
}

impl Intake {
    /// Starts the task that stores; it ends with the last of the intake's clones.
    pub fn start(store: Arc<Store>, service: Arc<Service>, clock: Clock) -> Self {
        let (arrivals, receiver) = mpsc::channel(WAITING);
        tokio::spawn(keep(receiver, Arc::clone(&store), Arc::clone(&service)));
        Self {
            arrivals,
            service,
            store,
            clock,
            memory: Arc::default(),
        }
    }

    /// Marks the records in every workspace that is connected to the account.
    pub async fn take(
        &self,
        side: Side,
        hints: BTreeMap<String, BTreeSet<Hint>>,
    ) -> Result<Stored, StoreError> {
        let mut marks: BTreeMap<WorkspaceId, Vec<Mark>> = BTreeMap::new();
        let mut unknown = 0;
        for (account, hints) in &hints {
            let workspaces = self.workspaces(side, account).await?;
            if workspaces.is_empty() {
                unknown += hints.len();
            }
            for ws in workspaces.iter() {
                let objects = self.objects(side, ws).await?;
                let found = self.marks(side, &objects, hints);
                unknown += hints.len() - found.1;
                if !found.0.is_empty() {
                    marks.entry(ws.clone()).or_default().extend(found.0);
                }
            }
        }
        if marks.is_empty() {
            return Ok(Stored::Yes { unknown });
        }
        let (stored, answer) = oneshot::channel();
        if self.arrivals.try_send(Arrival { marks, stored }).is_err() {
            return Ok(Stored::No);
        }
        Ok(match answer.await {
            Ok(true) => Stored::Yes { unknown },
            Ok(false) | Err(_) => Stored::No,
        })
    }

    /// The marks, and how many of the hints have any.
    fn marks(&self, side: Side, objects: &Objects, hints: &BTreeSet<Hint>) -> (Vec<Mark>, usize) {
        let now = self.clock.now();
        let mut marks = Vec::new();
        let mut placed = 0;
        for hint in hints {
            let Some(mappings) = objects.get(&hint.object) else {
                continue;
            };
            placed += 1;
            marks.extend(mappings.iter().map(|mapping| Mark {
                task: Task::Record(RecordKey {
                    mapping: mapping.clone(),
                    side,
                    id: hint.record.clone(),
                }),
                cause: Cause::Event,
                not_before: now,
            }));
        }
        (marks, placed)
    }

    async fn workspaces(
        &self,
        side: Side,
        account: &str,
    ) -> Result<Arc<Vec<WorkspaceId>>, StoreError> {
        let key = (side, account.to_owned());
        let now = self.clock.now();
        if let Some(known) = remembered(&self.memory().accounts, &key, now) {
            return Ok(known);
        }
        let found = Arc::new(self.store.workspaces_of(side, account).await?);
        remember(&mut self.memory().accounts, key, Arc::clone(&found), now);
        Ok(found)
    }

    async fn objects(&self, side: Side, ws: &WorkspaceId) -> Result<Arc<Objects>, StoreError> {
        let key = (side, ws.clone());
        let now = self.clock.now();
        if let Some(known) = remembered(&self.memory().objects, &key, now) {
            return Ok(known);
        }
        let mut objects = Objects::new();
        for mapping in self.service.counting(ws).await? {
            let object = mapping.objects.get(side).clone();
            objects.entry(object).or_default().push(mapping.name);
        }
        if side == Side::HubSpot {
            let names = objects.keys().map(String::as_str);
            for (name, id) in self.service.type_ids(ws, names).await? {
                let mappings = objects.get(&name).cloned().unwrap_or_default();
                objects.entry(id).or_default().extend(mappings);
            }
        }
        let objects = Arc::new(objects);
        remember(&mut self.memory().objects, key, Arc::clone(&objects), now);
        Ok(objects)
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remembered<K: Ord, T>(
    known: &BTreeMap<K, Remembered<T>>,
    key: &K,
    now: Timestamp,
) -> Option<Arc<T>> {
    let found = known.get(key).filter(|found| found.until > now)?;
    Some(Arc::clone(&found.what))
}

fn remember<K: Ord, T>(
    known: &mut BTreeMap<K, Remembered<T>>,
    key: K,
    what: Arc<T>,
    now: Timestamp,
) {
    if known.len() >= KNOWN {
        known.clear();
    }
    let until = now.plus_millis(KNOWN_MILLIS);
    known.insert(key, Remembered { until, what });
}

/// Stores whatever has arrived, in one commit, until nobody is left who could send more.
async fn keep(mut arrivals: mpsc::Receiver<Arrival>, store: Arc<Store>, service: Arc<Service>) {
    let mut waiting = Vec::with_capacity(TOGETHER);
    while arrivals.recv_many(&mut waiting, TOGETHER).await > 0 {
        let mut marks: BTreeMap<WorkspaceId, Vec<Mark>> = BTreeMap::new();
        for arrival in &mut waiting {
            for (ws, more) in std::mem::take(&mut arrival.marks) {
                marks.entry(ws).or_default().extend(more);
            }
        }
        let stored = match store.mark_all(LANE, &marks).await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "what webhooks announced could not be stored");
                false
            }
        };
        for arrival in waiting.drain(..) {
            // Whoever hung up meanwhile sends it again.
            arrival.stored.send(stored).ok();
        }
        if stored {
            for (ws, marks) in &marks {
                service.hint(ws, marks);
            }
        }
    }
}
