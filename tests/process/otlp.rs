//! Traces of a running service, as a collector on this machine takes them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::harness::{Sim, folder};
use super::serving::{WS, free_port, init, nothing_secret, pair, serve, titled, until, variables};

/// A collector that speaks OTLP over HTTP. It ends with the test.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bodies);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || take(stream, &kept));
            }
        });
        Self { url, bodies }
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().expect("the bodies");
        bodies.iter().flat_map(|body| spans(body)).collect()
    }

    /// All that arrived, as text: what is not text in it has no secret.
    fn text(&self) -> String {
        let bodies = self.bodies.lock().expect("the bodies");
        String::from_utf8_lossy(&bodies.concat()).into_owned()
    }
}

/// Takes the requests of one connection.
fn take(stream: TcpStream, kept: &Mutex<Vec<Vec<u8>>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_ascii_lowercase());
        }
        assert_eq!(head[0], "post /v1/traces http/1.1");
        let protobuf = "content-type: application/x-protobuf";
        assert!(head.iter().any(|line| line == protobuf), "{head:?}");
        let length = head
            .iter()
            .find_map(|line| line.strip_prefix("content-length:"));
        let mut body = vec![0; length?.trim().parse().ok()?];
        reader.read_exact(&mut body).ok()?;
        kept.lock().ok()?.push(body);
        let answer = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n\
                      content-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).ok()?;
    }
}

#[derive(Debug)]
struct Span {
    trace: String,
    id: Vec<u8>,
    parent: Vec<u8>,
    name: String,
    attributes: BTreeMap<String, String>,
}

impl Span {
    fn has(&self, name: &str, attributes: &[(&str, &str)]) -> bool {
        let fits = |(key, value): &(&str, &str)| {
            self.attributes
                .get(*key)
                .is_some_and(|found| found == value)
        };
        self.name == name && attributes.iter().all(fits)
    }
}

/// A field of a message: bytes, or a number.
enum Field<'a> {
    Bytes(&'a [u8]),
    Number(u64),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}

/// The fields of a protobuf message, by number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let fixed = |length: usize, bytes: &mut &[u8]| {
            *bytes = &bytes[length..];
            Field::Number(0)
        };
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => fixed(8, &mut bytes),
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("a length");
                let (inside, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(inside)
            }
            5 => fixed(4, &mut bytes),
            other => panic!("no wire type {other}"),
        };
        found.push((tag >> 3, field));
    }
    found
}

fn inside(message: &[u8], number: u64) -> Vec<&[u8]> {
    let found = fields(message).into_iter();
    let found = found.filter(|(of, _)| *of == number);
    let bytes = |(_, field)| match field {
        Field::Bytes(bytes) => Some(bytes),
        Field::Number(_) => None,
    };
    found.filter_map(bytes).collect()
}

fn first(message: &[u8], number: u64) -> &[u8] {
    inside(message, number).first().copied().unwrap_or_default()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Requests hold resources, these scopes, and these spans.
fn spans(body: &[u8]) -> Vec<Span> {
    let scopes = inside(body, 1).into_iter().flat_map(|of| inside(of, 2));
    scopes.flat_map(|of| inside(of, 2)).map(span).collect()
}

fn span(message: &[u8]) -> Span {
    let value = |message: &[u8]| {
        let found = fields(message).into_iter().next();
        match found {
            Some((1, Field::Bytes(bytes))) => text(bytes),
            Some((_, Field::Number(number))) => number.to_string(),
            _ => String::new(),
        }
    };
    let attributes = inside(message, 9).into_iter();
    let attributes = attributes.map(|of| (text(first(of, 1)), value(first(of, 2))));
    let trace = first(message, 1).iter().map(|byte| format!("{byte:02x}"));
    Span {
        trace: trace.collect(),
        id: first(message, 2).to_vec(),
        parent: first(message, 4).to_vec(),
        name: text(first(message, 5)),
        attributes: attributes.collect(),
    }
}

/// The traces that the log names for a span, by one of its fields.
fn traces_in_log(here: &std::path::Path, name: &str, field: (&str, &str)) -> Vec<String> {
    let log = std::fs::read_to_string(here.join("log")).expect("the log");
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an object"));
    let of_line = |line: Value| {
        let spans = line["spans"].as_array().cloned().unwrap_or_default();
        let fits = |one: &Value| one["name"] == name && one[field.0] == field.1;
        let found = spans.into_iter().find(fits)?;
        Some(found["trace_id"].as_str()?.to_owned())
    };
    lines.filter_map(of_line).collect()
}

#[test]
fn a_collector_gets_requests_turns_and_calls_and_nothing_secret() {
    let (sim, here, collector) = (Sim::start(&[]), folder(), Collector::start());
    let mut variables = variables(&sim, free_port());
    variables.push(("TANDEM_LOG_FORMAT", "json".to_owned()));
    variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone()));
    let key = init(&variables, here.path());
    let ada = pair(&sim);
    let service = serve(&variables, here.path(), &key);
    service.connected(&sim);
    sim.edit_hubspot("contacts", &ada, json!({"jobtitle": "Analyst"}));
    until("synced", || titled(&sim, "Analyst"));
    let url = format!("{}/v1/workspaces/no/where", service.url);
    sim.ask(|client| {
        let asked = client.get(&url).bearer_auth(&key);
        asked.header("x-request-id", "ticket-4711")
    });
    assert_eq!(
        service.stop().0,
        Some(0),
        "what is left is sent before it ends"
    );

    let spans = collector.spans();
    let find = |name: &str, attributes: &[(&str, &str)]| {
        let found = spans.iter().find(|span| span.has(name, attributes));
        found.unwrap_or_else(|| panic!("no {name} with {attributes:?} in {spans:#?}"))
    };
    let asked = find(
        "request",
        &[("request_id", "ticket-4711"), ("status", "404")],
    );
    assert_eq!(asked.attributes["method"], "GET");
    let in_log = traces_in_log(here.path(), "request", ("request_id", "ticket-4711"));
    assert!(in_log.contains(&asked.trace), "{in_log:?}");
    let write = [
        ("method", "PATCH"),
        ("route", "/services/data/v67.0/composite/sobjects"),
    ];
    let call = find("call", &[write[0], write[1], ("status", "200")]);
    let above = |span: &Span| {
        let parent = spans.iter().find(|one| one.id == span.parent);
        parent.expect("its parent arrived as well")
    };
    let step = above(call);
    assert!(
        step.has("step", &[("kind", "record"), ("mapping", "contacts")]),
        "{step:?}"
    );
    let turn = above(step);
    assert!(turn.has("turn", &[("workspace", WS)]), "{turn:?}");
    assert!(turn.attributes["run"].starts_with("run_"), "{turn:?}");
    assert_eq!(turn.trace, call.trace);
    assert!(traces_in_log(here.path(), "turn", ("workspace", WS)).contains(&call.trace));
    nothing_secret(&sim, here.path(), &key, ("the traces", &collector.text()));
}

#[test]
fn a_collector_that_is_not_there_keeps_nothing_from_working_or_ending() {
    let (sim, here) = (Sim::start(&[]), folder());
    let mut variables = variables(&sim, free_port());
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    variables.push(("OTEL_EXPORTER_OTLP_ENDPOINT", nowhere));
    let key = init(&variables, here.path());
    let ada = pair(&sim);
    let service = serve(&variables, here.path(), &key);
    service.connected(&sim);
    sim.edit_hubspot("contacts", &ada, json!({"jobtitle": "Analyst"}));
    until("synced", || titled(&sim, "Analyst"));
    let (code, took) = service.stop();
    assert_eq!(code, Some(0));
    assert!(took.as_secs() < 10, "{took:?}");
}
