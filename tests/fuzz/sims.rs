//! What the simulators are asked: paths, queries and bodies by any program that is tested on them.
//!
//! The input is a request line, `METHOD path`, and the body from the next line on. `@sf` and `@hs`
//! before it choose the simulator.

use axum::body::Body;
use http::{Method, Request};
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tower::ServiceExt;

use crate::mutate::Shape;
use crate::replies::{clock, wait};
use crate::run::Target;

#[test]
fn no_request_breaks_a_simulator_or_is_refused_half_done() {
    Target {
        name: "sims",
        shape: Shape::Json,
        cases: 700,
        samples: Vec::new(),
        check,
    }
    .run();
}

#[test]
fn no_statement_breaks_the_query_parser() {
    Target {
        name: "soql",
        shape: Shape::Words,
        cases: 700,
        samples: Vec::new(),
        check: |input| {
            let text = String::from_utf8_lossy(input);
            let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            check(format!("@sf GET /services/data/v67.0/queryAll?q={query}\n").as_bytes())
        },
    }
    .run();
}

fn check(input: &[u8]) -> Result<(), String> {
    let end = input
        .iter()
        .position(|&byte| byte == b'\n')
        .unwrap_or(input.len());
    let (line, body) = input.split_at(end);
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.splitn(3, ' ');
    let (sim, method) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let path = words.next().unwrap_or("/").trim();
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return Ok(());
    };
    let request = |token: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sim.test")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(body.to_vec()))
    };
    if sim.trim() == "@hs" {
        hubspot(request)
    } else {
        salesforce(request)
    }
}

type Made = Result<Request<Body>, http::Error>;

fn hubspot(request: impl FnOnce(&str) -> Made) -> Result<(), String> {
    let options = HubSpotOptions::default();
    let token = options.token.clone();
    let sim = HubSpotSim::new(SimClock::new(clock()), options);
    let ann = [("email", "ann@acme.example"), ("firstname", "Ann")];
    sim.create("contacts", &ann)?;
    sim.create("companies", &[("name", "Acme")])?;
    let Ok(request) = request(&token) else {
        return Ok(());
    };
    let before = sim.counters();
    let refused = answered(sim.router(), request)?;
    let after = sim.counters();
    let done = (
        after.records_created,
        after.records_updated,
        after.records_archived,
    ) != (
        before.records_created,
        before.records_updated,
        before.records_archived,
    );
    if refused && done {
        return Err("the portal refused a request after it had done a part of it".to_owned());
    }
    Ok(())
}

fn salesforce(request: impl FnOnce(&str) -> Made) -> Result<(), String> {
    let sim = SalesforceSim::new(SimClock::new(clock()), SalesforceOptions::default());
    sim.create("Account", &[("Name", "Acme".into())])?;
    sim.create("Contact", &[("LastName", "Ann".into())])?;
    let Ok(request) = request(&sim.issue_token()) else {
        return Ok(());
    };
    let before = sim.counters();
    let refused = answered(sim.router(), request)?;
    let after = sim.counters();
    let done = (
        after.records_created,
        after.records_updated,
        after.records_deleted,
    ) != (
        before.records_created,
        before.records_updated,
        before.records_deleted,
    );
    if refused && done {
        return Err("the org refused a request after it had done a part of it".to_owned());
    }
    Ok(())
}

/// Sends, and tells whether it was refused. The answer is JSON or nothing, and no fault inside.
fn answered(router: axum::Router, request: Request<Body>) -> Result<bool, String> {
    wait(async {
        let reply = router
            .oneshot(request)
            .await
            .map_err(|never| never.to_string())?;
        let status = reply.status().as_u16();
        let bytes = axum::body::to_bytes(reply.into_body(), usize::MAX).await;
        let bytes = bytes.map_err(|error| error.to_string())?;
        if !bytes.is_empty() && serde_json::from_slice::<serde_json::Value>(&bytes).is_err() {
            return Err(format!("an answer with status {status} is no JSON"));
        }
        if status >= 500 {
            return Err(format!("an answer with status {status}"));
        }
        Ok(status >= 400)
    })
}
