//! What goes wrong in the API, as problem details (RFC 9457). The only place with status codes.
//!
//! Codes are stable and explained in docs/errors.md. What happened inside is logged, and never
//! shown to whoever called.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{ChangeError, JobRefusal};
use crate::explain::Refusal;
use crate::model::ErrorClass;
use crate::review::TakeRefusal;
use crate::store::StoreError;
use crate::vault::{KeeperError, VaultError};

/// What a caller can tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BadRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    Exists,
    Settled,
    Outdated,
    Paused,
    NotConnected,
    OtherAccount,
    CredentialsRefused,
    TooLarge,
    Busy,
    Unavailable,
    Internal,
}

impl Code {
    pub const ALL: [Self; 15] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Exists,
        Self::Settled,
        Self::Outdated,
        Self::Paused,
        Self::NotConnected,
        Self::OtherAccount,
        Self::CredentialsRefused,
        Self::TooLarge,
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
            Self::Exists => "exists",
            Self::Settled => "settled",
            Self::Outdated => "outdated",
            Self::Paused => "paused",
            Self::NotConnected => "not-connected",
            Self::OtherAccount => "other-account",
            Self::CredentialsRefused => "credentials-refused",
            Self::TooLarge => "too-large",
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
            Self::Exists => "It exists already",
            Self::Settled => "It was decided already",
            Self::Outdated => "It does not fit what is there now",
            Self::Paused => "The workspace is paused",
            Self::NotConnected => "A side is not connected",
            Self::OtherAccount => "It is another account",
            Self::CredentialsRefused => "The CRM refused the credentials",
            Self::TooLarge => "The body is too large",
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
            Self::Exists
            | Self::Settled
            | Self::Outdated
            | Self::Paused
            | Self::NotConnected
            | Self::OtherAccount
            | Self::Busy => StatusCode::CONFLICT,
            Self::CredentialsRefused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
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

    fn inside(error: &dyn std::error::Error) -> Self {
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
        };
        let mut response = (self.code.status(), Json(problem)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
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
