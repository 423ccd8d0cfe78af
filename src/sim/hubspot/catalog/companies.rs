//! The properties of companies.

use super::super::property::{Catalog, Property};

const INDUSTRIES: [(&str, &str); 12] = [
    ("ACCOUNTING", "Accounting"),
    ("AUTOMOTIVE", "Automotive"),
    ("BANKING", "Banking"),
    ("BIOTECHNOLOGY", "Biotechnology"),
    ("COMPUTER_SOFTWARE", "Computer Software"),
    ("CONSTRUCTION", "Construction"),
    ("FOOD_BEVERAGES", "Food & Beverages"),
    ("HOSPITAL_HEALTH_CARE", "Hospital & Health Care"),
    ("INSURANCE", "Insurance"),
    ("LOGISTICS_AND_SUPPLY_CHAIN", "Logistics and Supply Chain"),
    ("MACHINERY", "Machinery"),
    ("RETAIL", "Retail"),
];

const TYPES: [(&str, &str); 5] = [
    ("PROSPECT", "Prospect"),
    ("PARTNER", "Partner"),
    ("RESELLER", "Reseller"),
    ("VENDOR", "Vendor"),
    ("OTHER", "Other"),
];

pub(super) fn fill(catalog: &mut Catalog) {
    let mut information = vec![
        Property::text("name", "Company name"),
        Property::domain("domain", "Company Domain Name"),
        Property::text("hs_additional_domains", "Additional Domains").read_only(),
        Property::text("website", "Website URL"),
        Property::phone("phone", "Phone Number"),
        Property::choice("industry", "Industry", &INDUSTRIES),
        Property::choice("type", "Type", &TYPES),
        Property::text("address", "Street Address"),
        Property::text("address2", "Street Address 2"),
        Property::text("city", "City"),
        Property::text("state", "State/Region"),
        Property::text("zip", "Postal Code"),
        Property::text("country", "Country/Region"),
        Property::number("numberofemployees", "Number of Employees"),
        Property::number("annualrevenue", "Annual Revenue"),
        Property::text("founded_year", "Year Founded"),
        Property::area("description", "Description"),
        Property::boolean("is_public", "Is Public"),
        Property::text("timezone", "Time Zone"),
    ];
    information.extend(super::lifecycle());
    catalog.add_group("companyinformation", "Company information", information);
    catalog.add_group(
        "salesforceinformation",
        "Salesforce information",
        vec![Property::text(
            "salesforceaccountid",
            "Salesforce Account ID",
        )],
    );
}
