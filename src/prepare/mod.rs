//! What both accounts need before mappings can run, what of it is there, and who makes the rest.
//!
//! Pure: mappings and what a look at both accounts showed come in; findings, steps, and files for
//! an administrator come out. Asking the CRMs and carrying steps out is `app::prepare`; nothing
//! here talks to anybody, and nothing here is about records.

mod find;
mod hubspot_app;
mod package;
mod scopes;
mod told;
mod wanted;

use std::collections::BTreeMap;

use crate::model::{BySide, Schemas, Side};

pub use find::findings;
pub use hubspot_app::{
    App, AppFile, AppNeeds, CALLBACK, Distribution, TooMany, WEBHOOKS, hubspot_app,
};
pub use package::{Package, package};
pub use scopes::{AppScopes, Scope, needed, plural, scopes};
pub use told::{AppJson, FindingJson, PreparedJson};
pub use wanted::grants;

/// How people see the field that keeps the key of created records, on both sides.
pub const KEY_LABEL: &str = "Tandem Link Id";
pub const KEY_DESCRIPTION: &str = "The record of the other CRM that this one was made from. \
                                   Written by Tandem and by nobody else.";
/// Name and label of the group of HubSpot properties that the key stands in.
pub const KEY_GROUP: (&str, &str) = ("tandem", "Tandem");
pub const PERMISSION_SET: &str = "Tandem";
pub const SET_DESCRIPTION: &str = "The fields that the mappings of Tandem name, and no others.";

/// What a look at both accounts showed.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// `None` when the app may not read them yet.
    pub schemas: Option<Schemas>,
    /// Fields that a permission set may open, by Salesforce object, each with the one it is opened
    /// by: an address for its parts.
    pub permissionable: BTreeMap<String, BTreeMap<String, String>>,
    /// `None` where HubSpot does not tell.
    pub scopes: Option<Vec<String>>,
    /// Whether the connected Salesforce user may make fields and permission sets; `None` where the
    /// org does not tell.
    pub administers: Option<bool>,
    pub allowance: BySide<Allowance>,
}

/// API calls of one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    pub daily: Option<u64>,
    /// By everyone who shares the account.
    pub used: Option<u64>,
    /// What looking for changes takes on a day without any.
    pub looking: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Present,
    /// Missing, and Tandem may make it.
    Creatable,
    /// Missing, and not Tandem's to make.
    Missing,
    /// An administrator has to act.
    Admin,
    /// The platform does not tell.
    Unknown,
}

impl State {
    /// Whether something is left to be done.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Creatable | Self::Missing | Self::Admin)
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Creatable => "would-create",
            Self::Missing => "missing",
            Self::Admin => "needs-admin",
            Self::Unknown => "not-known",
        }
    }
}

/// One thing that mappings need, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub side: Side,
    /// The object, or what else of the account it is about.
    pub place: String,
    pub what: String,
    pub state: State,
    pub why: String,
    /// What a person does about it; empty when nobody has to.
    pub todo: String,
    /// What Tandem would do about it.
    pub step: Option<Step>,
}

/// A field of Salesforce and what the connected user needs of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub object: String,
    pub field: String,
    pub edit: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Makes a HubSpot property for keys.
    Property {
        object: String,
        name: String,
    },
    /// Makes a Salesforce field for keys, unless there is one that is hidden, and opens it.
    Field {
        object: String,
        name: String,
    },
    Grant(Grant),
}

impl Step {
    /// What was done, for people.
    pub fn told(&self) -> String {
        match self {
            Self::Property { object, name } => format!("HubSpot {object}: property `{name}`"),
            Self::Field { object, name } => format!("Salesforce {object}: field `{name}`"),
            Self::Grant(grant) => {
                let Grant {
                    object,
                    field,
                    edit,
                } = grant;
                let may = if *edit { "edit" } else { "read" };
                format!("Salesforce {object}: {may} access to `{field}`")
            }
        }
    }
}

/// Steps that were tried in vain: the platform's words take the place of ours.
pub fn note_failures(findings: &mut [Finding], failed: &[(Step, String)]) {
    for finding in findings {
        let step = finding.step.as_ref();
        let failure = failed.iter().find(|(one, _)| Some(one) == step);
        if let Some((_, said)) = failure
            && finding.state.is_open()
        {
            finding.state = State::Admin;
            finding.why = format!("tried, and refused: {said}");
        }
    }
}
