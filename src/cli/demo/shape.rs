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
    /// A value without counterpart stays where it is, and the other side keeps what it has.
    pub drops: bool,
    /// The demo's users change it.
    pub typed: bool,
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
    /// Five fields that move as a whole.
    Address,
    /// HubSpot's value and Salesforce's. Several of HubSpot's may share one of Salesforce's.
    Pick(&'static [(&'static str, &'static str)]),
    /// Pipeline, stage, record type, stage name. Several stage names may share one stage.
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
        drops: false,
        typed: true,
    }
}

impl Rule {
    const fn default(mut self, text: &'static str) -> Self {
        self.default = Some(text);
        self
    }

    const fn drops(mut self) -> Self {
        self.drops = true;
        self
    }

    const fn left_alone(mut self) -> Self {
        self.typed = false;
        self
    }
}

/// Stages of people who buy: they become Salesforce contacts, everybody else a lead.
const BUYERS: &[&str] = &["opportunity", "customer", "evangelist"];

const HUBSPOT_ADDRESS: &[&str] = &["address", "city", "state", "zip", "country"];
const OWNER: Rule = rule(
    "hubspot_owner_id",
    &["hubspot_owner_id"],
    &["OwnerId"],
    Form::Owner,
);

pub const SHAPES: [Shape; 4] = [
    Shape {
        mapping: "companies",
        hubspot: "companies",
        salesforce: "Account",
        rules: &[
            rule("name", &["name"], &["Name"], Form::Text),
            rule("domain", &["domain"], &["Website"], Form::Site).left_alone(),
            rule("phone", &["phone"], &["Phone"], Form::Phone),
            rule(
                "address",
                HUBSPOT_ADDRESS,
                &[
                    "BillingStreet",
                    "BillingCity",
                    "BillingState",
                    "BillingPostalCode",
                    "BillingCountry",
                ],
                Form::Address,
            ),
            rule(
                "numberofemployees",
                &["numberofemployees"],
                &["NumberOfEmployees"],
                Form::Number,
            ),
            rule(
                "annualrevenue",
                &["annualrevenue"],
                &["AnnualRevenue"],
                Form::Number,
            ),
            rule(
                "description",
                &["description"],
                &["Description"],
                Form::Text,
            ),
            rule(
                "industry",
                &["industry"],
                &["Industry"],
                Form::Pick(INDUSTRIES),
            )
            .drops(),
            OWNER,
        ],
        hubspot_creates: Creates::Always,
        salesforce_creates: Creates::Always,
    },
    Shape {
        mapping: "contacts",
        hubspot: "contacts",
        salesforce: "Contact",
        rules: &[
            rule("email", &["email"], &["Email"], Form::Email).left_alone(),
            rule("firstname", &["firstname"], &["FirstName"], Form::Text),
            rule("lastname", &["lastname"], &["LastName"], Form::Text).default("(unknown)"),
            rule("jobtitle", &["jobtitle"], &["Title"], Form::Text),
            rule("phone", &["phone"], &["Phone"], Form::Phone),
            rule(
                "mobilephone",
                &["mobilephone"],
                &["MobilePhone"],
                Form::Phone,
            ),
            rule(
                "address",
                HUBSPOT_ADDRESS,
                &[
                    "MailingStreet",
                    "MailingCity",
                    "MailingState",
                    "MailingPostalCode",
                    "MailingCountry",
                ],
                Form::Address,
            ),
            LIFECYCLE,
            OWNER,
            rule(
                PARENT,
                &[PARENT],
                &["AccountId"],
                Form::Company { primary: 1 },
            ),
        ],
        hubspot_creates: Creates::WhenStage(BUYERS),
        salesforce_creates: Creates::Always,
    },
    Shape {
        mapping: "leads",
        hubspot: "contacts",
        salesforce: "Lead",
        rules: &[
            rule("email", &["email"], &["Email"], Form::Email).left_alone(),
            rule("firstname", &["firstname"], &["FirstName"], Form::Text),
            rule("lastname", &["lastname"], &["LastName"], Form::Text).default("(unknown)"),
            rule("company", &["company"], &["Company"], Form::Text).default("(unknown)"),
            rule("jobtitle", &["jobtitle"], &["Title"], Form::Text),
            rule("website", &["website"], &["Website"], Form::Text).left_alone(),
            rule("phone", &["phone"], &["Phone"], Form::Phone),
            rule(
                "mobilephone",
                &["mobilephone"],
                &["MobilePhone"],
                Form::Phone,
            ),
            rule(
                "address",
                HUBSPOT_ADDRESS,
                &["Street", "City", "State", "PostalCode", "Country"],
                Form::Address,
            ),
            rule(
                "hs_lead_status",
                &["hs_lead_status"],
                &["Status"],
                Form::Pick(STATUSES),
            ),
            LIFECYCLE,
            OWNER,
        ],
        hubspot_creates: Creates::UnlessStage(BUYERS),
        salesforce_creates: Creates::Always,
    },
    Shape {
        mapping: "deals",
        hubspot: "deals",
        salesforce: "Opportunity",
        rules: &[
            rule("dealname", &["dealname"], &["Name"], Form::Text),
            rule(
                "description",
                &["description"],
                &["Description"],
                Form::Text,
            ),
            rule("hs_next_step", &["hs_next_step"], &["NextStep"], Form::Text),
            rule("closedate", &["closedate"], &["CloseDate"], Form::Day),
            rule(
                "stage",
                &["pipeline", "dealstage"],
                &["RecordTypeId", "StageName"],
                Form::Stage(STAGES),
            ),
            rule(
                "amount",
                &["amount", "deal_currency_code"],
                &["Amount", "CurrencyIsoCode"],
                Form::Money,
            ),
            rule("dealtype", &["dealtype"], &["Type"], Form::Pick(DEAL_TYPES)).drops(),
            OWNER,
            rule(
                PARENT,
                &[PARENT],
                &["AccountId"],
                Form::Company { primary: 5 },
            ),
        ],
        hubspot_creates: Creates::Always,
        salesforce_creates: Creates::Always,
    },
];

const PARENT: &str = "companies/primary";

/// Nobody falls back to an earlier stage, so an edit may rightly be without effect.
const LIFECYCLE: Rule = rule(
    "lifecyclestage",
    &["lifecyclestage"],
    &["HubSpot_Lifecycle__c"],
    Form::Text,
)
.left_alone();

const INDUSTRIES: &[(&str, &str)] = &[
    ("ACCOUNTING", "Finance"),
    ("BANKING", "Banking"),
    ("BIOTECHNOLOGY", "Biotechnology"),
    ("COMPUTER_SOFTWARE", "Technology"),
    ("CONSTRUCTION", "Construction"),
    ("HOSPITAL_HEALTH_CARE", "Healthcare"),
    ("INSURANCE", "Insurance"),
    ("LOGISTICS_AND_SUPPLY_CHAIN", "Transportation"),
    ("MACHINERY", "Manufacturing"),
    ("AUTOMOTIVE", "Manufacturing"),
    ("RETAIL", "Retail"),
];

const STATUSES: &[(&str, &str)] = &[
    ("NEW", "Open - Not Contacted"),
    ("OPEN", "Open - Not Contacted"),
    ("IN_PROGRESS", "Working - Contacted"),
    ("ATTEMPTED_TO_CONTACT", "Working - Contacted"),
    ("CONNECTED", "Working - Contacted"),
    ("UNQUALIFIED", "Closed - Not Converted"),
    ("BAD_TIMING", "Closed - Not Converted"),
];

const DEAL_TYPES: &[(&str, &str)] = &[
    ("newbusiness", "New Customer"),
    ("existingbusiness", "Existing Customer"),
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
        "presentationscheduled",
        "New_Business",
        "Value Proposition",
    ],
    [
        "default",
        "presentationscheduled",
        "New_Business",
        "Id. Decision Makers",
    ],
    [
        "default",
        "decisionmakerboughtin",
        "New_Business",
        "Proposal/Price Quote",
    ],
    [
        "default",
        "decisionmakerboughtin",
        "New_Business",
        "Perception Analysis",
    ],
    [
        "default",
        "contractsent",
        "New_Business",
        "Negotiation/Review",
    ],
    ["default", "closedwon", "New_Business", "Closed Won"],
    ["default", "closedlost", "New_Business", "Closed Lost"],
    ["8423117", "214587501", "Renewal", "Renewal Due"],
    ["8423117", "214587501", "Renewal", "Proposal/Price Quote"],
    ["8423117", "214587502", "Renewal", "Negotiation/Review"],
    ["8423117", "214587503", "Renewal", "Closed Won"],
    ["8423117", "214587504", "Renewal", "Closed Lost"],
];
