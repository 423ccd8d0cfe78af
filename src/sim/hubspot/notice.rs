//! What the app is told of: from a change of the portal to the events of its subscriptions
//! (`hubspot.md 9.2` and `9.3`).
//!
//! Called where records and associations change; the queue is `webhooks`.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use tokio::sync::Notify;

use super::HubSpotSim;
use super::assoc_types::Role;
use super::associations::{Associations, End};
use super::kind::ObjectKind;
use super::property::Access;
use super::record::{APP_ID, Record, Source};
use super::state::State;
use super::webhooks::{Happening, Listener, Subscription, WebhookSettings};
use crate::sim::push::{self, Outbox, PushRequest, Pushing};

/// What a person asks for without naming subscriptions.
const USUAL: [ObjectKind; 3] = [ObjectKind::Contact, ObjectKind::Company, ObjectKind::Deal];

impl State {
    pub fn set_webhooks(&mut self, settings: Option<WebhookSettings>) -> Result<(), String> {
        let understood = match settings {
            None => None,
            Some(settings) => {
                let listeners = if settings.subscriptions.is_empty() {
                    self.usual_listeners()
                } else {
                    let all = (1..).zip(&settings.subscriptions);
                    all.map(|(id, one)| self.listener(id, one))
                        .collect::<Result<Vec<Listener>, String>>()?
                };
                Some((settings, listeners))
            }
        };
        let secret = self.options.client_secret.clone();
        self.webhooks.set(understood, &secret)
    }

    fn listener(&self, id: u64, asked: &Subscription) -> Result<Listener, String> {
        let unknown = || format!("{:?} is no event one can subscribe to", asked.event_type);
        let (object, what) = asked.event_type.split_once('.').ok_or_else(unknown)?;
        let what = Happening::ALL
            .into_iter()
            .find(|one| one.wire() == what)
            .ok_or_else(unknown)?;
        let generic = object == "object";
        let name = if generic {
            asked.object_type.as_deref().unwrap_or_default()
        } else {
            object
        };
        let kind = ObjectKind::from_name(name, self.portal_id).ok_or_else(unknown)?;
        if what == Happening::PropertyChange && asked.property_name.is_none() {
            return Err("a subscription to propertyChange needs its propertyName".to_owned());
        }
        Ok(Listener {
            id,
            kind,
            what,
            property: asked.property_name.clone(),
            generic,
        })
    }

    fn usual_listeners(&self) -> Vec<Listener> {
        let mut listeners = Vec::new();
        for kind in USUAL {
            let table = self.table(kind);
            let stored = table
                .catalog
                .iter()
                .filter(|(_, property)| !matches!(property.access, Access::Derived(_)));
            let names = stored.map(|(_, property)| Some(property.name.to_string()));
            let names: Vec<Option<String>> = names.collect();
            for what in Happening::ALL {
                let properties = if what == Happening::PropertyChange {
                    names.clone()
                } else {
                    vec![None]
                };
                for property in properties {
                    let id = listeners.len() as u64 + 1;
                    listeners.push(Listener {
                        id,
                        kind,
                        what,
                        property,
                        generic: false,
                    });
                }
            }
        }
        listeners
    }

    fn event(&self, listener: &Listener, source: Source) -> Json {
        let object = if listener.generic {
            "object"
        } else {
            listener.kind.singular()
        };
        let mut event = json!({"subscriptionId": listener.id, "portalId": self.portal_id,
            "appId": APP_ID, "occurredAt": self.now(), "attemptNumber": 0,
            "subscriptionType": format!("{object}.{}", listener.what.wire()),
            "changeSource": source.wire_type(), "sourceId": source.id()});
        if listener.generic {
            event["objectTypeId"] = json!(listener.kind.type_id());
        }
        event
    }

    fn tell(
        &mut self,
        kind: ObjectKind,
        what: Happening,
        source: Source,
        fill: impl Fn(&mut Json),
    ) {
        for listener in self.webhooks.listeners(kind, what) {
            let mut event = self.event(&listener, source);
            fill(&mut event);
            self.webhooks.queue(event);
        }
    }

    pub fn tell_created(&mut self, kind: ObjectKind, id: u64, source: Source) {
        self.tell(kind, Happening::Creation, source, |event| {
            event["objectId"] = json!(id);
            event["changeFlag"] = json!("CREATED");
        });
        let settings = self.webhooks.settings();
        if settings.is_some_and(|settings| settings.creation_tells_values) {
            self.tell_values(kind, &Record::new(id, 0, source), source);
        }
    }

    pub fn tell_deleted(&mut self, kind: ObjectKind, id: u64, source: Source) {
        self.tell(kind, Happening::Deletion, source, |event| {
            event["objectId"] = json!(id);
            event["changeFlag"] = json!("DELETED");
        });
    }

    pub fn tell_restored(&mut self, kind: ObjectKind, id: u64, source: Source) {
        self.tell(kind, Happening::Restore, source, |event| {
            event["objectId"] = json!(id);
            event["changeFlag"] = json!("RESTORED");
        });
    }

    /// Tells of every value that is no longer what it was in `before`.
    pub fn tell_values(&mut self, kind: ObjectKind, before: &Record, source: Source) {
        for listener in self.webhooks.listeners(kind, Happening::PropertyChange) {
            let table = self.table(kind);
            let name = listener.property.as_deref().unwrap_or_default();
            let (Some(property), Some(now)) = (table.catalog.find(name), table.get(before.id))
            else {
                continue;
            };
            let value = now.get(property);
            if value == before.get(property) {
                continue;
            }
            let mut event = self.event(&listener, source);
            event["objectId"] = json!(before.id);
            event["propertyName"] = json!(name);
            event["propertyValue"] = json!(value);
            if listener.generic {
                event["isSensitive"] = json!(false);
            }
            self.webhooks.queue(event);
        }
    }

    /// A merge tells of itself and of the record that was merged away, and of no value.
    pub fn tell_merged(
        &mut self,
        kind: ObjectKind,
        [primary, other, new]: [u64; 3],
        moved: usize,
        source: Source,
    ) {
        self.tell(kind, Happening::Merge, source, |event| {
            event["objectId"] = json!(primary);
            event["primaryObjectId"] = json!(primary);
            event["mergedObjectIds"] = json!([other]);
            event["newObjectId"] = json!(new);
            event["numberOfPropertiesMoved"] = json!(moved);
        });
        self.tell_deleted(kind, other, source);
    }

    /// Changes how two records are linked, and tells of each type that came or went.
    pub fn relate(
        &mut self,
        from: End,
        to: End,
        source: Source,
        change: impl FnOnce(&mut Associations),
    ) {
        let before = self.associations.types_of(from, to);
        change(&mut self.associations);
        if self.webhooks.settings().is_none() {
            return;
        }
        let after = self.associations.types_of(from, to);
        for (types, others, removed) in [(&before, &after, true), (&after, &before, false)] {
            for id in types.iter().filter(|id| !others.contains(id)) {
                self.tell_link(from, to, *id, removed, source);
            }
        }
    }

    fn tell_link(&mut self, from: End, to: End, id: u32, removed: bool, source: Source) {
        let Some(known) = self.associations.types.find(from.0, to.0, id) else {
            return;
        };
        let primary = known.role == Role::Primary;
        let category = known.category();
        let inverse = known.inverse();
        for (from, to, id) in [(from, to, id), (to, from, inverse)] {
            let name = format!("{}_TO_{}", from.0.upper(), to.0.upper());
            self.tell(from.0, Happening::AssociationChange, source, |event| {
                event["fromObjectId"] = json!(from.1);
                event["toObjectId"] = json!(to.1);
                event["fromObjectTypeId"] = json!(from.0.type_id());
                event["toObjectTypeId"] = json!(to.0.type_id());
                event["associationType"] = json!(name);
                event["associationTypeId"] = json!(id);
                event["associationCategory"] = json!(category);
                event["associationRemoved"] = json!(removed);
                event["isPrimaryAssociation"] = json!(primary);
            });
        }
    }
}

impl HubSpotSim {
    /// Sets where the app wants its webhooks; `None` switches them off.
    ///
    /// # Errors
    /// A target that is no URL, or a subscription that cannot be.
    pub fn set_webhooks(&self, settings: Option<WebhookSettings>) -> Result<(), String> {
        self.with(|state| state.set_webhooks(settings))
    }

    /// Takes every request that is due, signed; answer each with [`Self::webhook_answered`].
    pub fn take_webhooks(&self) -> Vec<PushRequest> {
        self.due(usize::MAX)
    }

    /// `None` is no answer within the time allowed.
    pub fn webhook_answered(&self, delivery: u64, status: Option<u16>) {
        self.with(|state| {
            let now = state.now();
            state.webhooks.answered(delivery, status, now);
        });
    }

    /// Sends webhooks over the network for as long as the result is held.
    ///
    /// # Errors
    /// An HTTP client that cannot be made.
    pub fn push_webhooks(&self) -> Result<Pushing, String> {
        push::start(self.clone())
    }
}

impl Outbox for HubSpotSim {
    fn at_once(&self) -> usize {
        self.with(|state| {
            let settings = state.webhooks.settings();
            settings.map_or(0, |settings| settings.max_concurrent)
        })
    }

    fn due(&self, most: usize) -> Vec<PushRequest> {
        self.with(|state| {
            let now = state.now();
            state.webhooks.take(now, most)
        })
    }

    fn answered(&self, delivery: u64, answer: Option<(u16, String)>) {
        self.webhook_answered(delivery, answer.map(|(status, _)| status));
    }

    fn wake(&self) -> Arc<Notify> {
        self.with(|state| Arc::clone(&state.webhooks.wake))
    }
}
