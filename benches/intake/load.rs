//! Requests as HubSpot sends them, signed ahead, and the connections that send them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tandem::clock::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rig::{quantile, signature};

pub const PORTALS: u32 = 50;
pub const PATH: &str = "/webhooks/hubspot";
const EVENTS: u32 = 10;
const CONNECTIONS: usize = 50;
/// A signature is good for five minutes, and a run is shorter.
const AHEAD: usize = 20_000;

pub const fn portal(number: u32) -> u32 {
    7_000_000 + number
}

/// What one run of load came to.
pub struct Run {
    pub per_second: f64,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
    pub refused: usize,
}

/// Whole requests, head and body, that are signed anew before each run.
pub struct Requests {
    secret: String,
    public: String,
    bodies: Vec<String>,
}

impl Requests {
    /// So many records of each portal change, again and again.
    pub fn new(secret: &str, public: &str, records: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(17);
        let bodies = (0..AHEAD).map(|_| {
            let portal = portal(chance.u32(0..PORTALS));
            let events = (0..EVENTS).map(|_| event(portal, chance.u64(1..=records)));
            format!("[{}]", events.collect::<Vec<_>>().join(","))
        });
        Self {
            secret: secret.to_owned(),
            public: public.to_owned(),
            bodies: bodies.collect(),
        }
    }

    fn signed(&self) -> Vec<Vec<u8>> {
        let (at, url) = (
            Clock::System.now().millis(),
            format!("{}{PATH}", self.public),
        );
        let requests = self.bodies.iter().map(|body| {
            let signature = signature(&self.secret, &url, body, at);
            format!(
                "POST {PATH} HTTP/1.1\r\nhost: sync.example.test\r\n\
                 content-type: application/json\r\nx-hubspot-signature-v3: {signature}\r\n\
                 x-hubspot-request-timestamp: {at}\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        });
        requests.collect()
    }
}

fn event(portal: u32, record: u64) -> String {
    let which =
        format!(r#""eventId":100,"subscriptionId":1,"portalId":{portal},"objectId":{record}"#);
    let what = r#""subscriptionType":"deal.propertyChange","propertyName":"dealname""#;
    let value = r#""propertyValue":"Head of everything","changeSource":"CRM_UI""#;
    let rest = r#""appId":5,"occurredAt":1790000000002,"attemptNumber":0,"sourceId":"userId:77""#;
    format!("{{{which},{what},{value},{rest}}}")
}

/// Sends for so long, each connection the next request as soon as it has its answer.
pub async fn send(address: &str, requests: &Requests, time: Duration) -> Run {
    let signed = std::sync::Arc::new(requests.signed());
    let next = std::sync::Arc::new(AtomicUsize::new(0));
    let until = Instant::now() + time;
    let began = Instant::now();
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (signed, next) = (signed.clone(), next.clone());
            let address = address.to_owned();
            tokio::spawn(async move { one(&address, &signed, &next, until).await })
        })
        .collect();
    let (mut times, mut refused) = (Vec::new(), 0);
    for sender in senders {
        let (more, no) = sender.await.expect("a connection that lasts");
        times.extend(more);
        refused += no;
    }
    let seconds = began.elapsed().as_secs_f64();
    let count = u32::try_from(times.len()).expect("not so many");
    Run {
        per_second: f64::from(count) / seconds,
        p50: quantile(&mut times, 0.5),
        p99: quantile(&mut times, 0.99),
        max: quantile(&mut times, 1.0),
        refused,
    }
}

/// What waits in the service's inbox, by its figures.
pub async fn waiting(address: &str) -> u64 {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let ask = b"GET /metrics HTTP/1.1\r\nhost: sync.example.test\r\n\r\n";
    stream.write_all(ask).await.expect("it is sent");
    let mut answer = Vec::new();
    assert_eq!(status(&mut stream, &mut answer).await, 200);
    let text = String::from_utf8_lossy(&answer);
    let mut rows = text.lines();
    let found = rows.find_map(|row| row.strip_prefix("tandem_inbox_records "));
    found.expect("the figure").parse().expect("a number")
}

/// One connection: how long each request took that was answered with 200, and how many were not.
async fn one(
    address: &str,
    signed: &[Vec<u8>],
    next: &AtomicUsize,
    until: Instant,
) -> (Vec<Duration>, usize) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("a socket takes options");
    let (mut times, mut refused) = (Vec::new(), 0);
    let mut answer = Vec::with_capacity(4_096);
    while Instant::now() < until {
        let place = next.fetch_add(1, Ordering::Relaxed) % signed.len();
        let began = Instant::now();
        stream.write_all(&signed[place]).await.expect("it is sent");
        if status(&mut stream, &mut answer).await == 200 {
            times.push(began.elapsed());
        } else {
            refused += 1;
        }
    }
    (times, refused)
}

/// Reads one whole answer.
async fn status(stream: &mut TcpStream, answer: &mut Vec<u8>) -> u16 {
    answer.clear();
    loop {
        let read = stream.read_buf(answer).await.expect("it is answered");
        assert!(read > 0, "the connection was closed");
        let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |text| text.trim().parse().expect("a length"));
        if answer.len() >= end + 4 + length {
            let code = head.split_whitespace().nth(1);
            return code.and_then(|code| code.parse().ok()).expect("a status");
        }
    }
}
