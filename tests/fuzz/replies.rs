//! A server that answers from a written exchange, and the promises that hold for any reply.
//!
//! The input is text: a first line names the call; replies follow, each with a status line,
//! headers, an empty line and a body, parted by lines of `%%%%`. The last reply is repeated, so a
//! client that trusts a server to come to an end never does.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use http::{HeaderName, HeaderValue, Response, Uri};
use tandem::clock::Clock;
use tandem::crm::{CrmError, RowResult, Sent, Transport, WriteRow};
use tandem::model::{Raw, RecordId, Timestamp};

pub const START: i64 = 1_767_225_600_000;
pub const TOKEN: &str = "pat-na1-0a1b2c3d-very-secret-4e5f-6a7b-8c9d0e1f2a3b";
/// More requests than any single call may need for the few records of these tests.
const REQUESTS: usize = 2_000;

#[derive(Clone, Debug)]
struct Canned {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

pub struct Exchange {
    pub call: String,
    replies: Arc<Vec<Canned>>,
    served: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<(String, Bytes)>>>,
}

impl Exchange {
    pub fn read(input: &[u8]) -> Self {
        let end = input.iter().position(|&byte| byte == b'\n');
        let (first, rest) = input.split_at(end.unwrap_or(input.len()));
        let replies: Vec<Canned> = parts(rest, b"\n%%%%\n").into_iter().map(canned).collect();
        Self {
            call: String::from_utf8_lossy(first).trim().to_owned(),
            replies: Arc::new(replies),
            served: Arc::default(),
            asked: Arc::default(),
        }
    }

    pub fn transport(&self) -> Transport {
        let (replies, served) = (Arc::clone(&self.replies), Arc::clone(&self.served));
        let asked = Arc::clone(&self.asked);
        let answer = move |uri: Uri, body: Bytes| {
            let nth = served.fetch_add(1, Ordering::SeqCst);
            assert!(nth < REQUESTS, "the client asks for ever");
            asked.lock().unwrap().push((uri.to_string(), body));
            let reply = replies[nth.min(replies.len() - 1)].respond();
            async move { reply }
        };
        Transport::InProcess(Router::new().fallback(answer))
    }

    /// Addresses and bodies of the requests that came.
    pub fn asked(&self) -> Vec<(String, Bytes)> {
        self.asked.lock().unwrap().clone()
    }

    /// Every reply said that all went well.
    pub fn only_successes(&self) -> bool {
        self.replies
            .iter()
            .all(|reply| (200..300).contains(&reply.status))
    }
}

impl Canned {
    fn respond(&self) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
                response = response.header(name, value);
            }
        }
        response.body(Body::from(self.body.clone())).unwrap()
    }
}

fn parts<'a>(text: &'a [u8], by: &[u8]) -> Vec<&'a [u8]> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(by.len()).position(|part| part == by) {
        out.push(&rest[..at]);
        rest = &rest[at + by.len()..];
    }
    out.push(rest);
    out
}

fn canned(text: &[u8]) -> Canned {
    let mut reply = Canned {
        status: 200,
        headers: Vec::new(),
        body: Vec::new(),
    };
    let mut rest = text;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let line_text = String::from_utf8_lossy(line).into_owned();
        if let Some((name, _)) = line_text.split_once(':') {
            let value = line[(name.len() + 1).min(line.len())..].trim_ascii();
            let name = name.trim().to_ascii_lowercase();
            reply.headers.push((name, value.to_vec()));
        } else if let Ok(status) = line_text.trim().parse::<u16>() {
            // Anything below 200 is no final answer and cannot be built as one.
            reply.status = status.clamp(200, 599);
        } else if line.is_empty() && reply.headers.is_empty() {
            continue;
        } else {
            break;
        }
    }
    reply.body = rest.to_vec();
    reply
}

pub fn clock() -> Clock {
    Clock::manual(Timestamp::from_millis(START))
}

/// Runs to the end on this thread, so that its memory is counted.
pub fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(work)
}

pub fn ids(names: &[&str]) -> Vec<RecordId> {
    names.iter().map(|&id| RecordId::new(id)).collect()
}

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub fn rows(ids: &[Option<&str>], field: &str) -> Vec<WriteRow> {
    let row = |(nth, id): (usize, &Option<&str>)| WriteRow {
        trace: format!("t{nth}"),
        id: id.map(RecordId::new),
        fields: [(field.to_owned(), Raw::text(format!("v{nth}")))].into(),
        unless_changed_since: None,
    };
    ids.iter().enumerate().map(row).collect()
}

/// An error is short, says something, and holds no secret.
pub fn tame(error: &CrmError) -> Result<(), String> {
    let whole = format!("{error:?} {error}");
    if whole.contains(TOKEN) || whole.contains(crate::login::SECRET) {
        return Err(format!("the error shows a secret: {error}"));
    }
    if whole.len() > 20_000 {
        return Err(format!("an error of {} bytes", whole.len()));
    }
    if error.message.is_empty() || error.code.is_empty() {
        return Err(format!("the error says nothing: {error:?}"));
    }
    let latest = Timestamp::from_millis(START + 24 * 3_600_000);
    if error.retry_after.is_some_and(|at| at > latest) {
        return Err(format!("the error asks for more than a day: {error:?}"));
    }
    let _ = error.class();
    Ok(())
}

/// Each row has one answer; one that nobody vouches for is unknown, never "nothing was sent".
pub fn answered(
    sent: &[WriteRow],
    answers: &[(String, RowResult)],
    exchange: &Exchange,
) -> Result<(), String> {
    let mut wanted: Vec<&str> = sent.iter().map(|row| row.trace.as_str()).collect();
    let mut got: Vec<&str> = answers.iter().map(|(trace, _)| trace.as_str()).collect();
    wanted.sort_unstable();
    got.sort_unstable();
    if wanted != got {
        return Err(format!("rows {wanted:?} got answers for {got:?}"));
    }
    for (trace, answer) in answers {
        match answer {
            Ok(written) if written.id.as_str().is_empty() => {
                return Err(format!("{trace} was written without an id"));
            }
            Ok(_) => {}
            Err(error) => {
                tame(error)?;
                if error.sent == Sent::No && exchange.only_successes() {
                    return Err(format!("{trace} was sent and is said not to be: {error}"));
                }
            }
        }
    }
    Ok(())
}
