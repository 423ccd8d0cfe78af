//! The HubSpot client against replies that a broken proxy or a hostile server might send.

use secrecy::SecretString;
use tandem::crm::HubSpot;
use tandem::model::{RecordId, Timestamp};

use crate::mutate::Shape;
use crate::replies::{Exchange, START, TOKEN, answered, clock, ids, names, rows, tame, wait};
use crate::run::Target;

pub fn client(exchange: &Exchange) -> HubSpot {
    let token = SecretString::from(TOKEN);
    HubSpot::new(exchange.transport(), "http://hubspot.test", token, clock())
}

#[test]
fn no_reply_of_hubspot_breaks_the_client() {
    Target {
        name: "hubspot",
        shape: Shape::Json,
        cases: 1_500,
        samples: Vec::new(),
        check,
    }
    .run();
}

fn check(input: &[u8]) -> Result<(), String> {
    let exchange = Exchange::read(input);
    let client = client(&exchange);
    wait(call(&client, &exchange))?;
    let latest = Timestamp::from_millis(START + 25 * 3_600_000);
    if client.ready_at(1, 1).is_some_and(|at| at > latest) {
        return Err("the gate stays closed for more than a day".to_owned());
    }
    for (address, _) in exchange.asked() {
        let path = address.split('?').next().unwrap_or_default();
        if !path.starts_with("http://hubspot.test/") || path.split('/').any(is_dots) {
            return Err(format!("a request went to {address}"));
        }
    }
    Ok(())
}

fn is_dots(segment: &str) -> bool {
    matches!(segment, "." | ".." | "%2e%2e" | "%2E%2E")
}

async fn call(client: &HubSpot, exchange: &Exchange) -> Result<(), String> {
    let asked = ids(&["1", "2", "3"]);
    let fields = names(&["email", "firstname"]);
    let at = Timestamp::from_millis(START);
    match exchange.call.as_str() {
        "batch-read" => match client.batch_read("contacts", &asked, &fields).await {
            Err(error) => tame(&error),
            Ok(records) => same_ids(&asked, records.iter().map(|record| &record.id)),
        },
        "custom" => match client.batch_read("p_boat", &asked, &fields).await {
            Err(error) => tame(&error),
            Ok(records) => {
                same_ids(&asked, records.iter().map(|record| &record.id))?;
                in_place(exchange)
            }
        },
        "list" => quiet(client.list("contacts", &fields, Some("5"), false).await),
        "history" => quiet(client.history("contacts", &asked, &fields).await),
        "search" => {
            let after = RecordId::new("10");
            let stamp = "lastmodifieddate";
            let (from, to) = (at.plus_millis(-1_000), at);
            let found = client.search_changed("contacts", stamp, from, to, Some(&after), &fields);
            quiet(found.await)
        }
        "find" => {
            let values = names(&["a@b.example", "c@d.example"]);
            quiet(
                client
                    .batch_read_by("contacts", "email", &values, &fields)
                    .await,
            )
        }
        "create" | "update" | "upsert" => {
            let known = exchange.call == "update";
            let rows = rows(
                &[Some("1"), Some("2"), Some("3")].map(|id| id.filter(|_| known)),
                "email",
            );
            let answers = match exchange.call.as_str() {
                "create" => client.create("contacts", &rows).await,
                "update" => client.update("contacts", &rows).await,
                _ => client.upsert("contacts", "email", &rows).await,
            };
            answered(&rows, &answers, exchange)
        }
        "archive" => {
            let answers = client.archive("contacts", &asked).await;
            answers
                .into_iter()
                .try_for_each(|(_, answer)| quiet(answer))
        }
        "ties" => quiet(client.associations("contacts", "companies", &asked).await),
        "labels" => quiet(
            client
                .association_type("contacts", "companies", Some("Boss"))
                .await,
        ),
        "owners" => quiet(client.owners().await),
        "account" => quiet(client.account().await),
        _ => quiet(client.object_schema("deals").await),
    }
}

fn quiet<T>(outcome: Result<T, tandem::crm::CrmError>) -> Result<(), String> {
    outcome.map_or_else(|error| tame(&error), |_| Ok(()))
}

/// Each record that was asked for comes back once, in its place: none vanishes, none is added.
pub fn same_ids<'a>(
    asked: &[RecordId],
    got: impl Iterator<Item = &'a RecordId>,
) -> Result<(), String> {
    let got: Vec<&RecordId> = got.collect();
    if got == asked.iter().collect::<Vec<_>>() {
        Ok(())
    } else {
        Err(format!("asked for {asked:?} and got {got:?}"))
    }
}

/// A type id out of a reply is one segment of the path, whatever it holds.
fn in_place(exchange: &Exchange) -> Result<(), String> {
    for (address, _) in exchange.asked().iter().skip(1) {
        let path = address.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').skip(3).collect();
        let sound = matches!(
            segments.as_slice(),
            ["crm", "objects", _, object, "batch", "read"] if !object.is_empty()
        );
        if !sound {
            return Err(format!("a request went to {address}"));
        }
    }
    Ok(())
}
