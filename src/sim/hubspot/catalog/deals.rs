//! The properties of deals.

use super::super::kind::ObjectKind;
use super::super::pipelines;
use super::super::property::{Catalog, Derived, Property};

const TYPES: [(&str, &str); 2] = [
    ("newbusiness", "New Business"),
    ("existingbusiness", "Existing Business"),
];

/// The currencies of the account, the home currency first.
const CURRENCIES: [(&str, &str); 4] = [
    ("USD", "US Dollar"),
    ("EUR", "Euro"),
    ("GBP", "Pound Sterling"),
    ("JPY", "Japanese Yen"),
];

const PRIORITIES: [(&str, &str); 3] = [("low", "Low"), ("medium", "Medium"), ("high", "High")];

pub(super) fn fill(catalog: &mut Catalog) {
    let information = vec![
        Property::text("dealname", "Deal Name"),
        Property::number("amount", "Amount"),
        Property::choice("deal_currency_code", "Currency", &CURRENCIES),
        Property::datetime("closedate", "Close Date"),
        Property::choice(
            "pipeline",
            "Pipeline",
            &pipelines::pipeline_options(ObjectKind::Deal),
        ),
        Property::choice(
            "dealstage",
            "Deal Stage",
            &pipelines::stage_options(ObjectKind::Deal),
        ),
        Property::choice("dealtype", "Deal Type", &TYPES),
        Property::choice("hs_priority", "Priority", &PRIORITIES),
        Property::area("description", "Deal Description"),
        Property::area("closed_won_reason", "Closed Won Reason"),
        Property::area("closed_lost_reason", "Closed Lost Reason"),
        Property::text("hs_next_step", "Next step"),
        Property::boolean("hs_is_closed", "Is Deal Closed?").derived(Derived::DealClosed),
        Property::boolean("hs_is_closed_won", "Is Closed Won").derived(Derived::DealWon),
        Property::number("hs_deal_stage_probability", "Deal probability")
            .derived(Derived::DealProbability),
    ];
    catalog.add_group("dealinformation", "Deal information", information);
    catalog.add_group(
        "salesforceinformation",
        "Salesforce information",
        vec![Property::text("salesforceopportunityid", "Salesforce Opportunity ID").custom()],
    );
}
