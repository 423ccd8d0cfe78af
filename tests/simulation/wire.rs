//! The road between the clients and a simulator, with a seam before and after each request.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::Response;
use tandem::model::{Side, Timestamp};
use tower::ServiceExt;

use crate::stage::{Deferred, Fate, Hub, Mail};

/// HubSpot gives a request up after 100 seconds; nothing lands later than that.
const ARRIVES_WITHIN_MILLIS: i64 = 100_000;
const BODY_CAP: usize = 1 << 20;

/// The simulator's router as the engine's clients reach it.
pub fn around(hub: Hub, side: Side, inner: Router) -> Router {
    Router::new().fallback(move |request: Request| {
        let (hub, inner) = (hub.clone(), inner.clone());
        async move { pass(hub, side, inner, request).await }
    })
}

/// Whether a request may change something at the other end.
fn writes(side: Side, head: &Parts) -> bool {
    let path = head.uri.path();
    match side {
        Side::HubSpot => {
            let reads = path.ends_with("/search") || path.ends_with("/read");
            head.method == "POST" && !reads && !path.contains("oauth")
        }
        Side::Salesforce => {
            let create = head.method == "POST" && path.ends_with("/composite/sobjects");
            create || head.method == "PATCH" || head.method == "DELETE"
        }
    }
}

async fn pass(hub: Hub, side: Side, inner: Router, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_CAP).await.unwrap_or_default();
    let writes = writes(side, &head);
    let login = head.uri.path().contains("oauth") || head.uri.path().contains("userinfo");
    arrivals(&hub, &inner, side, None).await;
    let fate = hub.with(|stage| {
        let what = format!("{} {}", head.method, head.uri.path());
        stage.before_request(side, &what, &body, writes)
    });
    hub.meet(fate).await;
    let reply = match hub.with(|stage| stage.mail(side, writes, login)) {
        Mail::Arrives => carry(&hub, inner, head, body, writes).await,
        Mail::Lost => answer(504, None),
        Mail::ReplyLost => {
            carry(&hub, inner, head, body, writes).await;
            answer(504, None)
        }
        Mail::Late => {
            hub.with(|stage| {
                let until = stage.clock.now().plus_millis(ARRIVES_WITHIN_MILLIS);
                stage.deferred.push(Deferred {
                    side,
                    head,
                    body,
                    until,
                });
            });
            answer(504, None)
        }
        Mail::Refused(status, after) => answer(status, after),
    };
    let (head, body) = reply;
    let fate = hub.with(|stage| stage.after_request(side, head.status.as_u16(), &body));
    if fate != Fate::Go {
        hub.meet(fate).await;
    }
    Response::from_parts(head, Body::from(body))
}

type Reply = (axum::http::response::Parts, Bytes);

async fn carry(hub: &Hub, inner: Router, head: Parts, body: Bytes, writes: bool) -> Reply {
    if writes {
        let says = body.clone();
        hub.with(|stage| stage.before_write = Some((stage.shots(), says)));
    }
    let reply = match inner
        .oneshot(Request::from_parts(head, Body::from(body)))
        .await
    {
        Ok(reply) => reply,
        Err(never) => match never {},
    };
    let (head, body) = reply.into_parts();
    let body = to_bytes(body, BODY_CAP * 16).await.unwrap_or_default();
    hub.with(|stage| stage.carried_out(writes));
    (head, body)
}

/// Lets late writes of one side arrive: some by chance, and those whose time ends before `by`
/// now or never.
pub async fn arrivals(hub: &Hub, inner: &Router, side: Side, by: Option<Timestamp>) {
    loop {
        let next = hub.with(|stage| {
            let at = stage.deferred.iter().position(|one| one.side == side)?;
            let must = by.is_some_and(|by| stage.deferred[at].until < by);
            if !must && (stage.calm || !stage.dice.one_in(6)) {
                return None;
            }
            let one = stage.deferred.remove(at);
            let arrives = !must || stage.dice.coin();
            stage.trace.say(|| {
                let what = if arrives { "arrives" } else { "never arrives" };
                format!("    a late write to {side} {what}")
            });
            stage.counts.add(
                if arrives {
                    "late arrivals"
                } else {
                    "never arrived"
                },
                1,
            );
            Some((one, arrives))
        });
        let Some((one, arrives)) = next else { return };
        if arrives {
            carry(hub, inner.clone(), one.head, one.body, true).await;
        }
    }
}

fn answer(status: u16, after: Option<u32>) -> Reply {
    let text = match status {
        429 => {
            r#"{"status":"error","errorType":"RATE_LIMIT","message":"too many",
                "policyName":"TEN_SECONDLY_ROLLING"}"#
        }
        _ => "",
    };
    let mut reply = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    if let Some(seconds) = after {
        reply = reply.header("retry-after", seconds.to_string());
    }
    let reply = reply.body(Body::empty()).expect("a reply");
    (reply.into_parts().0, Bytes::from_static(text.as_bytes()))
}
