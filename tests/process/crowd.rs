//! `tandem serve` under thousands of slow connections, over real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::harness::{Sim, folder};
use super::serving::{free_port, init, serve, variables};

/// Most of them more than the service takes; `TANDEM_SLOW` asks for another number.
const SLOW: usize = 2_000;
/// As the service has it.
const PLACES: usize = 512;

/// Room for so many more descriptors, beside what other tests have open.
fn make_room(slow: usize) {
    let limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(slow).expect("a small number") + 4_096;
    let wanted = limit.maximum.unwrap_or(wanted).min(wanted);
    if limit.current.is_some_and(|current| current < wanted) {
        let more = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, more).expect("the soft limit may be raised to the hard one");
    }
}

fn slow(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("accepted");
    let limit = Some(Duration::from_secs(60));
    stream.set_read_timeout(limit).expect("a limit");
    write!(stream, "POST /webhooks/hubspot HTTP/1.1\r\nx-slow: ").expect("sent");
    stream
}

/// A closed connection has nothing to say; one that had something unread in it ends with a reset.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut said = Vec::new();
    let ended = stream.read_to_end(&mut said);
    let open = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
    said.is_empty() && !ended.is_err_and(|error| open.contains(&error.kind()))
}

#[test]
fn thousands_of_slow_connections_are_dropped_and_everybody_else_is_answered() {
    let asked = std::env::var("TANDEM_SLOW").ok();
    let number = asked.map_or(SLOW, |text| text.parse().expect("a number"));
    make_room(number);
    let (sim, here) = (Sim::start(&[]), folder());
    let variables = variables(&sim, free_port());
    let key = init(&variables, here.path());
    let service = serve(&variables, here.path(), &key);
    let address = service.url.trim_start_matches("http://").to_owned();
    let alive = || {
        let began = Instant::now();
        let mut stream = TcpStream::connect(&address).expect("accepted");
        let whole = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        write!(stream, "{whole}").expect("sent");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("an answer");
        assert!(
            said.starts_with("HTTP/1.1 200") && said.ends_with("alive\n"),
            "{said}"
        );
        began.elapsed()
    };
    let (began, mut worst) = (Instant::now(), Duration::ZERO);
    let mut crowd = Vec::with_capacity(number);
    for nth in 0..number {
        crowd.push(slow(&address));
        if nth % 100 == 0 {
            worst = worst.max(alive());
        }
    }
    worst = worst.max(alive());
    println!(
        "{number} slow connections in {:?}, /healthz within {worst:?} all the while",
        began.elapsed()
    );
    // Those that came first have made room.
    let gone = number - PLACES;
    let closed = crowd[..gone]
        .iter_mut()
        .filter_map(|one| is_closed(one).then_some(()));
    assert_eq!(closed.count(), gone);
    let listed = service.call(&sim, "GET", "/workspaces", None);
    assert_eq!(listed["items"], serde_json::json!([]));
    let (code, took) = service.stop();
    assert_eq!(code, Some(0));
    assert!(
        took < Duration::from_secs(10),
        "slow ones hold it up: {took:?}"
    );
}
