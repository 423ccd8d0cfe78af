//! The service of a demo: two workspaces, connected by their links, over HTTP, turn by turn.
//!
//! Everything that a customer's administrators and whoever runs the service would do is done here
//! the way they would: by the API, by the links, and by the folder of settings and mappings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use secrecy::SecretString;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::api::{self, Bounds};
use crate::app::Service;
use crate::clock::Chance;
use crate::config;
use crate::model::{KeyKind, Role, Side, WorkspaceId};
use crate::sim::{Pushing, Running};
use crate::store::Store;

use super::super::service::{Built, Door, build_at, watch};
use super::super::sim::Simulators;
use super::{furnish, platforms};

/// How long requests under way may take when a demo ends.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How often both CRMs are asked for changes: soon, because somebody watches.
const POLL_MILLIS: i64 = 3_000;
/// As often as a mapping's `poll: auto` asks at most.
const AUTO_POLL_MILLIS: i64 = 10_000;
const WATCHED_RECORDS: usize = 1_000;

/// How the service learns of changes, and by what chance it goes.
#[derive(Clone, Copy)]
pub struct Pace {
    pub seed: u64,
    pub poll_millis: i64,
    /// Both CRMs tell of changes besides.
    pub pushed: bool,
}

impl Pace {
    /// A demo with more records than anybody watches goes by polls alone: it is there to count the
    /// calls of full batches.
    pub fn of(records: usize, seed: u64) -> Self {
        let pushed = records <= WATCHED_RECORDS;
        Self {
            seed,
            poll_millis: if pushed {
                POLL_MILLIS
            } else {
                AUTO_POLL_MILLIS
            },
            pushed,
        }
    }
}

/// A workspace, and the portal and the organisation that its links connect it to.
#[derive(Clone, Copy)]
pub struct Customer<'a> {
    pub ws: &'a WorkspaceId,
    pub simulators: &'a Simulators,
}

pub struct Served {
    /// Without a slash at its end.
    pub url: String,
    /// Opens every workspace of this demo, and ends with it.
    pub key: SecretString,
    pub service: Arc<Service>,
    pub store: Arc<Store>,
    settings: config::Service,
    door: Door,
    router: Router,
    stop: CancellationToken,
    http: JoinHandle<()>,
    /// Both platforms' common host; it listens for as long as this is held.
    _platforms: Running,
    pushing: Vec<Pushing>,
}

impl Served {
    /// Starts the service in an empty folder, and makes, connects and lets write a workspace for
    /// each customer. No worker runs: whoever holds this takes the turns.
    ///
    /// # Errors
    /// A folder that cannot be written, a port that cannot be had, or a link that does not connect.
    pub async fn open(
        folder: &Path,
        customers: &[Customer<'_>],
        pace: Pace,
    ) -> anyhow::Result<Self> {
        let first = customers.first().context("a demo without workspaces")?;
        let accounts: Vec<&Simulators> = customers.iter().map(|one| one.simulators).collect();
        let platforms = platforms::open(&accounts).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let settings = furnish::furnish(folder, address, &platforms.url(), first.simulators)?;
        let built = build_at(settings, Chance::seeded(pace.seed), Some(pace.poll_millis)).await?;
        let Built {
            api,
            service,
            store,
            settings,
        } = built;
        let made = api.make_key(None, KeyKind::Management, Role::Admin, "demo");
        let (_, key) = made.await.map_err(|error| anyhow!(error.detail))?;
        let router = api::router(api);
        let stop = CancellationToken::new();
        let (answering, closing) = (router.clone(), stop.clone());
        let http = tokio::spawn(api::accept(listener, answering, Bounds::default(), closing));
        let mut served = Self {
            url: format!("http://{address}"),
            key,
            service,
            store,
            settings,
            door: Door::Here(Box::new(router.clone())),
            router,
            stop,
            http,
            _platforms: platforms,
            pushing: Vec::new(),
        };
        for customer in customers {
            served.welcome(*customer, pace.pushed).await?;
        }
        Ok(served)
    }

    /// A workspace is made, connected by a link for each side, and may write.
    async fn welcome(&mut self, customer: Customer<'_>, pushed: bool) -> anyhow::Result<()> {
        let ws = customer.ws;
        let body = json!({"id": ws.as_str()});
        let made = self.door.call(Method::POST, "/workspaces", Some(body));
        made.await?;
        for side in Side::BOTH {
            self.connect(customer, side)
                .await
                .with_context(|| format!("{ws} could not be connected to {}", side.title()))?;
        }
        if pushed {
            self.listen(customer).await?;
        }
        let path = format!("/workspaces/{ws}/live");
        self.door.call(Method::POST, &path, None).await?;
        Ok(())
    }

    /// Both CRMs send what changes from now on.
    async fn listen(&mut self, customer: Customer<'_>) -> anyhow::Result<()> {
        let path = format!("/workspaces/{}/connections", customer.ws);
        let shown = self.door.call(Method::GET, &path, None).await?;
        let webhooks = format!("{}/webhooks/hubspot", self.url);
        let messages = shown["outbound_messages_url"].as_str();
        let pushing = customer.simulators.push(Some(&webhooks), messages);
        self.pushing.extend(pushing.map_err(anyhow::Error::msg)?);
        Ok(())
    }

    /// What an administrator does with a link: presses its button, agrees at the CRM, comes back.
    async fn connect(&self, customer: Customer<'_>, side: Side) -> anyhow::Result<()> {
        let Customer { ws, simulators } = customer;
        let path = format!("/workspaces/{ws}/connect-links");
        let body = json!({"side": side.as_str()});
        let link = self.door.call(Method::POST, &path, Some(body)).await?;
        let link = self.own(link["url"].as_str().unwrap_or_default())?;
        let begun = self
            .browse(Method::POST, &format!("{link}/start"), "")
            .await?;
        let cookie = text(&begun, header::SET_COOKIE);
        let cookie = cookie.split(';').next().unwrap_or_default();
        let consent = text(&begun, header::LOCATION);
        let agreed = match side {
            Side::HubSpot => simulators.hubspot.approve(&consent),
            Side::Salesforce => simulators.salesforce.approve(&consent),
        };
        let back = agreed.map_err(|page| anyhow!("the CRM shows another page: {page}"))?;
        let ended = self.browse(Method::GET, &self.own(&back)?, cookie).await?;
        // Only what has connected leads back to the link.
        if ended.status() != StatusCode::SEE_OTHER {
            bail!("the link answered with status {}", ended.status());
        }
        Ok(())
    }

    /// The path of an address of this service.
    fn own(&self, address: &str) -> anyhow::Result<String> {
        let path = address.strip_prefix(&self.url);
        let path = path.with_context(|| format!("{address} is not an address of the service"))?;
        Ok(path.to_owned())
    }

    async fn browse(&self, method: Method, path: &str, cookie: &str) -> anyhow::Result<Response> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("host=production"))?;
        match self.router.clone().oneshot(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    }

    /// Makes every poll of a workspace due now.
    pub async fn look_again(&self, ws: &WorkspaceId) -> anyhow::Result<()> {
        let path = format!("/workspaces/{ws}/sync");
        self.door.call(Method::POST, &path, None).await?;
        Ok(())
    }

    /// From here on the workers take the turns, and changed mapping files take over, until `stop`.
    pub async fn work(&self, stop: &CancellationToken) {
        let workers = Arc::clone(&self.service).run(stop.clone());
        let files = watch(&self.settings, &self.service, stop);
        tokio::join!(workers, files);
    }

    /// Gives every lane back and stops to listen.
    pub async fn close(self) -> anyhow::Result<()> {
        drop(self.pushing);
        self.stop.cancel();
        // Workers that are told to stop at once close what is open and do nothing else.
        Arc::clone(&self.service).run(self.stop.clone()).await;
        // Whoever is still in the middle of a request does not keep a demo up.
        if let Ok(ended) = timeout(CLOSE_WITHIN, self.http).await {
            ended.context("the server broke")?;
        }
        Ok(())
    }
}

fn text(response: &Response, name: header::HeaderName) -> String {
    let value = response.headers().get(name);
    let value = value.and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}
