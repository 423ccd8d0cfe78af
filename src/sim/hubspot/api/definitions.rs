//! What the portal is made of: properties, groups, pipelines, owners, schemas, the account
//! (`hubspot.md 6` and `8`).

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::failure::Failure;
use super::super::kind::ObjectKind;
use super::super::owners::{self, OWNERS};
use super::super::pipelines as pipes;
use super::super::property::{Choice, Property};
use super::super::state::State;
use super::{Call, Reply};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PropertyBody {
    name: String,
    label: String,
    #[serde(rename = "type")]
    kind: String,
    field_type: String,
    group_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    options: Vec<OptionBody>,
    #[serde(default)]
    has_unique_value: bool,
}

#[derive(Debug, Deserialize)]
struct OptionBody {
    label: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct GroupBody {
    name: String,
    label: String,
}

const MAX_UNIQUE: usize = 10;
const SCHEMA_MADE: &str = "2024-06-01T08:00:00Z";

impl State {
    pub(super) fn properties(&self, kind: ObjectKind) -> Reply {
        let rows: Vec<Json> = self
            .table(kind)
            .catalog
            .iter()
            .filter(|(_, p)| !self.lost_property(kind, &p.name))
            .map(|(_, p)| p.to_json())
            .collect();
        Reply::ok(super::listed(rows))
    }

    pub(super) fn property(&self, kind: ObjectKind, name: &str) -> Result<Reply, Failure> {
        let found = self.table(kind).catalog.named(name);
        found
            .filter(|_| !self.lost_property(kind, name))
            .map(|(_, p)| Reply::ok(p.to_json()))
            .ok_or_else(Failure::not_found)
    }

    pub(super) fn add_property(&mut self, kind: ObjectKind, call: &Call) -> Result<Reply, Failure> {
        let body: PropertyBody = call.json()?;
        let now = self.now();
        let catalog = &mut self.table_mut(kind).catalog;
        if catalog.find(&body.name).is_some() {
            let message = format!("A property named '{}' already exists.", body.name);
            return Err(Failure::already_exists(
                message,
                "Properties.PROPERTY_WITH_NAME_EXISTS",
            ));
        }
        if !catalog.groups().contains_key(&body.group_name) {
            let message = format!("Property group '{}' does not exist", body.group_name);
            return Err(Failure::validation(message));
        }
        if body.has_unique_value && catalog.unique_ids().count() >= MAX_UNIQUE {
            return Err(Failure::validation(format!(
                "An object can have at most {MAX_UNIQUE} properties with unique values"
            )));
        }
        let mut property = define(&body)?;
        property.created = Some(now);
        let json = property.to_json();
        if catalog.add(property).is_none() {
            return Err(Failure::validation("The limit of properties is reached"));
        }
        let mut reply = Reply::json(201, json);
        reply
            .headers
            .push(("location", format!("{}/{}", call.path, body.name)));
        Ok(reply)
    }

    pub(super) fn groups(&self, kind: ObjectKind) -> Reply {
        let groups = self.table(kind).catalog.groups();
        let rows: Vec<Json> = groups
            .iter()
            .map(|(name, label)| group_json(name, label))
            .collect();
        Reply::ok(json!({"results": rows}))
    }

    pub(super) fn add_group(&mut self, kind: ObjectKind, call: &Call) -> Result<Reply, Failure> {
        let body: GroupBody = call.json()?;
        let groups = self.table_mut(kind).catalog.groups_mut();
        if groups.contains_key(&body.name) {
            let message = format!("A property group named '{}' already exists.", body.name);
            return Err(Failure::already_exists(
                message,
                "Properties.GROUP_WITH_NAME_EXISTS",
            ));
        }
        let json = group_json(&body.name, &body.label);
        groups.insert(body.name, body.label);
        Ok(Reply::json(201, json))
    }

    pub(super) fn schemas(&self) -> Reply {
        Reply::ok(json!({"results": [self.schema_json()]}))
    }

    pub(super) fn schema(&self, name: &str) -> Result<Reply, Failure> {
        match self.kind(name)? {
            ObjectKind::Subscription => Ok(Reply::ok(self.schema_json())),
            ObjectKind::Contact | ObjectKind::Company | ObjectKind::Deal | ObjectKind::Ticket => {
                Err(Failure::not_found())
            }
        }
    }

    fn schema_json(&self) -> Json {
        let kind = ObjectKind::Subscription;
        let catalog = &self.table(kind).catalog;
        let properties: Vec<Json> = catalog.iter().map(|(_, p)| p.to_json()).collect();
        let mut associations = Vec::new();
        for to in ObjectKind::ALL {
            for one in self.associations.types.between(kind, to) {
                associations.push(json!({"id": one.id.to_string(), "name": one.label,
                    "fromObjectTypeId": kind.type_id(), "toObjectTypeId": to.type_id(),
                    "createdAt": SCHEMA_MADE, "updatedAt": SCHEMA_MADE}));
            }
        }
        json!({"id": "1234567", "objectTypeId": kind.type_id(), "name": kind.plural(),
            "fullyQualifiedName": format!("p{}_{}", self.portal_id, kind.plural()),
            "labels": {"singular": "Subscription", "plural": "Subscriptions"},
            "description": "What a customer has subscribed to",
            "primaryDisplayProperty": "subscription_name",
            "secondaryDisplayProperties": ["subscription_number"],
            "searchableProperties": ["subscription_name", "subscription_number"],
            "requiredProperties": ["subscription_name"], "properties": properties,
            "associations": associations, "archived": false,
            "allowsSensitiveProperties": false, "createdAt": SCHEMA_MADE,
            "updatedAt": SCHEMA_MADE})
    }

    pub(super) fn account(&self) -> Reply {
        use chrono::Offset;
        let now = self
            .clock
            .now()
            .utc()
            .with_timezone(&chrono_tz::US::Eastern);
        let offset = now.offset().fix().local_minus_utc();
        let minutes = offset.abs() / 60;
        let sign = if offset < 0 { '-' } else { '+' };
        let text = format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60);
        Reply::ok(
            json!({"portalId": self.portal_id, "accountType": "DEVELOPER_TEST",
            "timeZone": "US/Eastern", "companyCurrency": "USD",
            "additionalCurrencies": ["EUR", "GBP", "JPY"], "utcOffset": text,
            "utcOffsetMilliseconds": i64::from(offset) * 1_000, "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1"}),
        )
    }
}

fn group_json(name: &str, label: &str) -> Json {
    json!({"name": name, "label": label, "displayOrder": -1, "archived": false})
}

/// A property as the body of a create describes it.
fn define(body: &PropertyBody) -> Result<Property, Failure> {
    let (name, label) = (body.name.as_str(), body.label.as_str());
    let sound = name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !sound {
        return Err(Failure::coded(
            "INVALID_PROPERTY_NAME",
            format!("\"{name}\" is not a valid property name"),
        ));
    }
    let mut property = match (body.kind.as_str(), body.field_type.as_str()) {
        ("string", "text" | "textarea" | "html" | "phonenumber" | "file") => {
            Property::text(name, label)
        }
        ("number", "number") => Property::number(name, label),
        ("bool", "booleancheckbox") => Property::boolean(name, label),
        ("enumeration", "checkbox") => Property::multi(name, label, &[]),
        ("enumeration", "select" | "radio" | "booleancheckbox") => {
            Property::choice(name, label, &[])
        }
        ("date", "date") => Property::date(name, label),
        ("datetime", "date") => Property::datetime(name, label),
        (kind, field) => {
            return Err(Failure::validation(format!(
                "fieldType {field} does not go with type {kind}"
            )));
        }
    };
    if !body.options.is_empty() {
        let options = body.options.iter().map(|option| Choice {
            value: option.value.clone(),
            label: option.label.clone(),
        });
        property.choices = options.collect();
    }
    property.field.clone_from(&body.field_type);
    property.group.clone_from(&body.group_name);
    property.description.clone_from(&body.description);
    property.unique = body.has_unique_value;
    Ok(property.custom())
}

pub(super) fn pipelines(kind: ObjectKind) -> Reply {
    let rows: Vec<Json> = pipes::of(kind).iter().map(|p| p.to_json(kind)).collect();
    Reply::ok(json!({"results": rows}))
}

fn find_pipeline(kind: ObjectKind, id: &str) -> Result<&'static pipes::Pipeline, Failure> {
    pipes::of(kind)
        .iter()
        .find(|p| p.id == id)
        .ok_or_else(Failure::not_found)
}

pub(super) fn pipeline(kind: ObjectKind, id: &str) -> Result<Reply, Failure> {
    find_pipeline(kind, id).map(|p| Reply::ok(p.to_json(kind)))
}

pub(super) fn stages(kind: ObjectKind, id: &str) -> Result<Reply, Failure> {
    find_pipeline(kind, id).map(|p| Reply::ok(json!({"results": p.stages_json(kind)})))
}

pub(super) fn owners(call: &Call) -> Result<Reply, Failure> {
    let limit = call.limit(100, 500)?;
    let archived = call.flag("archived");
    let after = call.param("after").unwrap_or_default();
    let email = call.param("email");
    let mut rows = OWNERS
        .iter()
        .filter(|o| o.archived == archived && o.id >= after)
        .filter(|o| email.is_none_or(|email| o.email.eq_ignore_ascii_case(email)));
    let page: Vec<Json> = rows
        .by_ref()
        .take(limit)
        .map(owners::Owner::to_json)
        .collect();
    let mut body = super::listed(page);
    if let Some(next) = rows.next() {
        body["paging"] = json!({"next": {"after": next.id}});
    }
    Ok(Reply::ok(body))
}

pub(super) fn owner(id: &str, call: &Call) -> Result<Reply, Failure> {
    let by_user = call.param("idProperty") == Some("userId");
    let archived = call.flag("archived");
    let found = OWNERS.iter().find(|o| {
        o.archived == archived
            && if by_user {
                o.user_id.to_string() == id
            } else {
                o.id == id
            }
    });
    found
        .map(|o| Reply::ok(o.to_json()))
        .ok_or_else(Failure::not_found)
}
