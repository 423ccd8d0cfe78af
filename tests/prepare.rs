//! Accounts that are prepared for mappings: what is found missing, who makes it, and the files for
//! the two apps.

#[path = "prepare/accounts.rs"]
mod accounts;
#[path = "prepare/app_files.rs"]
mod app_files;
#[path = "prepare/metadata.rs"]
mod metadata;

use std::collections::BTreeMap;

use tandem::mapping::{Mapping, SourceFile, load};

const SHIPPED: [&str; 4] = [
    include_str!("../mappings/companies.yaml"),
    include_str!("../mappings/contacts.yaml"),
    include_str!("../mappings/deals.yaml"),
    include_str!("../mappings/leads.yaml"),
];

fn mappings(texts: &[&str]) -> Vec<Mapping> {
    let files: Vec<SourceFile> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| SourceFile {
            path: format!("mapping{at}.yaml"),
            text: (*text).to_owned(),
        })
        .collect();
    let loaded = load(&files, &BTreeMap::new());
    loaded
        .unwrap_or_else(|faults| panic!("{faults:?}"))
        .mappings
}

/// People whose title both sides write, whose phone only HubSpot gets, and whose stage only goes
/// to Salesforce.
const PEOPLE: &str = r#"
mapping: people
hubspot: contacts
salesforce: Contact
direction: both
conflict: salesforce
first-sync: { fill-blanks: salesforce }
match:
  - email: Email
create: both
only: { hubspot: 'company != "Robots"' }
rules:
  email: Email
  lastname: LastName
  jobtitle: Title
  phone: { to: Phone, direction: to-hubspot }
  lifecyclestage: { to: HubSpot_Lifecycle__c, direction: to-salesforce }
"#;
