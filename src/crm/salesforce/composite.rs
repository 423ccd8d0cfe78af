//! Several requests in one call, which Salesforce counts once (salesforce.md 4.2): questions, or
//! collections that are written and questions behind them.
//!
//! The parts are done in their order, each by itself: one that is refused says nothing of the rest.

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::{Op, Salesforce, data_path, error};
use crate::crm::CrmError;
use crate::crm::http::Reply;
use crate::crm::json::{Lenient, list};

/// Queries and collections that one call may hold.
pub const PARTS: usize = 5;

/// One request as it would be sent alone.
#[derive(Clone, Debug)]
pub(super) struct Part {
    method: Method,
    path: String,
    body: Option<Box<RawValue>>,
}

impl Part {
    pub fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
        }
    }

    /// Digits of numbers stay as they are.
    pub fn with_body(
        method: Method,
        path: String,
        body: &impl Serialize,
    ) -> Result<Self, CrmError> {
        let body = to_raw_value(body)
            .map_err(|_| CrmError::bad_request("the body of a request cannot be written"))?;
        Ok(Self {
            method,
            path,
            body: Some(body),
        })
    }

    fn named(&self, nth: usize) -> Entry<'_> {
        let writes = self.method == Method::PATCH;
        Entry {
            method: self.method.as_str(),
            url: &self.path,
            reference_id: name(nth),
            body: self.body.as_deref(),
            http_headers: writes.then_some(Headers { assign: "FALSE" }),
        }
    }
}

fn name(nth: usize) -> String {
    format!("q{nth}")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entries<'a> {
    all_or_none: bool,
    composite_request: Vec<Entry<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    method: &'a str,
    url: &'a str,
    reference_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_headers: Option<Headers>,
}

/// Assignment rules would hand a synced lead to another owner.
#[derive(Serialize)]
struct Headers {
    #[serde(rename = "Sforce-Auto-Assign")]
    assign: &'static str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answers {
    #[serde(deserialize_with = "list")]
    composite_response: Option<Vec<Answer>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer {
    body: Option<Box<RawValue>>,
    http_status_code: Option<u16>,
    reference_id: Lenient,
}

impl Salesforce {
    /// Asks one question by itself.
    pub(super) async fn ask_one(&self, op: Op<'_>, part: Part) -> Result<Reply, CrmError> {
        match part.body {
            None => self.get(op, part.path).await,
            Some(body) => self.with_body(op, part.method, part.path, &body).await,
        }
    }

    /// The answers to at most [`PARTS`] parts, in order; each is refused by itself. An error of the
    /// whole call says nothing about any of them.
    pub(super) async fn together(
        &self,
        op: Op<'_>,
        parts: &[&Part],
    ) -> Result<Vec<Result<Reply, CrmError>>, CrmError> {
        let entries = parts.iter().enumerate();
        let body = Entries {
            all_or_none: false,
            composite_request: entries.map(|(nth, part)| part.named(nth)).collect(),
        };
        let path = data_path(&["composite"], &[]);
        let whole = self.with_body(op, Method::POST, path, &body).await?;
        let answers: Answers = whole.json()?;
        let answers = answers
            .composite_response
            .ok_or_else(|| whole.broken("the list of answers is missing"))?;
        let named = |(nth, answer): (usize, &Answer)| answer.reference_id.0 == Some(name(nth));
        if answers.len() != parts.len() || !answers.iter().enumerate().all(named) {
            return Err(whole.broken("the answers are not those to what was asked"));
        }
        let answers = answers.into_iter();
        Ok(answers
            .map(|answer| self.answer(op, &whole, answer))
            .collect())
    }

    /// One answer as if it had come alone.
    fn answer(&self, op: Op<'_>, whole: &Reply, answer: Answer) -> Result<Reply, CrmError> {
        let status = answer
            .http_status_code
            .ok_or_else(|| whole.broken("an answer has no status"))?;
        let body = answer.body.map(|body| String::from(Box::<str>::from(body)));
        let reply = Reply {
            status,
            body: Bytes::from(body.unwrap_or_default()),
            ..whole.clone()
        };
        if (200..300).contains(&status) {
            return Ok(reply);
        }
        let error = error::from_reply(&reply, self.now(), op.object);
        self.inner.line.heed(&error);
        Err(error)
    }
}
