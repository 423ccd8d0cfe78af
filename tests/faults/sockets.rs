//! Over a real socket: a connection that breaks is really closed, and test control moves switches.

use secrecy::SecretString;
use tandem::clock::Clock;
use tandem::crm::{ErrorKind, HubSpot, Sent, Transport, WriteRow};
use tandem::model::{Fields, Raw};
use tandem::sim::faults::{Fault, FaultPlan, Switch};
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tandem::sim::{SimClock, serve};

fn simulator() -> HubSpotSim {
    HubSpotSim::new(SimClock::new(Clock::System), HubSpotOptions::default())
}

#[tokio::test]
async fn row_02_a_lost_reply_closes_the_socket_after_the_write() {
    let simulator = simulator();
    let running = serve(simulator.router(), 0).await.unwrap();
    let token = SecretString::from(HubSpotOptions::default().token);
    let transport = Transport::network().unwrap();
    let client = HubSpot::new(transport, &running.url(), token, Clock::System);
    for (fault, made) in [(Fault::LostReply, 1), (Fault::NeverApplied, 1)] {
        simulator.set_faults(&[Switch::of(fault).times(1)]);
        let email = format!("{}@example.com", fault.word());
        let row = WriteRow {
            trace: "1".to_owned(),
            id: None,
            fields: Fields::from([("email".to_owned(), Raw::text(&email))]),
            unless_changed_since: None,
        };
        let answers = client.create("contacts", &[row]).await;
        let error = answers[0].1.as_ref().unwrap_err();
        assert_eq!(error.sent, Sent::Unknown, "{fault:?}: {error}");
        assert_eq!(error.kind, ErrorKind::Unavailable, "{fault:?}: {error}");
        assert_eq!(simulator.records("contacts").len(), made, "{fault:?}");
    }
    let page = client.account().await;
    assert!(page.is_ok(), "the next call finds a new connection");
}

async fn post(url: String, body: &str) -> (u16, serde_json::Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.post(url).body(body.to_owned()).send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn test_control_moves_the_switches_of_both_sides_while_they_run() {
    let hubspot = simulator();
    let clock = SimClock::new(Clock::System);
    let salesforce = SalesforceSim::new(clock, SalesforceOptions::default());
    let sides = [
        serve(hubspot.router(), 0).await.unwrap(),
        serve(salesforce.router(), 0).await.unwrap(),
    ];
    for side in &sides {
        let url = format!("{}/_sim/faults", side.url());
        let (status, told) = post(
            url.clone(),
            r#"{"faults":[{"fault":"lost-reply","rate":0.5}]}"#,
        )
        .await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(told["faults"][0]["fault"], "lost-reply");
        assert_eq!(told["counts"]["by_family"]["transport"], 0);
        let (status, told) = post(url.clone(), r#"{"preset":"harsh"}"#).await;
        assert_eq!(status, 200, "{told}");
        for wrong in [
            r#"{"preset":"worse"}"#,
            r#"{"faults":[{"fault":"flood"}]}"#,
            "{",
        ] {
            let (status, told) = post(url.clone(), wrong).await;
            assert_eq!(status, 400, "{wrong}: {told}");
        }
        let (status, told) = post(url, r#"{"preset":"none"}"#).await;
        assert_eq!((status, &told["faults"]), (200, &serde_json::json!([])));
    }
}

#[test]
fn every_fault_has_a_row_in_the_documents_and_a_place_in_an_example() {
    let page = include_str!("../../docs/faults.md");
    let mut examples = String::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/faults")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let plan = FaultPlan::read(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert!(!plan.faults.is_empty(), "{path:?}");
        examples.push_str(&text);
    }
    for fault in Fault::ALL {
        let word = fault.word();
        assert!(
            page.contains(&format!("`{word}`")),
            "docs/faults.md lacks {word}"
        );
        assert!(
            examples.contains(&format!("fault: {word}")),
            "no example of {word}"
        );
    }
}
