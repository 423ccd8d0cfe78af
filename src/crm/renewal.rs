//! Tokens that others keep: asked for before calls, and again when the CRM refused one.
//!
//! A client knows neither where credentials are stored nor how they are renewed. It is handed a
//! [`Renewal`], which remembers the last token and asks its keeper for the next.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;

use super::CrmError;
use crate::model::Timestamp;

/// A token with less time left is not used any more: a call may take twenty seconds.
const MARGIN_MILLIS: i64 = 60_000;

/// An access token as its keeper knows it.
#[derive(Clone, Debug)]
pub struct Token {
    pub secret: SecretString,
    /// Rises with every renewal.
    pub version: i64,
    /// `None` where the CRM does not say.
    pub expires_at: Option<Timestamp>,
    /// Where calls go; empty where every account has the same address.
    pub instance_url: String,
    /// The portal or organisation that it opens.
    pub account_id: String,
    /// Salesforce: whom calls are made as, which tells our own changes from those of people.
    pub user_id: Option<String>,
}

/// Answers a token that is good now and newer than the version named.
type Ask = dyn Fn(Option<i64>) -> Answer + Send + Sync;
type Answer = Pin<Box<dyn Future<Output = Result<Token, CrmError>> + Send>>;

#[derive(Clone)]
pub struct Renewal {
    ask: Arc<Ask>,
    kept: Arc<Mutex<Option<Token>>>,
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}

impl Renewal {
    /// `ask` is given the version that is of no use any more, or `None` when any will do.
    pub fn new(ask: impl Fn(Option<i64>) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            ask: Arc::new(ask),
            kept: Arc::default(),
        }
    }

    /// A token that is good for a call from now on.
    pub async fn token(&self, now: Timestamp) -> Result<Token, CrmError> {
        let kept = self.kept();
        let left = |token: &Token| token.expires_at.map(|at| at.millis_since(now));
        match kept {
            Some(token) if left(&token).is_none_or(|left| left > MARGIN_MILLIS) => Ok(token),
            Some(token) => self.after(Some(token.version)).await,
            None => self.after(None).await,
        }
    }

    /// The next token, after the CRM refused the one that was used last.
    pub async fn next(&self) -> Result<Token, CrmError> {
        let refused = self.kept().map(|token| token.version);
        self.after(refused).await
    }

    async fn after(&self, version: Option<i64>) -> Result<Token, CrmError> {
        let token = (self.ask)(version).await?;
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    fn kept(&self) -> Option<Token> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// How a client gets the token of its calls.
#[derive(Clone, Debug)]
pub enum Access {
    /// It never changes; a refusal is final.
    Token(SecretString),
    Renewed(Renewal),
}

impl From<SecretString> for Access {
    fn from(token: SecretString) -> Self {
        Self::Token(token)
    }
}

impl From<Renewal> for Access {
    fn from(renewal: Renewal) -> Self {
        Self::Renewed(renewal)
    }
}
