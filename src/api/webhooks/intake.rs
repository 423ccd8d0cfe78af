//! Stores what webhooks announce: many requests, one commit, and only then the answers. The marks
//! are made of it later, by the service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use crate::app::Service;
use crate::clock::{Clock, Ids};
use crate::model::{MappingName, RecordId, Side, Timestamp, WorkspaceId};
use crate::store::{Announced, Store, StoreError};

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
    announced: ByWorkspace,
    stored: oneshot::Sender<bool>,
}

type ByWorkspace = BTreeMap<WorkspaceId, Announced>;

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
    pub fn start(store: Arc<Store>, service: Arc<Service>, clock: Clock, ids: Ids) -> Self {
        let (arrivals, receiver) = mpsc::channel(WAITING);
        let keeping = keep(receiver, Arc::clone(&store), Arc::clone(&service), ids);
        tokio::spawn(keeping);
        Self {
            arrivals,
            service,
            store,
            clock,
            memory: Arc::default(),
        }
    }

    /// Announces the records to every workspace that is connected to the account.
    pub async fn take(
        &self,
        side: Side,
        hints: BTreeMap<String, BTreeSet<Hint>>,
    ) -> Result<Stored, StoreError> {
        if self.service.is_flooded() {
            return Ok(Stored::No);
        }
        let mut announced = ByWorkspace::new();
        let mut unknown = 0;
        for (account, hints) in &hints {
            let workspaces = self.workspaces(side, account).await?;
            if workspaces.is_empty() {
                unknown += hints.len();
            }
            for ws in workspaces.iter() {
                let objects = self.objects(side, ws).await?;
                let (found, placed) = records_of(side, &objects, hints);
                unknown += hints.len() - placed;
                if !found.is_empty() {
                    add(&mut announced, ws.clone(), found);
                }
            }
        }
        if announced.is_empty() {
            return Ok(Stored::Yes { unknown });
        }
        let (stored, answer) = oneshot::channel();
        let arrival = Arrival { announced, stored };
        if self.arrivals.try_send(arrival).is_err() {
            return Ok(Stored::No);
        }
        Ok(match answer.await {
            Ok(true) => Stored::Yes { unknown },
            Ok(false) | Err(_) => Stored::No,
        })
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

/// What each mapping has to look at, and how many of the hints any has.
fn records_of(side: Side, objects: &Objects, hints: &BTreeSet<Hint>) -> (Announced, usize) {
    let mut by_object: BTreeMap<&str, Vec<&RecordId>> = BTreeMap::new();
    for hint in hints {
        let of = by_object.entry(&hint.object).or_default();
        of.push(&hint.record);
    }
    let mut announced = Announced::new();
    let mut placed = 0;
    for (object, records) in by_object {
        let Some(mappings) = objects.get(object) else {
            continue;
        };
        placed += records.len();
        for mapping in mappings {
            let records = records.iter().map(|record| (*record).clone());
            announced.insert((mapping.clone(), side), records.collect());
        }
    }
    (announced, placed)
}

fn add(to: &mut ByWorkspace, ws: WorkspaceId, announced: Announced) {
    let to = to.entry(ws).or_default();
    for (feed, records) in announced {
        to.entry(feed).or_default().extend(records);
    }
}

/// Stores whatever has arrived, in one commit, until nobody is left who could send more.
async fn keep(
    mut arrivals: mpsc::Receiver<Arrival>,
    store: Arc<Store>,
    service: Arc<Service>,
    ids: Ids,
) {
    let mut waiting = Vec::with_capacity(TOGETHER);
    while arrivals.recv_many(&mut waiting, TOGETHER).await > 0 {
        let mut all = ByWorkspace::new();
        for arrival in &mut waiting {
            for (ws, announced) in std::mem::take(&mut arrival.announced) {
                add(&mut all, ws, announced);
            }
        }
        let stored = match store.put_inbox(&ids.next(), &all).await {
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
            for (ws, announced) in &all {
                service.announced(ws, announced);
            }
        }
    }
}
