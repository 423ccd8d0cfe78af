//! Associations through an object of their own: what the file may say, and what the CRMs answer.

use std::collections::BTreeMap;

use tandem::mapping::{Fault, Mapping, SourceFile, bind, load};
use tandem::model::{Conflict, FieldKind, Schemas, Side};

use crate::schemas::{schemas, shown};

const DEALS: &str = "
mapping: deals
hubspot: deals
salesforce: Opportunity
conflict: ask
match: [{ dealname: Name }]
create: never
rules: { dealname: Name }
";

const ROLES: &str = "{ hubspot: deals, label: Decision maker, salesforce: OpportunityContactRole, \
                     role: Decision Maker, mapping: deals }";

/// A mapping of contacts with this association, beside one of deals.
fn read(association: &str) -> Result<Mapping, Vec<Fault>> {
    let contacts = format!(
        "mapping: contacts
hubspot: contacts
salesforce: Contact
conflict: salesforce
match: [{{ email: Email }}]
create: never
rules: {{ email: Email }}
associations:
  - {association}
"
    );
    let files = [("contacts.yaml", contacts.as_str()), ("deals.yaml", DEALS)];
    let files = files.map(|(path, text)| SourceFile {
        path: path.into(),
        text: text.into(),
    });
    Ok(load(&files, &BTreeMap::new())?.mappings[0].clone())
}

/// The report on one association, against these schemas if the file itself is sound.
fn report(association: &str, schemas: &Schemas) -> String {
    let faults = match read(association) {
        Err(faults) => faults,
        Ok(mapping) => match bind(&mapping, schemas) {
            Err(faults) => faults,
            Ok(bound) => bound.warnings().to_vec(),
        },
    };
    shown(&faults)
}

#[test]
fn a_set_of_roles_merges_whoever_wins_in_the_rest_of_the_mapping() {
    let mapping = read(ROLES).unwrap();
    let rule = mapping.associations().next().unwrap();
    assert_eq!(rule.policy.conflict, Conflict::Union);
    let bound = bind(&mapping, &schemas()).unwrap();
    let ties = bound.ties();
    assert_eq!(ties.associations.len(), 1);
    let read = &ties.roles[0];
    assert_eq!((read.own, read.far), ("ContactId", "OpportunityId"));
    assert_eq!(read.field(), "OpportunityContactRole/Decision Maker");
    for side in Side::BOTH {
        let fields = bound.read_fields(side);
        assert!(fields.iter().all(|name| !name.contains('/')), "{fields:?}");
    }
}

#[test]
fn one_way_roles_follow_their_source() {
    let one_way = ROLES.replace("mapping:", "direction: to-salesforce, mapping:");
    let mapping = read(&one_way).unwrap();
    let rule = mapping.associations().next().unwrap();
    assert_eq!(rule.policy.conflict, Conflict::Wins(Side::HubSpot));
}

#[test]
fn what_cannot_be_tied_is_said_in_its_place() {
    for (change, message) in [
        (
            ("OpportunityContactRole", "OpportunityContactRoles"),
            "did you mean `OpportunityContactRole`",
        ),
        (("role: Decision Maker, ", ""), "say which with `role:`"),
        (
            ("OpportunityContactRole", "AccountContactRole"),
            "`AccountContactRole` ties Account and Contact",
        ),
        (
            ("mapping: deals", "mapping: deals, conflict: hubspot"),
            "leave `conflict` out",
        ),
        (
            (
                "salesforce: OpportunityContactRole, role: Decision Maker",
                "salesforce: AccountId, conflict: union",
            ),
            "`union` is for sets",
        ),
    ] {
        let text = ROLES.replace(change.0, change.1);
        assert_ne!(text, ROLES);
        let report = report(&text, &schemas());
        assert!(report.contains(message), "{text}:\n{report}");
        assert!(report.contains("contacts.yaml:9:"), "{report}");
        assert_eq!(report.matches(": error:").count(), 1, "{report}");
    }
}

#[test]
fn both_crms_are_asked_for_the_label_the_object_and_the_role() {
    let mut hidden = schemas();
    hidden.objects.salesforce.remove("OpportunityContactRole");
    let mut locked = schemas();
    let object = locked.objects.salesforce.get_mut("OpportunityContactRole");
    let field = object.unwrap().fields.get_mut("Role").unwrap();
    field.createable = false;
    let mut retired = schemas();
    let object = retired.objects.salesforce.get_mut("OpportunityContactRole");
    let field = object.unwrap().fields.get_mut("Role").unwrap();
    if let FieldKind::Picklist { options, .. } = &mut field.kind {
        options[0].active = false;
    }
    for (text, schemas, message) in [
        (
            ROLES.replace("role: Decision Maker", "role: Decision Makr"),
            schemas(),
            "did you mean `Decision Maker`",
        ),
        (
            ROLES.replace("label: Decision maker", "label: Decision makr"),
            schemas(),
            "did you mean `Decision maker`",
        ),
        (
            ROLES.to_owned(),
            hidden,
            "Salesforce has no object `OpportunityContactRole`",
        ),
        (
            ROLES.to_owned(),
            locked,
            "may not write Salesforce `OpportunityContactRole.Role`",
        ),
        (ROLES.to_owned(), retired, "has no value `Decision Maker`"),
    ] {
        let report = report(&text, &schemas);
        assert!(report.contains(message), "{text}:\n{report}");
        assert_eq!(report.matches(": error:").count(), 1, "{report}");
    }
    assert_eq!(report(ROLES, &schemas()), "");
}
