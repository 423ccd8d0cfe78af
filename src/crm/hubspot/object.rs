//! Which path segment stands for an object: standard names as they are, custom ones by type id.

use serde::Deserialize;

use super::wire::{Many, or_default};
use super::{HubSpot, Op, VERSION};
use crate::crm::json::Lenient;
use crate::crm::{CrmError, ErrorKind, Sent};

/// Names HubSpot takes in paths. A mapping that names anything else means a custom object.
const STANDARD: [&str; 22] = [
    "contacts",
    "companies",
    "deals",
    "tickets",
    "products",
    "line_items",
    "quotes",
    "communications",
    "feedback_submissions",
    "tasks",
    "notes",
    "meetings",
    "calls",
    "emails",
    "invoices",
    "orders",
    "leads",
    "carts",
    "services",
    "courses",
    "listings",
    "appointments",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CustomObject {
    pub object_type_id: Lenient,
    pub fully_qualified_name: Lenient,
    pub name: Lenient,
    #[serde(deserialize_with = "or_default")]
    pub required_properties: Vec<String>,
}

impl CustomObject {
    fn answers_to(&self, name: &str) -> bool {
        let own = self.name.0.as_deref();
        self.object_type_id.0.as_deref() == Some(name)
            || self.fully_qualified_name.0.as_deref() == Some(name)
            || own == Some(name)
            || name
                .strip_prefix("p_")
                .is_some_and(|rest| own == Some(rest))
    }
}

/// Whether only the account knows which object this name means.
pub fn is_custom_name(object: &str) -> bool {
    !STANDARD.contains(&object) && !is_type_id(object)
}

impl HubSpot {
    /// The segment for paths. Costs one call for each custom object that is met by name.
    pub(super) async fn segment(&self, object: &str) -> Result<String, CrmError> {
        if !is_custom_name(object) {
            return Ok(object.to_owned());
        }
        if let Some(known) = self.known(object) {
            return Ok(known);
        }
        let custom = self.custom_object(object).await?;
        // It becomes a part of a path.
        let id = custom.object_type_id.0.filter(|id| is_type_id(id));
        let id = id.ok_or_else(|| {
            CrmError::broken(
                "HubSpot described a custom object without its type id",
                Sent::Yes,
            )
        })?;
        let mut objects = super::hold(&self.inner.objects);
        objects.insert(object.to_owned(), id.clone());
        Ok(id)
    }

    /// The custom object that goes by this name, `p_name`, full name or type id.
    pub(super) async fn custom_object(&self, name: &str) -> Result<CustomObject, CrmError> {
        let url = self.url(&["crm-object-schemas", VERSION, "schemas"])?;
        let reply = self.get(Op::read("schemas"), url).await?;
        let many: Many<CustomObject> = reply.json()?;
        let found = many
            .results
            .ok_or_else(|| reply.broken("the list of custom objects is missing"))?
            .into_iter()
            .find(|custom| custom.answers_to(name));
        found.ok_or_else(|| {
            let message = format!(
                "HubSpot has no object named \"{name}\"; custom objects are named p_name or by \
                 their type id"
            );
            CrmError::new(ErrorKind::NotFound, "unknown-object", &message, Sent::Yes)
        })
    }

    fn known(&self, object: &str) -> Option<String> {
        super::hold(&self.inner.objects).get(object).cloned()
    }
}

/// `0-1`, `2-1234567`.
pub fn is_type_id(object: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    object
        .split_once('-')
        .is_some_and(|(left, right)| digits(left) && digits(right))
}
