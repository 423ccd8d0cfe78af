//! What the shipped mapping files pair, written down a second time by hand.
//!
//! The verification must not ask `mapping` what `mapping` did, so this table says in the simplest
//! way which fields belong together. When a file under `mappings/` changes, this changes with it.

use crate::model::Side;

/// One mapping: an object on each side and the values that move between them.
#[derive(Debug)]
pub struct Shape {
    pub mapping: &'static str,
    pub hubspot: &'static str,
    pub salesforce: &'static str,
    pub rules: &'static [Rule],
    /// Whether a record of this side gets a counterpart on the other.
    pub hubspot_creates: Creates,
    pub salesforce_creates: Creates,
}

/// Fields that move as one value.
#[derive(Debug)]
pub struct Rule {
    /// The rule's name in the mapping file.
    pub name: &'static str,
    pub hubspot: &'static [&'static str],
    pub salesforce: &'static [&'static str],
    pub form: Form,
    /// What Salesforce holds where HubSpot is blank.
    pub default: Option<&'static str>,
    pub travels: Travels,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Travels {
    Both,
    ToSalesforce,
}

/// How a rule's raw values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Email,
    Phone,
    /// A web address or a domain: the host without `www.`.
    Site,
    Number,
    Day,
    /// HubSpot's value and Salesforce's, the one written back first.
    Pick(&'static [(&'static str, &'static str)]),
    /// Pipeline, stage, record type, stage name.
    Stage(&'static [[&'static str; 4]]),
    /// Amount and currency.
    Money,
    /// By the e-mail of somebody active on both sides.
    Owner,
    /// The company with this association type against the linked account.
    Company {
        primary: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creates {
    Always,
    Never,
    /// HubSpot contacts whose stage is one of these.
    WhenStage(&'static [&'static str]),
    /// HubSpot contacts whose stage is none of these.
    UnlessStage(&'static [&'static str]),
}

impl Shape {
    pub fn object(&self, side: Side) -> &'static str {
        match side {
            Side::HubSpot => self.hubspot,
            Side::Salesforce => self.salesforce,
        }
    }

    pub fn rule(&self, name: &str) -> Option<&'static Rule> {
        self.rules.iter().find(|rule| rule.name == name)
    }
}

pub fn of(mapping: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.mapping == mapping)
}

const fn rule(
    name: &'static str,
    hubspot: &'static [&'static str],
    salesforce: &'static [&'static str],
    form: Form,
) -> Rule {
    Rule {
        name,
        hubspot,
        salesforce,
        form,
        default: None,
        travels: Travels::Both,
    }
}

const LATE: &[&str] = &["opportunity", "customer"];

pub const SHAPES: [Shape; 4] = [
    Shape {
        mapping: "companies",
        hubspot: "companies",
        salesforce: "Account",
        rules: &[
            rule("name", &["name"], &["Name"], Form::Text),
            rule("phone", &["phone"], &["Phone"], Form::Phone),
            rule("city", &["city"], &["BillingCity"], Form::Text),
        ],
        hubspot_creates: Creates::Always,
        salesforce_creates: Creates::Always,
    },
    Shape {
        mapping: "contacts",
        hubspot: "contacts",
        salesforce: "Contact",
        rules: &[
            rule("email", &["email"], &["Email"], Form::Email),
            rule("jobtitle", &["jobtitle"], &["Title"], Form::Text),
            rule("phone", &["phone"], &["Phone"], Form::Phone),
            rule("city", &["city"], &["MailingCity"], Form::Text),
            rule(
                "hubspot_owner_id",
                &["hubspot_owner_id"],
                &["OwnerId"],
                Form::Owner,
            ),
            rule(
                "companies",
                &[],
                &["AccountId"],
                Form::Company { primary: 1 },
            ),
        ],
        hubspot_creates: Creates::WhenStage(LATE),
        salesforce_creates: Creates::Always,
    },
    Shape {
        mapping: "leads",
        hubspot: "contacts",
        salesforce: "Lead",
        rules: &[
            rule("email", &["email"], &["Email"], Form::Email),
            rule("jobtitle", &["jobtitle"], &["Title"], Form::Text),
            rule("phone", &["phone"], &["Phone"], Form::Phone),
            rule("city", &["city"], &["City"], Form::Text),
        ],
        hubspot_creates: Creates::UnlessStage(LATE),
        salesforce_creates: Creates::Always,
    },
    Shape {
        mapping: "deals",
        hubspot: "deals",
        salesforce: "Opportunity",
        rules: &[
            rule("dealname", &["dealname"], &["Name"], Form::Text),
            rule(
                "amount",
                &["amount", "deal_currency_code"],
                &["Amount", "CurrencyIsoCode"],
                Form::Money,
            ),
            rule("closedate", &["closedate"], &["CloseDate"], Form::Day),
            rule(
                "stage",
                &["pipeline", "dealstage"],
                &["RecordTypeId", "StageName"],
                Form::Stage(STAGES),
            ),
            rule(
                "companies",
                &[],
                &["AccountId"],
                Form::Company { primary: 5 },
            ),
        ],
        hubspot_creates: Creates::Always,
        salesforce_creates: Creates::Always,
    },
];

const STAGES: &[[&str; 4]] = &[
    [
        "default",
        "appointmentscheduled",
        "New_Business",
        "Prospecting",
    ],
    ["default", "qualifiedtobuy", "New_Business", "Qualification"],
    [
        "default",
        "presentationscheduled",
        "New_Business",
        "Needs Analysis",
    ],
    [
        "default",
        "contractsent",
        "New_Business",
        "Negotiation/Review",
    ],
    ["default", "closedwon", "New_Business", "Closed Won"],
    ["default", "closedlost", "New_Business", "Closed Lost"],
    ["8423117", "214587502", "Renewal", "Negotiation/Review"],
    ["8423117", "214587503", "Renewal", "Closed Won"],
    ["8423117", "214587504", "Renewal", "Closed Lost"],
];
