//! Contact and Lead.

use super::{
    Default, Field, Kind, Object, address, field, link_key, number, picklist, reference, sized,
    text, with_system,
};

const SALUTATIONS: &[&str] = &["Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."];
const SOURCES: &[&str] = &[
    "Web",
    "Phone Inquiry",
    "Partner Referral",
    "Purchased List",
    "Other",
];
pub(super) const INDUSTRIES: &[&str] = &[
    "Agriculture",
    "Banking",
    "Biotechnology",
    "Construction",
    "Consulting",
    "Education",
    "Energy",
    "Finance",
    "Healthcare",
    "Insurance",
    "Manufacturing",
    "Media",
    "Retail",
    "Technology",
    "Telecommunications",
    "Transportation",
    "Utilities",
    "Other",
];
const STAGES: &[&str] = &[
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
];
const LEAD_STATUS: &[&str] = &[
    "New",
    "Open",
    "In Progress",
    "Open Deal",
    "Unqualified",
    "Attempted to Contact",
    "Connected",
    "Bad Timing",
];
const INTERESTS: &[&str] = &[
    "Newsletter",
    "Product",
    "Events",
    "Webinars",
    "Research",
    "Partners",
];

pub(super) fn objects(bare: bool, multi_currency: bool) -> Vec<Object> {
    let contact = finish(contact(), bare, multi_currency);
    let lead = finish(lead(), bare, multi_currency);
    vec![
        Object::new(["Contact", "Contact", "Contacts", "003"], contact),
        Object::new(["Lead", "Lead", "Leads", "00Q"], lead),
    ]
}

fn finish(mut own: Vec<Field>, bare: bool, multi_currency: bool) -> Vec<Field> {
    own.extend(synced());
    if multi_currency {
        own.push(super::business::currency_code());
    }
    if !bare {
        own.push(link_key());
    }
    with_system(own)
}

/// Custom fields both kinds of person carry for the exchange with the other CRM.
fn synced() -> Vec<Field> {
    vec![
        picklist("Stage__c", STAGES).restricted(),
        picklist("HubSpot_Lifecycle__c", STAGES).restricted(),
        picklist("Lead_Status__c", LEAD_STATUS).restricted(),
        Field {
            values: INTERESTS,
            length: 4_099,
            ..field("Interests__c", Kind::MultiPicklist)
        }
        .restricted(),
        number("Score__c", Kind::Double, 10, 2),
        field("Last_Touch__c", Kind::DateTime),
    ]
}

fn person() -> Vec<Field> {
    vec![
        text("LastName", 80).required(),
        text("FirstName", 40),
        picklist("Salutation", SALUTATIONS),
        sized("Name", Kind::PersonName, 121).read_only(),
        sized("Email", Kind::Email, 80).lookup(),
        sized("Phone", Kind::Phone, 40),
        sized("MobilePhone", Kind::Phone, 40),
        sized("Fax", Kind::Phone, 40),
        text("Title", 128),
        picklist("LeadSource", SOURCES),
        sized("Description", Kind::LongText, 32_000),
        field("HasOptedOutOfEmail", Kind::Boolean),
        field("DoNotCall", Kind::Boolean),
    ]
}

fn contact() -> Vec<Field> {
    let mut own = person();
    own.extend(address([
        "MailingStreet",
        "MailingCity",
        "MailingState",
        "MailingPostalCode",
        "MailingCountry",
        "MailingAddress",
    ]));
    own.extend([
        text("Department", 80),
        field("Birthdate", Kind::Date),
        reference("AccountId", &["Account"], "Account").cascade(),
        reference("ReportsToId", &["Contact"], "ReportsTo"),
        reference("OwnerId", &["User"], "Owner").or(Default::User),
        reference("MasterRecordId", &["Contact"], "MasterRecord").read_only(),
    ]);
    own
}

fn lead() -> Vec<Field> {
    let mut own = person();
    own.extend(address([
        "Street",
        "City",
        "State",
        "PostalCode",
        "Country",
        "Address",
    ]));
    own.extend([
        text("Company", 255).required(),
        picklist(
            "Status",
            &[
                "Open - Not Contacted",
                "Working - Contacted",
                "Closed - Converted",
                "Closed - Not Converted",
            ],
        )
        .required()
        .or(Default::Text("Open - Not Contacted")),
        picklist("Rating", &["Hot", "Warm", "Cold"]),
        picklist("Industry", INDUSTRIES),
        sized("Website", Kind::Url, 255),
        number("NumberOfEmployees", Kind::Int, 8, 0),
        number("AnnualRevenue", Kind::Currency, 18, 0),
        reference("OwnerId", &["Group", "User"], "Owner").or(Default::User),
        field("IsConverted", Kind::Boolean).read_only(),
        field("ConvertedDate", Kind::Date).read_only(),
        reference("ConvertedAccountId", &["Account"], "ConvertedAccount").read_only(),
        reference("ConvertedContactId", &["Contact"], "ConvertedContact").read_only(),
        reference(
            "ConvertedOpportunityId",
            &["Opportunity"],
            "ConvertedOpportunity",
        )
        .read_only(),
        reference("MasterRecordId", &["Lead"], "MasterRecord").read_only(),
    ]);
    own
}
