//! The door: accepts connections and hands their requests to the router.
//!
//! What peers can hold of the service is bounded here: how many connections, and for how long one
//! may wait. When all places are taken, whoever has waited longest without a whole request makes
//! room, so a crowd of slow peers never keeps out one that has something to say. A request that is
//! being worked on is never cut off for that. Knows of a request only when it begins and ends.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// The head of a request, and what is read ahead of a body.
const BUFFER: usize = 64 * 1024;
/// After the system has no descriptor left for a connection.
const REST: Duration = Duration::from_millis(200);
/// Once the service stops: for the last answer to be sent, and for a head that has begun.
const LAST: Duration = Duration::from_secs(2);

/// How much all peers together may hold.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub connections: usize,
    /// From one answer, or the beginning, to the whole head of the next request; sending the answer
    /// is part of it.
    pub idle: Duration,
    /// For a request, from its whole head to the answer.
    pub request: Duration,
}

impl Default for Bounds {
    /// Half of the descriptors that most systems give a process, and longer than the proxies in use
    /// keep a connection that they may still send on.
    fn default() -> Self {
        Self {
            connections: 512,
            idle: Duration::from_secs(75),
            request: Duration::from_secs(30),
        }
    }
}

/// The address at the other end of a connection; requests bring it along.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Serves until `stop`; then no more is accepted, requests under way are answered, and it returns
/// when the last connection has ended.
pub async fn accept(
    listener: TcpListener,
    router: Router,
    bounds: Bounds,
    stop: CancellationToken,
) {
    let line = Arc::new(Line::default());
    let free = Arc::new(Semaphore::new(bounds.connections));
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                recover(&error).await;
                continue;
            }
        };
        let Some(permit) = room(&free, &line).await else {
            // Every place works on a request. Closing costs less than a place in a queue.
            drop(stream);
            continue;
        };
        let talk = Talk {
            router: router.clone(),
            peer: Peer(peer.ip()),
            seat: Seat::take(&line, bounds),
        };
        let stop = stop.clone();
        open.spawn(async move {
            talk.hold(stream, &stop).await;
            drop(permit);
        });
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// A place, if there is one or somebody who waits can be sent away.
async fn room(free: &Arc<Semaphore>, line: &Line) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = Arc::clone(free).try_acquire_owned() {
        return Some(permit);
    }
    if !line.send_first_away() {
        return None;
    }
    Arc::clone(free).acquire_owned().await.ok()
}

async fn recover(error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    // The peer went before it was its turn.
    if matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    ) {
        return;
    }
    tracing::error!(%error, "a connection could not be accepted");
    tokio::time::sleep(REST).await;
}

/// One connection.
struct Talk {
    router: Router,
    peer: Peer,
    seat: Seat,
}

impl Talk {
    /// Answers its requests, one after the other, until either side has enough.
    async fn hold(self, stream: TcpStream, stop: &CancellationToken) {
        let _leaves = Leaves(self.seat.clone());
        let seat = self.seat.clone();
        let mut idle = seat.0.bounds.idle;
        let service = service_fn(move |request| {
            answer(self.router.clone(), self.peer, self.seat.clone(), request)
        });
        let connection = http1::Builder::new()
            .max_buf_size(BUFFER)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let mut waited = pin!(tokio::time::sleep(idle));
        let mut ending = false;
        loop {
            tokio::select! {
                // In this order, because what the connection did may have begun the wait anew.
                biased;
                // What a peer breaks is the peer's affair.
                _ = connection.as_mut() => return,
                () = seat.0.away.cancelled() => return,
                () = seat.0.turned.notified() => waited.set(tokio::time::sleep(idle)),
                () = waited.as_mut(), if seat.is_waiting() => return,
                () = stop.cancelled(), if !ending => {
                    ending = true;
                    idle = idle.min(LAST);
                    waited.set(tokio::time::sleep(idle));
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

async fn answer(
    router: Router,
    peer: Peer,
    seat: Seat,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let mut request = request.map(|body| {
        if body.is_end_stream() {
            seat.turn(Turn::Working);
            return Body::empty();
        }
        seat.turn(Turn::Receiving);
        let seat = seat.clone();
        Body::new(Arriving { body, seat })
    });
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(seat.clone());
    let response = router.oneshot(request).await;
    seat.turn(Turn::Waiting);
    response
}

/// A body that tells when it is whole.
struct Arriving {
    body: Incoming,
    seat: Seat,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let more = matches!(frame, Some(Ok(_))) && !self.body.is_end_stream();
        if !more && self.seat.is_receiving() {
            self.seat.turn(Turn::Working);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Those who may be sent away, the one that came first in front.
#[derive(Default)]
struct Line {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    next: u64,
    away: BTreeMap<u64, CancellationToken>,
}

impl Line {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False when nobody waits.
    fn send_first_away(&self) -> bool {
        let first = self.waiting().away.pop_first();
        if let Some((_, away)) = &first {
            away.cancel();
        }
        first.is_some()
    }
}

/// What the holder of a seat is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// No whole head of a request is there.
    Waiting,
    /// The body is on its way.
    Receiving,
    Working,
}

/// The place of one connection; its requests bring it along.
#[derive(Clone)]
pub struct Seat(Arc<Held>);

struct Held {
    line: Arc<Line>,
    bounds: Bounds,
    at: Mutex<(Turn, Option<u64>)>,
    away: CancellationToken,
    /// Told after every turn.
    turned: Notify,
}

impl Seat {
    fn take(line: &Arc<Line>, bounds: Bounds) -> Self {
        let seat = Self(Arc::new(Held {
            line: Arc::clone(line),
            bounds,
            at: Mutex::new((Turn::Waiting, None)),
            away: CancellationToken::new(),
            turned: Notify::new(),
        }));
        seat.turn(Turn::Waiting);
        seat
    }

    fn at(&self) -> MutexGuard<'_, (Turn, Option<u64>)> {
        self.0.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To the end of the line, or out of it while there is work.
    fn turn(&self, turn: Turn) {
        let mut at = self.at();
        let mut line = self.0.line.waiting();
        if let Some(ticket) = at.1.take() {
            line.away.remove(&ticket);
        }
        if turn != Turn::Working {
            let ticket = line.next;
            line.next += 1;
            line.away.insert(ticket, self.0.away.clone());
            at.1 = Some(ticket);
        }
        at.0 = turn;
        drop(line);
        drop(at);
        self.0.turned.notify_one();
    }

    fn is_waiting(&self) -> bool {
        self.at().0 == Turn::Waiting
    }

    /// How long a request may take.
    pub fn request_time(&self) -> Duration {
        self.0.bounds.request
    }

    /// Whether the body of the request is still on its way.
    pub fn is_receiving(&self) -> bool {
        self.at().0 == Turn::Receiving
    }
}

/// Takes a seat out of the line however its connection ends.
struct Leaves(Seat);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.turn(Turn::Working);
    }
}
