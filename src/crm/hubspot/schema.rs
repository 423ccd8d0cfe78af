//! What a portal says about itself: account, properties, pipelines, owners.

use serde::Deserialize;

use super::object::is_type_id;
use super::wire::{Many, Paging, or_default};
use super::{HubSpot, Op, VERSION};
use crate::crm::CrmError;
use crate::crm::json::{Lenient, listed};
use crate::model::{FieldKind, FieldSchema, ObjectSchema, Owner, PickOption, Pipeline, RecordId};

/// Longest text of a property (hubspot.md 6.3).
const TEXT_CHARS: u32 = 65_536;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub portal_id: String,
    /// IANA name; dates without a zone and the daily allowance follow it.
    pub time_zone: String,
    pub currency: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireAccount {
    portal_id: Lenient,
    time_zone: Lenient,
    company_currency: Lenient,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Property {
    name: Lenient,
    label: Lenient,
    #[serde(rename = "type")]
    kind: Lenient,
    field_type: Lenient,
    #[serde(deserialize_with = "listed")]
    options: Vec<Choice>,
    has_unique_value: Option<bool>,
    calculated: Option<bool>,
    external_options: Option<bool>,
    referenced_object_type: Lenient,
    show_currency_symbol: Option<bool>,
    number_display_hint: Lenient,
    text_display_hint: Lenient,
    archived: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    modification_metadata: Metadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    read_only_value: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Choice {
    value: Lenient,
    label: Lenient,
    hidden: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WirePipeline {
    id: Lenient,
    label: Lenient,
    #[serde(deserialize_with = "listed")]
    stages: Vec<Stage>,
    archived: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stage {
    id: Lenient,
    label: Lenient,
    archived: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct WireOwner {
    id: Lenient,
    email: Lenient,
    first_name: Lenient,
    last_name: Lenient,
    archived: Option<bool>,
}

impl HubSpot {
    pub async fn account(&self) -> Result<Account, CrmError> {
        let url = self.url(&["account-info", VERSION, "details"])?;
        let reply = self.get(Op::read("account"), url).await?;
        let account: WireAccount = reply.json()?;
        let portal_id = account
            .portal_id
            .0
            .ok_or_else(|| reply.broken("the account details hold no portal id"))?;
        let time_zone = account.time_zone.0.unwrap_or_else(|| "UTC".to_owned());
        *super::hold(&self.inner.zone) = time_zone.parse().ok();
        Ok(Account {
            portal_id,
            time_zone,
            currency: account.company_currency.0,
        })
    }

    /// Properties of one object, with the pipelines of deals, tickets and custom objects.
    pub async fn object_schema(&self, object: &str) -> Result<ObjectSchema, CrmError> {
        let segment = self.segment(object).await?;
        let url = self.url(&["crm", "properties", VERSION, &segment])?;
        let reply = self.get(Op::read("properties"), url).await?;
        let many: Many<Property> = reply.json()?;
        let listed = many
            .results
            .ok_or_else(|| reply.broken("the list of properties is missing"))?;
        let required = self.required(&segment).await?;
        let mut schema = ObjectSchema {
            name: segment.clone(),
            ..ObjectSchema::default()
        };
        for property in listed {
            if property.archived != Some(true)
                && let Some(mut field) = field(property)
            {
                field.required = required.contains(&field.name);
                schema.fields.insert(field.name.clone(), field);
            }
        }
        if has_pipelines(&segment) {
            schema.pipelines = self.pipelines(&segment).await?;
            fill_options(&mut schema);
        }
        Ok(schema)
    }

    /// What a create is refused without and no default supplies (hubspot.md 4.4).
    async fn required(&self, segment: &str) -> Result<Vec<String>, CrmError> {
        let names: &[&str] = match segment {
            "deals" | "0-3" => &["dealname", "dealstage"],
            "tickets" | "0-5" => &["subject", "hs_pipeline_stage"],
            "leads" | "0-136" => &["hs_lead_name"],
            "notes" | "tasks" | "calls" | "meetings" => &["hs_timestamp"],
            "emails" => &["hs_timestamp", "hs_email_direction"],
            custom if custom.starts_with("2-") => {
                return Ok(self.custom_object(custom).await?.required_properties);
            }
            _ => &[],
        };
        Ok(names.iter().map(|&name| name.to_owned()).collect())
    }

    async fn pipelines(&self, segment: &str) -> Result<Vec<Pipeline>, CrmError> {
        let url = self.url(&["crm", "pipelines", VERSION, segment])?;
        let reply = self.get(Op::read("pipelines"), url).await?;
        let many: Many<WirePipeline> = reply.json()?;
        let listed = many
            .results
            .ok_or_else(|| reply.broken("the list of pipelines is missing"))?;
        let live = listed.into_iter().filter(|p| p.archived != Some(true));
        Ok(live.filter_map(pipeline).collect())
    }

    /// Everyone who may own records; deactivated ones are listed as inactive.
    pub async fn owners(&self) -> Result<Vec<Owner>, CrmError> {
        let mut owners = Vec::new();
        for archived in [false, true] {
            let mut after: Option<String> = None;
            loop {
                let mut url = self.url(&["crm", "owners", VERSION])?;
                {
                    let mut query = url.query_pairs_mut();
                    query.append_pair("limit", "100");
                    query.append_pair("archived", if archived { "true" } else { "false" });
                    if let Some(after) = &after {
                        query.append_pair("after", after);
                    }
                }
                let reply = self.get(Op::read("owners"), url).await?;
                let many: Many<WireOwner> = reply.json()?;
                let Paging { next } = many.paging;
                let listed = many
                    .results
                    .ok_or_else(|| reply.broken("the list of owners is missing"))?;
                owners.extend(listed.into_iter().filter_map(|who| owner(who, archived)));
                if next.after.0.is_none() {
                    break;
                }
                if next.after.0 == after {
                    return Err(reply.broken("the list of owners goes round in a circle"));
                }
                after = next.after.0;
            }
        }
        Ok(owners)
    }
}

fn has_pipelines(segment: &str) -> bool {
    matches!(segment, "deals" | "tickets" | "0-3" | "0-5")
        || (is_type_id(segment) && segment.starts_with("2-"))
}

/// Pipelines and stages are the options of the properties that hold them.
fn fill_options(schema: &mut ObjectSchema) {
    let pipelines: Vec<PickOption> = schema
        .pipelines
        .iter()
        .map(|pipeline| PickOption {
            value: pipeline.id.clone(),
            label: pipeline.label.clone(),
            active: true,
        })
        .collect();
    let stages: Vec<PickOption> = schema
        .pipelines
        .iter()
        .flat_map(|pipeline| pipeline.stages.iter().cloned())
        .collect();
    for (names, options) in [
        (["pipeline", "hs_pipeline"], pipelines),
        (["dealstage", "hs_pipeline_stage"], stages),
    ] {
        for name in names {
            if let Some(field) = schema.fields.get_mut(name) {
                field.kind = FieldKind::Picklist {
                    options: options.clone(),
                    restricted: true,
                };
            }
        }
    }
}

fn pipeline(wire: WirePipeline) -> Option<Pipeline> {
    let id = wire.id.0?;
    let stages = wire.stages.into_iter().filter_map(|stage| {
        let value = stage.id.0?;
        Some(PickOption {
            label: stage.label.0.unwrap_or_else(|| value.clone()),
            value,
            active: stage.archived != Some(true),
        })
    });
    Some(Pipeline {
        label: wire.label.0.unwrap_or_else(|| id.clone()),
        stages: stages.collect(),
        id,
    })
}

fn owner(wire: WireOwner, archived: bool) -> Option<Owner> {
    let names: Vec<String> = [wire.first_name.0, wire.last_name.0]
        .into_iter()
        .flatten()
        .collect();
    let name = match &wire.email.0 {
        Some(email) if names.is_empty() => email.clone(),
        Some(_) | None => names.join(" "),
    };
    Some(Owner {
        id: RecordId::new(wire.id.0?),
        email: wire.email.0,
        name,
        active: !archived && wire.archived != Some(true),
    })
}

fn field(property: Property) -> Option<FieldSchema> {
    let name = property.name.0.clone()?;
    let field_type = property.field_type.0.as_deref().unwrap_or_default();
    let calculated = property.calculated == Some(true) || field_type.starts_with("calculation");
    let writable = !calculated && property.modification_metadata.read_only_value != Some(true);
    let unique = property.has_unique_value == Some(true) || name == "email";
    Some(FieldSchema {
        label: property.label.0.clone().unwrap_or_else(|| name.clone()),
        kind: kind(&name, property),
        createable: writable,
        updateable: writable,
        required: false,
        unique,
        external_id: unique,
        calculated,
        name,
    })
}

fn kind(name: &str, property: Property) -> FieldKind {
    let field_type = property.field_type.0.as_deref().unwrap_or_default();
    let number_hint = property.number_display_hint.0.as_deref();
    let text_hint = property.text_display_hint.0.as_deref();
    let money = property.show_currency_symbol == Some(true)
        || number_hint == Some("currency")
        || name == "amount";
    let owner = property.referenced_object_type.0.as_deref() == Some("OWNER")
        || (property.external_options == Some(true) && name == "hubspot_owner_id");
    match property.kind.0.as_deref().unwrap_or_default() {
        _ if name == super::wire::ID => FieldKind::Id,
        "string" if name == "email" || text_hint == Some("email") => FieldKind::Email,
        "string" if field_type == "phonenumber" || text_hint == Some("phone_number") => {
            FieldKind::Phone
        }
        "string" if name == "website" => FieldKind::Url,
        "string" => FieldKind::Text {
            length: Some(TEXT_CHARS),
        },
        "phone_number" => FieldKind::Phone,
        "number" if money => FieldKind::Money { scale: None },
        "number" => FieldKind::Number { scale: None },
        "bool" => FieldKind::Bool,
        "enumeration" if owner => FieldKind::Owner,
        "enumeration" if field_type == "booleancheckbox" => FieldKind::Bool,
        "enumeration" => {
            // Options kept elsewhere are not listed, so what is not listed may still be valid.
            let restricted = property.external_options != Some(true);
            let options = property.options.into_iter().filter_map(option).collect();
            if field_type == "checkbox" {
                FieldKind::MultiPicklist {
                    options,
                    restricted,
                }
            } else {
                FieldKind::Picklist {
                    options,
                    restricted,
                }
            }
        }
        "date" => FieldKind::Date,
        "datetime" => FieldKind::DateTime,
        other => FieldKind::Other(other.to_owned()),
    }
}

fn option(choice: Choice) -> Option<PickOption> {
    let value = choice.value.0?;
    Some(PickOption {
        label: choice.label.0.unwrap_or_else(|| value.clone()),
        value,
        // A hidden option is out of the forms, and still taken by the API.
        active: choice.hidden != Some(true),
    })
}
