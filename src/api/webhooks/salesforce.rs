//! Salesforce's outbound messages: one address per connection, unsigned (salesforce.md 7).
//!
//! The address cannot be guessed, the organisation must be the connected one, and what comes is a
//! hint. A message is acknowledged as one, after all of it is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::Counts;
use super::hubspot::answered;
use super::intake::Hint;
use crate::api::Api;
use crate::api::error::{ApiError, Code};
use crate::crm::salesforce::full_id;
use crate::model::{RecordId, Side, WorkspaceId};
use crate::vault::Vault;

const PURPOSE: &str = "outbound messages";
/// Salesforce sends up to a hundred.
const NOTIFICATIONS: usize = 1_000;
const DEPTH: usize = 32;
const ACK: &str = concat!(
    "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\">",
    "<soapenv:Body><notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\">",
    "<Ack>true</Ack></notificationsResponse></soapenv:Body></soapenv:Envelope>"
);

/// Where a workspace's organisation sends its messages, below the public address.
pub fn path(vault: &Vault, ws: &WorkspaceId) -> String {
    format!("webhooks/salesforce/{}", vault.sign(PURPOSE, ws.as_str()))
}

pub(super) async fn receive(
    State(api): State<Arc<Api>>,
    Path(token): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    Counts::add(&api.counts.requests, 1);
    let refused = |error: ApiError| {
        Counts::add(&api.counts.refused, 1);
        error
    };
    let ws = api.vault.verify(PURPOSE, &token).map(WorkspaceId::new);
    let ws = ws.ok_or_else(|| refused(ApiError::not_found("address")))?;
    let body = body.map_err(|rejection| {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            _ => Code::BadRequest,
        };
        refused(ApiError::new(code, rejection.body_text()))
    })?;
    let message = Message::read(&body).map_err(|why| refused(ApiError::bad(why)))?;
    Counts::add(&api.counts.events, message.hints.len());
    let bound = api.store.sealed_connection(&ws, Side::Salesforce).await?;
    if bound.is_none_or(|bound| bound.account_id != message.organization) {
        let why = "the message is of another organisation than the one that is connected";
        return Err(refused(ApiError::new(Code::OtherAccount, why)));
    }
    let hints = BTreeMap::from([(message.organization, message.hints)]);
    let stored = api.intake.take(Side::Salesforce, hints).await?;
    answered(&api, stored)?;
    Ok(([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], ACK).into_response())
}

/// What a message says: which organisation, and which records of which objects.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    organization: String,
    hints: BTreeSet<Hint>,
}

impl Message {
    fn read(body: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::from_reader(body);
        let mut message = Self::default();
        let mut path: Vec<String> = Vec::new();
        let mut object = String::new();
        let mut text = String::new();
        loop {
            match reader.read_event() {
                Ok(Event::Start(start)) => {
                    if path.len() >= DEPTH {
                        return Err("the message is nested too deeply");
                    }
                    let name = start.local_name().as_ref().to_owned();
                    if name == "sObject" {
                        object = kind_of(&start).ok_or("an sObject has no xsi:type")?;
                    }
                    path.push(name);
                    text.clear();
                }
                Ok(Event::Text(piece)) => text.push_str(&piece),
                Ok(Event::End(_)) => {
                    let name = path.pop().unwrap_or_default();
                    let inside = path.last().map(String::as_str);
                    match (inside, name.as_str()) {
                        (Some("notifications"), "OrganizationId") => {
                            message.organization =
                                full_id(text.trim()).ok_or("OrganizationId is no id")?;
                        }
                        (Some("sObject"), "Id") => {
                            let record = full_id(text.trim()).ok_or("a record's Id is no id")?;
                            message.hints.insert(Hint {
                                object: object.clone(),
                                record: RecordId::new(record),
                            });
                        }
                        _ => {}
                    }
                    text.clear();
                }
                Ok(Event::DocType(_)) => return Err("a document type is not accepted"),
                Ok(Event::Eof) => break,
                Ok(_) => {}
                Err(_) => return Err("the body is no XML"),
            }
            if message.hints.len() > NOTIFICATIONS {
                return Err("a message holds up to 1,000 notifications");
            }
        }
        match (message.organization.is_empty(), path.is_empty()) {
            (false, true) => Ok(message),
            (true, _) => Err("the message names no organisation"),
            (_, false) => Err("the message is cut off"),
        }
    }
}

/// `Contact` of `xsi:type="sf:Contact"`.
fn kind_of(start: &quick_xml::events::BytesStart<'_>) -> Option<String> {
    let found = start
        .attributes()
        .flatten()
        .find(|one| one.key.local_name().as_ref() == "type")?;
    let name = found.value.rsplit(':').next()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (!name.is_empty() && name.len() <= 80 && name.bytes().all(plain)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(inside: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
             xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><soapenv:Body>\
             <notifications xmlns=\"http://soap.sforce.com/2005/09/outbound\">\
             <OrganizationId>00Dxx0000000001EAA</OrganizationId>{inside}</notifications>\
             </soapenv:Body></soapenv:Envelope>"
        )
    }

    fn notification(kind: &str, id: &str) -> String {
        format!(
            "<Notification><Id>04lxx0000000001AAA</Id><sObject xsi:type=\"sf:{kind}\" \
             xmlns:sf=\"urn:sobject.enterprise.soap.sforce.com\"><sf:Id>{id}</sf:Id>\
             <sf:Email>a@example.com</sf:Email></sObject></Notification>"
        )
    }

    #[test]
    fn a_message_names_its_organisation_and_each_record_once() {
        let one = notification("Contact", "003xx0000000001");
        let two = notification("Account", "001xx0000000001");
        let message = Message::read(envelope(&format!("{one}{two}{one}")).as_bytes()).unwrap();
        assert_eq!(message.organization, full_id("00Dxx0000000001").unwrap());
        let found: Vec<(&str, &str)> = message
            .hints
            .iter()
            .map(|hint| (hint.object.as_str(), hint.record.as_str()))
            .collect();
        let (account, contact) = (full_id("001xx0000000001"), full_id("003xx0000000001"));
        assert_eq!(
            found,
            [
                ("Account", account.as_deref().unwrap()),
                ("Contact", contact.as_deref().unwrap())
            ]
        );
    }

    #[test]
    fn hostile_xml_is_refused_in_words() {
        let bomb = "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>";
        let deep = "<a>".repeat(100_000);
        let good = envelope(&notification("Contact", "003xx0000000001"));
        let cut = &good[..good.len() - 20];
        let wrong_id = envelope(&notification("Contact", "../../etc"));
        let wrong_kind = envelope(&notification("Con tact", "003xx0000000001"));
        for text in ["", "{}", "<a/>", bomb, &deep, cut, &wrong_id, &wrong_kind] {
            assert!(
                Message::read(text.as_bytes()).is_err(),
                "{}",
                &text[..text.len().min(60)]
            );
        }
        assert!(Message::read(&[0xff, 0xfe, 0x00]).is_err());
    }
}
