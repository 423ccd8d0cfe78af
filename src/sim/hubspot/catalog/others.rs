//! The properties of tickets and of the portal's one custom object.

use super::super::kind::ObjectKind;
use super::super::pipelines;
use super::super::property::{Catalog, Property};

const PRIORITIES: [(&str, &str); 3] = [("LOW", "Low"), ("MEDIUM", "Medium"), ("HIGH", "High")];

const STATES: [(&str, &str); 4] = [
    ("trial", "Trial"),
    ("active", "Active"),
    ("paused", "Paused"),
    ("ended", "Ended"),
];

const PLANS: [(&str, &str); 3] = [
    ("basic", "Basic"),
    ("team", "Team"),
    ("enterprise", "Enterprise"),
];

pub(super) fn fill_tickets(catalog: &mut Catalog) {
    let kind = ObjectKind::Ticket;
    let information = vec![
        Property::text("subject", "Ticket name"),
        Property::area("content", "Ticket description"),
        Property::choice(
            "hs_pipeline",
            "Pipeline",
            &pipelines::pipeline_options(kind),
        ),
        Property::choice(
            "hs_pipeline_stage",
            "Ticket status",
            &pipelines::stage_options(kind),
        ),
        Property::choice("hs_ticket_priority", "Priority", &PRIORITIES),
    ];
    catalog.add_group("ticketinformation", "Ticket information", information);
}

pub(super) fn fill_subscriptions(catalog: &mut Catalog) {
    let information = vec![
        Property::text("subscription_name", "Subscription name").custom(),
        Property::text("subscription_number", "Subscription number").unique(),
        Property::choice("plan", "Plan", &PLANS).custom(),
        Property::choice("state", "State", &STATES).custom(),
        Property::number("seats", "Seats").custom(),
        Property::number("monthly_fee", "Monthly fee").custom(),
        Property::date("started_on", "Started on").custom(),
        Property::datetime("next_invoice_at", "Next invoice at").custom(),
        Property::boolean("auto_renew", "Renews by itself").custom(),
    ];
    catalog.add_group(
        "subscriptions_information",
        "Subscription information",
        information,
    );
}
