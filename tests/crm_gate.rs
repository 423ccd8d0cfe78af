//! The rate gate under a clock that tests move: it never lets through what the platform would
//! refuse, it follows the headers, and it survives being stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::response::IntoResponse;
use proptest::prelude::*;
use secrecy::SecretString;
use serde_json::json;
use tandem::clock::Clock;
use tandem::crm::salesforce::{Session, soql};
use tandem::crm::{Crms, ErrorKind, HubSpot, Need, Salesforce, Transport, Urgency, Why};
use tandem::model::{RecordId, Side, Timestamp};

const START: i64 = 1_767_225_600_000;

const ONE_CALL: Need = Need {
    side: None,
    calls: 1,
    searches: 0,
    associations: 0,
    writes: false,
    spares: false,
    urgency: Urgency::Live,
};

/// Always answers, with these headers.
fn server(headers: &'static [(&'static str, &'static str)]) -> (Transport, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let body = json!({"portalId": 1, "results": [], "done": true, "records": []});
        let mut response = body.to_string().into_response();
        response
            .headers_mut()
            .insert("content-type", "application/json".parse().unwrap());
        for (name, value) in headers {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        async { response }
    });
    (Transport::InProcess(router), count)
}

fn hubspot(transport: Transport, clock: &Clock) -> HubSpot {
    let token = SecretString::from("t");
    HubSpot::new(transport, "http://hubspot.test", token, clock.clone())
}

fn clock() -> Clock {
    Clock::manual(Timestamp::from_millis(START))
}

async fn calls_until_closed(client: &HubSpot) -> u64 {
    for sent in 0..1_000 {
        if let Err(error) = client.account().await {
            assert_eq!(error.kind, ErrorKind::NotBefore);
            return sent;
        }
    }
    panic!("the gate never closed");
}

#[tokio::test]
async fn the_burst_fits_the_smallest_tier_before_any_header_is_seen() {
    let (transport, _) = server(&[]);
    let clock = clock();
    let client = hubspot(transport, &clock);
    assert_eq!(calls_until_closed(&client).await, 99);
    let at = client.ready_at(1, 0).unwrap();
    let wait = at.millis_since(clock.now());
    assert!((10_000..=10_500).contains(&wait), "{wait}");
    clock.advance_millis(wait);
    assert_eq!(client.ready_at(99, 0), None);
}

#[tokio::test]
async fn the_burst_follows_the_header() {
    let headers = &[("x-hubspot-ratelimit-max", "190")];
    let (transport, _) = server(headers);
    assert_eq!(calls_until_closed(&hubspot(transport, &clock())).await, 171);
}

#[tokio::test]
async fn calls_of_others_count_too() {
    let headers = &[
        ("x-hubspot-ratelimit-max", "100"),
        ("x-hubspot-ratelimit-remaining", "20"),
        ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
    ];
    let (transport, _) = server(headers);
    let client = hubspot(transport, &clock());
    assert_eq!(calls_until_closed(&client).await, 11);
    assert_eq!(client.usage().burst_remaining, Some(20));
}

#[tokio::test]
async fn searches_have_a_second_of_their_own() {
    let (transport, sent) = server(&[]);
    let clock = clock();
    let client = hubspot(transport, &clock);
    let at = clock.now();
    for _ in 0..4 {
        client
            .search_changed("contacts", "lastmodifieddate", at, at, None, &[])
            .await
            .unwrap();
    }
    let fifth = client
        .search_changed("contacts", "lastmodifieddate", at, at, None, &[])
        .await;
    assert_eq!(fifth.unwrap_err().kind, ErrorKind::NotBefore);
    assert_eq!(sent.load(Ordering::SeqCst), 4);
    assert_eq!(client.ready_at(90, 0), None);
    let wait = client.ready_at(0, 4).unwrap().millis_since(at);
    assert!((1_000..=1_010).contains(&wait), "{wait}");
}

#[tokio::test]
async fn half_of_the_day_is_the_most_we_take() {
    let headers = &[
        ("x-hubspot-ratelimit-max", "100000"),
        ("x-hubspot-ratelimit-daily", "100"),
        ("x-hubspot-ratelimit-daily-remaining", "60"),
    ];
    let (transport, _) = server(headers);
    let clock = clock();
    let client = hubspot(transport, &clock);
    assert_eq!(calls_until_closed(&client).await, 50);
    assert_eq!(client.usage().daily_used, Some(40));
    clock.advance_millis(23 * 3_600_000);
    assert!(client.account().await.is_err());
    clock.advance_millis(2 * 3_600_000);
    assert!(client.account().await.is_ok());
}

#[tokio::test]
async fn a_day_spent_by_others_stops_us_but_for_a_probe() {
    let (transport, _) = server(&[(
        "sforce-limit-info",
        "api-usage=95/100; per-app-api-usage=1/2",
    )]);
    let clock = clock();
    let session = Session {
        instance_url: "http://org.test".to_owned(),
        token: SecretString::from("t"),
        organization_id: "00D5f000000aaaaEAA".to_owned(),
        user_id: None,
    };
    let client = Salesforce::new(transport, session, None, clock.clone());
    assert!(client.query("SELECT Id FROM Contact").await.is_ok());
    let error = client.query("SELECT Id FROM Contact").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotBefore);
    let wait = error.retry_after.unwrap().millis_since(clock.now());
    clock.advance_millis(wait);
    assert!(client.query("SELECT Id FROM Contact").await.is_ok());
}

fn salesforce(used: &'static str, clock: &Clock) -> Salesforce {
    let headers: &'static [(&str, &str)] = Box::leak(Box::new([("sforce-limit-info", used)]));
    let (transport, _) = server(headers);
    let session = Session {
        instance_url: "http://org.test".to_owned(),
        token: SecretString::from("t"),
        organization_id: "00D5f000000aaaaEAA".to_owned(),
        user_id: None,
    };
    Salesforce::new(transport, session, None, clock.clone())
}

/// What is sent for each urgency once everybody together has used so much of the day.
async fn sent_at(used: &'static str) -> Vec<bool> {
    let clock = clock();
    let (transport, _) = server(&[]);
    let crms = Crms {
        hubspot: hubspot(transport, &clock),
        salesforce: salesforce(used, &clock),
    };
    crms.salesforce
        .query("SELECT Id FROM Contact")
        .await
        .unwrap();
    let mut sent = Vec::new();
    for urgency in [Urgency::Idle, Urgency::Live, Urgency::Interactive] {
        crms.set_urgency(urgency);
        let need = Need {
            calls: 4,
            writes: true,
            urgency,
            ..ONE_CALL
        };
        let reply = crms.salesforce.query("SELECT Id FROM Contact").await;
        assert_eq!(crms.shut(need).is_none(), reply.is_ok(), "{urgency:?}");
        sent.push(reply.is_ok());
    }
    sent
}

#[tokio::test]
async fn what_others_use_of_the_day_first_pauses_backfills_and_then_all_but_a_persons_work() {
    assert_eq!(sent_at("api-usage=6999/10000").await, [true, true, true]);
    assert_eq!(sent_at("api-usage=7000/10000").await, [false, true, true]);
    assert_eq!(sent_at("api-usage=9000/10000").await, [false, false, true]);
}

/// Changes that come one by one for a minute, each with the same few calls: the longest wait of an
/// attempt in milliseconds, and how many there were.
async fn one_by_one(spares: bool) -> (i64, u32) {
    let clock = clock();
    let (transport, _) = server(&[]);
    let crms = Crms {
        hubspot: hubspot(transport, &clock),
        salesforce: salesforce("api-usage=1/10000", &clock),
    };
    crms.set_urgency(Urgency::Live);
    let need = Need {
        calls: 3,
        associations: 1,
        writes: true,
        spares,
        ..ONE_CALL
    };
    let ids = [RecordId::new("1")];
    let (mut longest, mut attempts) = (0, 0);
    while clock.now().millis() < START + 60_000 {
        let began = clock.now();
        while let Some(shut) = crms.shut(need) {
            clock.advance_millis(shut.at.millis_since(clock.now()).max(1));
        }
        longest = longest.max(clock.now().millis_since(began));
        let ties = crms.hubspot.associations("contacts", "companies", &ids);
        ties.await.expect("there is room for what was asked");
        for _ in 0..2 {
            crms.hubspot.account().await.expect("and for the rest");
        }
        attempts += 1;
        clock.advance_millis(30);
    }
    (longest, attempts)
}

#[tokio::test]
async fn small_attempts_share_what_is_left_of_a_window_and_never_wait_for_its_end() {
    let (longest, attempts) = one_by_one(true).await;
    assert!(longest <= 1_000, "{longest} ms");
    assert!(attempts > 100, "{attempts}: most of the limit is used");
    let (longest, _) = one_by_one(false).await;
    assert!(
        longest > 5_000,
        "without it they wait for its end: {longest} ms"
    );
}

/// Half of the day is ours, and not even a person may take the other half away from other tools.
#[tokio::test]
async fn a_persons_work_too_stays_within_our_share_and_is_told_why_it_waits() {
    let clock = clock();
    let (transport, _) = server(&[]);
    let crms = Crms {
        hubspot: hubspot(transport, &clock),
        salesforce: salesforce("api-usage=10/100", &clock),
    };
    let mut sent = 0;
    crms.set_urgency(Urgency::Interactive);
    while crms
        .salesforce
        .query("SELECT Id FROM Contact")
        .await
        .is_ok()
    {
        sent += 1;
    }
    assert_eq!(sent, 50);
    let need = Need {
        urgency: Urgency::Interactive,
        ..ONE_CALL
    };
    let shut = crms.shut(need).expect("there is no room");
    assert_eq!((shut.side, shut.why), (Side::Salesforce, Why::Share));
    let failure = shut.why.failure(shut.side, shut.at);
    assert!(
        failure.message.contains("our share of the day's calls"),
        "{}",
        failure.message
    );
}

/// Answers everything with one status.
fn failing(status: u16, wait: &'static str) -> (Transport, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = count.clone();
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        let status = axum::http::StatusCode::from_u16(status).unwrap();
        async move { (status, [("retry-after", wait)]).into_response() }
    });
    (Transport::InProcess(router), count)
}

#[tokio::test]
async fn an_account_that_moves_is_left_alone_for_as_long_as_it_says() {
    let (transport, sent) = failing(477, "21600");
    let clock = clock();
    let client = hubspot(transport, &clock);
    client.account().await.unwrap_err();
    let error = client.account().await.unwrap_err();
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::NotBefore, "account-moving")
    );
    assert_eq!(
        error.retry_after,
        Some(clock.now().plus_millis(6 * 3_600_000))
    );
    assert_eq!(sent.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_open_breaker_is_known_to_the_next_process_and_refused_credentials_are_not() {
    let (transport, sent) = failing(500, "0");
    let clock = clock();
    let client = hubspot(transport.clone(), &clock);
    for _ in 0..40 {
        client.account().await.unwrap_err();
    }
    assert_eq!(sent.load(Ordering::SeqCst), 20);
    let next = hubspot(transport, &clock);
    next.restore_gate(&client.gate_state());
    assert_eq!(next.account().await.unwrap_err().code, "breaker-open");

    let (transport, sent) = failing(401, "0");
    let client = hubspot(transport.clone(), &clock);
    for _ in 0..5 {
        client.account().await.unwrap_err();
    }
    assert_eq!(sent.load(Ordering::SeqCst), 1, "at once");
    let next = hubspot(transport, &clock);
    next.restore_gate(&client.gate_state());
    next.account().await.unwrap_err();
    assert_eq!(sent.load(Ordering::SeqCst), 2, "it may have better ones");
}

/// Whatever single records are refused for, the platform itself is well.
#[tokio::test]
async fn refusals_never_open_the_breaker() {
    let (transport, sent) = failing(404, "0");
    let client = hubspot(transport, &clock());
    for _ in 0..60 {
        client.account().await.unwrap_err();
    }
    assert_eq!(sent.load(Ordering::SeqCst), 60);
}

#[tokio::test]
async fn a_stored_gate_stays_closed_in_the_next_process() {
    let (transport, _) = server(&[]);
    let clock = clock();
    let client = hubspot(transport.clone(), &clock);
    calls_until_closed(&client).await;
    let next = hubspot(transport, &clock);
    assert_eq!(next.ready_at(1, 0), None);
    next.restore_gate(&client.gate_state());
    assert_eq!(next.ready_at(1, 0), client.ready_at(1, 0));
    next.restore_gate(&json!({"burst": "nonsense"}));
    assert_eq!(next.ready_at(1, 0), None);
}

#[tokio::test]
async fn a_clock_moved_back_does_not_close_the_gate_for_ever() {
    let (transport, _) = server(&[]);
    let clock = clock();
    let client = hubspot(transport.clone(), &clock);
    calls_until_closed(&client).await;
    let earlier = hubspot(
        transport,
        &Clock::manual(Timestamp::from_millis(START - 90 * 86_400_000)),
    );
    earlier.restore_gate(&client.gate_state());
    assert_eq!(earlier.ready_at(1, 0), None);
}

/// Reads a literal the way the platform does: the index behind the closing quote.
fn end_of_literal(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    if chars.next()?.1 != '\'' {
        return None;
    }
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()?),
            '\'' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

proptest! {
    #[test]
    fn no_value_breaks_out_of_a_literal(value in "\\PC*|[\\\\'\"\n\r\t\u{8}\u{c} a]*") {
        let literal = soql::string(&value);
        prop_assert_eq!(end_of_literal(&literal), Some(literal.len()));
        prop_assert!(!literal.contains('\n') && !literal.contains('\r'));
    }

    #[test]
    fn only_names_are_names(text in "\\PC*|[A-Za-z0-9_ ,().']*") {
        let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        prop_assert_eq!(soql::name(&text).is_ok(), plain && text.len() <= 255);
    }
}
