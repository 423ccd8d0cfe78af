//! Outbound messages: records that changed, told by SOAP until the receiver acknowledges
//! (`salesforce.md 7`).
//!
//! A queue without a socket: `sim::push` sends what it gives out, `envelope` writes it. What a
//! message holds is read when it is sent, not when the record changed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use url::Url;

use super::envelope;
use super::org::Org;
use super::save::Writer;
use super::{SalesforceSim, id};
use crate::sim::push::{self, Outbox, PushRequest, Pushing};

/// Most notifications of one message.
const BATCH: usize = 100;
const MAX_WAITING: usize = 200_000;
const MAX_FLYING: usize = 2_000;
/// After this long without an acknowledgement a message is dropped.
const LIFETIME_MS: i64 = 24 * 60 * 60 * 1_000;
const LONGEST_GAP_MS: i64 = 2 * 60 * 60 * 1_000;
/// Messages on their way at once.
const AT_ONCE: usize = 10;
/// What is watched when nothing is named.
const USUAL: [&str; 4] = ["Account", "Contact", "Lead", "Opportunity"];

/// Where the org sends messages about which objects, and what goes wrong on the way.
#[derive(Clone, Debug)]
pub struct OutboundSettings {
    pub endpoint: String,
    /// Fields by object, all of them where none are named. Without objects: Account, Contact,
    /// Lead and Opportunity.
    pub objects: BTreeMap<String, Vec<String>>,
    /// The org's own address, as messages name it.
    pub instance_url: String,
    /// Before the first retry; each later gap is twice the one before, up to two hours.
    pub retry_gap_ms: i64,
    /// "Send Outbound Messages" is not ticked on the profile of the integration user.
    pub skip_integration_user: bool,
    /// Every message is sent twice, with the same notification ids.
    pub duplicates: bool,
    /// Notifications come in any order.
    pub disorder: bool,
}

impl OutboundSettings {
    pub fn to(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            objects: BTreeMap::new(),
            instance_url: "https://simulated.my.salesforce.com".to_owned(),
            retry_gap_ms: 30_000,
            skip_integration_user: false,
            duplicates: false,
            disorder: false,
        }
    }
}

/// A record to tell of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notice {
    pub notification: u64,
    pub object: usize,
    pub number: u64,
}

#[derive(Clone, Debug)]
struct Message {
    object: usize,
    notices: Vec<Notice>,
    born: i64,
    due: i64,
    tries: u32,
}

struct On {
    settings: OutboundSettings,
    /// Fields by object, as places in the schema.
    watched: BTreeMap<usize, Vec<u16>>,
}

pub(super) struct Outbound {
    on: Option<On>,
    waiting: VecDeque<Notice>,
    again: Vec<Message>,
    flying: BTreeMap<u64, Message>,
    last_notification: u64,
    last_delivery: u64,
    delivered: u64,
    lost: u64,
    wake: Arc<Notify>,
}

impl Outbound {
    pub fn new() -> Self {
        Self {
            on: None,
            waiting: VecDeque::new(),
            again: Vec::new(),
            flying: BTreeMap::new(),
            last_notification: 0,
            last_delivery: 0,
            delivered: 0,
            lost: 0,
            wake: Arc::new(Notify::new()),
        }
    }

    /// Notices made so far; a request that is undone goes back to as many.
    pub fn made(&self) -> u64 {
        self.last_notification
    }

    /// Forgets every notice after the first `made`.
    pub fn unmake(&mut self, made: u64) {
        self.waiting.retain(|notice| notice.notification <= made);
    }

    pub fn to_json(&self) -> Value {
        let endpoint = self.on.as_ref().map(|on| &on.settings.endpoint);
        json!({
            "endpoint": endpoint, "waiting": self.waiting.len(), "retrying": self.again.len(),
            "in_flight": self.flying.len(), "delivered": self.delivered, "lost": self.lost,
        })
    }

    fn next_message(&mut self, now: i64, rng: &mut fastrand::Rng) -> Option<Message> {
        let lost = self.again.len();
        self.again
            .retain(|message| now - message.born < LIFETIME_MS);
        self.lost += (lost - self.again.len()) as u64;
        if let Some(at) = self.again.iter().position(|message| message.due <= now) {
            return Some(self.again.remove(at));
        }
        let settings = &self.on.as_ref()?.settings;
        if settings.disorder {
            rng.shuffle(self.waiting.make_contiguous());
        }
        let object = self.waiting.front()?.object;
        let mut notices = Vec::new();
        let mut rest = VecDeque::with_capacity(self.waiting.len());
        for notice in self.waiting.drain(..) {
            if notice.object == object && notices.len() < BATCH {
                notices.push(notice);
            } else {
                rest.push_back(notice);
            }
        }
        self.waiting = rest;
        let message = Message {
            object,
            notices,
            born: now,
            due: now,
            tries: 0,
        };
        if settings.duplicates {
            self.again.push(message.clone());
        }
        Some(message)
    }

    fn fly(&mut self, message: Message) -> u64 {
        self.last_delivery += 1;
        if self.flying.len() >= MAX_FLYING {
            self.flying.pop_first();
            self.lost += 1;
        }
        self.flying.insert(self.last_delivery, message);
        self.last_delivery
    }

    fn answered(&mut self, delivery: u64, acknowledged: bool, now: i64) {
        let Some(mut message) = self.flying.remove(&delivery) else {
            return;
        };
        if acknowledged {
            self.delivered += 1;
            return;
        }
        let first = self.on.as_ref().map_or(0, |on| on.settings.retry_gap_ms);
        let gap = first.max(0).saturating_mul(1 << message.tries.min(20));
        message.due = now.saturating_add(gap.min(LONGEST_GAP_MS));
        message.tries += 1;
        self.again.push(message);
    }
}

/// Replaces the settings; what waits under the old ones is dropped.
pub(super) fn set(org: &mut Org, settings: Option<OutboundSettings>) -> Result<(), String> {
    let on = match settings {
        None => None,
        Some(mut settings) => {
            let sent = &settings.endpoint;
            let url = Url::parse(sent).ok().filter(Url::has_host);
            let url = url.ok_or_else(|| format!("{sent:?} is no URL to send messages to"))?;
            settings.endpoint = url.into();
            if settings.objects.is_empty() {
                let usual = USUAL.map(|name| (name.to_owned(), Vec::new()));
                settings.objects = BTreeMap::from(usual);
            }
            let mut watched = BTreeMap::new();
            for (name, fields) in &settings.objects {
                let (at, fields) = watch(org, name, fields)?;
                watched.insert(at, fields);
            }
            Some(On { settings, watched })
        }
    };
    let wake = Arc::clone(&org.outbound.wake);
    org.outbound = Outbound {
        on,
        wake,
        last_notification: org.outbound.last_notification,
        last_delivery: org.outbound.last_delivery,
        ..Outbound::new()
    };
    Ok(())
}

fn watch(org: &Org, name: &str, fields: &[String]) -> Result<(usize, Vec<u16>), String> {
    let at = org.schema.find(name);
    let at = at.ok_or_else(|| format!("INVALID_TYPE: there is no object {name}"))?;
    let own = &org.schema.objects[at];
    if fields.is_empty() {
        return Ok((at, (0_u16..).zip(&own.fields).map(|(at, _)| at).collect()));
    }
    let known = fields.iter().map(|field| {
        let found = own.field_at(field);
        found.ok_or_else(|| format!("INVALID_FIELD: {name} has no field {field}"))
    });
    let mut known = known.collect::<Result<Vec<u16>, String>>()?;
    known.extend(own.field_at("Id"));
    Ok((at, known))
}

/// A record was created or edited. Deletions are never told.
pub(super) fn note(org: &mut Org, object: usize, number: u64, by: Writer) {
    let outbound = &mut org.outbound;
    let Some(on) = &outbound.on else {
        return;
    };
    let silent = by.api && on.settings.skip_integration_user;
    if silent || !on.watched.contains_key(&object) {
        return;
    }
    outbound.last_notification += 1;
    if outbound.waiting.len() >= MAX_WAITING {
        outbound.waiting.pop_front();
        outbound.lost += 1;
    }
    outbound.waiting.push_back(Notice {
        notification: outbound.last_notification,
        object,
        number,
    });
    outbound.wake.notify_one();
}

fn take(org: &mut Org, most: usize) -> Vec<PushRequest> {
    let now = org.clock.now().millis();
    let mut taken = Vec::new();
    while taken.len() < most {
        let Some(message) = org.outbound.next_message(now, &mut org.rng) else {
            break;
        };
        taken.extend(send(org, message));
    }
    taken
}

/// Nothing is sent when every record of the message has gone.
fn send(org: &mut Org, message: Message) -> Option<PushRequest> {
    let on = org.outbound.on.as_ref()?;
    let fields = on.watched.get(&message.object)?;
    let live = |notice: &&Notice| org.tables[notice.object].live(notice.number).is_some();
    let notices: Vec<Notice> = message.notices.iter().filter(live).copied().collect();
    if notices.is_empty() {
        return None;
    }
    let action = id::make("04k", message.object as u64 + 1);
    let url = on.settings.endpoint.clone();
    let body = envelope::write(org, &action, &on.settings.instance_url, &notices, fields);
    let delivery = org.outbound.fly(message);
    Some(PushRequest {
        delivery,
        url,
        headers: vec![
            ("content-type", "text/xml; charset=utf-8".to_owned()),
            ("soapaction", "\"\"".to_owned()),
        ],
        body,
    })
}

impl SalesforceSim {
    /// Sets where the org sends outbound messages; `None` switches them off.
    ///
    /// # Errors
    /// An endpoint that is no URL, or an object or field that does not exist.
    pub fn set_outbound_messages(&self, settings: Option<OutboundSettings>) -> Result<(), String> {
        self.with(|org| set(org, settings))
    }

    /// Takes every message that is due; answer each with [`Self::outbound_answered`].
    pub fn take_outbound_messages(&self) -> Vec<PushRequest> {
        self.due(usize::MAX)
    }

    /// `None` is no answer within the time allowed. Only an acknowledgement ends a delivery.
    pub fn outbound_answered(&self, delivery: u64, answer: Option<(u16, &str)>) {
        let acknowledged =
            answer.is_some_and(|(status, body)| status == 200 && envelope::acknowledges(body));
        self.with(|org| {
            let now = org.clock.now().millis();
            org.outbound.answered(delivery, acknowledged, now);
        });
    }

    /// Sends messages over the network for as long as the result is held.
    ///
    /// # Errors
    /// An HTTP client that cannot be made.
    pub fn push_outbound_messages(&self) -> Result<Pushing, String> {
        push::start(self.clone())
    }
}

impl Outbox for SalesforceSim {
    fn at_once(&self) -> usize {
        AT_ONCE
    }

    fn due(&self, most: usize) -> Vec<PushRequest> {
        self.with(|org| take(org, most))
    }

    fn answered(&self, delivery: u64, answer: Option<(u16, String)>) {
        let answer = answer
            .as_ref()
            .map(|(status, text)| (*status, text.as_str()));
        self.outbound_answered(delivery, answer);
    }

    fn wake(&self) -> Arc<Notify> {
        self.with(|org| Arc::clone(&org.outbound.wake))
    }
}
