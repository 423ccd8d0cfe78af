//! What a preparation found and made, and what the app has to be, for machines on both ends of the
//! API.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AppNeeds, Finding, Package, Step};

/// What both accounts lack before a first run.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct PreparedJson {
    pub ready: bool,
    /// Things that are left to be done.
    pub left: usize,
    pub findings: Vec<FindingJson>,
    /// What was made just now.
    pub made: Vec<String>,
    /// What was not made, with the platform's words.
    pub failed: Vec<NotMadeJson>,
    /// A package for the Salesforce administrator: a zip in base64. Null unless asked for, and
    /// where the app may not read enough to make one.
    pub package: Option<String>,
}

/// One thing that the mappings need, and how it stands.
#[derive(Deserialize, Serialize, ToSchema)]
pub struct FindingJson {
    /// hubspot or salesforce.
    pub side: String,
    pub place: String,
    pub what: String,
    /// present, would-create, missing, needs-admin or not-known.
    pub state: String,
    pub why: String,
    /// What a person does about it.
    #[serde(rename = "do")]
    pub todo: String,
}

/// What the mappings of all workspaces need of the HubSpot app, and where the service and its app
/// do not fit.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct AppJson {
    pub needs: AppNeeds,
    /// Scopes that mappings can use and that no connect link asks for.
    pub unasked: Vec<String>,
    /// Scopes that every connect link asks for, and no mapping needs.
    pub unneeded: Vec<String>,
    /// Scopes that every connect link insists on, and that are optional in the app.
    pub insisted: Vec<String>,
    /// Workspaces whose mappings have faults; of those what was at work last is in the needs.
    pub faulty: Vec<String>,
}

#[derive(Deserialize, Serialize, ToSchema)]
pub struct NotMadeJson {
    pub what: String,
    pub message: String,
}

impl PreparedJson {
    /// What was found, and what was made and not made of it.
    ///
    /// # Errors
    /// The package could not be packed.
    pub fn of(
        findings: &[Finding],
        (done, failed): (&[Step], &[(Step, String)]),
        package: Option<&Package>,
    ) -> std::io::Result<Self> {
        let left = findings.iter().filter(|one| one.state.is_open()).count();
        let not_made = |(step, said): &(Step, String)| NotMadeJson {
            what: step.told(),
            message: said.clone(),
        };
        let zip = package.map(Package::to_zip).transpose()?;
        Ok(Self {
            ready: left == 0,
            left,
            findings: findings.iter().map(FindingJson::of).collect(),
            made: done.iter().map(Step::told).collect(),
            failed: failed.iter().map(not_made).collect(),
            package: zip.map(|zip| BASE64_STANDARD.encode(zip)),
        })
    }

    /// The package as a file; `None` when there is none, or it is none.
    pub fn zip(&self) -> Option<Vec<u8>> {
        BASE64_STANDARD.decode(self.package.as_ref()?).ok()
    }
}

impl FindingJson {
    fn of(finding: &Finding) -> Self {
        Self {
            side: finding.side.as_str().to_owned(),
            place: finding.place.clone(),
            what: finding.what.clone(),
            state: finding.state.as_str().to_owned(),
            why: finding.why.clone(),
            todo: finding.todo.clone(),
        }
    }
}
