//! What the platform answers when it refuses: a status, a code, a message and the fields meant.
//!
//! Holds the shapes of refusals and the texts several places share; decides nothing.

use serde_json::{Value, json};

/// One refusal. Row calls spell the code `errorCode`, collections `statusCode`.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
    pub fields: Vec<String>,
    /// Extra members of the row-call form, such as the matches of a duplicate rule.
    pub detail: Option<(&'static str, Value)>,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
            fields: Vec::new(),
            detail: None,
        }
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub fn field(mut self, name: &str) -> Self {
        self.fields.push(name.to_owned());
        self
    }

    pub fn not_found() -> Self {
        Self::new("NOT_FOUND", "The requested resource does not exist").status(404)
    }

    pub fn deleted() -> Self {
        Self::new("ENTITY_IS_DELETED", "entity is deleted").status(404)
    }

    pub fn unknown_column(name: &str, object: &str) -> Self {
        let text = format!("No such column '{name}' on sobject of type {object}");
        Self::new("INVALID_FIELD", text)
    }

    pub fn malformed_id(label: &str, text: &str) -> Self {
        let shown: String = text.chars().take(60).collect();
        let message = format!("{label}: id value of incorrect type: {shown}");
        Self::new("MALFORMED_ID", message)
    }

    pub fn row_json(&self) -> Value {
        let mut body = json!({ "errorCode": self.code, "message": self.message });
        if !self.fields.is_empty() || self.code == "ENTITY_IS_DELETED" {
            body["fields"] = json!(self.fields);
        }
        if let Some((key, value)) = &self.detail {
            body[*key] = value.clone();
        }
        body
    }

    pub fn element_json(&self) -> Value {
        json!({ "statusCode": self.code, "message": self.message, "fields": self.fields })
    }

    pub fn line(&self) -> String {
        format!("{}: {}", self.code, self.message)
    }
}
