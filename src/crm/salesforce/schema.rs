//! What an org says about itself: fields, record types, people and queues, currency, allowance.

use serde::Deserialize;

use super::wire::or_default;
use super::{Op, Salesforce, data_path, soql};
use crate::crm::json::{Lenient, list, listed};
use crate::crm::{CrmError, Usage};
use crate::model::{
    FieldKind, FieldSchema, Fields, ObjectSchema, Owner, PickOption, Raw, Record, RecordId,
    RecordType,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// 18 characters.
    pub id: String,
    pub multi_currency: bool,
    /// The corporate currency; an org with a single currency does not tell which.
    pub currency: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Describe {
    name: Lenient,
    #[serde(deserialize_with = "list")]
    fields: Option<Vec<Described>>,
    #[serde(deserialize_with = "listed")]
    record_type_infos: Vec<TypeInfo>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Described {
    name: Lenient,
    label: Lenient,
    #[serde(rename = "type")]
    kind: Lenient,
    length: Lenient,
    scale: Lenient,
    nillable: Option<bool>,
    createable: Option<bool>,
    updateable: Option<bool>,
    defaulted_on_create: Option<bool>,
    calculated: Option<bool>,
    auto_number: Option<bool>,
    unique: Option<bool>,
    external_id: Option<bool>,
    id_lookup: Option<bool>,
    restricted_picklist: Option<bool>,
    #[serde(deserialize_with = "listed")]
    picklist_values: Vec<Choice>,
    #[serde(deserialize_with = "or_default")]
    reference_to: Vec<String>,
    deprecated_and_hidden: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    value: Lenient,
    label: Lenient,
    active: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct TypeInfo {
    record_type_id: Lenient,
    developer_name: Lenient,
    active: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Limits {
    daily_api_requests: Allowance,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Allowance {
    max: Option<u64>,
    remaining: Option<u64>,
}

impl Salesforce {
    /// Fields as the connected user sees them: one hidden by its permissions is absent.
    pub async fn object_schema(&self, object: &str) -> Result<ObjectSchema, CrmError> {
        let path = data_path(&["sobjects", soql::name(object)?, "describe"], &[]);
        let reply = self.get(Op::read("describe"), path).await?;
        let described: Describe = reply.json()?;
        let listed = described
            .fields
            .ok_or_else(|| reply.broken("the description holds no fields"))?;
        let shown = listed
            .into_iter()
            .filter(|field| field.deprecated_and_hidden != Some(true));
        let fields = shown
            .filter_map(field)
            .map(|field| (field.name.clone(), field));
        let types = described.record_type_infos.into_iter().filter_map(|info| {
            Some(RecordType {
                id: RecordId::new(info.record_type_id.0?),
                developer_name: info.developer_name.0?,
                active: info.active != Some(false),
            })
        });
        Ok(ObjectSchema {
            name: described.name.0.unwrap_or_else(|| object.to_owned()),
            fields: fields.collect(),
            pipelines: Vec::new(),
            record_types: types.collect(),
        })
    }

    pub async fn organization(&self) -> Result<Organization, CrmError> {
        let rows = self.query_whole("SELECT Id FROM Organization").await?;
        let id = rows.into_iter().next().map(|row| row.id).ok_or_else(|| {
            CrmError::broken(
                "the query for the organization found none",
                crate::crm::Sent::Yes,
            )
        })?;
        let soql = "SELECT Id, IsoCode FROM CurrencyType WHERE IsCorporate = TRUE";
        let (multi_currency, currency) = match self.query_whole(soql).await {
            Ok(rows) => {
                let code = rows.first().and_then(|row| text(&row.fields, "IsoCode"));
                (code.is_some(), code)
            }
            // The object exists only where several currencies are switched on.
            Err(error) if error.code == "INVALID_TYPE" => (false, None),
            Err(error) => return Err(error),
        };
        Ok(Organization {
            id: id.as_str().to_owned(),
            multi_currency,
            currency,
        })
    }

    /// People and queues; either may own a record.
    pub async fn users(&self) -> Result<Vec<Owner>, CrmError> {
        let people = "SELECT Id, Name, Email, IsActive FROM User ORDER BY Id";
        let queues = "SELECT Id, Name, Email FROM Group WHERE Type = 'Queue' ORDER BY Id";
        let mut owners = Vec::new();
        for soql in [people, queues] {
            let rows = self.query_whole(soql).await?;
            owners.extend(rows.into_iter().map(owner));
        }
        Ok(owners)
    }

    /// The allowance as Salesforce counts it; also costs one call. Needs the permission to view
    /// the setup; the same figures come with every reply.
    pub async fn limits(&self) -> Result<Usage, CrmError> {
        let reply = self
            .get(Op::read("limits"), data_path(&["limits"], &[]))
            .await?;
        let limits: Limits = reply.json()?;
        let Allowance { max, remaining } = limits.daily_api_requests;
        let used = max
            .zip(remaining)
            .map(|(max, left)| max.saturating_sub(left));
        self.inner.line.observe(&super::Seen {
            daily_limit: max,
            daily_used: used,
            ..super::Seen::default()
        });
        Ok(self.usage())
    }
}

fn owner(row: Record) -> Owner {
    Owner {
        name: text(&row.fields, "Name").unwrap_or_else(|| row.id.as_str().to_owned()),
        email: text(&row.fields, "Email"),
        active: row.fields.get("IsActive") != Some(&Raw::Bool(false)),
        id: row.id,
    }
}

fn text(fields: &Fields, name: &str) -> Option<String> {
    fields.get(name)?.as_text().map(str::to_owned)
}

fn field(described: Described) -> Option<FieldSchema> {
    let name = described.name.0.clone()?;
    let yes = |flag: Option<bool>| flag == Some(true);
    let calculated = yes(described.calculated) || yes(described.auto_number);
    let createable = yes(described.createable);
    let key = yes(described.external_id) || yes(described.id_lookup);
    Some(FieldSchema {
        label: described.label.0.clone().unwrap_or_else(|| name.clone()),
        createable,
        updateable: yes(described.updateable),
        required: createable
            && described.nillable == Some(false)
            && !yes(described.defaulted_on_create),
        unique: yes(described.unique) || name == "Id",
        // Upserts by the record's own id are no upserts here.
        external_id: key && name != "Id",
        calculated,
        kind: kind(&name, described),
        name,
    })
}

fn kind(name: &str, described: Described) -> FieldKind {
    let number = |digits: &Lenient| {
        digits
            .0
            .as_deref()
            .and_then(|text| text.parse::<u32>().ok())
    };
    let scale = number(&described.scale);
    let restricted = described.restricted_picklist == Some(true);
    let options = described.picklist_values.into_iter().filter_map(option);
    match described.kind.0.as_deref().unwrap_or_default() {
        "string" | "textarea" | "combobox" => FieldKind::Text {
            length: number(&described.length).filter(|&length| length > 0),
        },
        "email" => FieldKind::Email,
        "phone" => FieldKind::Phone,
        "url" => FieldKind::Url,
        "double" | "percent" => FieldKind::Number { scale },
        "currency" => FieldKind::Money { scale },
        "int" | "long" => FieldKind::Integer,
        "boolean" => FieldKind::Bool,
        "date" => FieldKind::Date,
        "datetime" => FieldKind::DateTime,
        "picklist" => FieldKind::Picklist {
            options: options.collect(),
            restricted,
        },
        "multipicklist" => FieldKind::MultiPicklist {
            options: options.collect(),
            restricted,
        },
        "reference" if name == "OwnerId" => FieldKind::Owner,
        "reference" => FieldKind::Reference {
            to: described.reference_to,
        },
        "id" => FieldKind::Id,
        other => FieldKind::Other(other.to_owned()),
    }
}

fn option(choice: Choice) -> Option<PickOption> {
    let value = choice.value.0?;
    Some(PickOption {
        label: choice.label.0.unwrap_or_else(|| value.clone()),
        value,
        active: choice.active != Some(false),
    })
}
