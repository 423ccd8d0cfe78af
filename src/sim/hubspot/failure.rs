//! The platform's error bodies (`hubspot.md 10` and `3.3`).
//!
//! Only shapes and texts; who raises them is elsewhere.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::kind::ObjectKind;
use super::value::Invalid;

#[derive(Clone, Debug, Default)]
pub(super) struct Failure {
    pub status: u16,
    pub category: Option<&'static str>,
    pub message: String,
    pub sub_category: Option<&'static str>,
    /// A boxed slice keeps the whole small enough to be returned by value.
    pub errors: Box<[Json]>,
    pub context: BTreeMap<&'static str, Vec<String>>,
    /// Set on 429: which allowance is used up.
    pub policy: Option<&'static str>,
}

impl Failure {
    fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            category: Some(category),
            message: message.into(),
            ..Self::default()
        }
    }

    /// A gateway's or a whole platform's trouble: a status and a sentence.
    pub fn plain(status: u16, message: &str) -> Self {
        Self {
            status,
            message: message.to_owned(),
            ..Self::default()
        }
    }

    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// One property could not be used in a request other than a write of values.
    pub fn coded(code: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut failure = Self::validation(message.clone());
        failure.errors = Box::new([json!({"message": message, "code": code})]);
        failure
    }

    /// Refused values, with the details as JSON inside the message and again as a list.
    pub fn values(portal_id: u64, refused: &[Invalid]) -> Self {
        let details: Vec<Json> = refused
            .iter()
            .map(|one| {
                let mut detail = json!({"isValid": false, "message": one.message,
                    "error": one.code, "name": one.property,
                    "localizedErrorMessage": one.message, "portalId": portal_id});
                if let Some(value) = &one.value {
                    detail["propertyValue"] = json!(value);
                }
                detail
            })
            .collect();
        let mut failure = Self::validation(format!(
            "Property values were not valid: {}",
            Json::Array(details)
        ));
        failure.errors = refused
            .iter()
            .map(|one| {
                json!({"message": one.message, "code": one.code,
                    "context": {"propertyName": [one.property]}})
            })
            .collect();
        failure
    }

    pub fn missing_properties(kind: ObjectKind, names: &[&str]) -> Self {
        let message = format!(
            "Error creating {}. Some required properties were not set.",
            kind.upper()
        );
        let mut failure = Self::validation(message);
        failure.errors = names
            .iter()
            .map(|name| {
                json!({"message": format!("Required property \"{name}\" was not set"),
                    "code": "MISSING_REQUIRED_PROPERTY", "context": {"propertyName": [name]}})
            })
            .collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        failure.context.insert("properties", names);
        failure
    }

    pub fn bad_json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::validation(format!(
            "Invalid input JSON on line {line}, column {column}: {error}"
        ))
    }

    pub fn contact_exists(id: u64) -> Self {
        Self::new(
            409,
            "CONFLICT",
            format!("Contact already exists. Existing ID: {id}"),
        )
    }

    pub fn already_exists(message: String, sub_category: &'static str) -> Self {
        let mut failure = Self::new(409, "OBJECT_ALREADY_EXISTS", message);
        failure.sub_category = Some(sub_category);
        failure
    }

    pub fn not_found() -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", "resource not found")
    }

    /// A record id in a path that no number could be.
    pub fn not_an_id(id: &str) -> Self {
        let message = "Object not found.  objectId are usually numeric.";
        let mut failure = Self::new(404, "OBJECT_NOT_FOUND", message);
        failure.context.insert("id", vec![id.to_owned()]);
        failure
    }

    /// Ids of a batch that stand for no live record.
    pub fn some_not_found(kind: ObjectKind, ids: Vec<String>) -> Self {
        let message = format!(
            "Could not get some {} objects, they may be deleted or not exist. Check that ids \
             are valid.",
            kind.upper()
        );
        let mut failure = Self::new(404, "OBJECT_NOT_FOUND", message);
        failure.context.insert("ids", ids);
        failure
    }

    pub fn no_route() -> Self {
        Self {
            status: 404,
            message: "resource not found".to_owned(),
            ..Self::default()
        }
    }

    pub fn wrong_method() -> Self {
        Self {
            status: 405,
            message: "Method Not Allowed".to_owned(),
            ..Self::default()
        }
    }

    pub fn too_large() -> Self {
        Self::new(413, "VALIDATION_ERROR", "The request body is too large")
    }

    pub fn unauthenticated() -> Self {
        Self::new(
            401,
            "INVALID_AUTHENTICATION",
            "Authentication credentials not found. This API supports OAuth 2.0 authentication \
             and you can find more details at https://developers.hubspot.com/docs/methods/auth/\
             oauth-overview",
        )
    }

    /// `late` in milliseconds; `at` is the moment of expiry.
    pub fn expired(late: i64, at: String) -> Self {
        let seconds = late / 1_000;
        let message =
            format!("The OAuth token used to make this call expired {seconds} second(s) ago.");
        let mut failure = Self::new(401, "EXPIRED_AUTHENTICATION", message);
        failure.context.insert("expire time", vec![at]);
        failure
    }

    pub fn missing_scope(scope: &str) -> Self {
        let message = "This app hasn't been granted all required scopes to make this call. Read \
                       more about required scopes here: https://developers.hubspot.com/scopes.";
        let mut failure = Self::new(403, "MISSING_SCOPES", message);
        failure.errors = Box::new([json!({
            "message": "One or more of the following scopes are required.",
            "context": {"requiredGranularScopes": [scope]}
        })]);
        failure
    }

    /// `word` is how the message names the policy.
    pub fn rate_limited(policy: &'static str, word: &str) -> Self {
        Self {
            status: 429,
            message: format!("You have reached your {word} limit."),
            policy: Some(policy),
            ..Self::default()
        }
    }

    /// The category as the request log shows it.
    pub fn logged(&self) -> Option<String> {
        let category = self.category.or(self.policy.map(|_| "RATE_LIMIT"));
        category.map(str::to_owned)
    }

    pub fn to_json(&self, correlation_id: &str) -> Json {
        let mut body = json!({"status": "error", "message": self.message,
            "correlationId": correlation_id});
        if let Some(policy) = self.policy {
            body["errorType"] = json!("RATE_LIMIT");
            body["policyName"] = json!(policy);
            body["requestId"] = json!(correlation_id);
        }
        self.add_details(&mut body);
        if self.category == Some("MISSING_SCOPES") {
            body["links"] = json!({"scopes": "https://developers.hubspot.com/scopes"});
        }
        body
    }

    /// One item of a batch answer's `errors` (`hubspot.md 4.7`).
    pub fn to_item(&self, trace_id: Option<&str>) -> Json {
        let mut body = json!({"status": "error", "message": self.message});
        self.add_details(&mut body);
        if let Some(trace_id) = trace_id {
            body["context"]["objectWriteTraceId"] = json!([trace_id]);
        }
        body
    }

    fn add_details(&self, body: &mut Json) {
        if let Some(category) = self.category {
            body["category"] = json!(category);
        }
        if let Some(sub_category) = self.sub_category {
            body["subCategory"] = json!(sub_category);
        }
        if !self.errors.is_empty() {
            body["errors"] = json!(self.errors);
        }
        if !self.context.is_empty() {
            body["context"] = json!(self.context);
        }
    }

    /// What a direct door says: the bare message.
    pub fn into_text(self) -> String {
        self.message
    }
}
