//! Webhooks of the app: what it subscribed to, events that wait, and batches that are tried again
//! (`hubspot.md 9.3` to `9.5`).
//!
//! A queue without a socket: `sim::push` sends what it gives out. Events are made in `notice`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::Notify;
use url::Url;

use super::kind::ObjectKind;
use super::signature::{sign_v1, sign_v3};
use crate::sim::push::PushRequest;

/// Most events of one request.
const BATCH: usize = 100;
/// Tries after the first one.
const RETRIES: u32 = 10;
/// More than these and the oldest are lost.
const MAX_WAITING: usize = 200_000;
const MAX_FLYING: usize = 2_000;
/// A body that is signed wrongly carries this in place of the client secret.
const OTHER_SECRET: &str = "not-the-secret-of-the-app";

/// Where the app wants to be told of what, and what goes wrong on the way.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    pub target_url: String,
    /// Signs; the client secret of the app when absent.
    pub secret: Option<String>,
    /// With none, all there is of contacts, companies and deals.
    pub subscriptions: Vec<Subscription>,
    /// Requests on their way at once.
    pub max_concurrent: usize,
    /// Before the first retry; each later gap is twice the one before.
    pub retry_gap_ms: i64,
    /// A creation also tells of each value the record is made with.
    pub creation_tells_values: bool,
    /// Every batch is sent twice, with the same event ids.
    pub duplicates: bool,
    /// Events come in any order.
    pub disorder: bool,
    /// Every batch ends with an event of another portal.
    pub other_portal: bool,
    /// Signed with another secret.
    pub bad_signature: bool,
    /// The time stamp of each request is this old.
    pub stale_ms: i64,
}

impl Default for WebhookSettings {
    fn default() -> Self {
        Self {
            target_url: String::new(),
            secret: None,
            subscriptions: Vec::new(),
            max_concurrent: 10,
            retry_gap_ms: 1_000,
            creation_tells_values: false,
            duplicates: false,
            disorder: false,
            other_portal: false,
            bad_signature: false,
            stale_ms: 0,
        }
    }
}

impl WebhookSettings {
    pub fn to(target_url: &str) -> Self {
        Self {
            target_url: target_url.to_owned(),
            ..Self::default()
        }
    }
}

/// `contact.creation`, or `object.creation` with an object type.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Subscription {
    pub event_type: String,
    /// Of a `propertyChange`.
    pub property_name: Option<String>,
    /// Of the `object.*` form: any name of the object.
    pub object_type: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    Creation,
    Deletion,
    PropertyChange,
    AssociationChange,
    Merge,
    Restore,
}

impl Happening {
    pub const ALL: [Self; 6] = [
        Self::Creation,
        Self::Deletion,
        Self::PropertyChange,
        Self::AssociationChange,
        Self::Merge,
        Self::Restore,
    ];

    pub fn wire(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Deletion => "deletion",
            Self::PropertyChange => "propertyChange",
            Self::AssociationChange => "associationChange",
            Self::Merge => "merge",
            Self::Restore => "restore",
        }
    }
}

/// A subscription as it was understood.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    pub id: u64,
    pub kind: ObjectKind,
    pub what: Happening,
    pub property: Option<String>,
    /// The `object.*` form, which names the object beside the event.
    pub generic: bool,
}

struct On {
    settings: WebhookSettings,
    listeners: Vec<Listener>,
    secret: String,
}

#[derive(Clone, Debug)]
struct Batch {
    events: Vec<Json>,
    attempt: u32,
    /// In milliseconds.
    due: i64,
}

pub(super) struct Webhooks {
    on: Option<On>,
    waiting: VecDeque<Json>,
    again: Vec<Batch>,
    flying: BTreeMap<u64, Batch>,
    last_event: u64,
    last_delivery: u64,
    delivered: u64,
    lost: u64,
    rng: fastrand::Rng,
    pub wake: Arc<Notify>,
}

impl Webhooks {
    pub fn new(seed: u64) -> Self {
        Self {
            on: None,
            waiting: VecDeque::new(),
            again: Vec::new(),
            flying: BTreeMap::new(),
            last_event: 0,
            last_delivery: 0,
            delivered: 0,
            lost: 0,
            rng: fastrand::Rng::with_seed(seed ^ 0x0EB4_00C5),
            wake: Arc::new(Notify::new()),
        }
    }

    /// Replaces the settings; events that wait under the old ones are dropped.
    pub fn set(
        &mut self,
        settings: Option<(WebhookSettings, Vec<Listener>)>,
        client_secret: &str,
    ) -> Result<(), String> {
        let on = match settings {
            None => None,
            Some((mut settings, listeners)) => {
                let sent = &settings.target_url;
                let url = Url::parse(sent).ok().filter(Url::has_host);
                let url = url.ok_or_else(|| format!("{sent:?} is no URL to send webhooks to"))?;
                settings.target_url = url.into();
                let secret = settings.secret.clone();
                Some(On {
                    secret: secret.unwrap_or_else(|| client_secret.to_owned()),
                    settings,
                    listeners,
                })
            }
        };
        self.on = on;
        self.waiting.clear();
        self.again.clear();
        self.flying.clear();
        Ok(())
    }

    pub fn settings(&self) -> Option<&WebhookSettings> {
        self.on.as_ref().map(|on| &on.settings)
    }

    /// Who is to be told of such a thing.
    pub fn listeners(&self, kind: ObjectKind, what: Happening) -> Vec<Listener> {
        let all = self.on.iter().flat_map(|on| &on.listeners);
        all.filter(|one| one.kind == kind && one.what == what)
            .cloned()
            .collect()
    }

    /// Queues an event; it gets its id here.
    pub fn queue(&mut self, mut event: Json) {
        self.last_event += 1;
        event["eventId"] = json!(self.last_event);
        if self.waiting.len() >= MAX_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(event);
        self.wake.notify_one();
    }

    /// Takes up to `most` requests that are due, signed now.
    pub fn take(&mut self, now: i64, most: usize) -> Vec<PushRequest> {
        let mut taken = Vec::new();
        while taken.len() < most {
            let Some(batch) = self.next_batch(now) else {
                break;
            };
            taken.extend(self.send(batch, now));
        }
        taken
    }

    fn next_batch(&mut self, now: i64) -> Option<Batch> {
        if let Some(at) = self.again.iter().position(|batch| batch.due <= now) {
            return Some(self.again.remove(at));
        }
        let settings = &self.on.as_ref()?.settings;
        let (disorder, other, twice) = (
            settings.disorder,
            settings.other_portal,
            settings.duplicates,
        );
        if self.waiting.is_empty() {
            return None;
        }
        if disorder {
            self.rng.shuffle(self.waiting.make_contiguous());
        }
        let room = BATCH - usize::from(other);
        let many = self.waiting.len().min(room);
        let mut events: Vec<Json> = self.waiting.drain(..many).collect();
        if other && let Some(mut event) = events.first().cloned() {
            let portal = event["portalId"].as_u64().unwrap_or_default();
            event["portalId"] = json!(portal + 1);
            events.push(event);
        }
        let batch = Batch {
            events,
            attempt: 0,
            due: now,
        };
        if twice {
            self.again.push(batch.clone());
        }
        Some(batch)
    }

    fn send(&mut self, mut batch: Batch, now: i64) -> Option<PushRequest> {
        let on = self.on.as_ref()?;
        for event in &mut batch.events {
            event["attemptNumber"] = json!(batch.attempt);
        }
        let body = Json::Array(batch.events.clone()).to_string();
        let timestamp = now - on.settings.stale_ms;
        let url = on.settings.target_url.clone();
        let secret = if on.settings.bad_signature {
            OTHER_SECRET
        } else {
            &on.secret
        };
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-hubspot-signature", sign_v1(secret, &body)),
            ("x-hubspot-signature-version", "v1".to_owned()),
            (
                "x-hubspot-signature-v3",
                sign_v3(secret, "POST", &url, &body, timestamp),
            ),
            ("x-hubspot-request-timestamp", timestamp.to_string()),
        ];
        self.last_delivery += 1;
        if self.flying.len() >= MAX_FLYING {
            self.flying.pop_first();
            self.lost += 1;
        }
        self.flying.insert(self.last_delivery, batch);
        Some(PushRequest {
            delivery: self.last_delivery,
            url,
            headers,
            body,
        })
    }

    /// Any 2xx ends a delivery; all else is tried again, later each time.
    pub fn answered(&mut self, delivery: u64, status: Option<u16>, now: i64) {
        let Some(mut batch) = self.flying.remove(&delivery) else {
            return;
        };
        if status.is_some_and(|status| (200..300).contains(&status)) {
            self.delivered += 1;
            return;
        }
        let gap = self.settings().map_or(0, |settings| settings.retry_gap_ms);
        batch.due = now.saturating_add(gap.max(0).saturating_mul(1 << batch.attempt));
        batch.attempt += 1;
        if batch.attempt > RETRIES {
            self.lost += 1;
        } else {
            self.again.push(batch);
        }
    }

    pub fn to_json(&self) -> Json {
        json!({"target_url": self.settings().map(|settings| &settings.target_url),
            "waiting": self.waiting.len(), "retrying": self.again.len(),
            "in_flight": self.flying.len(), "delivered": self.delivered, "lost": self.lost})
    }
}
