//! Many connections and slow ones, over real sockets: who is closed, who is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tandem::api::{self, Bounds};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::house::House;

/// Longer than any test of a bound needs; shorter ones are set by the test.
const LONG: Duration = Duration::from_secs(60);

/// A server over a socket.
pub struct Open {
    pub address: SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

impl Open {
    pub async fn new(
        router: Router,
        connections: usize,
        idle: Duration,
        request: Duration,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let bounds = Bounds {
            connections,
            idle,
            request,
        };
        let ended = tokio::spawn(api::accept(listener, router, bounds, stop.clone()));
        Self {
            address,
            stop,
            ended,
        }
    }

    /// With no bound that a test would meet.
    pub async fn wide(house: &House) -> Self {
        Self::new(house.router(), 100, LONG, LONG).await
    }

    pub async fn connect(&self, said: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        stream
    }

    /// Everything that is answered until the server closes.
    pub async fn ask(&self, said: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may have refused it before it has all of it.
        stream.write_all(said).await.ok();
        rest(&mut stream).await
    }
}

/// What still comes until the end. A connection that was closed with something unread in it ends
/// with a reset.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(LONG, stream.read_to_end(&mut bytes));
    read.await.expect("the server closes").ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer of a connection that stays open.
async fn answer(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).ends_with(end) {
        let mut more = [0; 1_024];
        let read = tokio::time::timeout(LONG, stream.read(&mut more)).await;
        let read = read.expect("an answer").unwrap();
        assert!(read > 0, "cut off: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&more[..read]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

const WHOLE: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
const SLOW: &str = "GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ";

#[tokio::test]
async fn who_begins_and_does_not_end_is_closed_and_so_is_who_says_nothing_more() {
    let house = House::new().await;
    let open = Open::new(house.router(), 8, Duration::from_millis(200), LONG).await;
    let mut silent = open.connect("").await;
    let mut slow = open.connect(SLOW).await;
    let mut idle = open.connect(WHOLE).await;
    assert!(
        answer(&mut idle, "alive\n")
            .await
            .starts_with("HTTP/1.1 200")
    );
    for stream in [&mut silent, &mut slow, &mut idle] {
        assert_eq!(rest(stream).await, "");
    }
}

#[tokio::test]
async fn a_body_that_trickles_in_is_refused_with_a_code() {
    let house = House::new().await;
    let open = Open::new(house.router(), 8, LONG, Duration::from_millis(200)).await;
    for path in ["/webhooks/hubspot", "/connect/x/start"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\
             \r\ncontent-length: 100\r\n\r\n[1"
        );
        let mut stream = open.connect(&head).await;
        let said = rest(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 408"), "{path}: {said}");
        assert!(said.contains("\"too-slow\""), "{path}: {said}");
    }
}

#[tokio::test]
async fn whoever_has_waited_longest_makes_room_for_the_next() {
    let house = House::new().await;
    let open = Open::new(house.router(), 4, LONG, LONG).await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(open.connect(SLOW).await);
    }
    let mut fifth = open.connect(WHOLE).await;
    answer(&mut fifth, "alive\n").await;
    let mut first = waiting.remove(0);
    assert_eq!(rest(&mut first).await, "");
    // The others have lost nothing but time.
    for stream in &mut waiting {
        stream.write_all(b"no\r\n\r\n").await.unwrap();
        answer(stream, "alive\n").await;
    }
    // Whoever was just answered has waited for less long than the fifth.
    let mut sixth = open.connect(WHOLE).await;
    answer(&mut sixth, "alive\n").await;
    assert_eq!(rest(&mut fifth).await, "");
}

/// Requests that end when they are let.
fn gated() -> (Router, Arc<Semaphore>, Arc<Notify>) {
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Arc::new(Notify::new()));
    let (inside, told) = (Arc::clone(&gate), Arc::clone(&begun));
    let work = move || async move {
        told.notify_one();
        inside.acquire().await.unwrap().forget();
        "done\n"
    };
    (Router::new().route("/", get(work)), gate, begun)
}

const WORK: &str = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn a_request_that_is_worked_on_makes_room_for_nobody() {
    let (router, gate, begun) = gated();
    let open = Open::new(router, 2, LONG, LONG).await;
    let mut working = Vec::new();
    for _ in 0..2 {
        working.push(open.connect(WORK).await);
        begun.notified().await;
    }
    assert_eq!(open.ask(WORK.as_bytes()).await, "", "closed at once");
    gate.add_permits(3);
    for stream in &mut working {
        answer(stream, "done\n").await;
    }
    let mut next = open.connect(WORK).await;
    answer(&mut next, "done\n").await;
}

#[tokio::test]
async fn told_to_stop_it_answers_what_is_under_way_and_ends() {
    let (router, gate, begun) = gated();
    let open = Open::new(router, 8, LONG, LONG).await;
    let mut idle = open.connect("").await;
    let mut working = open.connect(WORK).await;
    begun.notified().await;
    open.stop.cancel();
    assert_eq!(rest(&mut idle).await, "");
    gate.add_permits(1);
    let said = rest(&mut working).await;
    assert!(said.ends_with("done\n"), "{said}");
    let ended = tokio::time::timeout(LONG, open.ended).await;
    ended.expect("it ends").unwrap();
    assert!(TcpStream::connect(open.address).await.is_err());
}
