//! What the app behind the token may do, where HubSpot tells.
//!
//! Only private apps can ask about their own token without a client secret. Every other answer
//! means "not known", and a missing scope then shows with the first call that needs it.

use http::Method;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::wire::or_default;
use super::{HubSpot, Op};
use crate::crm::http::Request;
use crate::crm::{Access, CrmError};
use crate::model::{Barred, ObjectSchema};

/// The address has no dated form (HubSpot's guide to private apps).
const TOKEN_INFO: [&str; 5] = ["oauth", "v2", "private-apps", "get", "access-token-info"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Question<'a> {
    token_key: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    #[serde(deserialize_with = "or_default")]
    scopes: Vec<String>,
}

/// The scopes of a private app, or of an authorisation; `None` where nobody tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Option<Vec<String>>);

impl HubSpot {
    pub async fn grants(&self) -> Grants {
        if let Some(known) = self.inner.granted.get() {
            return Grants(Some(known.clone()));
        }
        match self.ask().await {
            Ok(answer) => Grants(Some(answer.scopes)),
            Err(error) => {
                tracing::debug!(
                    code = error.code,
                    "HubSpot does not tell the token's scopes"
                );
                Grants(None)
            }
        }
    }
}

impl HubSpot {
    /// Not sent like other calls: a refusal here says nothing about the credentials.
    async fn ask(&self) -> Result<Answer, CrmError> {
        let token = match &self.inner.access {
            Access::Token(token) => token.clone(),
            Access::Renewed(renewal) => renewal.token(self.now()).await?.secret,
        };
        let question = Question {
            token_key: token.expose_secret(),
        };
        let body = serde_json::to_vec(&question)
            .map_err(|_| CrmError::bad_request("the body of a request cannot be written"))?;
        let request = Request::new(Method::POST, self.url(&TOKEN_INFO)?, false)
            .json(body)
            .header("accept", "application/json")
            .bearer(&token)?;
        let line = &self.inner.line;
        let reply = line.send(Op::read("token-info").family, request).await?;
        line.observe(&super::seen(&reply));
        if (200..300).contains(&reply.status) {
            reply.json()
        } else {
            Err(reply.broken("there is no answer for this kind of token"))
        }
    }
}

impl Grants {
    /// `None` where nobody tells.
    pub fn scopes(&self) -> Option<&[String]> {
        self.0.as_deref()
    }

    /// A scope counts as missing only when its sister for reading is there: then the object is one
    /// whose scopes go by these names (hubspot.md 1.8).
    pub fn barred(&self, object: &ObjectSchema) -> Barred {
        let noun = match object.name.as_str() {
            name @ ("contacts" | "companies" | "deals") => name,
            name if name.starts_with("2-") => "custom",
            _ => return Barred::default(),
        };
        let scopes = self.0.as_deref().unwrap_or_default();
        let has = |scope: &str| scopes.iter().any(|one| one == scope);
        let write = format!("crm.objects.{noun}.write");
        let missing = has(&format!("crm.objects.{noun}.read")) && !has(&write);
        let what = missing.then(|| format!("the app lacks the scope {write}"));
        Barred {
            creates: what.clone(),
            updates: what,
        }
    }
}
