//! Account, Opportunity, contact roles of both, and the one custom object.

use super::people::INDUSTRIES;
use super::{
    Default, Field, Kind, Object, address, field, link_key, number, picklist, reference, sized,
    text, with_system,
};

const STAGE_NAMES: &[&str] = &[
    "Prospecting",
    "Qualification",
    "Needs Analysis",
    "Value Proposition",
    "Id. Decision Makers",
    "Perception Analysis",
    "Renewal Due",
    "Proposal/Price Quote",
    "Negotiation/Review",
    "Closed Won",
    "Closed Lost",
];

pub(super) fn objects(bare: bool, multi_currency: bool) -> Vec<Object> {
    let finish = |mut own: Vec<Field>, key: bool| {
        if multi_currency {
            own.push(currency_code());
        }
        if key && !bare {
            own.push(link_key());
        }
        with_system(own)
    };
    vec![
        Object::new(
            ["Account", "Account", "Accounts", "001"],
            finish(account(), true),
        ),
        Object::new(
            ["Opportunity", "Opportunity", "Opportunities", "006"],
            finish(opportunity(), true),
        ),
        Object::new(
            [
                "OpportunityContactRole",
                "Opportunity Contact Role",
                "Opportunity Contact Roles",
                "00K",
            ],
            finish(
                contact_role("OpportunityId", "Opportunity", &["Opportunity"]),
                false,
            ),
        ),
        Object::new(
            [
                "AccountContactRole",
                "Account Contact Role",
                "Account Contact Roles",
                "02Z",
            ],
            finish(contact_role("AccountId", "Account", &["Account"]), false),
        ),
        Object::new(
            ["Subscription__c", "Subscription", "Subscriptions", "a00"],
            finish(subscription(), true),
        ),
    ]
}

pub(super) fn currency_code() -> Field {
    picklist("CurrencyIsoCode", &["EUR", "USD", "GBP", "CHF"])
        .restricted()
        .required()
        .or(Default::Currency)
}

fn account() -> Vec<Field> {
    let mut own = vec![
        text("Name", 255).required(),
        sized("Website", Kind::Url, 255),
        sized("Phone", Kind::Phone, 40),
        sized("Fax", Kind::Phone, 40),
        picklist("Industry", INDUSTRIES),
        picklist(
            "Type",
            &["Prospect", "Customer", "Partner", "Reseller", "Other"],
        ),
        picklist("Rating", &["Hot", "Warm", "Cold"]),
        text("AccountNumber", 40),
        number("NumberOfEmployees", Kind::Int, 8, 0),
        number("AnnualRevenue", Kind::Currency, 18, 0),
        sized("Description", Kind::LongText, 32_000),
        text("Domain__c", 255),
        reference("ParentId", &["Account"], "Parent"),
        reference("OwnerId", &["User"], "Owner").or(Default::User),
        reference("MasterRecordId", &["Account"], "MasterRecord").read_only(),
    ];
    own.extend(address([
        "BillingStreet",
        "BillingCity",
        "BillingState",
        "BillingPostalCode",
        "BillingCountry",
        "BillingAddress",
    ]));
    own
}

fn opportunity() -> Vec<Field> {
    vec![
        text("Name", 120).required(),
        picklist("StageName", STAGE_NAMES).restricted().required(),
        field("CloseDate", Kind::Date).required(),
        number("Amount", Kind::Currency, 18, 2),
        number("Probability", Kind::Percent, 3, 0),
        field("IsClosed", Kind::Boolean).read_only(),
        field("IsWon", Kind::Boolean).read_only(),
        picklist("Type", &["New Customer", "Existing Customer", "Renewal"]),
        picklist("LeadSource", &["Web", "Phone Inquiry", "Other"]),
        text("NextStep", 255),
        sized("Description", Kind::LongText, 32_000),
        reference("RecordTypeId", &["RecordType"], "RecordType").or(Default::RecordType),
        reference("AccountId", &["Account"], "Account").cascade(),
        reference("ContactId", &["Contact"], "Contact").create_only(),
        reference("OwnerId", &["User"], "Owner").or(Default::User),
    ]
}

/// A row that ties a contact to a deal or to an account.
fn contact_role(
    parent: &'static str,
    relationship: &'static str,
    targets: &'static [&'static str],
) -> Vec<Field> {
    vec![
        reference(parent, targets, relationship)
            .required()
            .create_only()
            .cascade(),
        reference("ContactId", &["Contact"], "Contact")
            .required()
            .create_only()
            .cascade(),
        picklist(
            "Role",
            &[
                "Business User",
                "Decision Maker",
                "Economic Buyer",
                "Economic Decision Maker",
                "Evaluator",
                "Executive Sponsor",
                "Influencer",
                "Technical Buyer",
                "Other",
            ],
        ),
        field("IsPrimary", Kind::Boolean),
    ]
}

fn subscription() -> Vec<Field> {
    vec![
        text("Name", 80).required(),
        picklist("Status__c", &["Trial", "Active", "Paused", "Cancelled"])
            .restricted()
            .or(Default::Text("Trial")),
        field("Start_Date__c", Kind::Date),
        field("Renewal_At__c", Kind::DateTime),
        number("Monthly_Fee__c", Kind::Currency, 18, 2),
        number("Seats__c", Kind::Double, 18, 0),
        number("Discount__c", Kind::Percent, 5, 2),
        field("Auto_Renew__c", Kind::Boolean),
        sized("Notes__c", Kind::LongText, 32_768),
        reference("Account__c", &["Account"], "Account__r"),
        reference("Contact__c", &["Contact"], "Contact__r"),
        reference("OwnerId", &["Group", "User"], "Owner").or(Default::User),
    ]
}
