//! The HTTP face of the portal: every request passes [`HubSpotSim::answer`], once in, once out.
//!
//! Whether a fault strikes a call is asked in `fault` and nowhere else.

mod batch;
mod control;
mod definitions;
mod fault;
mod links;
mod objects;
mod route;

use std::collections::BTreeMap;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::http::{Method, Response, header};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::HubSpotSim;
use super::authorize::Consent;
use super::failure::Failure;
use super::limits::Meter;
use super::log::LoggedRequest;
use super::state::State;
use crate::sim::consent;
use route::Route;

/// More than any documented batch needs.
const BODY_LIMIT: usize = 16 * 1024 * 1024;
const JSON_TYPE: &str = "application/json;charset=utf-8";

/// One request, read completely.
#[derive(Clone)]
pub(super) struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    logged_path: String,
    token: Option<String>,
    body: Bytes,
}

/// What a call is answered with. No body means no content.
#[derive(Debug)]
pub(super) struct Reply {
    status: u16,
    body: Option<Json>,
    headers: Vec<(&'static str, String)>,
    category: Option<String>,
    /// Sent instead of the body, with its content type: a page of HTML, or JSON that was cut.
    text: Option<(&'static str, String)>,
    /// The connection breaks in this way and nothing is sent.
    broken: Option<std::io::ErrorKind>,
}

impl Reply {
    fn json(status: u16, body: Json) -> Self {
        Self {
            body: Some(body),
            ..Self::empty(status)
        }
    }

    fn empty(status: u16) -> Self {
        Self {
            status,
            body: None,
            headers: Vec::new(),
            category: None,
            text: None,
            broken: None,
        }
    }

    fn broken(how: std::io::ErrorKind) -> Self {
        Self {
            broken: Some(how),
            ..Self::empty(500)
        }
    }

    fn ok(body: Json) -> Self {
        Self::json(200, body)
    }

    fn nothing() -> Self {
        Self::empty(204)
    }

    fn failure(failure: &Failure, correlation: &str) -> Self {
        let mut reply = Self::json(failure.status, failure.to_json(correlation));
        reply.category = failure.logged();
        reply
    }
}

/// What the gate found out about an admitted call.
struct Pass {
    route: Route,
    dated: bool,
}

pub(super) fn router(sim: &HubSpotSim) -> Router {
    Router::new().fallback(serve).with_state(sim.clone())
}

async fn serve(Shared(sim): Shared<HubSpotSim>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, BODY_LIMIT).await;
    let bearer = parts.headers.get(header::AUTHORIZATION);
    let bearer = bearer.and_then(|value| value.to_str().ok());
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
        logged_path: parts
            .uri
            .path_and_query()
            .map_or_else(String::new, |whole| whole.as_str().to_owned()),
        token: bearer.and_then(bearer_token).map(str::to_owned),
        body: body.as_ref().cloned().unwrap_or_default(),
    };
    if call.path.starts_with("/_sim/") {
        return render(control::answer(&sim, &call), "");
    }
    sim.answer(&call, body.is_err())
}

fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect()
}

impl HubSpotSim {
    /// Answers one API call, logs it, and then tells the write hook what was written.
    fn answer(&self, call: &Call, too_large: bool) -> Response<Body> {
        let (reply, correlation, written) = self.with(|state| {
            let correlation = state.uuid();
            let reply = state.meet_faults(call, too_large, &correlation);
            (reply, correlation, std::mem::take(&mut state.written))
        });
        self.tell_hook(&written);
        render(reply, &correlation)
    }
}

impl State {
    /// One call as the platform answers it.
    fn carry_out(&mut self, call: &Call, too_large: bool, correlation: &str) -> Reply {
        let pass = if too_large {
            Err(Failure::too_large())
        } else {
            self.before(call)
        };
        let outcome = pass.and_then(|pass| self.dispatch(call, &pass, correlation));
        self.after(call, outcome, correlation)
    }

    /// The gate: who calls, what is meant, whether there is room and right for it.
    fn before(&mut self, call: &Call) -> Result<Pass, Failure> {
        let (route, dated) = route::route(self, &call.method, &call.path)?;
        if route.meter() == Meter::Free {
            return Ok(Pass { route, dated });
        }
        self.authenticate(call.token.as_deref())?;
        let now = self.clock.now();
        self.limits.take(route.meter(), now, &self.options)?;
        let missing = &self.switches.missing_scopes;
        let token = call.token.as_deref();
        let lacks = |scope: &&String| missing.contains(*scope) || !self.was_granted(token, scope);
        if let Some(scope) = route.scopes().iter().find(lacks) {
            return Err(Failure::missing_scope(scope));
        }
        Ok(Pass { route, dated })
    }

    /// The way out: error bodies, rate headers, the log.
    fn after(&mut self, call: &Call, outcome: Result<Reply, Failure>, correlation: &str) -> Reply {
        let mut reply = outcome.unwrap_or_else(|failure| Reply::failure(&failure, correlation));
        let route = route::route(self, &call.method, &call.path).ok();
        let (family, meter) = route.map_or(("unknown", Meter::Free), |(route, _)| {
            (route.family(), route.meter())
        });
        if let Ok(private_app) = self.authenticate(call.token.as_deref()) {
            let headers = self.limits.headers(meter, private_app, &self.options);
            let headers = headers
                .into_iter()
                .map(|(name, value)| (name, value.to_string()));
            reply.headers.extend(headers);
        }
        let request = LoggedRequest {
            method: call.method.to_string(),
            path: call.logged_path.clone(),
            status: reply.status,
            at: self.clock.now(),
            category: reply.category.clone(),
        };
        self.log.add(family, request);
        reply
    }

    fn dispatch(&mut self, call: &Call, pass: &Pass, correlation: &str) -> Result<Reply, Failure> {
        match &pass.route {
            Route::List(kind) => self.list(*kind, call),
            Route::Create(kind) => self.create(*kind, call),
            Route::Read(kind, id) => self.read(*kind, id, call),
            Route::Update(kind, id) => self.update(*kind, id, call),
            Route::Archive(kind, id) => self.archive(*kind, id),
            Route::Batch(kind, which) => self.batch(*kind, *which, call),
            Route::Search(kind) => self.search(*kind, &call.body).map(Reply::ok),
            Route::Merge(kind) => self.merge(*kind, call),
            Route::Links(from, id, to) => self.list_links(*from, id, *to, call),
            Route::Link(pair) => self.link(pair, call),
            Route::LinkDefault(pair) => self.link_default(pair),
            Route::Unlink(pair) => self.unlink(pair),
            Route::LinkBatch(from, to, which) => {
                self.link_batch(*from, *to, *which, pass.dated, call)
            }
            Route::Labels(from, to) => Ok(self.labels(*from, *to)),
            Route::AddLabel(from, to) => self.add_label(*from, *to, call),
            Route::Properties(kind) => Ok(self.properties(*kind)),
            Route::AddProperty(kind) => self.add_property(*kind, call),
            Route::Property(kind, name) => self.property(*kind, name),
            Route::Groups(kind) => Ok(self.groups(*kind)),
            Route::AddGroup(kind) => self.add_group(*kind, call),
            Route::Pipelines(kind) => Ok(definitions::pipelines(*kind)),
            Route::Pipeline(kind, id) => definitions::pipeline(*kind, id),
            Route::Stages(kind, id) => definitions::stages(*kind, id),
            Route::Owners => definitions::owners(call),
            Route::Owner(id) => definitions::owner(id, call),
            Route::Schemas => Ok(self.schemas()),
            Route::Schema(name) => self.schema(name),
            Route::Account => Ok(self.account()),
            Route::Token => {
                let (status, body) = self.grant(&call.form(), correlation);
                Ok(Reply::json(status, body))
            }
            Route::Revoke => Ok(match self.revoke(&call.form(), correlation) {
                Ok(()) => Reply::nothing(),
                Err(refusal) => Reply::json(400, refusal),
            }),
            Route::Consent(hub) => Ok(self.consent_page(call, hub.as_deref())),
            Route::Uninstall => {
                self.uninstall(call.token.as_deref())?;
                Ok(Reply::nothing())
            }
            Route::PrivateApp => self.private_app(&call.body).map(Reply::ok),
            Route::Introspect => {
                let form = pairs(&call.body);
                let names = ["token", "access_token", "refresh_token"];
                let token = form.iter().find(|(name, _)| names.contains(&name.as_str()));
                Ok(Reply::ok(
                    self.introspect(token.map_or("", |(_, value)| value)),
                ))
            }
        }
    }
}

impl State {
    fn consent_page(&mut self, call: &Call, hub: Option<&str>) -> Reply {
        let sent = pairs(&call.body);
        let (params, decision) = if call.method == Method::POST {
            let pressed = sent.iter().find(|(name, _)| name == "decision");
            (&sent, Some(pressed.map_or("", |(_, value)| value.as_str())))
        } else {
            (&call.query, None)
        };
        let page = |status: u16, text: String, redirect: Option<&url::Url>| Reply {
            text: Some((consent::HTML, text)),
            headers: consent::headers(redirect),
            ..Reply::empty(status)
        };
        match self.consent(&call.path, hub, params, decision) {
            Consent::Ask(text, redirect) => page(200, text, Some(&redirect)),
            Consent::Refuse(text) => page(400, text, None),
            Consent::Leave(location) => Reply {
                headers: vec![("location", location)],
                ..Reply::empty(302)
            },
        }
    }
}

impl Call {
    /// The fields of a form, whether sent in the body or the query.
    fn form(&self) -> BTreeMap<String, String> {
        let mut form: BTreeMap<String, String> = self.query.iter().cloned().collect();
        form.extend(pairs(&self.body));
        form
    }

    fn param(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A list parameter: separated by commas, repeated, or both.
    fn list_param(&self, name: &str) -> Vec<String> {
        self.query
            .iter()
            .filter(|(key, _)| key == name)
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn flag(&self, name: &str) -> bool {
        self.param(name) == Some("true")
    }

    /// The `limit` parameter within `1..=max`.
    fn limit(&self, default: usize, max: usize) -> Result<usize, Failure> {
        let Some(text) = self.param("limit") else {
            return Ok(default);
        };
        let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
        limit.ok_or_else(|| {
            Failure::validation(format!("limit must be between 1 and {max}, was \"{text}\""))
        })
    }

    fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| Failure::bad_json(&error))
    }
}

/// A body around rows. They are moved into it, where the macro would copy each of them.
fn listed(rows: Vec<Json>) -> Json {
    let mut body = json!({});
    body["results"] = Json::Array(rows);
    body
}

fn render(reply: Reply, correlation: &str) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    if !correlation.is_empty() {
        response = response
            .header("x-hubspot-correlation-id", correlation)
            .header("x-request-id", correlation);
    }
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    if let Some(how) = reply.broken {
        response = response.extension(how);
    }
    let body = match (reply.text, &reply.body) {
        (Some((kind, text)), _) => {
            response = response.header(header::CONTENT_TYPE, kind);
            Body::from(text)
        }
        (None, Some(json)) => {
            response = response.header(header::CONTENT_TYPE, JSON_TYPE);
            Body::from(json.to_string())
        }
        (None, None) => Body::empty(),
    };
    response
        .body(body)
        .expect("status and headers of a reply are made by the simulator and well formed")
}
