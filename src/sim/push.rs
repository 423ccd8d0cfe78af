//! Sends what a simulator pushes: each request in its own time, until its receiver is content.
//!
//! The task and its HTTP client live here. What is sent, when, and which answer counts is decided
//! by the simulators, whose queues know nothing of sockets.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a platform waits for an answer.
const TIME_OUT: Duration = Duration::from_secs(5);
/// Events that come close together go out together.
const GATHER: Duration = Duration::from_millis(25);
/// Time can be moved by test control; this is how soon a retry notices.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Of an answer no more is read.
const ANSWER_LIMIT: usize = 64 * 1024;

/// A POST as it goes out, signature included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushRequest {
    /// Names this attempt when it is answered.
    pub delivery: u64,
    pub url: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl PushRequest {
    /// A header by its name in any letter case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// A simulator's queue of requests.
pub(super) trait Outbox: Clone + Send + Sync + 'static {
    /// How many may be on their way at once.
    fn at_once(&self) -> usize;
    /// Takes up to `most` requests that are due.
    fn due(&self, most: usize) -> Vec<PushRequest>;
    /// `None` when no answer came.
    fn answered(&self, delivery: u64, answer: Option<(u16, String)>);
    /// Told when there is something new.
    fn wake(&self) -> Arc<Notify>;
}

/// A simulator that sends; it stops when this is dropped.
#[derive(Debug)]
pub struct Pushing {
    stop: CancellationToken,
}

impl Drop for Pushing {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Starts to send what is due, now and from now on.
///
/// # Errors
/// An HTTP client that cannot be made.
pub(super) fn start(outbox: impl Outbox) -> Result<Pushing, String> {
    let client = reqwest::Client::builder()
        .timeout(TIME_OUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .build()
        .map_err(|error| format!("the simulator cannot send anything: {error}"))?;
    let stop = CancellationToken::new();
    tokio::spawn(run(outbox, client, stop.clone()));
    Ok(Pushing { stop })
}

async fn run(outbox: impl Outbox, client: reqwest::Client, stop: CancellationToken) {
    let wake = outbox.wake();
    let mut flying = JoinSet::new();
    loop {
        let room = outbox.at_once().saturating_sub(flying.len());
        for request in outbox.due(room) {
            flying.spawn(send(client.clone(), request));
        }
        tokio::select! {
            () = stop.cancelled() => return,
            Some(done) = flying.join_next() => {
                if let Ok((delivery, answer)) = done {
                    outbox.answered(delivery, answer);
                }
            }
            () = wake.notified() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

async fn send(client: reqwest::Client, request: PushRequest) -> (u64, Option<(u16, String)>) {
    let mut post = client.post(&request.url).body(request.body);
    for (name, value) in &request.headers {
        post = post.header(*name, value);
    }
    let Ok(mut answer) = post.send().await else {
        return (request.delivery, None);
    };
    let mut body = Vec::new();
    while body.len() < ANSWER_LIMIT {
        match answer.chunk().await {
            Ok(Some(bytes)) => body.extend_from_slice(&bytes),
            Ok(None) => break,
            Err(_) => return (request.delivery, None),
        }
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    (request.delivery, Some((answer.status().as_u16(), text)))
}
