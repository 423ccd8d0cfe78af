//! A service with both simulators behind it, driven by hand.

use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tandem::api::{self, Api, Caller, Cleared, Counts, Intake, Limits};
use tandem::app::{MappingFiles, Service, ServiceParts};
use tandem::clock::{Chance, Clock, Ids};
use tandem::crm::oauth::App;
use tandem::crm::{Traffic, Transport};
use tandem::mapping::SourceFile;
use tandem::model::{BySide, KeyKind, Role, Side, Timestamp, WorkspaceId};
use tandem::notices::Notices;
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tandem::store::{Deed, Reply, Seam, Store, Watch};
use tandem::vault::{Keeper, Keyring, Vault};
use tower::ServiceExt;
use url::Url;

pub const START: Timestamp = Timestamp::from_millis(1_772_442_000_000);
/// What one key may ask in a minute. The clock stands still, so it bounds a whole test.
pub const PER_MINUTE: u32 = 1_000;
pub const PUBLIC: &str = "https://sync.example.test";

/// One small two-way mapping.
pub const CONTACTS: &str = "mapping: contacts\nhubspot: contacts\nsalesforce: Contact\n\
    direction: both\nconflict: salesforce\nfirst-sync: { fill-blanks: salesforce }\n\
    match: [email: Email]\ncreate: both\nrules:\n  email: Email\n  firstname: FirstName\n  \
    lastname: { to: LastName, default: \"(unknown)\" }\n";

/// The same, polled so seldom that no engine stays open in between.
pub fn seldom() -> String {
    CONTACTS.replace("direction: both\n", "direction: both\npoll: 5m\n")
}

pub struct House {
    pub clock: Clock,
    pub hubspot: HubSpotSim,
    pub salesforce: SalesforceSim,
    pub hubspot_options: HubSpotOptions,
    pub salesforce_options: SalesforceOptions,
    pub store: Arc<Store>,
    pub service: Arc<Service>,
    pub api: Arc<Api>,
    /// Connections that were lost, in the order they were told of.
    pub losses: Arc<Mutex<Vec<String>>>,
    /// Answers to commits that the store is not going to hear.
    pub lost: Arc<AtomicU32>,
    router: Router,
}

/// What a house is made of.
struct Parts<'a> {
    public: &'a str,
    store: &'a str,
    hubspot: HubSpotOptions,
    salesforce: SalesforceOptions,
    /// Of the HubSpot app in the settings: what it requires, and what it has besides.
    scopes: [&'a [&'a str]; 2],
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self {
            public: PUBLIC,
            store: "sqlite::memory:",
            hubspot: HubSpotOptions::default(),
            salesforce: SalesforceOptions::default(),
            scopes: [&[], &[]],
        }
    }
}

/// An answer, read.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn location(&self) -> String {
        let found = self.headers.get(header::LOCATION);
        found
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    }
}

impl House {
    pub async fn new() -> Self {
        Self::at(PUBLIC).await
    }

    /// A service that is reached at this address.
    pub async fn at(public: &str) -> Self {
        Self::with(Parts {
            public,
            ..Parts::default()
        })
        .await
    }

    /// With its store in this file.
    pub async fn on(store: &str) -> Self {
        Self::with(Parts {
            store,
            ..Parts::default()
        })
        .await
    }

    /// With settings that say what the HubSpot app requires, and what it has besides.
    pub async fn told_of(required: &[&str], optional: &[&str]) -> Self {
        Self::with(Parts {
            scopes: [required, optional],
            ..Parts::default()
        })
        .await
    }

    /// With accounts that nobody has prepared.
    pub async fn bare() -> Self {
        Self::with(Parts {
            hubspot: HubSpotOptions {
                bare: true,
                ..HubSpotOptions::default()
            },
            salesforce: SalesforceOptions {
                bare: true,
                ..SalesforceOptions::default()
            },
            ..Parts::default()
        })
        .await
    }

    async fn with(parts: Parts<'_>) -> Self {
        let (public, hubspot_options) = (parts.public, parts.hubspot);
        let salesforce_options = parts.salesforce;
        let clock = Clock::manual(START);
        let sim_clock = SimClock::new(clock.clone());
        let hubspot = HubSpotSim::new(sim_clock.clone(), hubspot_options.clone());
        let salesforce = SalesforceSim::new(sim_clock, salesforce_options.clone());
        let store = Store::open(parts.store, clock.clone()).await.unwrap();
        let lost = Arc::new(AtomicU32::new(0));
        let store = Arc::new(store.watched(forgetful(&lost)));
        let line = Keyring::fresh_line("key-1");
        let read = Box::new(move || Keyring::parse(&line, "test"));
        let vault = Arc::new(Vault::open(Arc::clone(&store), read).await.unwrap());
        let losses = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&losses);
        let transport = Transport::InProcess(by_host(&hubspot, &salesforce));
        let keeper = Arc::new(Keeper {
            store: Arc::clone(&store),
            vault: Arc::clone(&vault),
            transport,
            clock: clock.clone(),
            apps: apps(&hubspot_options, &salesforce_options, parts.scopes),
            hubspot_url: "http://hubspot.test".to_owned(),
            on_loss: Box::new(move |ws, side, why| {
                told.lock().unwrap().push(format!("{ws} {side}: {why}"));
            }),
            traffic: Traffic::default(),
        });
        let chance = Chance::seeded(11);
        let service = service(&store, &keeper, &clock, &chance).await;
        let ids = Ids::new(clock.clone(), chance);
        let api = Arc::new(Api {
            notices: notices(&store, &vault, &clock, public),
            store: Arc::clone(&store),
            vault,
            keeper,
            service: Arc::clone(&service),
            intake: Intake::start(
                Arc::clone(&store),
                Arc::clone(&service),
                clock.clone(),
                ids.clone(),
            ),
            ids,
            clock: clock.clone(),
            public_url: Url::parse(public).unwrap(),
            hubspot_secret: Some(SecretString::from(hubspot_options.client_secret.clone())),
            counts: Arc::new(Counts::default()),
            limits: Limits::new(PER_MINUTE),
            cleared: Cleared::default(),
        });
        Self {
            router: api::router(Arc::clone(&api)),
            clock,
            hubspot,
            salesforce,
            hubspot_options,
            salesforce_options,
            store,
            service,
            api,
            losses,
            lost,
        }
    }

    /// The service of a process that starts on the same store after this one.
    pub async fn successor(&self) -> Arc<Service> {
        let keeper = &self.api.keeper;
        service(&self.store, keeper, &self.clock, &Chance::seeded(13)).await
    }

    /// What a server in front of all this serves.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request) -> Answer {
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let (head, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 10_000_000).await.unwrap();
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(key) = key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(request.body(body).unwrap()).await
    }

    /// As whoever runs the service.
    pub async fn operate(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))
            .unwrap();
        request.extensions_mut().insert(Caller::operator());
        let answer = self.send(request).await;
        assert!(
            answer.status < 300,
            "{path}: {} {}",
            answer.status,
            answer.text
        );
        answer.json()
    }

    pub async fn key(&self, ws: Option<&str>, kind: KeyKind, role: Role) -> String {
        let ws = ws.map(WorkspaceId::new);
        let made = self.api.make_key(ws.as_ref(), kind, role, "test").await;
        made.map(|(_, text)| text.expose_secret().to_owned())
            .map_err(|e| e.detail)
            .unwrap()
    }

    /// A workspace that observes, connected on both sides with static credentials.
    pub async fn connected(&self, ws: &str) {
        self.operate(Method::POST, "/v1/workspaces", Some(json!({"id": ws})))
            .await;
        let path = format!("/v1/workspaces/{ws}/connections");
        let token = json!({"kind": "token", "token": self.hubspot_options.token});
        self.operate(Method::PUT, &format!("{path}/hubspot"), Some(token))
            .await;
        let client = json!({"kind": "client-credentials", "login_url": "http://127.0.0.1:1",
            "client_id": self.salesforce_options.client_id,
            "client_secret": self.salesforce_options.client_secret});
        self.operate(Method::PUT, &format!("{path}/salesforce"), Some(client))
            .await;
    }

    /// As [`House::connected`], and it may write.
    pub async fn live(&self, ws: &str) {
        self.connected(ws).await;
        self.operate(Method::POST, &format!("/v1/workspaces/{ws}/live"), None)
            .await;
    }

    /// Sets switches of the HubSpot simulator.
    pub async fn portal(&self, options: Value) {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/_sim/options")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(options.to_string()));
        let answer = self.hubspot.router().oneshot(request.unwrap()).await;
        assert_eq!(answer.unwrap().status(), StatusCode::OK);
    }

    /// Somebody adds a contact to HubSpot.
    pub fn person(&self, email: &str, lastname: &str) -> String {
        let fields = [("email", email), ("lastname", lastname)];
        self.hubspot
            .create("contacts", &fields)
            .expect("a sound contact")
    }

    /// Lets every workspace work for so long, and stand still in between.
    pub async fn pass(&self, millis: i64) {
        let until = self.clock.now().plus_millis(millis);
        loop {
            self.service.run_due().await;
            let left = until.millis_since(self.clock.now());
            if left <= 0 {
                return;
            }
            self.clock.advance_millis(left.min(1_000));
        }
    }
}

fn forgetful(lost: &Arc<AtomicU32>) -> Watch {
    let (lost, commits) = (Arc::clone(lost), AtomicBool::new(false));
    Watch::new(move |seam| {
        let fewer = |left: u32| left.checked_sub(1);
        let reply = match seam {
            Seam::Before(deed) => {
                commits.store(matches!(deed, Deed::Commit { .. }), Relaxed);
                Reply::Heard
            }
            Seam::After if !commits.load(Relaxed) => Reply::Heard,
            Seam::After => match lost.fetch_update(Relaxed, Relaxed, fewer) {
                Ok(_) => Reply::Lost,
                Err(_) => Reply::Heard,
            },
        };
        Box::pin(std::future::ready(reply))
    })
}

async fn service(
    store: &Arc<Store>,
    keeper: &Arc<Keeper>,
    clock: &Clock,
    chance: &Chance,
) -> Arc<Service> {
    let parts = ServiceParts {
        store: Arc::clone(store),
        keeper: Arc::clone(keeper),
        clock: clock.clone(),
        chance: chance.clone(),
        mappings: MappingFiles::shared(vec![file(CONTACTS)]),
        workers: 4,
        journal_days: 30,
        poll_millis: Some(60_000),
    };
    Service::new(parts).await.unwrap()
}

fn notices(store: &Arc<Store>, vault: &Arc<Vault>, clock: &Clock, public: &str) -> Arc<Notices> {
    let (store, vault) = (Arc::clone(store), Arc::clone(vault));
    Arc::new(Notices::new(store, vault, clock.clone(), Chance::seeded(12), public).unwrap())
}

fn apps(
    hubspot: &HubSpotOptions,
    salesforce: &SalesforceOptions,
    [required, optional]: [&[&str]; 2],
) -> BySide<Option<App>> {
    let words = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let url = |text: &str| Url::parse(text).unwrap();
    let app = |side: Side, (id, secret): (&str, &str), host: &str, scopes: &[&str]| App {
        side,
        client_id: id.to_owned(),
        client_secret: SecretString::from(secret),
        authorize_host: url(host),
        token_host: url(host),
        redirect: url(&format!("{PUBLIC}/connect/callback/{side}")),
        scopes: words(scopes),
        optional_scopes: Vec::new(),
    };
    let of_hubspot = (hubspot.client_id.as_str(), hubspot.client_secret.as_str());
    let of_salesforce = (
        salesforce.client_id.as_str(),
        salesforce.client_secret.as_str(),
    );
    let of_hubspot = app(Side::HubSpot, of_hubspot, "http://hubspot.test", required);
    BySide::new(
        Some(App {
            optional_scopes: words(optional),
            ..of_hubspot
        }),
        Some(app(
            Side::Salesforce,
            of_salesforce,
            "http://salesforce.test",
            &["api", "refresh_token"],
        )),
    )
}

/// Both simulators behind one transport, told apart by the host.
fn by_host(hubspot: &HubSpotSim, salesforce: &SalesforceSim) -> Router {
    let (hubspot, salesforce) = (hubspot.router(), salesforce.router());
    Router::new().fallback(move |request: Request| {
        let (hubspot, salesforce) = (hubspot.clone(), salesforce.clone());
        async move {
            let host = request
                .headers()
                .get(header::HOST)
                .and_then(|host| host.to_str().ok());
            let outcome: Result<Response, Infallible> = match host {
                Some("hubspot.test") => hubspot.oneshot(request).await,
                Some("salesforce.test" | "127.0.0.1:1") => salesforce.oneshot(request).await,
                _ => Ok(StatusCode::BAD_GATEWAY.into_response()),
            };
            match outcome {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    })
}

/// A mapping file of this text.
pub fn file(text: &str) -> SourceFile {
    SourceFile {
        path: "contacts.yaml".to_owned(),
        text: text.to_owned(),
    }
}
