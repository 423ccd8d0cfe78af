//! `tandem serve` under thousands of slow connections, over real sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::harness::{Sim, folder};
use super::serving::{free_port, init, serve, variables};

/// Most of them more than the service takes.
const SLOW: usize = 2_000;
/// As the service has it.
const PLACES: usize = 512;

/// Both ends of the sockets, and what the tests beside this one have open.
fn make_room() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(8_192).min(8_192);
    if limit.current.is_some_and(|current| current < wanted) {
        let more = Rlimit {
            current: Some(wanted),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, more).expect("the soft limit may be raised to the hard one");
    }
}

#[test]
fn thousands_of_slow_connections_are_dropped_and_everybody_else_is_answered() {
    make_room();
    let (sim, here) = (Sim::start(&[]), folder());
    let variables = variables(&sim, free_port());
    let key = init(&variables, here.path());
    let service = serve(&variables, here.path(), &key);
    let address = service.url.trim_start_matches("http://").to_owned();
    let slow = |nth: usize| {
        let mut stream = TcpStream::connect(&address).expect("accepted");
        let limit = Some(Duration::from_secs(60));
        stream.set_read_timeout(limit).expect("a limit");
        write!(stream, "POST /webhooks/hubspot HTTP/1.1\r\nx-nth: {nth}").expect("sent");
        stream
    };
    let alive = || {
        let (status, text) = sim.ask(|client| client.get(format!("{}/healthz", service.url)));
        assert_eq!((status, text.as_str()), (200, "alive\n"));
    };
    let mut crowd = Vec::with_capacity(SLOW);
    for nth in 0..SLOW {
        crowd.push(slow(nth));
        if nth % 250 == 0 {
            alive();
        }
    }
    alive();
    // Those that came first have made room; a closed connection has nothing to say.
    for stream in &mut crowd[..SLOW - PLACES] {
        let mut said = Vec::new();
        let late = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
        match stream.read_to_end(&mut said) {
            Err(error) if late.contains(&error.kind()) => panic!("it is still open"),
            _ => assert_eq!(said, b""),
        }
    }
    let listed = service.call(&sim, "GET", "/workspaces", None);
    assert_eq!(listed["items"], serde_json::json!([]));
    assert_eq!(service.stop().0, Some(0));
}
