//! What happens to single requests on their way to a simulator: interleavings a test asks for.
//!
//! A [`Wire`] sits around a simulator's router. Each [`Turn`] waits for one request and is used up
//! by it; requests that nobody waits for pass untouched.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;

type Act = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

enum What {
    Before(Act),
    /// The request arrives and is carried out; what comes back is a gateway's time-out.
    LoseReply,
    /// The request never arrives; what comes back is a gateway's time-out.
    LoseRequest,
    /// The request is answered with this status and body without arriving.
    Answer(u16, &'static str),
}

struct Turn {
    method: &'static str,
    path_end: &'static str,
    what: What,
}

/// The turns that wait; clones share them.
#[derive(Clone, Default)]
pub struct Wire(Arc<Mutex<VecDeque<Turn>>>);

impl Wire {
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

    /// Turns that no request has taken; a test that leaves some did not test what it says.
    pub fn waiting(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn wait(&self, method: &'static str, path_end: &'static str, what: What) {
        self.0.lock().unwrap().push_back(Turn {
            method,
            path_end,
            what,
        });
    }

    fn take(&self, request: &Request) -> Option<What> {
        let mut turns = self.0.lock().unwrap();
        let path = request.uri().path();
        let at = turns.iter().position(|turn| {
            request.method().as_str() == turn.method && path.ends_with(turn.path_end)
        })?;
        turns.remove(at).map(|turn| turn.what)
    }

    async fn pass(&self, request: Request, next: Next) -> Response {
        match self.take(&request) {
            None => next.run(request).await,
            Some(What::Before(act)) => {
                act().await;
                next.run(request).await
            }
            Some(What::LoseReply) => {
                drop(next.run(request).await);
                answer(504, "")
            }
            Some(What::LoseRequest) => answer(504, ""),
            Some(What::Answer(status, body)) => answer(status, body),
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
