//! Proposals for schemas that are awkward on purpose.

use super::*;
use crate::model::{Barred, FieldKind, FieldSchema, ObjectSchema, PickOption};

fn field(name: &str, kind: FieldKind) -> FieldSchema {
    FieldSchema {
        name: name.to_owned(),
        label: name.to_owned(),
        kind,
        createable: true,
        updateable: true,
        required: false,
        unique: false,
        external_id: false,
        calculated: false,
    }
}

fn text(name: &str) -> FieldSchema {
    field(name, FieldKind::Text { length: Some(80) })
}

fn list(name: &str, options: &[(&str, &str)]) -> FieldSchema {
    let option = |(value, label): &(&str, &str)| PickOption {
        value: (*value).to_owned(),
        label: (*label).to_owned(),
        active: true,
    };
    let options = options.iter().map(option).collect();
    let kind = FieldKind::Picklist {
        options,
        restricted: true,
    };
    field(name, kind)
}

fn computed(mut field: FieldSchema) -> FieldSchema {
    field.calculated = true;
    field.createable = false;
    field.updateable = false;
    field
}

fn object(name: &str, fields: Vec<FieldSchema>) -> ObjectSchema {
    ObjectSchema {
        name: name.to_owned(),
        fields: fields
            .into_iter()
            .map(|field| (field.name.clone(), field))
            .collect(),
        ..ObjectSchema::default()
    }
}

fn pair() -> Pair {
    Pair {
        name: "things".to_owned(),
        objects: BySide::new("p_thing".to_owned(), "Thing__c".to_owned()),
    }
}

fn proposed_for(hubspot: ObjectSchema, salesforce: ObjectSchema) -> Proposal {
    let mut schemas = Schemas::default();
    schemas
        .objects
        .hubspot
        .insert("p_thing".to_owned(), hubspot);
    schemas
        .objects
        .salesforce
        .insert("Thing__c".to_owned(), salesforce);
    let mut proposals = propose(&[pair()], &schemas).expect("it is accepted");
    proposals.remove(0)
}

fn proposed(hubspot: Vec<FieldSchema>, salesforce: Vec<FieldSchema>) -> Proposal {
    proposed_for(object("2-1", hubspot), object("Thing__c", salesforce))
}

fn left_out<'p>(proposal: &'p Proposal, side: Side, name: &str) -> &'p str {
    let of = |left: &&LeftOut| left.fields.get(side).iter().any(|field| field == name);
    let found = proposal.left_out.iter().find(of);
    found.map_or("", |left| &left.why)
}

#[test]
fn a_field_that_one_side_computes_goes_one_way_and_one_that_both_compute_nowhere() {
    let both = computed(text("total"));
    let proposal = proposed(
        vec![text("title"), computed(text("score")), both.clone()],
        vec![
            text("Title__c"),
            text("Score__c"),
            computed(text("Total__c")),
        ],
    );
    assert!(
        proposal.text.contains("  title: Title__c"),
        "{}",
        proposal.text
    );
    let score = "  score: { to: Score__c, direction: to-salesforce }";
    assert!(proposal.text.contains(score), "{}", proposal.text);
    assert_eq!(
        left_out(&proposal, Side::HubSpot, "total"),
        "neither side may be written"
    );
}

#[test]
fn options_that_mean_the_same_make_a_table_and_strangers_are_named() {
    let proposal = proposed(
        vec![list(
            "state",
            &[("A1", "Active"), ("yes", "Paused"), ("x", "Odd")],
        )],
        vec![list(
            "State__c",
            &[("active", "Active"), ("Paused", "Paused"), ("New", "New")],
        )],
    );
    for line in [
        "      A1: active",
        "      \"yes\": Paused",
        "HubSpot x; Salesforce New",
    ] {
        assert!(proposal.text.contains(line), "{line} in {}", proposal.text);
    }
    let proposal = proposed(
        vec![text("title"), list("state", &[("a", "A")])],
        vec![text("Title__c"), list("State__c", &[("b", "B")])],
    );
    let why = left_out(&proposal, Side::HubSpot, "state");
    assert_eq!(why, "the two lists have no value in common");
}

#[test]
fn what_the_schemas_refuse_is_taken_out_and_listed_with_the_refusal() {
    let proposal = proposed(
        vec![text("title"), field("due", FieldKind::Bool)],
        vec![text("Title__c"), field("Due__c", FieldKind::Date)],
    );
    assert_eq!(proposal.rules.len(), 1, "{}", proposal.text);
    let why = left_out(&proposal, Side::HubSpot, "due");
    assert!(why.contains("do not fit"), "{why}");
}

#[test]
fn two_fields_of_one_label_are_left_to_a_person() {
    let labelled = |name: &str| FieldSchema {
        label: "Region".to_owned(),
        ..text(name)
    };
    let proposal = proposed(
        vec![text("title"), labelled("sales_area")],
        vec![text("Title__c"), labelled("One__c"), labelled("Two__c")],
    );
    let why = left_out(&proposal, Side::HubSpot, "sales_area");
    assert!(why.contains("no field of the same name"), "{why}");
}

#[test]
fn a_required_field_of_salesforce_never_takes_a_blank() {
    let needed = |field: FieldSchema| FieldSchema {
        required: true,
        ..field
    };
    let proposal = proposed(
        vec![text("title"), field("due", FieldKind::Date)],
        vec![
            needed(text("Title__c")),
            needed(field("Due__c", FieldKind::Date)),
        ],
    );
    let title = "title: { to: Title__c, default: \"(unknown)\" }";
    assert!(proposal.text.contains(title), "{}", proposal.text);
    assert!(
        proposal.text.contains("due: { to: Due__c, blank: keep }"),
        "{}",
        proposal.text
    );
}

#[test]
fn a_side_that_may_not_be_changed_is_only_read() {
    let mut salesforce = object("Thing__c", vec![text("Title__c")]);
    salesforce.barred = Barred {
        creates: None,
        updates: Some("the user may not edit it".to_owned()),
    };
    let proposal = proposed_for(object("2-1", vec![text("title")]), salesforce);
    assert!(
        proposal.text.contains("direction: to-hubspot"),
        "{}",
        proposal.text
    );
    assert!(
        !proposal.text.contains("\nconflict:"),
        "nothing can meet: {}",
        proposal.text
    );
}

#[test]
fn names_that_are_meant_to_break_the_file_do_not() {
    let evil = "x # }\nrules: { email: Email }\u{1b}[2J";
    let proposal = proposed(
        vec![
            text("title"),
            list("state", &[(evil, "Same"), ("${vars.token}", "Other")]),
        ],
        vec![
            text("Title__c"),
            list("State__c", &[("Same", "Same"), (evil, "Other")]),
        ],
    );
    assert!(!proposal.text.contains("\nrules: {"), "{}", proposal.text);
    assert!(!proposal.text.contains('\u{1b}'), "{:?}", proposal.text);
}
