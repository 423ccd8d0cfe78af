//! Making the field that keeps the key of created records, and the permission set that opens the
//! mapped fields to the connected user.
//!
//! The only set-up that Tandem ever writes. What is there already is left as it is.

use std::collections::BTreeMap;

use http::Method;
use serde::{Deserialize, Serialize};

use super::{Op, Salesforce, data_path, soql};
use crate::crm::json::{Lenient, list};
use crate::crm::{CrmError, ErrorKind, RowResult, Sent, WriteRow};
use crate::model::{Fields, Raw, Record, RecordId};

/// A text of 255 characters: an external id, unique, without regard to case.
#[derive(Clone, Copy, Debug)]
pub struct KeyField<'a> {
    pub object: &'a str,
    pub name: &'a str,
    pub label: &'a str,
    pub description: &'a str,
}

#[derive(Clone, Copy, Debug)]
pub struct PermissionSet<'a> {
    pub name: &'a str,
    pub description: &'a str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldGrant {
    pub object: String,
    pub field: String,
    pub edit: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WireField<'a> {
    full_name: String,
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    label: &'a str,
    description: &'a str,
    length: u32,
    external_id: bool,
    unique: bool,
    case_sensitive: bool,
    required: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Described {
    #[serde(deserialize_with = "list")]
    fields: Option<Vec<Listed>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[serde(rename_all = "camelCase")]
struct Listed {
    name: Lenient,
    permissionable: Option<bool>,
    compound_field_name: Lenient,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Identity {
    user_id: Lenient,
}

const RIGHTS: [&str; 3] = [
    "PermissionsCustomizeApplication",
    "PermissionsManageProfilesPermissionsets",
    "PermissionsAssignPermissionSets",
];

impl Salesforce {
    /// Whether the connected user may make fields and permission sets; `None` when the org does
    /// not tell.
    pub async fn administers(&self) -> Option<bool> {
        let soql = format!("SELECT Id, {} FROM UserPermissionAccess", RIGHTS.join(", "));
        let rows = self.query_whole(&soql).await;
        let row = rows.ok()?.into_iter().next()?;
        let may = |name: &&str| row.fields.get(*name) == Some(&Raw::Bool(true));
        Some(RIGHTS.iter().all(may))
    }

    /// The fields of an object that permission sets may open, each with the field to name there:
    /// the parts of an address are opened by the address, those of a name by nothing.
    pub async fn permissionable(&self, object: &str) -> Result<BTreeMap<String, String>, CrmError> {
        let path = data_path(&["sobjects", soql::name(object)?, "describe"], &[]);
        let reply = self.get(Op::read("describe"), path).await?;
        let described: Described = reply.json()?;
        let fields = described
            .fields
            .ok_or_else(|| reply.broken("the description holds no fields"))?;
        let open = fields
            .into_iter()
            .filter(|field| field.permissionable == Some(true));
        let named = open.filter_map(|field| {
            let name = field.name.0?;
            let whole = field.compound_field_name.0.unwrap_or_else(|| name.clone());
            (whole == name || whole != "Name").then_some((name, whole))
        });
        Ok(named.collect())
    }

    /// Makes the field. One of that name that is already there, if hidden, is no error.
    pub async fn create_key_field(&self, field: KeyField<'_>) -> Result<(), CrmError> {
        let (object, name) = (soql::name(field.object)?, soql::name(field.name)?);
        let body = WireField {
            full_name: format!("{object}.{name}"),
            metadata: Metadata {
                kind: "Text",
                label: field.label,
                description: field.description,
                length: 255,
                external_id: true,
                unique: true,
                case_sensitive: false,
                required: false,
            },
        };
        let path = data_path(&["tooling", "sobjects", "CustomField"], &[]);
        let op = Op::write("tooling", "CustomField");
        match self.with_body(op, Method::POST, path, &body).await {
            Ok(_) => Ok(()),
            Err(error) if error.code == "DUPLICATE_DEVELOPER_NAME" => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Opens the fields in a permission set and assigns it to the connected user. The set is made
    /// when it is missing; what else it grants stays. Answers for each field.
    pub async fn grant_fields(
        &self,
        set: PermissionSet<'_>,
        grants: &[FieldGrant],
    ) -> Result<Vec<(FieldGrant, Result<(), CrmError>)>, CrmError> {
        let id = self.permission_set(set).await?;
        let answers = self.open_fields(&id, grants).await?;
        self.assign(&id).await?;
        Ok(answers)
    }

    async fn permission_set(&self, set: PermissionSet<'_>) -> Result<RecordId, CrmError> {
        let name = soql::string(set.name);
        let soql = format!("SELECT Id FROM PermissionSet WHERE Name = {name}");
        if let Some(row) = self.query_whole(&soql).await?.into_iter().next() {
            return Ok(row.id);
        }
        let fields = [
            ("Name", set.name),
            ("Label", set.name),
            ("Description", set.description),
        ];
        let row = new_row("set", fields.map(|(name, value)| (name, text(value))));
        only(self.create("PermissionSet", &[row]).await)
    }

    async fn open_fields(
        &self,
        set: &RecordId,
        grants: &[FieldGrant],
    ) -> Result<Vec<(FieldGrant, Result<(), CrmError>)>, CrmError> {
        let parent = soql::string(set.as_str());
        let soql = format!(
            "SELECT Id, Field, PermissionsEdit FROM FieldPermissions WHERE ParentId = {parent}"
        );
        let rows = self.query_whole(&soql).await?;
        let known: BTreeMap<String, Record> = rows
            .into_iter()
            .filter_map(|row| Some((row.fields.get("Field")?.as_text()?.to_owned(), row)))
            .collect();
        let (mut new, mut wider) = (Vec::new(), Vec::new());
        for grant in grants {
            let name = full_name(grant);
            match known.get(&name) {
                None => new.push(permission(set, grant, name)),
                Some(row) if grant.edit && row.fields.get("PermissionsEdit") != Some(&TRUE) => {
                    let fields = [("PermissionsRead", TRUE), ("PermissionsEdit", TRUE)];
                    let mut change = new_row(&name, fields);
                    change.id = Some(row.id.clone());
                    wider.push(change);
                }
                Some(_) => {}
            }
        }
        let mut answers = self.create("FieldPermissions", &new).await;
        answers.extend(self.update("FieldPermissions", &wider).await);
        let mut failed: BTreeMap<String, CrmError> = answers
            .into_iter()
            .filter_map(|(name, answer)| Some((name, answer.err()?)))
            .collect();
        let told = grants.iter().map(|grant| {
            let outcome = failed.remove(&full_name(grant)).map_or(Ok(()), Err);
            (grant.clone(), outcome)
        });
        Ok(told.collect())
    }

    async fn assign(&self, set: &RecordId) -> Result<(), CrmError> {
        let user = self.user().await?;
        let soql = format!(
            "SELECT Id FROM PermissionSetAssignment WHERE PermissionSetId = {} AND AssigneeId = {}",
            soql::string(set.as_str()),
            soql::string(&user)
        );
        if !self.query_whole(&soql).await?.is_empty() {
            return Ok(());
        }
        let fields = [("PermissionSetId", set.as_str()), ("AssigneeId", &user)];
        let row = new_row("assignment", fields.map(|(name, id)| (name, text(id))));
        only(self.create("PermissionSetAssignment", &[row]).await).map(|_| ())
    }

    /// Whom the token belongs to. A plain token does not tell, so the org is asked.
    async fn user(&self) -> Result<String, CrmError> {
        if let Some(user) = self.session().user_id {
            return Ok(user);
        }
        let path = "/services/oauth2/userinfo".to_owned();
        let reply = self.get(Op::read("userinfo"), path).await?;
        let identity: Identity = reply.json()?;
        let user = identity.user_id.0.as_deref().and_then(super::full_id);
        user.ok_or_else(|| reply.broken("the reply does not say whose token it is"))
    }
}

const TRUE: Raw = Raw::Bool(true);

fn text(value: &str) -> Raw {
    Raw::Text(value.to_owned())
}

fn full_name(grant: &FieldGrant) -> String {
    format!("{}.{}", grant.object, grant.field)
}

fn permission(set: &RecordId, grant: &FieldGrant, name: String) -> WriteRow {
    new_row(
        &name.clone(),
        [
            ("ParentId", text(set.as_str())),
            ("SobjectType", text(&grant.object)),
            ("Field", Raw::Text(name)),
            ("PermissionsRead", TRUE),
            ("PermissionsEdit", Raw::Bool(grant.edit)),
        ],
    )
}

fn new_row<const N: usize>(trace: &str, fields: [(&str, Raw); N]) -> WriteRow {
    let fields: Fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    WriteRow {
        trace: trace.to_owned(),
        id: None,
        fields,
        unless_changed_since: None,
    }
}

fn only(answers: Vec<(String, RowResult)>) -> Result<RecordId, CrmError> {
    let answer = answers.into_iter().next().map(|(_, answer)| answer);
    let missing = || {
        let message = "Salesforce did not answer for the row";
        CrmError::new(ErrorKind::Unavailable, "no-answer", message, Sent::Unknown)
    };
    answer.unwrap_or_else(|| Err(missing())).map(|row| row.id)
}
