//! Looks over both accounts before a first run, and makes what is missing and may be made.
//!
//! What that is was decided in `prepare`; here the CRMs are asked and told, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use super::setup::{DAY_MILLIS, SetupError, auto_poll_millis, read_schemas};
use crate::crm::hubspot::KeyProperty;
use crate::crm::salesforce::{FieldGrant, KeyField, PermissionSet, VERSION};
use crate::crm::{CrmError, Crms};
use crate::mapping::Mapping;
use crate::model::{BySide, Side};
use crate::prepare::{
    Allowance, Finding, Grant, KEY_DESCRIPTION, KEY_GROUP, KEY_LABEL, PERMISSION_SET, Package,
    PreparedJson, SET_DESCRIPTION, Seen, State, Step, findings, grants, note_failures, package,
    scopes,
};

/// What was done, and what the platforms refused, each with their words.
#[derive(Clone, Debug, Default)]
pub struct Made {
    pub done: Vec<Step>,
    pub failed: Vec<(Step, String)>,
}

/// What both accounts lack, what was made of it, and the package that was asked for.
pub struct Prepared {
    pub findings: Vec<Finding>,
    pub made: Made,
    /// `None` also where the app may not read enough to make one.
    pub package: Option<Package>,
}

impl Prepared {
    /// # Errors
    /// The package could not be packed.
    pub fn told(&self) -> std::io::Result<PreparedJson> {
        let made = (self.made.done.as_slice(), self.made.failed.as_slice());
        PreparedJson::of(&self.findings, made, self.package.as_ref())
    }
}

/// Looks over both accounts. With `make`, makes what may be made and looks again; with `pack`,
/// packs what a Salesforce administrator has to do.
pub async fn prepare(
    crms: &Crms,
    mappings: &[Mapping],
    make: bool,
    pack: bool,
) -> Result<Prepared, SetupError> {
    let mut seen = look_over(crms, mappings).await?;
    let mut prepared = Prepared {
        findings: findings(mappings, &seen),
        made: Made::default(),
        package: None,
    };
    if make {
        let open = grants(mappings, &seen);
        prepared.made = make_ready(crms, &prepared.findings, &open).await;
        if !prepared.made.done.is_empty() {
            seen = look_over(crms, mappings).await?;
            prepared.findings = findings(mappings, &seen);
        }
        note_failures(&mut prepared.findings, &prepared.made.failed);
    }
    if pack && seen.schemas.is_some() {
        let version = VERSION.trim_start_matches('v');
        prepared.package = Some(package(mappings, &seen, version));
    }
    Ok(prepared)
}

/// Reads what the findings are made of; writes nothing.
pub async fn look_over(crms: &Crms, mappings: &[Mapping]) -> Result<Seen, SetupError> {
    let grants = crms.hubspot.grants().await;
    let granted = grants.scopes();
    let lacks = |name: &String| granted.is_some_and(|granted| !granted.contains(name));
    let needed = scopes(mappings);
    let blind = needed.iter().any(|scope| scope.looks && lacks(&scope.name));
    let mut seen = Seen {
        scopes: granted.map(<[String]>::to_vec),
        ..Seen::default()
    };
    if blind {
        return Ok(seen);
    }
    seen.schemas = Some(read_schemas(crms, mappings).await?);
    let objects: BTreeSet<&String> = mappings
        .iter()
        .map(|mapping| &mapping.objects.salesforce)
        .collect();
    let mut permissionable = BTreeMap::new();
    for object in objects {
        let fields = crms.salesforce.permissionable(object).await;
        let fields = fields.map_err(|error| SetupError::Crm {
            side: Side::Salesforce,
            error,
        })?;
        permissionable.insert(object.clone(), fields);
    }
    seen.permissionable = permissionable;
    seen.administers = crms.salesforce.administers().await;
    seen.allowance = BySide::from_fn(|side| allowance(crms, mappings, side));
    Ok(seen)
}

fn allowance(crms: &Crms, mappings: &[Mapping], side: Side) -> Allowance {
    let usage = match side {
        Side::HubSpot => crms.hubspot.usage(),
        Side::Salesforce => crms.salesforce.usage(),
    };
    let objects: BTreeSet<&String> = mappings
        .iter()
        .map(|mapping| mapping.objects.get(side))
        .collect();
    let polls = objects.len();
    let millis = auto_poll_millis(usage.daily_limit, polls);
    let looking = u64::try_from(DAY_MILLIS / millis).unwrap_or(0);
    Allowance {
        daily: usage.daily_limit,
        used: usage.daily_used,
        looking: looking.saturating_mul(u64::try_from(polls).unwrap_or(0)),
    }
}

/// Makes what Tandem may make. `grants` is what the permission set has to hold afterwards; it is
/// touched only when one of the findings asks for it.
pub async fn make_ready(crms: &Crms, findings: &[Finding], grants: &[Grant]) -> Made {
    let mut made = Made::default();
    let steps = findings
        .iter()
        .filter(|finding| finding.state == State::Creatable)
        .filter_map(|finding| finding.step.as_ref());
    let mut to_open = Vec::new();
    for step in steps {
        let outcome = match step {
            Step::Property { object, name } => make_property(crms, object, name).await,
            Step::Field { object, name } => make_field(crms, object, name).await,
            Step::Grant(_) => Ok(()),
        };
        match outcome {
            Err(error) => made.failed.push((step.clone(), told(&error))),
            Ok(()) if matches!(step, Step::Property { .. }) => made.done.push(step.clone()),
            Ok(()) => to_open.push(step),
        }
    }
    if !to_open.is_empty() {
        open(crms, &to_open, grants, &mut made).await;
    }
    made
}

async fn make_property(crms: &Crms, object: &str, name: &str) -> Result<(), CrmError> {
    let property = KeyProperty {
        name,
        label: KEY_LABEL,
        description: KEY_DESCRIPTION,
        group: KEY_GROUP,
    };
    crms.hubspot.create_key_property(object, property).await
}

async fn make_field(crms: &Crms, object: &str, name: &str) -> Result<(), CrmError> {
    let field = KeyField {
        object,
        name,
        label: KEY_LABEL,
        description: KEY_DESCRIPTION,
    };
    crms.salesforce.create_key_field(field).await
}

/// A field that is made is seen by nobody, so that each of them has to be opened.
async fn open(crms: &Crms, steps: &[&Step], grants: &[Grant], made: &mut Made) {
    let set = PermissionSet {
        name: PERMISSION_SET,
        description: SET_DESCRIPTION,
    };
    let wire = grants.iter().map(|grant| FieldGrant {
        object: grant.object.clone(),
        field: grant.field.clone(),
        edit: grant.edit,
    });
    let wire: Vec<FieldGrant> = wire.collect();
    let answers = crms.salesforce.grant_fields(set, &wire).await;
    for step in steps {
        let refused = match &answers {
            Err(error) => Some(told(error)),
            Ok(answers) => {
                let of = |grant: &FieldGrant| is_about(step, grant);
                let answer = answers.iter().find(|(grant, _)| of(grant));
                answer.and_then(|(_, answer)| answer.as_ref().err().map(told))
            }
        };
        match refused {
            Some(said) => made.failed.push(((*step).clone(), said)),
            None => made.done.push((*step).clone()),
        }
    }
}

fn is_about(step: &Step, grant: &FieldGrant) -> bool {
    let (object, field) = match step {
        Step::Property { .. } => return false,
        Step::Field { object, name } => (object, name),
        Step::Grant(grant) => (&grant.object, &grant.field),
    };
    grant.object == *object && grant.field == *field
}

fn told(error: &CrmError) -> String {
    error.to_string()
}
