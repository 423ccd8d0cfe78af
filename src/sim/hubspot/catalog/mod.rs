//! Which properties each object type of the portal has from the start.
//!
//! Names, types and options as a real portal shows them, plus a few invented custom properties.
//! Nothing is decided here.

mod companies;
mod contacts;
mod deals;
mod others;

use super::kind::ObjectKind;
use super::property::{Catalog, Derived, Property};

/// The forward order of lifecycle stages; an API write may only move to the right.
pub(super) const LIFECYCLE: [(&str, &str); 8] = [
    ("subscriber", "Subscriber"),
    ("lead", "Lead"),
    ("marketingqualifiedlead", "Marketing Qualified Lead"),
    ("salesqualifiedlead", "Sales Qualified Lead"),
    ("opportunity", "Opportunity"),
    ("customer", "Customer"),
    ("evangelist", "Evangelist"),
    ("other", "Other"),
];

/// The name of the unique key property that `bare` leaves out.
pub(super) const KEY_PROPERTY: &str = "tandem_link_id";

/// Everything `kind` starts with. `bare` leaves out the key property.
pub(super) fn of(kind: ObjectKind, bare: bool) -> Catalog {
    let mut catalog = Catalog::default();
    match kind {
        ObjectKind::Contact => contacts::fill(&mut catalog),
        ObjectKind::Company => companies::fill(&mut catalog),
        ObjectKind::Deal => deals::fill(&mut catalog),
        ObjectKind::Ticket => others::fill_tickets(&mut catalog),
        ObjectKind::Subscription => others::fill_subscriptions(&mut catalog),
    }
    let group = format!("{}_system", kind.singular());
    catalog.add_group(&group, "System", system(kind));
    if !bare && kind != ObjectKind::Ticket {
        let key = Property::text(KEY_PROPERTY, "Tandem link id").unique();
        catalog.add_group("tandem", "Tandem", vec![key]);
    }
    catalog
}

fn system(kind: ObjectKind) -> Vec<Property> {
    vec![
        Property::number("hs_object_id", "Record ID").derived(Derived::ObjectId),
        Property::datetime(kind.created_property(), "Create Date").derived(Derived::Created),
        Property::datetime(kind.modified_property(), "Last Modified Date")
            .derived(Derived::Modified),
        Property::text("hs_merged_object_ids", "Merged record IDs").read_only(),
        Property::text("hs_object_source", "Record source").derived(Derived::SourceType),
        Property::text("hs_object_source_id", "Record source ID").derived(Derived::SourceId),
        Property::text("hs_object_source_label", "Record source label")
            .derived(Derived::SourceLabel),
        Property::owner("hubspot_owner_id", "Owner"),
        Property::datetime("hubspot_owner_assigneddate", "Owner assigned date").read_only(),
    ]
}

/// The dates HubSpot itself sets when a record reaches a stage.
fn lifecycle() -> Vec<Property> {
    let mut properties = vec![Property::choice(
        "lifecyclestage",
        "Lifecycle Stage",
        &LIFECYCLE,
    )];
    for (value, label) in LIFECYCLE {
        let name = format!("hs_lifecyclestage_{value}_date");
        let label = format!("Became a {label} date");
        properties.push(Property::datetime(&name, &label).read_only());
    }
    properties
}
