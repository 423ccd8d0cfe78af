//! What happens to single requests on their way to a simulator: interleavings a test asks for.
//!
//! A [`Wire`] sits around a simulator's router. Each [`Turn`] waits for one request and is used up
//! by it; requests that nobody waits for pass untouched.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;

use super::seams::{Seams, Way};

type Act = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

enum What {
    Before(Act),
    /// Runs first; then the request is carried out and its reply is lost.
    BeforeLosing(Act),
    /// The request arrives and is carried out; what comes back is a gateway's time-out.
    LoseReply,
    /// The request never arrives; what comes back is a gateway's time-out.
    LoseRequest,
    /// The request is answered with this status and body without arriving.
    Answer(u16, &'static str),
    /// The request is carried out, and this comes back instead of the reply.
    Spoil(u16, &'static str),
}

struct Turn {
    method: &'static str,
    path_end: &'static str,
    what: What,
}

/// The turns that wait; clones share them.
#[derive(Clone, Default)]
pub struct Wire {
    turns: Arc<Mutex<VecDeque<Turn>>>,
    /// Every request that no turn waits for is answered so, without arriving.
    down: Arc<Mutex<Option<(u16, &'static str)>>>,
    /// Requests that were sent, whatever became of them.
    sent: Arc<AtomicU64>,
    seams: Seams,
}

impl Wire {
    /// Of a process that may die at its requests.
    pub fn new(seams: &Seams) -> Self {
        Self {
            seams: seams.clone(),
            ..Self::default()
        }
    }

    pub fn around(&self, router: Router) -> Router {
        let wire = self.clone();
        router.layer(from_fn(move |request: Request, next: Next| {
            let wire = wire.clone();
            async move { wire.pass(request, next).await }
        }))
    }

    /// Runs `act` right before the next such request arrives: somebody was faster.
    pub fn before(
        &self,
        method: &'static str,
        path_end: &'static str,
        act: impl FnOnce() + Send + 'static,
    ) {
        self.before_async(method, path_end, move || async move { act() });
    }

    pub fn before_async<F: Future<Output = ()> + Send + 'static>(
        &self,
        method: &'static str,
        path_end: &'static str,
        act: impl FnOnce() -> F + Send + 'static,
    ) {
        let act: Act = Box::new(move || Box::pin(act()));
        self.wait(method, path_end, What::Before(act));
    }

    /// Runs `act` right before the next such request arrives, whose reply is then lost.
    pub fn before_losing_reply(
        &self,
        method: &'static str,
        path_end: &'static str,
        act: impl FnOnce() + Send + 'static,
    ) {
        let act: Act = Box::new(move || Box::pin(async move { act() }));
        self.wait(method, path_end, What::BeforeLosing(act));
    }

    pub fn lose_reply(&self, method: &'static str, path_end: &'static str) {
        self.wait(method, path_end, What::LoseReply);
    }

    pub fn lose_request(&self, method: &'static str, path_end: &'static str) {
        self.wait(method, path_end, What::LoseRequest);
    }

    pub fn answer(
        &self,
        method: &'static str,
        path_end: &'static str,
        status: u16,
        body: &'static str,
    ) {
        self.wait(method, path_end, What::Answer(status, body));
    }

    /// The request is carried out, and something else comes back.
    pub fn spoil(
        &self,
        method: &'static str,
        path_end: &'static str,
        status: u16,
        body: &'static str,
    ) {
        self.wait(method, path_end, What::Spoil(status, body));
    }

    /// Nothing arrives from here on: everything is answered with this status and body.
    pub fn down(&self, status: u16, body: &'static str) {
        *self.down.lock().unwrap() = Some((status, body));
    }

    pub fn up(&self) {
        *self.down.lock().unwrap() = None;
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Turns that no request has taken; a test that leaves some did not test what it says.
    pub fn waiting(&self) -> usize {
        self.turns.lock().unwrap().len()
    }

    /// Lets everything pass from here on.
    pub fn forget(&self) {
        self.turns.lock().unwrap().clear();
    }

    fn wait(&self, method: &'static str, path_end: &'static str, what: What) {
        self.turns.lock().unwrap().push_back(Turn {
            method,
            path_end,
            what,
        });
    }

    fn take(&self, request: &Request) -> Option<What> {
        let mut turns = self.turns.lock().unwrap();
        let path = request.uri().path();
        let at = turns.iter().position(|turn| {
            request.method().as_str() == turn.method && path.ends_with(turn.path_end)
        })?;
        turns.remove(at).map(|turn| turn.what)
    }

    /// With a seam at the request: the process may die before or after it, or lose the reply.
    async fn pass(&self, request: Request, next: Next) -> Response {
        let what = format!("{} {}", request.method(), request.uri().path());
        let way = self.seams.meet(what);
        if way == Some(Way::Before) {
            self.seams.die().await;
        }
        let response = self.carry(request, next).await;
        match way {
            Some(Way::After) => self.seams.die().await,
            Some(Way::WithoutReply) => {
                self.seams.doom();
                return answer(504, "");
            }
            Some(Way::Before) | None => {}
        }
        response
    }

    async fn carry(&self, request: Request, next: Next) -> Response {
        self.sent.fetch_add(1, Ordering::SeqCst);
        let taken = self.take(&request);
        let down = *self.down.lock().unwrap();
        if let (None, Some((status, body))) = (&taken, down) {
            return answer(status, body);
        }
        match taken {
            None => next.run(request).await,
            Some(What::Before(act)) => {
                act().await;
                next.run(request).await
            }
            Some(What::BeforeLosing(act)) => {
                act().await;
                drop(next.run(request).await);
                answer(504, "")
            }
            Some(What::LoseReply) => {
                drop(next.run(request).await);
                answer(504, "")
            }
            Some(What::LoseRequest) => answer(504, ""),
            Some(What::Answer(status, body)) => answer(status, body),
            Some(What::Spoil(status, body)) => {
                drop(next.run(request).await);
                answer(status, body)
            }
        }
    }
}

fn answer(status: u16, body: &'static str) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap()
}
