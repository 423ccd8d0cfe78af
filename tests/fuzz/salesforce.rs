//! The Salesforce client against replies that a broken proxy or a hostile server might send.

use secrecy::SecretString;
use tandem::crm::salesforce::Session;
use tandem::crm::{CrmError, Crms, Question, Salesforce, Span};
use tandem::model::{RecordId, Side, Timestamp};

use crate::hubspot::{self, same_ids};
use crate::mutate::Shape;
use crate::replies::{Exchange, START, TOKEN, answered, clock, ids, names, rows, tame, wait};
use crate::run::Target;

pub const ONE: &str = "0035f00002JUZPDAA5";
pub const TWO: &str = "0035f00002JUWMVAA5";

pub fn client(exchange: &Exchange) -> Salesforce {
    let session = Session {
        instance_url: "http://org.test".to_owned(),
        token: SecretString::from(TOKEN),
        organization_id: "00D5f000000aaaaEAA".to_owned(),
        user_id: None,
    };
    Salesforce::new(exchange.transport(), session, None, clock())
}

#[test]
fn no_reply_of_salesforce_breaks_the_client() {
    Target {
        name: "salesforce",
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
    let crms = Crms {
        hubspot: hubspot::client(&exchange),
        salesforce: client.clone(),
    };
    wait(call(&client, &crms, &exchange))?;
    let latest = Timestamp::from_millis(START + 25 * 3_600_000);
    if client.ready_at(1, 0).is_some_and(|at| at > latest) {
        return Err("the gate stays closed for more than a day".to_owned());
    }
    for (address, _) in exchange.asked() {
        if !address.starts_with("http://org.test/services/data/") {
            return Err(format!("a request with our token went to {address}"));
        }
    }
    Ok(())
}

async fn call(client: &Salesforce, crms: &Crms, exchange: &Exchange) -> Result<(), String> {
    let asked = ids(&[ONE, TWO]);
    let fields = names(&["Email", "LastName"]);
    let at = Timestamp::from_millis(START);
    match exchange.call.as_str() {
        "retrieve" => match client.retrieve("Contact", &asked, &fields).await {
            Err(error) => tame(&error),
            Ok(records) => same_ids(&asked, records.iter().map(|record| &record.id)),
        },
        "changed" | "together" => {
            let question = |object: &str| Question {
                object: object.to_owned(),
                span: Span {
                    from: at.plus_millis(-1_000),
                    until: None,
                    after: Some((at, RecordId::new(ONE))),
                },
                fields: fields.clone(),
            };
            let mut questions = vec![question("Contact")];
            questions.extend((exchange.call == "together").then(|| question("Lead")));
            let pages = crms.changed(Side::Salesforce, &questions).await;
            pages.into_iter().try_for_each(quiet)
        }
        "list" => quiet(
            crms.list(Side::Salesforce, "Contact", &fields, Some(ONE))
                .await,
        ),
        "find" => {
            let values = names(&["a@b.example"]);
            quiet(client.find_by("Contact", "Email", &values, &fields).await)
        }
        "create" | "update" | "upsert" => {
            let known = exchange.call == "update";
            let rows = rows(
                &[Some(ONE), Some(TWO)].map(|id| id.filter(|_| known)),
                "Email",
            );
            let answers = match exchange.call.as_str() {
                "create" => client.create("Contact", &rows).await,
                "update" => client.update("Contact", &rows).await,
                _ => client.upsert("Contact", "Email", &rows).await,
            };
            answered(&rows, &answers, exchange)
        }
        "delete" => {
            let answers = client.delete("Contact", &asked).await;
            answers
                .into_iter()
                .try_for_each(|(_, answer)| quiet(answer))
        }
        "users" => quiet(client.users().await),
        "organization" => quiet(client.organization().await),
        "limits" => quiet(client.limits().await),
        _ => quiet(client.object_schema("Contact").await),
    }
}

fn quiet<T>(outcome: Result<T, CrmError>) -> Result<(), String> {
    outcome.map_or_else(|error| tame(&error), |_| Ok(()))
}
