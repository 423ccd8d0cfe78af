//! Several questions in one call, which Salesforce counts once (salesforce.md 4.2).
//!
//! Only questions: what one part of a call that writes has done is hard to tell when its reply is
//! lost.

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Op, Salesforce, data_path, error};
use crate::crm::CrmError;
use crate::crm::http::Reply;
use crate::crm::json::{Lenient, list};

const ASK: Op<'static> = Op::read("composite");
/// Queries and retrieves that one call may hold.
pub(super) const PARTS: usize = 5;

/// One question as it would be asked alone.
#[derive(Clone, Debug)]
pub(super) struct Part {
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Part {
    pub fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            body: None,
        }
    }

    pub fn post(path: String, body: Value) -> Self {
        Self {
            method: Method::POST,
            path,
            body: Some(body),
        }
    }

    fn named(&self, name: &str) -> Value {
        let mut entry = json!({
            "method": self.method.as_str(),
            "url": self.path,
            "referenceId": name,
        });
        if let Some(body) = &self.body {
            entry["body"] = body.clone();
        }
        entry
    }
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

    /// The answers to at most [`PARTS`] questions, in order; each is refused by itself. An error of
    /// the whole call says nothing about any of them.
    pub(super) async fn ask_together(
        &self,
        parts: &[&Part],
    ) -> Result<Vec<Result<Reply, CrmError>>, CrmError> {
        let name = |nth: usize| format!("q{nth}");
        let entries = parts.iter().enumerate();
        let entries: Vec<Value> = entries.map(|(nth, part)| part.named(&name(nth))).collect();
        let body = json!({"allOrNone": false, "compositeRequest": entries});
        let path = data_path(&["composite"], &[]);
        let whole = self.with_body(ASK, Method::POST, path, &body).await?;
        let answers: Answers = whole.json()?;
        let answers = answers
            .composite_response
            .ok_or_else(|| whole.broken("the list of answers is missing"))?;
        let named = |(nth, answer): (usize, &Answer)| answer.reference_id.0 == Some(name(nth));
        if answers.len() != parts.len() || !answers.iter().enumerate().all(named) {
            return Err(whole.broken("the answers are not those to what was asked"));
        }
        let answers = answers.into_iter();
        Ok(answers.map(|answer| self.answer(&whole, answer)).collect())
    }

    /// One answer as if it had come alone.
    fn answer(&self, whole: &Reply, answer: Answer) -> Result<Reply, CrmError> {
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
        let error = error::from_reply(&reply, self.now(), None);
        self.inner.line.heed(&error);
        Err(error)
    }
}
