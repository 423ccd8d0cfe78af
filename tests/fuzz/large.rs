//! The largest replies there can be, made of what costs the most memory for each byte.

use tandem::crm::BODY_CAP;
use tandem::model::Side;

use crate::allocation;
use crate::hubspot;
use crate::replies::{Exchange, ids, names, rows, wait};
use crate::salesforce::{self, ONE};

/// Several times the body itself, which is the price of reading JSON, and no more.
const MOST: usize = 256 << 20;

fn reply(status: u16, head: &str, piece: &str, tail: &str) -> Exchange {
    let times = (BODY_CAP - head.len() - tail.len()) / piece.len() - 1;
    let body = format!("{head}{}{tail}", piece.repeat(times));
    let text = format!("x\n{status}\ncontent-type: application/json\n\n{body}");
    Exchange::read(text.as_bytes())
}

fn costs(side: Side, what: &str, exchange: &Exchange) {
    let ((), bytes) = allocation::peak(|| {
        let hubspot = hubspot::client(exchange);
        let salesforce = salesforce::client(exchange);
        let (asked, fields) = (ids(&["1"]), names(&["email"]));
        let ours = rows(&[None; 100], "email");
        if side == Side::HubSpot {
            drop(wait(hubspot.batch_read("contacts", &asked, &fields)));
            drop(wait(hubspot.create("contacts", &ours)));
            drop(wait(hubspot.associations("contacts", "companies", &asked)));
            drop(wait(hubspot.history("contacts", &asked, &fields)));
            drop(wait(hubspot.object_schema("contacts")));
            return;
        }
        drop(wait(salesforce.query("SELECT Id FROM Contact")));
        drop(wait(salesforce.retrieve("Contact", &ids(&[ONE]), &fields)));
        drop(wait(
            salesforce.create("Contact", &rows(&[None; 200], "Email")),
        ));
        drop(wait(salesforce.object_schema("Contact")));
    });
    assert!(bytes <= MOST, "{what}: {} MiB", bytes >> 20);
}

type Shape = (Side, &'static str, &'static str, &'static str, &'static str);

/// Who answers, what it is, and the text it is made of: a head, many pieces, a tail.
const REPLIES: [Shape; 11] = [
    (
        Side::Salesforce,
        "empty records",
        "{\"done\":true,\"records\":[{}",
        ",{}",
        "]}",
    ),
    (
        Side::HubSpot,
        "empty results",
        "{\"results\":[{}",
        ",{}",
        "]}",
    ),
    (
        Side::HubSpot,
        "empty errors",
        "{\"results\":[],\"errors\":[{}",
        ",{}",
        "]}",
    ),
    (
        Side::HubSpot,
        "lists of nothing",
        "{\"results\":[],\"errors\":[[]",
        ",[]",
        "]}",
    ),
    (
        Side::HubSpot,
        "empty ties",
        "{\"results\":[{\"from\":{\"id\":1},\"to\":[{}",
        ",{}",
        "]}]}",
    ),
    (
        Side::HubSpot,
        "empty versions",
        "{\"results\":[{\"id\":1,\"propertiesWithHistory\":{\"a\":[{}",
        ",{}",
        "]}}]}",
    ),
    (
        Side::HubSpot,
        "empty options",
        "{\"results\":[{\"name\":\"a\",\"options\":[{}",
        ",{}",
        "]}]}",
    ),
    (Side::Salesforce, "empty rows", "[{}", ",{}", "]"),
    (Side::Salesforce, "no rows", "[null", ",null", "]"),
    (
        Side::Salesforce,
        "empty fields",
        "{\"name\":\"x\",\"fields\":[{}",
        ",{}",
        "]}",
    ),
    (Side::HubSpot, "one deep value", "{\"results\":", "[", ""),
];

const REFUSALS: [Shape; 2] = [
    (
        Side::HubSpot,
        "a refusal of nothing",
        "{\"errors\":[{}",
        ",{}",
        "]}",
    ),
    (
        Side::Salesforce,
        "a refusal of blames",
        "[{\"fields\":[\"a\"",
        ",\"a\"",
        "]}]",
    ),
];

#[test]
fn a_reply_as_large_as_is_read_costs_bounded_memory() {
    for (status, shapes) in [(200, &REPLIES[..]), (400, &REFUSALS[..])] {
        for (side, what, head, piece, tail) in shapes {
            costs(*side, what, &reply(status, head, piece, tail));
        }
    }
}
