//! The largest replies there can be, made of what costs the most memory for each byte.

use tandem::crm::BODY_CAP;

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

fn costs(what: &str, exchange: &Exchange) {
    let ((), bytes) = allocation::peak(|| {
        let hubspot = hubspot::client(exchange);
        let salesforce = salesforce::client(exchange);
        let (asked, fields) = (ids(&["1"]), names(&["email"]));
        let ours = rows(&[None; 100], "email");
        drop(wait(hubspot.batch_read("contacts", &asked, &fields)));
        drop(wait(hubspot.create("contacts", &ours)));
        drop(wait(hubspot.associations("contacts", "companies", &asked)));
        drop(wait(hubspot.object_schema("contacts")));
        drop(wait(salesforce.query("SELECT Id FROM Contact")));
        drop(wait(salesforce.retrieve("Contact", &ids(&[ONE]), &fields)));
        drop(wait(
            salesforce.create("Contact", &rows(&[None; 200], "Email")),
        ));
        drop(wait(salesforce.object_schema("Contact")));
    });
    assert!(bytes <= MOST, "{what}: {} MiB", bytes >> 20);
}

#[test]
fn a_reply_as_large_as_is_read_costs_bounded_memory() {
    for (what, head, piece, tail) in [
        (
            "empty records",
            "{\"done\":true,\"records\":[{}",
            ",{}",
            "]}",
        ),
        ("empty results", "{\"results\":[{}", ",{}", "]}"),
        (
            "empty errors",
            "{\"results\":[],\"errors\":[{}",
            ",{}",
            "]}",
        ),
        (
            "lists of nothing",
            "{\"results\":[],\"errors\":[[]",
            ",[]",
            "]}",
        ),
        ("empty rows", "[{}", ",{}", "]"),
        ("no rows", "[null", ",null", "]"),
        (
            "empty fields",
            "{\"name\":\"x\",\"fields\":[{}",
            ",{}",
            "]}",
        ),
        ("one deep value", "{\"results\":", "[", ""),
    ] {
        costs(what, &reply(200, head, piece, tail));
    }
    for (what, head, piece, tail) in [
        ("a refusal of nothing", "{\"errors\":[{}", ",{}", "]}"),
        (
            "a refusal of blames",
            "[{\"fields\":[\"a\"",
            ",\"a\"",
            "]}]",
        ),
    ] {
        costs(what, &reply(400, head, piece, tail));
    }
}
