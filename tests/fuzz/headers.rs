//! `Retry-After`, `Date` and the headers that tell limits, whatever a server writes into them.

use tandem::crm::{Crms, ErrorKind};
use tandem::model::{Side, Timestamp};

use crate::mutate::Shape;
use crate::replies::{Exchange, START, clock, names, tame, wait};
use crate::run::Target;
use crate::{hubspot, salesforce};

/// The same headers, from which each client takes its own.
const SAMPLE: &str = "x
429
content-type: application/json
retry-after: 10
date: Thu, 01 Jan 2026 00:00:00 GMT
x-hubspot-ratelimit-max: 100
x-hubspot-ratelimit-remaining: 12
x-hubspot-ratelimit-interval-milliseconds: 10000
x-hubspot-ratelimit-daily: 250000
x-hubspot-ratelimit-daily-remaining: 1000
sforce-limit-info: api-usage=18/5000
x-request-id: abc

{}
";

#[test]
fn no_header_parks_a_connection_or_moves_its_time() {
    Target {
        name: "headers",
        shape: Shape::Lines,
        cases: 1_500,
        samples: [
            SAMPLE.to_owned(),
            SAMPLE.replace("429", "200"),
            SAMPLE.replace("429", "503"),
            SAMPLE.replace(": 10\n", ": Thu, 01 Jan 2026 00:10:00 GMT\n"),
        ]
        .map(String::into_bytes)
        .to_vec(),
        check,
    }
    .run();
}

fn check(input: &[u8]) -> Result<(), String> {
    let exchange = Exchange::read(input);
    let crms = Crms {
        hubspot: hubspot::client(&exchange),
        salesforce: salesforce::client(&exchange),
    };
    for side in Side::BOTH {
        let object = match side {
            Side::HubSpot => "contacts",
            Side::Salesforce => "Contact",
        };
        match wait(crms.list(side, object, &names(&["x"]), None)) {
            Ok(page) => {
                let year = page.server_time.map(|at| at.to_string());
                if year.is_some_and(|text| text.len() != "2026-01-01T00:00:00.000Z".len()) {
                    return Err("a time of no year was taken".to_owned());
                }
            }
            Err(error) => {
                tame(&error)?;
                let rated = matches!(error.kind, ErrorKind::RateLimited(_));
                if rated && error.retry_after.is_none() {
                    return Err("refused for its rate, and nobody knows until when".to_owned());
                }
            }
        }
    }
    // The day is counted in hours that have begun.
    let latest = Timestamp::from_millis(START + 25 * 3_600_000);
    if crms.ready_at(1, 1).is_some_and(|at| at > latest) {
        return Err("the gate stays closed for more than a day".to_owned());
    }
    // What was learnt survives being stored.
    let stored = crms.gates();
    crms.restore_gates(&stored);
    if crms.gates() != stored {
        return Err("the gate reads back as another one".to_owned());
    }
    let _ = (crms.hubspot.usage(), crms.salesforce.usage(), clock());
    Ok(())
}
