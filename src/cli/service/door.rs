//! The way into the API: a running service, or the store at hand.

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tower::ServiceExt;
use url::Url;

use crate::api::{self, Caller};
use crate::cli::output::Advice;
use crate::config::Environment;
use crate::crm::{BODY_CAP, Request as CrmRequest, Transport};
use crate::store::StoreError;

use super::build;

#[derive(Clone, Debug, Args)]
pub struct DoorArgs {
    /// Address of a running service; without it the store in the settings is opened.
    #[arg(long, value_name = "URL", global = true)]
    pub server: Option<Url>,
    /// The settings, for a store that is opened here.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "tandem.toml",
        global = true
    )]
    pub config: PathBuf,
}

pub enum Door {
    Here(Box<Router>),
    There {
        transport: Transport,
        url: Url,
        key: SecretString,
    },
}

impl Door {
    /// The key of a service elsewhere comes from `TANDEM_KEY`: no list of processes shows it there.
    pub async fn open(
        args: &DoorArgs,
        environment: &Environment,
        key: Option<SecretString>,
    ) -> anyhow::Result<Self> {
        if let Some(url) = &args.server {
            let missing =
                || Advice::new("there is no key", "set TANDEM_KEY to a key of the service");
            return Ok(Self::There {
                transport: Transport::network()?,
                url: url.clone(),
                key: key.ok_or_else(missing)?,
            });
        }
        let settings = build::settings(&args.config, environment)?;
        let built = build::build(settings).await.map_err(|error| {
            match error.downcast_ref::<StoreError>() {
                Some(StoreError::Locked { .. }) => {
                    let todo = "name the service with --server, and set TANDEM_KEY to a key of it";
                    Advice::new("a running service has the store", todo).into()
                }
                _ => error,
            }
        })?;
        Ok(Self::Here(Box::new(api::router(built.api))))
    }

    /// One call. `path` begins below `/v1`.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let (status, bytes) = match self {
            Self::Here(router) => here(router, method, path, body).await?,
            Self::There {
                transport,
                url,
                key,
            } => {
                let address = format!("{}/v1{path}", url.as_str().trim_end_matches('/'));
                let address = Url::parse(&address)?;
                let mut request = CrmRequest::new(method, address, false).bearer(key)?;
                if let Some(body) = body {
                    request = request.json(serde_json::to_vec(&body)?);
                }
                let reply = transport.send(request).await.map_err(|error| {
                    Advice::new(error.message, "check --server, and that the service runs")
                })?;
                (reply.status, reply.body.to_vec())
            }
        };
        let answer: Value = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or(Value::Null)
        };
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        Err(refused(status, &answer).into())
    }
}

/// What the API said to a request that it did not carry out.
fn refused(status: u16, answer: &Value) -> Advice {
    let text = |name: &str| answer[name].as_str().unwrap_or_default();
    match text("code") {
        "" => {
            let what = format!("there was an answer with status {status}, and not the service's");
            Advice::new(what, "check --server, and that the service runs")
        }
        "unauthenticated" => {
            let what = "the service does not know the key";
            Advice::new(what, "set TANDEM_KEY to a key of it that is not revoked")
        }
        code => Advice::new(text("detail"), format!("docs/errors.md explains `{code}`")),
    }
}

async fn here(
    router: &Router,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/v1{path}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(match body {
            Some(body) => Body::from(serde_json::to_vec(&body)?),
            None => Body::empty(),
        })?;
    request.extensions_mut().insert(Caller::operator());
    let response = match router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), BODY_CAP).await?;
    Ok((status, bytes.to_vec()))
}

/// The key for a service elsewhere.
pub fn key_of(text: Option<&str>) -> Option<SecretString> {
    text.map(|text| SecretString::from(text.to_owned()))
        .filter(|text| !text.expose_secret().is_empty())
}
