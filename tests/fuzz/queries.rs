//! Values of records put into queries, filters and addresses: each arrives as the value it was.
//!
//! The judge of a query is the simulator's own parser, which shares no code with the client.

use std::collections::BTreeSet;

use http::Uri;
use serde_json::Value;
use tandem::crm::salesforce::{Asked, soql};
use tandem::model::{RecordId, Timestamp};
use tandem::sim::salesforce::dissect;

use crate::mutate::Shape;
use crate::replies::{Exchange, START, names, wait};
use crate::run::Target;
use crate::salesforce::{ONE, TWO};
use crate::{hubspot, salesforce};

#[test]
fn no_value_breaks_out_of_a_query_a_filter_or_an_address() {
    Target {
        name: "queries",
        shape: Shape::Words,
        cases: 700,
        samples: [
            "O'Hara|a@b.example",
            "x' OR Name LIKE '%",
            "1' --",
            "\\'|\\\\",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec(),
        check,
    }
    .run();
}

const EMPTY: &[u8] = b"x\n200\ncontent-type: application/json\n\n{\"results\":[],\"records\":[],\
    \"done\":true}";

fn check(input: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(input).into_owned();
    let mut values: Vec<String> = text.split('|').map(str::to_owned).collect();
    values.push(text);
    values.truncate(40);
    for value in &values {
        literal(value)?;
    }
    found(&values)?;
    for value in &values {
        walked(value)?;
        deleted(value)?;
        searched(value)?;
        named(value)?;
    }
    keyed(&values)
}

/// One literal reads back as the value.
fn literal(value: &str) -> Result<(), String> {
    let query = format!(
        "SELECT Id FROM Contact WHERE Email = {} LIMIT 1",
        soql::string(value)
    );
    let (shape, literals) = match dissect(&query) {
        Ok(parts) => parts,
        // The platform's own bounds; the client keeps within them, see below.
        Err(_) if value.chars().count() > 4_000 => return Ok(()),
        Err(fault) => return Err(format!("{query} is no query: {fault}")),
    };
    same(&literals, &[value])?;
    same(
        &[shape],
        &["SELECT Id FROM Contact WHERE Email = ? LIMIT 1"],
    )
}

/// `IN` lists hold the values and nothing else, and a value that fits into no field costs the
/// others nothing.
fn found(values: &[String]) -> Result<(), String> {
    let exchange = Exchange::read(EMPTY);
    let client = salesforce::client(&exchange);
    wait(client.find_by("Contact", "Email", values, &[])).map_err(|error| error.to_string())?;
    let mut seen = BTreeSet::new();
    for query in queries(&exchange)? {
        let (shape, literals) = dissect(&query).map_err(|fault| format!("{query}: {fault}"))?;
        let list = vec!["?"; literals.len()].join(" , ");
        if !shape.ends_with(&format!("FROM Contact WHERE Email IN ( {list} )")) {
            return Err(format!("the query became {shape}"));
        }
        seen.extend(literals);
    }
    for value in values
        .iter()
        .filter(|value| (1..=255).contains(&value.chars().count()))
    {
        if !seen.contains(value) {
            return Err(format!("{value:?} was not asked for"));
        }
    }
    match seen.iter().find(|value| !values.contains(value)) {
        Some(other) => Err(format!("{other:?} was asked for and is no value")),
        None => Ok(()),
    }
}

/// Ids that stand for a place in a walk.
fn walked(value: &str) -> Result<(), String> {
    if value.chars().count() > 4_000 {
        return Ok(());
    }
    let (id, at) = (RecordId::new(value), Timestamp::from_millis(START));
    let exchange = Exchange::read(EMPTY);
    let client = salesforce::client(&exchange);
    let _ = wait(client.list("Contact", &[], Some(&id), 10));
    let _ = wait(client.changed(&Asked {
        object: "Contact",
        fields: &[],
        from: at,
        after: Some((at, id.clone())),
        until: at,
        limit: 10,
    }));
    let _ = wait(client.retrieve("Contact", &[id], &[]));
    for query in queries(&exchange)? {
        let (_, literals) = dissect(&query).map_err(|fault| format!("{query}: {fault}"))?;
        let full = tandem::crm::salesforce::full_id(value);
        if literals != [value] && Some(&literals) != full.map(|id| vec![id]).as_ref() {
            return Err(format!("{value:?} became {literals:?}"));
        }
    }
    Ok(())
}

/// A delete names the records it was given; no id can smuggle in another one.
fn deleted(value: &str) -> Result<(), String> {
    let exchange = Exchange::read(EMPTY);
    let client = salesforce::client(&exchange);
    let given = [RecordId::new(ONE), RecordId::new(value)];
    let answers = wait(client.delete("Contact", &given));
    let mut got: Vec<&RecordId> = answers.iter().map(|(id, _)| id).collect();
    let mut wanted: Vec<&RecordId> = given.iter().collect();
    got.sort();
    wanted.sort();
    if got != wanted {
        return Err(format!("{given:?} got {answers:?}"));
    }
    for (address, _) in exchange.asked() {
        let uri: Uri = address
            .parse()
            .map_err(|_| format!("{address} is no address"))?;
        let query = uri.query().unwrap_or_default().as_bytes();
        let ids: Vec<String> = url::form_urlencoded::parse(query)
            .filter(|(name, _)| name == "ids")
            .flat_map(|(_, ids)| ids.split(',').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let allowed = |id: &String| {
            tandem::crm::salesforce::full_id(id)
                .is_some_and(|id| given.iter().any(|own| full(own) == Some(id.clone())))
        };
        if !ids.iter().all(allowed) {
            return Err(format!("asked to delete {given:?}, {ids:?} were sent"));
        }
    }
    Ok(())
}

fn full(id: &RecordId) -> Option<String> {
    tandem::crm::salesforce::full_id(id.as_str())
}

/// HubSpot's filters carry the id as one value of the filter that was meant.
fn searched(value: &str) -> Result<(), String> {
    let exchange = Exchange::read(EMPTY);
    let client = hubspot::client(&exchange);
    let (id, at) = (RecordId::new(value), Timestamp::from_millis(START));
    let stamp = "lastmodifieddate";
    let fields = names(&["x"]);
    let found = client.search_changed("contacts", stamp, at, at, Some(&id), &fields);
    let _ = wait(found);
    for (address, body) in exchange.asked() {
        same(
            &[address],
            &["http://hubspot.test/crm/objects/2026-03/contacts/search"],
        )?;
        let body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let filters = body["filterGroups"][0]["filters"]
            .as_array()
            .map_or(0, Vec::len);
        let after = &body["filterGroups"][0]["filters"][1];
        if filters != 2 || after["value"] != value || after["operator"] != "GT" {
            return Err(format!("{value:?} became {body}"));
        }
    }
    let exchange = Exchange::read(EMPTY);
    let client = hubspot::client(&exchange);
    let _ = wait(client.list("contacts", &names(&["x"]), Some(value), false));
    let Some((address, _)) = exchange.asked().pop() else {
        return Ok(());
    };
    let uri: Uri = address
        .parse()
        .map_err(|_| format!("{address} is no address"))?;
    let query = uri.query().unwrap_or_default().as_bytes();
    let sent: Vec<(String, String)> = url::form_urlencoded::parse(query).into_owned().collect();
    let after: Vec<&str> = sent
        .iter()
        .filter(|(name, _)| name == "after")
        .map(|(_, value)| value.as_str())
        .collect();
    if uri.path() != "/crm/objects/2026-03/contacts" || after != [value] || sent.len() != 4 {
        return Err(format!("{value:?} became {address}"));
    }
    Ok(())
}

/// Names of objects and fields are never taken from records, but a mapping's author may err.
fn named(value: &str) -> Result<(), String> {
    let exchange = Exchange::read(EMPTY);
    let client = salesforce::client(&exchange);
    let fields = [value.to_owned()];
    let _ = wait(client.find_by(value, "Email", &names(&["a"]), &[]));
    let _ = wait(client.find_by("Contact", value, &names(&["a"]), &[]));
    let _ = wait(client.retrieve("Contact", &[RecordId::new(TWO)], &fields));
    let _ = wait(client.object_schema(value));
    let sound = soql::name(value).is_ok();
    if !sound && !exchange.asked().is_empty() {
        return Err(format!(
            "{value:?} was taken for a name: {:?}",
            exchange.asked()
        ));
    }
    let exchange = Exchange::read(EMPTY);
    let client = hubspot::client(&exchange);
    let _ = wait(client.batch_read(value, &[RecordId::new("1")], &[]));
    for (address, _) in exchange.asked() {
        let path = address.trim_start_matches("http://hubspot.test/");
        if path.split('/').count() > 6 || path.contains("..") {
            return Err(format!("the object {value:?} led to {address}"));
        }
    }
    Ok(())
}

/// Look-ups by key carry each value once, as it is.
fn keyed(values: &[String]) -> Result<(), String> {
    let exchange = Exchange::read(EMPTY);
    let client = hubspot::client(&exchange);
    let _ = wait(client.batch_read_by("contacts", "email", values, &[]));
    let mut seen = BTreeSet::new();
    for (_, body) in exchange.asked() {
        let body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let inputs = body["inputs"].as_array().cloned().unwrap_or_default();
        seen.extend(
            inputs
                .iter()
                .filter_map(|one| one["id"].as_str().map(str::to_owned)),
        );
    }
    let wanted: BTreeSet<String> = values.iter().filter(|v| !v.is_empty()).cloned().collect();
    if seen == wanted {
        Ok(())
    } else {
        Err(format!("{wanted:?} became {seen:?}"))
    }
}

fn queries(exchange: &Exchange) -> Result<Vec<String>, String> {
    let mut queries = Vec::new();
    for (address, _) in exchange.asked() {
        let uri: Uri = address
            .parse()
            .map_err(|_| format!("{address} is no address"))?;
        let query = uri.query().unwrap_or_default().as_bytes();
        let asked = url::form_urlencoded::parse(query).filter(|(name, _)| name == "q");
        queries.extend(asked.map(|(_, soql)| soql.into_owned()));
    }
    Ok(queries)
}

fn same(got: &[String], wanted: &[&str]) -> Result<(), String> {
    if got == wanted {
        Ok(())
    } else {
        Err(format!("{wanted:?} became {got:?}"))
    }
}
