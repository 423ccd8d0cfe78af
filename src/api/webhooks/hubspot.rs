//! HubSpot's webhooks: one address for all customers of the app (hubspot.md 9).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, Uri};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use super::intake::{Hint, Stored};
use super::signature::{Signed, is_genuine};
use super::{Counts, intake};
use crate::api::Api;
use crate::api::error::{ApiError, Code};
use crate::crm::hubspot::is_type_id;
use crate::model::{RecordId, Side};
use crate::prepare::plural;

/// HubSpot sends up to a hundred.
const EVENTS: usize = 1_000;

/// Longer than any type id.
const TYPE_ID: usize = 24;

/// Of an event only what says which record changed; all of it may be missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Event {
    portal_id: Value,
    subscription_type: Option<String>,
    event_type: Option<String>,
    object_type_id: Option<String>,
    object_id: Value,
    primary_object_id: Value,
    new_object_id: Value,
    merged_object_ids: Vec<Value>,
    from_object_id: Value,
}

pub(super) async fn receive(
    State(api): State<Arc<Api>>,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, ApiError> {
    Counts::add(&api.counts.requests, 1);
    let body = body.map_err(|rejection| {
        Counts::add(&api.counts.refused, 1);
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            _ => Code::BadRequest,
        };
        ApiError::new(code, rejection.body_text())
    })?;
    if !is_signed(&api, &uri, &headers, &body) {
        Counts::add(&api.counts.refused, 1);
        let why = "the signature does not fit; check the app's client secret and server.public_url";
        return Err(ApiError::new(Code::Unauthenticated, why));
    }
    let events: Vec<Event> = serde_json::from_slice(&body).map_err(|_| {
        Counts::add(&api.counts.refused, 1);
        ApiError::bad("the body is no list of events")
    })?;
    if events.len() > EVENTS {
        return Err(ApiError::new(
            Code::TooLarge,
            "a body holds up to 1,000 events",
        ));
    }
    Counts::add(&api.counts.events, events.len());
    let (hints, unknown) = hints(&events);
    Counts::add(&api.counts.unknown, unknown);
    answered(&api, api.intake.take(Side::HubSpot, hints).await?)
}

fn is_signed(api: &Api, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> bool {
    let Some(secret) = &api.hubspot_secret else {
        return false;
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    // As HubSpot called it: a proxy in between may have changed scheme and host.
    let uri = format!("{}{path}", api.public_url.as_str().trim_end_matches('/'));
    let signed = Signed {
        uri: &uri,
        body,
        signature: header("x-hubspot-signature-v3").unwrap_or_default(),
        timestamp: header("x-hubspot-request-timestamp").unwrap_or_default(),
    };
    is_genuine(secret.expose_secret().as_bytes(), signed, api.clock.now())
}

/// Nothing is answered that is not stored.
pub(super) fn answered(api: &Api, stored: Stored) -> Result<StatusCode, ApiError> {
    match stored {
        intake::Stored::Yes { unknown } => {
            Counts::add(&api.counts.unknown, unknown);
            Ok(StatusCode::OK)
        }
        intake::Stored::No => {
            Counts::add(&api.counts.deferred, 1);
            Err(ApiError::new(
                Code::Unavailable,
                "it could not be stored; send it again",
            ))
        }
    }
}

/// Records by portal, each once, and how many events name none.
fn hints(events: &[Event]) -> (BTreeMap<String, BTreeSet<Hint>>, usize) {
    let mut hints: BTreeMap<String, BTreeSet<Hint>> = BTreeMap::new();
    let mut unknown = 0;
    for event in events {
        let (Some(portal), Some(object)) = (number(&event.portal_id), object(event)) else {
            unknown += 1;
            continue;
        };
        let named = [
            &event.object_id,
            &event.primary_object_id,
            &event.new_object_id,
            &event.from_object_id,
        ];
        let ids = named
            .into_iter()
            .chain(&event.merged_object_ids)
            .filter_map(number);
        let of_portal = hints.entry(portal).or_default();
        let before = of_portal.len();
        let mut any = false;
        for id in ids {
            any = true;
            of_portal.insert(Hint {
                object: object.clone(),
                record: RecordId::new(id),
            });
        }
        if !any && of_portal.len() == before {
            unknown += 1;
        }
    }
    (hints, unknown)
}

/// The object of the record as mappings name it; a custom one by its type id.
fn object(event: &Event) -> Option<String> {
    let kind = event
        .subscription_type
        .as_ref()
        .or(event.event_type.as_ref())?;
    let (word, _) = kind.split_once('.')?;
    if word != "object" {
        return plural(word).map(str::to_owned);
    }
    let id = event.object_type_id.as_deref()?;
    let custom = || id.starts_with("2-") && id.len() <= TYPE_ID && is_type_id(id);
    let standard = plural(id).map(str::to_owned);
    standard.or_else(|| custom().then(|| id.to_owned()))
}

/// An id as HubSpot writes it: a number, or its digits.
fn number(value: &Value) -> Option<String> {
    let text = match value {
        Value::Number(number) => number.as_u64()?.to_string(),
        Value::String(text) if text.len() <= 20 => text.clone(),
        _ => return None,
    };
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String, String)>, usize) {
        let events: Vec<Event> = serde_json::from_str(text).unwrap();
        let (hints, unknown) = hints(&events);
        let flat = hints.into_iter().flat_map(|(portal, hints)| {
            hints
                .into_iter()
                .map(move |hint| (portal.clone(), hint.object, hint.record.as_str().to_owned()))
        });
        (flat.collect(), unknown)
    }

    fn hint(portal: &str, object: &str, id: &str) -> (String, String, String) {
        (portal.to_owned(), object.to_owned(), id.to_owned())
    }

    #[test]
    fn every_kind_of_event_names_its_records_once() {
        let (found, unknown) = read(
            r#"[{"portalId":1,"subscriptionType":"contact.creation","objectId":9},
                {"portalId":1,"subscriptionType":"contact.propertyChange","objectId":9,
                 "propertyName":"email","propertyValue":"a@example.com"},
                {"portalId":2,"subscriptionType":"contact.merge","objectId":5,
                 "primaryObjectId":5,"mergedObjectIds":[6],"newObjectId":7},
                {"portalId":1,"subscriptionType":"object.propertyChange","objectTypeId":"0-3",
                 "objectId":77},
                {"portalId":1,"eventType":"company.deletion","objectId":3},
                {"portalId":1,"subscriptionType":"object.creation","objectTypeId":"2-4",
                 "objectId":12},
                {"portalId":1,"subscriptionType":"contact.associationChange","fromObjectId":8,
                 "toObjectId":3}]"#,
        );
        let expected = [
            hint("1", "2-4", "12"),
            hint("1", "companies", "3"),
            hint("1", "contacts", "8"),
            hint("1", "contacts", "9"),
            hint("1", "deals", "77"),
            hint("2", "contacts", "5"),
            hint("2", "contacts", "6"),
            hint("2", "contacts", "7"),
        ];
        assert_eq!((found, unknown), (expected.to_vec(), 0));
    }

    #[test]
    fn what_names_no_record_is_counted_and_never_an_error() {
        let (found, unknown) = read(
            r#"[{}, {"portalId":1,"subscriptionType":"contact.creation"},
                {"portalId":-1,"subscriptionType":"contact.creation","objectId":1},
                {"portalId":1,"subscriptionType":"conversation.creation","objectId":1},
                {"portalId":1,"subscriptionType":"object.creation","objectTypeId":"2-x",
                 "objectId":1},
                {"portalId":1,"subscriptionType":"object.creation","objectTypeId":"9-4",
                 "objectId":1},
                {"portalId":1,"subscriptionType":"2-4.creation","objectId":1},
                {"portalId":"x","subscriptionType":"contact.creation","objectId":"../1"}]"#,
        );
        assert_eq!((found, unknown), (Vec::new(), 8));
    }
}
