//! Making the property that keeps the key of created records.
//!
//! The only definitions that Tandem ever writes. What is there already is left as it is.

use serde::{Deserialize, Serialize};

use super::{HubSpot, Op, VERSION};
use crate::crm::json::Lenient;
use crate::crm::{CrmError, ErrorKind, Sent};

/// A single-line text with unique values.
#[derive(Clone, Copy, Debug)]
pub struct KeyProperty<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub description: &'a str,
    /// Name and label of the group it stands in, which is made when it is missing.
    pub group: (&'a str, &'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireProperty<'a> {
    name: &'a str,
    label: &'a str,
    description: &'a str,
    group_name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    field_type: &'a str,
    has_unique_value: bool,
}

#[derive(Serialize)]
struct WireGroup<'a> {
    name: &'a str,
    label: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Made {
    name: Lenient,
    has_unique_value: Option<bool>,
}

impl HubSpot {
    /// Makes the property. One of that name that is already there is no error.
    pub async fn create_key_property(
        &self,
        object: &str,
        property: KeyProperty<'_>,
    ) -> Result<(), CrmError> {
        let segment = self.segment(object).await?;
        let base = ["crm", "properties", VERSION, &segment];
        let (group, label) = property.group;
        let url = self.url(&[base.as_slice(), &["groups"]].concat())?;
        let body = WireGroup { name: group, label };
        unless_there(self.post(Op::write("property-groups"), url, &body).await)?;
        let body = WireProperty {
            name: property.name,
            label: property.label,
            description: property.description,
            group_name: group,
            kind: "string",
            field_type: "text",
            has_unique_value: true,
        };
        let url = self.url(&base)?;
        let reply = self.post(Op::write("properties"), url, &body).await;
        let Some(reply) = unless_there(reply)? else {
            return Ok(());
        };
        let made: Made = reply.json()?;
        if made.has_unique_value == Some(true) {
            return Ok(());
        }
        // A property in the recycle bin comes back as it was (hubspot.md 6).
        let name = made.name.0.unwrap_or_default();
        let message = format!(
            "HubSpot brought an archived property `{name}` back whose values are not unique; \
             archive it for good, or name another with `key:`"
        );
        let code = "archived-property";
        Err(CrmError::new(
            ErrorKind::Rejected,
            code,
            &message,
            Sent::Yes,
        ))
    }
}

/// A name that is taken means that somebody made it before.
fn unless_there<T>(outcome: Result<T, CrmError>) -> Result<Option<T>, CrmError> {
    match outcome {
        Ok(reply) => Ok(Some(reply)),
        Err(error) if error.status == Some(409) => Ok(None),
        Err(error) => Err(error),
    }
}
