//! The floor: as little as a server can do that answers a signed webhook after it is stored.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};
use tandem::clock::Clock;
use tokio::sync::{mpsc, oneshot};

use super::load::PATH;

/// As many requests share a commit as in the service.
const TOGETHER: usize = 500;
const TOLERANCE_MILLIS: i128 = 300_000;
const TABLE: &str = "CREATE TABLE floor (portal BIGINT NOT NULL, kind TEXT NOT NULL, \
     record BIGINT NOT NULL, at BIGINT NOT NULL)";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    portal_id: u64,
    subscription_type: String,
    object_id: u64,
}

struct Arrival {
    events: Vec<Event>,
    stored: oneshot::Sender<bool>,
}

struct Floor {
    key: hmac::Key,
    url: String,
    arrivals: mpsc::Sender<Arrival>,
}

enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Serves until the process is killed.
pub async fn serve(store: &str, secret: &str, public: &str) {
    let pool = Pool::open(store).await;
    let (arrivals, receiver) = mpsc::channel(2_000);
    tokio::spawn(keep(receiver, pool));
    let floor = Arc::new(Floor {
        key: hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()),
        url: format!("{public}{PATH}"),
        arrivals,
    });
    let router = Router::new().route(PATH, post(receive)).with_state(floor);
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("its address");
    println!("{}", serde_json::json!({"listening": address.to_string()}));
    axum::serve(listener, router).await.expect("it serves");
}

async fn receive(State(floor): State<Arc<Floor>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let at = header("x-hubspot-request-timestamp").unwrap_or_default();
    let signature = header("x-hubspot-signature-v3").unwrap_or_default();
    let mut source = Vec::with_capacity(body.len() + 100);
    source.extend_from_slice(b"POST");
    source.extend_from_slice(floor.url.as_bytes());
    source.extend_from_slice(&body);
    source.extend_from_slice(at.as_bytes());
    let genuine = STANDARD
        .decode(signature)
        .is_ok_and(|tag| hmac::verify(&floor.key, &source, &tag).is_ok());
    if !genuine || (now() - at.parse().unwrap_or(0)).abs() > TOLERANCE_MILLIS {
        return StatusCode::UNAUTHORIZED;
    }
    let Ok(events) = serde_json::from_slice::<Vec<Event>>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let (stored, answer) = oneshot::channel();
    let sent = floor.arrivals.try_send(Arrival { events, stored });
    match (sent, answer.await) {
        (Ok(()), Ok(true)) => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn now() -> i128 {
    i128::from(Clock::System.now().millis())
}

async fn keep(mut arrivals: mpsc::Receiver<Arrival>, pool: Pool) {
    let mut waiting = Vec::with_capacity(TOGETHER);
    while arrivals.recv_many(&mut waiting, TOGETHER).await > 0 {
        let events: Vec<Event> = waiting
            .iter_mut()
            .flat_map(|arrival: &mut Arrival| std::mem::take(&mut arrival.events))
            .collect();
        let rows = serde_json::to_string(&events).expect("plain rows");
        let stored = pool.put(&rows).await.is_ok();
        for arrival in waiting.drain(..) {
            arrival.stored.send(stored).ok();
        }
    }
}

impl Pool {
    /// With the settings of the store.
    async fn open(url: &str) -> Self {
        if url.starts_with("postgres") {
            let pool = PgPoolOptions::new().max_connections(5).connect(url).await;
            let pool = pool.expect("the server answers");
            sqlx::query(TABLE).execute(&pool).await.expect("a table");
            return Self::Postgres(pool);
        }
        let options = SqliteConnectOptions::new()
            .filename(url)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let one = SqlitePoolOptions::new().max_connections(1);
        let pool = one.connect_with(options).await.expect("a file");
        sqlx::query(TABLE).execute(&pool).await.expect("a table");
        Self::Sqlite(pool)
    }

    /// One statement, one transaction.
    async fn put(&self, rows: &str) -> Result<(), sqlx::Error> {
        let at = i64::try_from(now()).unwrap_or(0);
        match self {
            Self::Sqlite(pool) => {
                let text = "INSERT INTO floor SELECT value->>'portalId', \
                    value->>'subscriptionType', value->>'objectId', $2 FROM json_each($1)";
                sqlx::query(text).bind(rows).bind(at).execute(pool).await?;
            }
            Self::Postgres(pool) => {
                let text = "INSERT INTO floor SELECT r.\"portalId\", r.\"subscriptionType\", \
                    r.\"objectId\", $2 FROM json_to_recordset(CAST($1 AS json)) AS \
                    r(\"portalId\" BIGINT, \"subscriptionType\" TEXT, \"objectId\" BIGINT)";
                sqlx::query(text).bind(rows).bind(at).execute(pool).await?;
            }
        }
        Ok(())
    }
}
