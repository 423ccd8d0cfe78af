//! HTTP: the management API, connect links and callbacks, webhooks in, health and figures.
//!
//! Reads requests, asks the floors below, and shapes replies. Decides nothing about records. All
//! errors become status codes in [`error`], all JSON of the API is in [`dto`].

mod approvals;
mod bulk;
mod caller;
mod conflicts;
mod connect;
mod connections;
mod dead_letters;
mod drift;
mod dto;
mod error;
mod explaining;
mod exposition;
mod front;
mod health;
mod hubspot_app;
mod keys;
mod limits;
mod links;
mod listen;
mod looking;
mod mappings;
mod matches;
mod metrics;
mod notices;
mod openapi;
mod page;
mod planning;
mod plans;
mod repeats;
mod review;
mod trace;
mod webhooks;
mod workspaces;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{from_fn, from_fn_with_state};
use secrecy::SecretString;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use url::Url;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::app::Service;
use crate::clock::{Clock, Ids};
use crate::notices::Notices;
use crate::store::Store;
use crate::vault::{Keeper, Vault};

pub use caller::Caller;
pub use error::{ApiError, Code};
pub use limits::Limits;
pub use listen::{Bounds, accept};
pub use page::escape;
pub use repeats::Cleared;
pub use webhooks::{Counts, Intake};

/// More than any request of the API needs; webhooks have a bound of their own.
const BODY_CAP: usize = 256 * 1024;
/// No request of the API takes longer; one that came over a connection has the bound of that.
const TIME_OUT: Duration = Duration::from_secs(30);

/// Everything that requests are answered with.
pub struct Api {
    pub store: Arc<Store>,
    pub vault: Arc<Vault>,
    pub keeper: Arc<Keeper>,
    pub service: Arc<Service>,
    pub intake: Intake,
    pub notices: Arc<Notices>,
    pub clock: Clock,
    pub ids: Ids,
    /// How browsers and the CRMs reach this service.
    pub public_url: Url,
    /// Signs HubSpot's webhooks; `None` where no app is configured.
    pub hubspot_secret: Option<SecretString>,
    pub counts: Arc<Counts>,
    pub limits: Limits,
    pub cleared: Cleared,
}

impl Api {
    /// The public address with a slash at its end.
    fn base(&self) -> String {
        format!("{}/", self.public_url.as_str().trim_end_matches('/'))
    }
}

fn v1() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new()
        .routes(routes!(workspaces::list, workspaces::create))
        .routes(routes!(
            workspaces::show,
            workspaces::change,
            workspaces::delete
        ))
        .routes(routes!(workspaces::pause))
        .routes(routes!(workspaces::resume))
        .routes(routes!(workspaces::live))
        .routes(routes!(workspaces::observe))
        .routes(routes!(workspaces::sync_now))
        .routes(routes!(workspaces::access_log))
        .routes(routes!(mappings::list))
        .routes(routes!(mappings::show, mappings::put, mappings::take_back))
        .routes(routes!(mappings::activate))
        .routes(routes!(mappings::revisions))
        .routes(routes!(mappings::revision))
        .routes(routes!(mappings::pause))
        .routes(routes!(mappings::resume))
        .routes(routes!(mappings::promote))
        .routes(routes!(mappings::scan))
        .routes(routes!(connections::list))
        .routes(routes!(connections::put, connections::cut))
        .routes(routes!(connections::invite))
        .routes(routes!(connections::prepare))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::list_management, keys::create_management))
        .routes(routes!(keys::revoke_management))
        .routes(routes!(keys::rotate))
        .routes(routes!(hubspot_app::show))
        .routes(routes!(conflicts::list))
        .routes(routes!(conflicts::show))
        .routes(routes!(conflicts::take))
        .routes(routes!(conflicts::take_many))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::show))
        .routes(routes!(dead_letters::replay_one))
        .routes(routes!(dead_letters::discard_one))
        .routes(routes!(dead_letters::replay_many))
        .routes(routes!(dead_letters::discard_many))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::approve))
        .routes(routes!(notices::show, notices::put, notices::off))
        .routes(routes!(looking::holds))
        .routes(routes!(links::list, links::create))
        .routes(routes!(links::unpair_many))
        .routes(routes!(looking::runs))
        .routes(routes!(looking::run))
        .routes(routes!(looking::status))
        .routes(routes!(looking::explain, explaining::begin))
        .routes(routes!(explaining::show))
        .routes(routes!(plans::list, plans::create).layer(DefaultBodyLimit::max(plans::PLAN_BYTES)))
        .routes(routes!(plans::show))
        .routes(routes!(plans::file))
        .routes(routes!(plans::apply))
        .routes(routes!(plans::undo))
        .routes(routes!(plans::undo_since))
        .routes(routes!(drift::begin, drift::last))
        .routes(routes!(matches::begin, matches::last))
}

/// All routes, in front of the given service.
pub fn router(api: Arc<Api>) -> Router {
    let traced = axum::middleware::from_fn_with_state(Arc::clone(&api), trace::trace);
    let (routes, spec) = v1().split_for_parts();
    let header = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    let admitted = from_fn_with_state(Arc::clone(&api), front::admit);
    let limited = Router::new()
        .merge(routes.route_layer(admitted))
        .merge(openapi::router(spec))
        .merge(connect::router())
        .merge(health::router())
        .layer(DefaultBodyLimit::max(BODY_CAP));
    Router::new()
        .merge(limited)
        .merge(webhooks::router())
        .fallback(|| async { ApiError::not_found("page") })
        .method_not_allowed_fallback(|| async { ApiError::wrong_method() })
        .with_state(api)
        // All in one, the outermost first: each call of `layer` would box the rest anew, and every
        // request would copy all of it.
        .layer((
            traced,
            header("cache-control", "no-store"),
            header("x-frame-options", "DENY"),
            header("referrer-policy", "no-referrer"),
            header("x-content-type-options", "nosniff"),
            CatchPanicLayer::new(),
            from_fn(front::bounded),
        ))
}

/// What the API looks like to a machine, without a service behind it.
pub fn specification() -> utoipa::openapi::OpenApi {
    openapi::complete(v1().split_for_parts().1)
}
