//! What goes wrong in the API, as problem details (RFC 9457). The only place with status codes.
//!
//! Codes are stable and explained in docs/errors.md. What happened inside is logged, and never
//! shown to whoever called.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{ChangeError, JobRefusal, MappingsError, SetupError};
use crate::explain::Refusal;
use crate::mapping::Fault;
use crate::model::{ErrorClass, MappingName};
use crate::review::{ChosenRefusal, PairRefusal, TakeRefusal};
use crate::store::StoreError;
use crate::vault::{KeeperError, VaultError};

/// Faults of mappings that one answer tells of.
const FAULTS: usize = 10;
/// The type of the body of every error.
pub const PROBLEM: &str = "application/problem+json";

/// What a caller can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    TooSlow,
    Exists,
    Settled,
    Outdated,
    Paused,
    NotConnected,
    OtherAccount,
    UnderWay,
    CredentialsRefused,
    MappingFaults,
    KeyReused,
    TooLarge,
    TooManyRequests,
    Busy,
    Unavailable,
    Internal,
}

impl Code {
    pub const ALL: &[Self] = &[
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::TooSlow,
        Self::Exists,
        Self::Settled,
        Self::Outdated,
        Self::Paused,
        Self::NotConnected,
        Self::OtherAccount,
        Self::UnderWay,
        Self::CredentialsRefused,
        Self::MappingFaults,
        Self::KeyReused,
        Self::TooLarge,
        Self::TooManyRequests,
        Self::Busy,
        Self::Unavailable,
        Self::Internal,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::TooSlow => "too-slow",
            Self::Exists => "exists",
            Self::Settled => "settled",
            Self::Outdated => "outdated",
            Self::Paused => "paused",
            Self::NotConnected => "not-connected",
            Self::OtherAccount => "other-account",
            Self::UnderWay => "under-way",
            Self::CredentialsRefused => "credentials-refused",
            Self::MappingFaults => "mapping-faults",
            Self::KeyReused => "key-reused",
            Self::TooLarge => "too-large",
            Self::TooManyRequests => "too-many-requests",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "The request cannot be understood",
            Self::Unauthenticated => "A valid key is needed",
            Self::Forbidden => "The key does not allow this",
            Self::NotFound => "There is nothing here",
            Self::MethodNotAllowed => "The method is not for this path",
            Self::TooSlow => "The request did not arrive in time",
            Self::Exists => "It exists already",
            Self::Settled => "It was decided already",
            Self::Outdated => "It does not fit what is there now",
            Self::Paused => "The workspace is paused",
            Self::NotConnected => "A side is not connected",
            Self::OtherAccount => "It is another account",
            Self::UnderWay => "The same request is under way",
            Self::CredentialsRefused => "The CRM refused the credentials",
            Self::MappingFaults => "The mappings have faults",
            Self::KeyReused => "The Idempotency-Key belongs to another request",
            Self::TooLarge => "The body is too large",
            Self::TooManyRequests => "That was too often",
            Self::Busy => "Somebody else is at it",
            Self::Unavailable => "Something needed is out of reach",
            Self::Internal => "Something failed on our side",
        }
    }

    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Exists
            | Self::Settled
            | Self::Outdated
            | Self::Paused
            | Self::NotConnected
            | Self::OtherAccount
            | Self::UnderWay
            | Self::Busy => StatusCode::CONFLICT,
            Self::CredentialsRefused | Self::MappingFaults | Self::KeyReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub code: Code,
    pub detail: String,
}

/// The body of every error, of type `application/problem+json`.
#[derive(Serialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained.
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    /// What happened here, and what to do.
    detail: String,
    /// The lines of the service's log about this request have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl ApiError {
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("there is no such {what}, or not for this key"),
        )
    }

    pub fn unauthenticated() -> Self {
        let why = "send a valid key as `Authorization: Bearer tdm_…`";
        Self::new(Code::Unauthenticated, why)
    }

    pub fn wrong_method() -> Self {
        let why = "the header `Allow` names the methods of this path";
        Self::new(Code::MethodNotAllowed, why)
    }

    pub fn too_long() -> Self {
        Self::new(Code::Unavailable, "it took too long; try again soon")
    }

    pub(super) fn inside(error: &dyn std::error::Error) -> Self {
        tracing::error!(%error, "a request failed inside");
        Self::new(
            Code::Internal,
            "it was logged; try again, and tell the operator if it stays",
        )
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: format!("/docs/errors#{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            code: self.code.as_str(),
            detail: self.detail,
            request_id: super::trace::request_id(),
        };
        let mut response = (self.code.status(), Json(problem)).into_response();
        let kind = HeaderValue::from_static(PROBLEM);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if self.code == Code::Unauthenticated {
            let how = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, how);
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::LeaseLost { .. } => Self::new(
                Code::Busy,
                "the workspace is being worked on; nothing was changed, try again",
            ),
            StoreError::Conflict(_) => Self::new(Code::Exists, error.to_string()),
            _ if error.is_outage() || error.is_passing() => {
                tracing::warn!(%error, "the store is out of reach");
                Self::new(
                    Code::Unavailable,
                    "the store is out of reach; try again soon",
                )
            }
            _ => Self::inside(&error),
        }
    }
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Busy => Self::new(Code::Busy, error.to_string()),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<MappingsError> for ApiError {
    fn from(error: MappingsError) -> Self {
        match error {
            MappingsError::Store(error) => error.into(),
            MappingsError::Keeper(error) => error.into(),
            MappingsError::Setup(SetupError::Crm { side, error }) => {
                KeeperError::Crm { side, error }.into()
            }
            MappingsError::Setup(other) => Self::inside(&other),
            MappingsError::Faults(faults) => {
                let told: Vec<String> = faults.iter().take(FAULTS).map(Fault::to_string).collect();
                let mut detail = told.join("; ");
                if faults.len() > FAULTS {
                    detail.push_str(&format!("; and {} more", faults.len() - FAULTS));
                }
                Self::new(Code::MappingFaults, detail)
            }
        }
    }
}

impl From<JobRefusal> for ApiError {
    fn from(refusal: JobRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            JobRefusal::Open(_) => Self::new(Code::Busy, detail),
            JobRefusal::Gone => Self::not_found("plan"),
            JobRefusal::NotReady(_) => Self::new(Code::Settled, detail),
            JobRefusal::Outdated(_) | JobRefusal::Mappings(_) => Self::new(Code::Outdated, detail),
            JobRefusal::NotAPlan(_) => Self::bad(format!("file: {detail}")),
            JobRefusal::Store(error) => error.into(),
        }
    }
}

impl From<TakeRefusal> for ApiError {
    fn from(refusal: TakeRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            TakeRefusal::HoldsAlready(_) | TakeRefusal::NoLongerLinked(_) => {
                Self::new(Code::Settled, detail)
            }
            TakeRefusal::DifferentRules | TakeRefusal::SeveralFields(_) => {
                Self::bad(format!("{detail}; take hubspot or salesforce"))
            }
        }
    }
}

impl From<ChosenRefusal> for ApiError {
    fn from(refusal: ChosenRefusal) -> Self {
        let todo = match refusal {
            ChosenRefusal::Both => "leave out one of them: a filter acts on all rows it matches",
            ChosenRefusal::Nothing => "name ids, a filter such as mapping, or all",
        };
        Self::bad(format!("{refusal}: {todo}"))
    }
}

impl From<PairRefusal> for ApiError {
    fn from(refusal: PairRefusal) -> Self {
        let what = refusal.to_string();
        match refusal {
            PairRefusal::Store(error) => error.into(),
            PairRefusal::NotHubSpots(_) | PairRefusal::NotSalesforces(_) => Self::bad(what),
            PairRefusal::UnknownMapping { known, .. } => {
                let known: Vec<&str> = known.iter().map(MappingName::as_str).collect();
                let known = known.join(", ");
                Self::new(Code::NotFound, format!("{what}; known are: {known}"))
            }
            PairRefusal::Unreadable(_) => Self::new(Code::Outdated, what),
            PairRefusal::Linked(_) => {
                Self::new(Code::Exists, format!("{what}; take it apart first"))
            }
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let what = refusal.to_string();
        match refusal {
            Refusal::Store(error) => error.into(),
            Refusal::BadId(_) | Refusal::BadTime(_) | Refusal::Future { .. } => {
                let todo = refusal.todo().unwrap_or_default();
                Self::bad(format!("{what}: {todo}"))
            }
            Refusal::UnknownObject { known, .. } => {
                let known = known.join(", ");
                Self::new(Code::NotFound, format!("{what}; known are: {known}"))
            }
            Refusal::Empty | Refusal::UnknownRecord { .. } => Self::new(Code::NotFound, what),
        }
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(error) => error.into(),
            VaultError::Keys(fault) => Self::new(Code::Unavailable, fault.to_string()),
            other => Self::inside(&other),
        }
    }
}

impl From<KeeperError> for ApiError {
    fn from(error: KeeperError) -> Self {
        let detail = error.to_string();
        match error {
            KeeperError::Vault(error) => error.into(),
            KeeperError::NotConnected(_) | KeeperError::Unusable { .. } => {
                Self::new(Code::NotConnected, detail)
            }
            KeeperError::OtherAccount { .. } => Self::new(Code::OtherAccount, detail),
            KeeperError::Crm { error, .. } => match error.class() {
                ErrorClass::Transient | ErrorClass::Rate | ErrorClass::UnknownOutcome => {
                    Self::new(Code::Unavailable, format!("{detail}; try again soon"))
                }
                ErrorClass::Auth
                | ErrorClass::Permanent
                | ErrorClass::NeedsPerson
                | ErrorClass::Blocked
                | ErrorClass::Ours => Self::new(Code::CredentialsRefused, detail),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_about_errors_explains_every_code_with_its_status() {
        let page = include_str!("../../docs/errors.md");
        for code in Code::ALL {
            let begins = format!(
                "| <a id=\"{0}\"></a>`{0}` | {1} |",
                code.as_str(),
                code.status().as_u16()
            );
            assert!(
                page.lines().any(|line| line.starts_with(&begins)),
                "{begins}"
            );
        }
    }
}
