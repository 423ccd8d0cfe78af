//! The JSON of the API: what comes in and what goes out. Nothing else is ever serialised here.
//!
//! Times are RFC 3339 in UTC. Unknown keys of a request are refused.

use std::collections::BTreeMap;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};

pub mod mappings;
pub mod owners;
mod whole;

pub use whole::whole;

use super::error::{ApiError, Code};
use crate::app::{Refused, Standing};
use crate::model::{Timestamp, Workspace};
use crate::store::{AccessEntry, ApiKey, SealedConnection};
use owners::OwnerJson;

/// Rows of a page unless asked otherwise, and at most.
const ROWS: u32 = 50;
const ROWS_MAX: u32 = 200;
/// Longer than any cursor that was handed out.
const CURSOR_CHARS: usize = 1_000;

/// A JSON body; whatever is wrong with it is a problem like any other.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(object(body)?)),
            Err(rejection) => Err(refused_body(&rejection)),
        }
    }
}

fn refused_body(rejection: &JsonRejection) -> ApiError {
    let code = match rejection.status().as_u16() {
        413 => Code::TooLarge,
        _ => Code::BadRequest,
    };
    ApiError::new(code, rejection.body_text())
}

/// As [`Body`], where a request without one means the default.
pub struct MaybeBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let read = axum::body::Bytes::from_request(request, state).await;
        let body = read.map_err(|rejection| {
            let code = match rejection.status().as_u16() {
                413 => Code::TooLarge,
                _ => Code::BadRequest,
            };
            ApiError::new(code, rejection.body_text())
        })?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        match serde_json::from_slice(&body).map_err(unreadable)? {
            Value::Null => Ok(Self(T::default())),
            body => Ok(Self(object(body)?)),
        }
    }
}

/// A list of values in the right order would do for serde, and is no object for anybody else.
fn object<T: DeserializeOwned>(body: Value) -> Result<T, ApiError> {
    if !body.is_object() {
        return Err(ApiError::bad("the body has to be an object"));
    }
    serde_json::from_value(body).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> ApiError {
    ApiError::bad(format!("the body cannot be read: {error}"))
}

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    #[param(max_length = 1000, pattern = "^[^\\x00]*$")]
    pub cursor: Option<String>,
    /// Rows of the page: 1 to 200, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

pub struct Page {
    pub cursor: Option<String>,
    pub limit: u32,
}

impl Page {
    pub fn of(cursor: Option<String>, limit: Option<u32>) -> Result<Self, ApiError> {
        let limit = limit.unwrap_or(ROWS);
        if !(1..=ROWS_MAX).contains(&limit) {
            return Err(ApiError::bad(format!(
                "limit is a number from 1 to {ROWS_MAX}"
            )));
        }
        let cursor = cursor.filter(|text| !text.is_empty());
        if cursor
            .as_ref()
            .is_some_and(|text| text.chars().count() > CURSOR_CHARS || text.contains('\0'))
        {
            return Err(ApiError::bad("cursor is no cursor of this API"));
        }
        Ok(Self { cursor, limit })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Page {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Asked(query) = Asked::<PageQuery>::from_request_parts(parts, state).await?;
        Self::of(query.cursor, query.limit)
    }
}

/// The query of a request; whatever is wrong with it is a problem like any other.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|error: QueryRejection| ApiError::bad(error.body_text()))?;
        Ok(Self(query.0))
    }
}

/// A page of rows; `next` is there when more follow.
#[derive(Serialize, ToSchema)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
}

impl<T> Listed<T> {
    /// `rows` were asked for with `limit`; `id` is what the next page begins after.
    pub fn of<R>(
        rows: Vec<R>,
        limit: u32,
        id: impl Fn(&R) -> String,
        shape: impl Fn(R) -> T,
    ) -> Self {
        let full = rows.len() >= limit as usize;
        let next = rows.last().filter(|_| full).map(id);
        Self {
            items: rows.into_iter().map(shape).collect(),
            next,
        }
    }
}

pub fn time(at: Timestamp) -> String {
    at.to_string()
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWorkspace {
    /// customer/environment, such as `acme/production`.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}/[a-z0-9][a-z0-9_-]{0,62}$")]
    pub id: String,
    /// Values for `${vars.x}` in mapping files.
    #[serde(default)]
    #[schema(schema_with = vars)]
    pub vars: BTreeMap<String, String>,
    /// Owners of this workspace; they go before the table of each rule about owners.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub owners: Vec<OwnerJson>,
}

/// What is not named stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangedWorkspace {
    /// Replaces all variables.
    #[serde(default, deserialize_with = "given")]
    #[schema(schema_with = vars, required = false)]
    pub vars: Option<BTreeMap<String, String>>,
    /// Replaces the whole table of owners.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Vec<OwnerJson>, max_items = 1000, required = false)]
    pub owners: Option<Vec<OwnerJson>>,
}

/// What is there has to be what it should be; null is something else than not there.
fn given<'de, T, D>(value: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    T::deserialize(value).map(Some)
}

/// The most variables of a workspace, and the longest value.
pub const VARS_MAX: usize = 200;
pub const VAR_CHARS: usize = 4_096;

fn vars() -> Object {
    let text = || ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let name = text().pattern(Some("^[A-Za-z0-9_]{1,64}$"));
    ObjectBuilder::new()
        .property_names(Some(name.build()))
        .additional_properties(Some(text().max_length(Some(VAR_CHARS))))
        .max_properties(Some(VARS_MAX))
        .build()
}

#[derive(Serialize, ToSchema)]
pub struct WorkspaceJson {
    pub id: String,
    /// observing or live.
    pub mode: &'static str,
    pub paused: bool,
    pub vars: BTreeMap<String, String>,
    pub owners: Vec<OwnerJson>,
    pub created_at: String,
    /// How it fares in the process that answers: open, waiting or troubled.
    pub standing: &'static str,
    /// Why it is not worked on, and since when.
    pub trouble: Option<TroubleJson>,
    /// Why the mappings that count are not at work, and since when; the last good ones are.
    pub mappings_refused: Option<TroubleJson>,
}

#[derive(Serialize, ToSchema)]
pub struct TroubleJson {
    pub since: String,
    pub why: String,
}

impl WorkspaceJson {
    pub fn of(workspace: Workspace, standing: Standing, refused: Option<Refused>) -> Self {
        let word = match &standing {
            Standing::Open => "open",
            Standing::Waiting => "waiting",
            Standing::Troubled(_) => "troubled",
        };
        let trouble = match standing {
            Standing::Troubled(trouble) => Some(TroubleJson {
                since: time(trouble.since),
                why: trouble.why,
            }),
            Standing::Open | Standing::Waiting => None,
        };
        Self {
            id: workspace.id.as_str().to_owned(),
            mode: workspace.mode.as_str(),
            paused: workspace.paused,
            vars: workspace.vars,
            owners: owners::shown(&workspace.owners),
            created_at: time(workspace.created_at),
            standing: word,
            trouble,
            mappings_refused: refused.map(TroubleJson::from),
        }
    }
}

/// A workspace that was changed.
#[derive(Serialize, ToSchema)]
pub struct WorkspaceChangedJson {
    #[serde(flatten)]
    pub workspace: WorkspaceJson,
    /// What its mappings say about it that is no fault: owners that nobody is, for example.
    pub warnings: Vec<String>,
}

/// What went with a workspace.
#[derive(Serialize, ToSchema)]
pub struct ErasedJson {
    /// Rows by kind.
    pub erased: BTreeMap<&'static str, u64>,
}

#[derive(Serialize, ToSchema)]
pub struct AccessJson {
    pub id: String,
    pub at: String,
    pub actor: String,
    pub action: String,
    pub target: String,
    pub detail: String,
}

impl From<AccessEntry> for AccessJson {
    fn from(entry: AccessEntry) -> Self {
        Self {
            id: entry.id,
            at: time(entry.made_at),
            actor: entry.actor,
            action: entry.action,
            target: entry.target,
            detail: entry.detail,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ConnectionJson {
    /// hubspot or salesforce.
    pub side: &'static str,
    /// not-connected, connected, needs-reconnect or wrong-account.
    pub state: &'static str,
    /// The portal or organisation.
    pub account_id: Option<String>,
    pub scopes: Vec<String>,
    pub connected_at: Option<String>,
    /// Why it cannot be used.
    pub detail: Option<String>,
}

impl ConnectionJson {
    pub fn of(side: crate::model::Side, found: Option<SealedConnection>) -> Self {
        let Some(found) = found else {
            return Self {
                side: side.as_str(),
                state: "not-connected",
                account_id: None,
                scopes: Vec::new(),
                connected_at: None,
                detail: None,
            };
        };
        Self {
            side: side.as_str(),
            state: found.state.as_str(),
            account_id: Some(found.account_id),
            scopes: found.scopes.split_whitespace().map(str::to_owned).collect(),
            connected_at: Some(time(found.connected_at)),
            detail: (!found.detail.is_empty()).then_some(found.detail),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub struct ConnectionsJson {
    pub items: Vec<ConnectionJson>,
    /// Where this workspace's Salesforce organisation may send outbound messages; for keys that
    /// may connect.
    pub outbound_messages_url: Option<String>,
}

/// Static credentials, for a single company. They are sealed before they are stored, and never
/// shown again.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum NewCredentials {
    /// HubSpot: the token of a private app. Salesforce: an access token, with the org's `url`.
    Token {
        #[schema(write_only)]
        token: String,
        #[serde(default)]
        url: String,
    },
    /// Salesforce: `login_url` is the org's own address.
    ClientCredentials {
        login_url: String,
        client_id: String,
        #[schema(write_only)]
        client_secret: String,
    },
    /// Salesforce: an RSA key in PEM.
    Jwt {
        login_url: String,
        client_id: String,
        username: String,
        #[schema(write_only)]
        private_key: String,
    },
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrepareAsked {
    /// Make what may be made.
    #[serde(default)]
    pub make: bool,
    /// Answer with a package for the Salesforce administrator.
    #[serde(default)]
    pub package: bool,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// hubspot or salesforce.
    #[schema(pattern = "^(hubspot|salesforce)$")]
    pub side: String,
    /// Hours until the link expires: 1 to 720, 168 unless given.
    // JSON has one kind of number: 24.0 is a whole one.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 720)]
    pub hours: Option<f64>,
}

/// A link for the administrator of one side. It may be forwarded, and is used up by a completed
/// authorisation, not by opening it.
#[derive(Serialize, ToSchema)]
pub struct InvitationJson {
    pub url: String,
    pub side: &'static str,
    pub expires_at: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// For people: what the key is for.
    #[schema(
        max_length = 100,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*\
        [^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    pub name: String,
    /// viewer, operator or admin.
    #[schema(pattern = "^(viewer|operator|admin)$")]
    pub role: String,
    /// May only send events; the role does not count then.
    #[serde(default)]
    pub publishable: bool,
}

/// A key for all workspaces. It cannot be a publishable one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewManagementKey {
    /// For people: what the key is for.
    #[schema(
        max_length = 100,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*\
        [^\\s\\x00-\\x1f\\x7f-\\x9f][^\\x00-\\x1f\\x7f-\\x9f]*$"
    )]
    pub name: String,
    /// viewer, operator or admin.
    #[schema(pattern = "^(viewer|operator|admin)$")]
    pub role: String,
}

#[derive(Serialize, ToSchema)]
pub struct RotatedJson {
    /// Data keys that were sealed with another key before.
    pub sealed_anew: u64,
}

#[derive(Serialize, ToSchema)]
pub struct KeyJson {
    pub id: String,
    pub name: String,
    /// management, workspace or publishable.
    pub kind: &'static str,
    pub role: &'static str,
    pub workspace: Option<String>,
    pub created_at: String,
    pub used_at: Option<String>,
    pub revoked_at: Option<String>,
    /// The key itself; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl From<ApiKey> for KeyJson {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            kind: key.kind.as_str(),
            role: key.role.as_str(),
            workspace: key.workspace.map(|ws| ws.as_str().to_owned()),
            created_at: time(key.created_at),
            used_at: key.used_at.map(time),
            revoked_at: key.revoked_at.map(time),
            key: None,
        }
    }
}
