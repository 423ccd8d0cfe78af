//! The properties of contacts.

use super::super::property::{Catalog, Derived, Property};

const LEAD_STATUS: [(&str, &str); 8] = [
    ("NEW", "New"),
    ("OPEN", "Open"),
    ("IN_PROGRESS", "In Progress"),
    ("OPEN_DEAL", "Open Deal"),
    ("UNQUALIFIED", "Unqualified"),
    ("ATTEMPTED_TO_CONTACT", "Attempted to Contact"),
    ("CONNECTED", "Connected"),
    ("BAD_TIMING", "Bad Timing"),
];

const SOURCES: [(&str, &str); 9] = [
    ("ORGANIC_SEARCH", "Organic Search"),
    ("PAID_SEARCH", "Paid Search"),
    ("EMAIL_MARKETING", "Email Marketing"),
    ("SOCIAL_MEDIA", "Organic Social"),
    ("REFERRALS", "Referrals"),
    ("OTHER_CAMPAIGNS", "Other Campaigns"),
    ("DIRECT_TRAFFIC", "Direct Traffic"),
    ("OFFLINE", "Offline Sources"),
    ("PAID_SOCIAL", "Paid Social"),
];

const INTERESTS: [(&str, &str); 5] = [
    ("analytics", "Analytics"),
    ("automation", "Automation"),
    ("integrations", "Integrations"),
    ("reporting", "Reporting"),
    ("training", "Training"),
];

const LANGUAGES: [(&str, &str); 4] = [
    ("de", "German"),
    ("en", "English"),
    ("fr", "French"),
    ("ja", "Japanese"),
];

pub(super) fn fill(catalog: &mut Catalog) {
    catalog.add_group("contactinformation", "Contact information", information());
    catalog.add_group(
        "analyticsinformation",
        "Web analytics history",
        vec![Property::choice(
            "hs_analytics_source",
            "Original Traffic Source",
            &SOURCES,
        )],
    );
    catalog.add_group(
        "emailinformation",
        "Email information",
        vec![
            Property::boolean("hs_email_optout", "Unsubscribed from all email").read_only(),
            Property::boolean("accepts_calls", "Accepts calls").custom(),
        ],
    );
    catalog.add_group(
        "salesforceinformation",
        "Salesforce information",
        vec![
            Property::text("salesforcecontactid", "Salesforce Contact ID"),
            Property::text("salesforceleadid", "Salesforce Lead ID"),
            Property::text("salesforceaccountid", "Salesforce Account ID"),
        ],
    );
    catalog.add_group(
        "custom",
        "Custom properties",
        vec![
            Property::multi("interests", "Interests", &INTERESTS).custom(),
            Property::date("renewal_date", "Renewal date").custom(),
            Property::number("loyalty_points", "Loyalty points").custom(),
        ],
    );
}

fn information() -> Vec<Property> {
    let mut information = vec![
        Property::email("email", "Email"),
        Property::text("hs_additional_emails", "Additional email addresses"),
        Property::text("hs_email_domain", "Email Domain").derived(Derived::EmailDomain),
        Property::text("hs_full_name_or_email", "Full name or email").derived(Derived::FullName),
        Property::text("salutation", "Salutation"),
        Property::text("firstname", "First Name"),
        Property::text("lastname", "Last Name"),
        Property::phone("phone", "Phone Number"),
        Property::phone("mobilephone", "Mobile Phone Number"),
        Property::phone("fax", "Fax Number"),
        Property::text("jobtitle", "Job Title"),
        Property::text("company", "Company Name"),
        Property::text("website", "Website URL"),
        Property::text("address", "Street Address"),
        Property::text("city", "City"),
        Property::text("state", "State/Region"),
        Property::text("zip", "Postal Code"),
        Property::text("country", "Country/Region"),
        Property::text("industry", "Industry"),
        Property::number("annualrevenue", "Annual Revenue"),
        Property::number("numemployees", "Number of Employees"),
        Property::date("date_of_birth", "Date of birth"),
        Property::area("message", "Message"),
        Property::choice("hs_language", "Preferred language", &LANGUAGES),
        Property::choice("hs_lead_status", "Lead Status", &LEAD_STATUS),
        Property::number("associatedcompanyid", "Primary Associated Company ID")
            .derived(Derived::PrimaryCompany),
    ];
    information.extend(super::lifecycle());
    information
}
