//! Plants each kind of fault in the simulators by hand and expects the verification to name it.

use serde_json::json;

use super::canon::Meaning;
use super::edits::{Editor, Target};
use super::findings::Findings;
use super::ledger::{Edit, EditKind, Ledger, Partners, View};
use super::outcome::{ConflictSeen, LinkSeen, Open};
use super::shape;
use super::verify::{Claims, verify};
use crate::clock::Clock;
use crate::model::{Side, Timestamp};
use crate::sim::SimClock;
use crate::sim::hubspot::{HubSpotOptions, HubSpotSim};
use crate::sim::salesforce::{SalesforceOptions, SalesforceSim};
use crate::sim::seed::{Expected, Heroine, OWNERS, Seeded, Trouble, seed};

/// Two CRMs with one person who is linked and the same on both sides.
struct World {
    clock: Clock,
    hubspot: HubSpotSim,
    salesforce: SalesforceSim,
    links: Vec<LinkSeen>,
    holds: Vec<Open>,
    letters: Vec<Open>,
    conflicts: Vec<ConflictSeen>,
    seeded: Seeded,
    ledger: Ledger,
}

const TITLE: &str = "Head of Operations";

impl World {
    fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_790_000_000_000));
        let time = SimClock::new(clock.clone());
        let hubspot = HubSpotSim::new(time.clone(), HubSpotOptions::default());
        let salesforce = SalesforceSim::new(time, SalesforceOptions::default());
        let contact = [
            ("email", "ada@example.com"),
            ("lastname", "Lindqvist"),
            ("jobtitle", TITLE),
            ("lifecyclestage", "customer"),
            ("hubspot_owner_id", OWNERS[0].0),
        ];
        let ours = hubspot.create("contacts", &contact).unwrap();
        let contact = [
            ("Email", json!("Ada@Example.com")),
            ("LastName", json!("Lindqvist")),
            ("Title", json!(TITLE)),
            ("HubSpot_Lifecycle__c", json!("customer")),
        ];
        let theirs = salesforce.create("Contact", &contact).unwrap();
        Self {
            clock,
            hubspot,
            salesforce,
            links: vec![("contacts".to_owned(), ours, theirs)],
            holds: Vec::new(),
            letters: Vec::new(),
            conflicts: Vec::new(),
            seeded: Seeded::default(),
            ledger: Ledger::default(),
        }
    }

    fn ada(&self) -> (&str, &str) {
        (&self.links[0].1, &self.links[0].2)
    }

    fn verify(&self) -> Findings {
        let meaning = Meaning::read(&self.salesforce, &self.links);
        let claims = Claims {
            links: &self.links,
            holds: &self.holds,
            dead_letters: &self.letters,
            conflicts: &self.conflicts,
            seeded: &self.seeded,
            ledger: &self.ledger,
            struck: &std::collections::BTreeSet::new(),
        };
        verify(self.view(&meaning), claims)
    }

    fn view<'v>(&'v self, meaning: &'v Meaning) -> View<'v> {
        View {
            hubspot: &self.hubspot,
            salesforce: &self.salesforce,
            meaning,
        }
    }

    /// Both people type into Ada's title; nobody has synced yet.
    fn conflict(&mut self) {
        let meaning = Meaning::read(&self.salesforce, &self.links);
        let partners = Partners::new(&self.links);
        let (hubspot, salesforce) = self.ada();
        let heroine = Heroine {
            hubspot: hubspot.to_owned(),
            salesforce: salesforce.to_owned(),
            ..Heroine::default()
        };
        let mut ledger = Ledger::default();
        let view = self.view(&meaning);
        let mut editor = Editor::new(view, &partners, self.clock.clone(), Vec::new(), 1);
        editor.follow_ada(&heroine, &mut ledger).unwrap();
        self.ledger = ledger;
    }

    fn hold(&mut self, rule: Option<&str>) {
        let (hubspot_id, salesforce_id) = self.ada();
        self.holds = vec![Open {
            mapping: "contacts".to_owned(),
            hubspot_id: hubspot_id.to_owned(),
            salesforce_id: salesforce_id.to_owned(),
            rule: rule.map(str::to_owned),
            why: "refused".to_owned(),
        }];
    }
}

#[test]
fn two_records_that_mean_the_same_are_clean() {
    let findings = World::new().verify();
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!(findings.pairs, 1);
}

#[test]
fn a_planted_mismatch_is_named_with_both_values() {
    let world = World::new();
    let (_, theirs) = world.ada();
    let title = [("Title", json!("Intern"))];
    world.salesforce.edit("Contact", theirs, &title).unwrap();
    let findings = world.verify();
    assert_eq!(findings.mismatches.len(), 1, "{findings:?}");
    let found = findings.mismatches[0].to_string();
    assert!(found.contains(TITLE) && found.contains("Intern"), "{found}");
}

#[test]
fn a_hold_excuses_its_own_rule_only() {
    let mut world = World::new();
    let (_, theirs) = world.ada();
    let title = [("Title", json!("Intern"))];
    world.salesforce.edit("Contact", theirs, &title).unwrap();
    world.hold(Some("phone"));
    assert_eq!(world.verify().mismatches.len(), 1);
    world.hold(Some("jobtitle"));
    let findings = world.verify();
    assert!(findings.mismatches.is_empty());
    assert_eq!((findings.excused, findings.unexpected.len()), (1, 1));
}

#[test]
fn who_waits_for_a_listed_parent_is_no_surprise_beside_it() {
    let mut world = World::new();
    world.hold(Some("companies/primary"));
    world.holds[0].why = "unresolved: HubSpot record 77 of mapping `companies`".to_owned();
    assert_eq!(world.verify().unexpected, world.holds);
    world.letters = vec![Open {
        mapping: "companies".to_owned(),
        hubspot_id: "77".to_owned(),
        why: "DUPLICATES_DETECTED: this one exists".to_owned(),
        ..Open::default()
    }];
    assert_eq!(world.verify().unexpected, world.letters);
}

#[test]
fn a_record_without_counterpart_is_a_mismatch() {
    let world = World::new();
    let deal = [("name", "Forgotten"), ("domain", "forgotten.example.org")];
    world.hubspot.create("companies", &deal).unwrap();
    let findings = world.verify();
    assert_eq!(findings.mismatches.len(), 1, "{findings:?}");
    assert_eq!(findings.mismatches[0].rule, "(record)");
}

#[test]
fn a_record_made_twice_for_one_source_is_caught() {
    let world = World::new();
    let (ours, theirs) = world.ada();
    let key = format!("hubspot:{}:{ours}", world.hubspot.portal_id());
    let twin = [
        ("LastName", json!("Lindqvist")),
        ("Tandem_Link_Id__c", json!(key)),
    ];
    let twin = world.salesforce.create("Contact", &twin).unwrap();
    let findings = world.verify();
    assert_eq!(findings.duplicates.len(), 1, "{findings:?}");
    let ids = &findings.duplicates[0].ids;
    assert!(
        ids.contains(&twin) && ids.iter().any(|id| id == theirs),
        "{ids:?}"
    );
}

#[test]
fn keys_of_another_account_are_no_duplicates() {
    let world = World::new();
    let (ours, _) = world.ada();
    let twin = [
        ("LastName", json!("Copy")),
        ("Tandem_Link_Id__c", json!(format!("hubspot:1:{ours}"))),
    ];
    world.salesforce.create("Contact", &twin).unwrap();
    assert!(world.verify().duplicates.is_empty());
}

#[test]
fn an_edit_written_over_without_a_trace_is_lost() {
    let mut world = World::new();
    world.conflict();
    let (ours, _) = world.ada();
    // Salesforce wins, and nobody kept what marketing typed.
    let title = [("jobtitle", super::edits::ADA_IN_SALESFORCE)];
    world.hubspot.edit("contacts", ours, &title).unwrap();
    let findings = world.verify();
    assert!(findings.mismatches.is_empty(), "{findings:?}");
    assert_eq!(findings.lost.len(), 1, "{findings:?}");
    assert!(findings.lost[0].edit.contains(super::edits::ADA_IN_HUBSPOT));
}

#[test]
fn an_edit_kept_as_the_loser_of_a_conflict_is_not_lost() {
    let mut world = World::new();
    world.conflict();
    let (ours, theirs) = world.ada();
    let title = [("jobtitle", super::edits::ADA_IN_SALESFORCE)];
    world.hubspot.edit("contacts", ours, &title).unwrap();
    let mut kept = ConflictSeen {
        mapping: "contacts".to_owned(),
        hubspot_id: ours.to_owned(),
        salesforce_id: theirs.to_owned(),
        rule: "jobtitle".to_owned(),
        base: TITLE.to_owned(),
        hubspot: super::edits::ADA_IN_HUBSPOT.to_owned(),
        salesforce: super::edits::ADA_IN_SALESFORCE.to_owned(),
        winner: Some(Side::Salesforce),
        loser: vec![(
            "jobtitle".to_owned(),
            super::edits::ADA_IN_HUBSPOT.to_owned(),
        )],
    };
    world.conflicts = vec![kept.clone()];
    assert!(world.verify().is_clean());
    // Keeping some other value does not count.
    kept.loser[0].1 = "Director".to_owned();
    world.conflicts = vec![kept];
    assert_eq!(world.verify().lost.len(), 1);
}

#[test]
fn who_types_back_what_was_agreed_has_edited_nothing() {
    let mut world = World::new();
    world.conflict();
    let ours = world.ada().0.to_owned();
    let mut back = world.ledger.edits[0].clone();
    let EditKind::Field {
        meaning, agreed, ..
    } = &mut back.kind
    else {
        panic!("marketing typed a title: {back:?}");
    };
    assert_eq!(agreed.as_deref(), Some(TITLE));
    TITLE.clone_into(meaning);
    world.ledger.enter(back);
    let title = [("jobtitle", super::edits::ADA_IN_SALESFORCE)];
    world.hubspot.edit("contacts", &ours, &title).unwrap();
    assert!(world.verify().lost.is_empty());
    // In a later wave the same words are an edit like any other.
    if let EditKind::Field { agreed, .. } = &mut world.ledger.edits[2].kind {
        *agreed = Some(super::edits::ADA_IN_HUBSPOT.to_owned());
    }
    assert_eq!(world.verify().lost.len(), 1);
}

#[test]
fn an_edit_that_arrived_is_not_lost_when_the_other_side_edits_later() {
    let mut world = World::new();
    world.conflict();
    let mut ledger = std::mem::take(&mut world.ledger);
    let (ours, theirs) = world.ada();
    let title = [("Title", json!(super::edits::ADA_IN_HUBSPOT))];
    world.salesforce.edit("Contact", theirs, &title).unwrap();
    let meaning = Meaning::read(&world.salesforce, &world.links);
    let partners = Partners::new(&world.links);
    world.clock.advance_millis(250);
    ledger.observe(world.view(&meaning), &partners, world.clock.now());
    assert_eq!(ledger.lags(), [250]);
    let title = [("jobtitle", super::edits::ADA_IN_SALESFORCE)];
    world.hubspot.edit("contacts", ours, &title).unwrap();
    ledger.observe(world.view(&meaning), &partners, world.clock.now());
    assert!(ledger.is_all_there());
}

#[test]
fn random_edits_are_made_as_asked_and_repeat_with_the_seed() {
    let run = || {
        let world = World::new();
        let meaning = Meaning::read(&world.salesforce, &world.links);
        let partners = Partners::new(&world.links);
        let target = Target {
            shape: shape::of("contacts").unwrap(),
            hubspot: world.links[0].1.clone(),
            salesforce: world.links[0].2.clone(),
        };
        let mut ledger = Ledger::default();
        let view = world.view(&meaning);
        let clock = world.clock.clone();
        let mut editor = Editor::new(view, &partners, clock, vec![target], 3);
        editor.work(40, &mut ledger).unwrap();
        let edits: Vec<String> = ledger.edits.iter().map(|edit| edit.describe()).collect();
        edits
    };
    let edits = run();
    assert_eq!(edits.len(), 40);
    assert_eq!(edits, run());
}

/// Pairs as a perfect first sync would link them.
fn linked(seeded: &Seeded) -> Vec<LinkSeen> {
    let pairs = seeded.pairs.iter();
    pairs
        .map(|pair| {
            let mapping = match (pair.hubspot_object, pair.salesforce_object) {
                ("contacts", "Lead") => "leads",
                (object, _) => object,
            };
            (
                mapping.to_owned(),
                pair.hubspot.clone(),
                pair.salesforce.clone(),
            )
        })
        .collect()
}

#[test]
fn no_edit_of_the_demo_is_refused_by_the_simulators() {
    let mut world = World::new();
    world.seeded = seed(&world.hubspot, &world.salesforce, 100, 7).unwrap();
    world.links = linked(&world.seeded);
    let meaning = Meaning::read(&world.salesforce, &world.links);
    let partners = Partners::new(&world.links);
    let links = world.links.iter();
    let targets = links.map(|(mapping, hubspot, salesforce)| Target {
        shape: shape::of(mapping).unwrap(),
        hubspot: hubspot.clone(),
        salesforce: salesforce.clone(),
    });
    let mut ledger = Ledger::default();
    let view = world.view(&meaning);
    let clock = world.clock.clone();
    let mut editor = Editor::new(view, &partners, clock, targets.collect(), 7);
    let ada = world.seeded.heroine.as_ref().unwrap();
    let base = editor.follow_ada(ada, &mut ledger).unwrap();
    assert_eq!(base.as_deref(), Some("Head of Operations"));
    editor.work(600, &mut ledger).unwrap();
    assert!(ledger.edits.len() >= 600);
    assert!(!ledger.is_all_there() && ledger.lags().is_empty());
}

#[test]
fn seeded_pairs_differ_until_somebody_syncs_them() {
    let mut world = World::new();
    world.seeded = seed(&world.hubspot, &world.salesforce, 100, 7).unwrap();
    world.links = linked(&world.seeded);
    let findings = world.verify();
    let differing = |mapping: &str| {
        let found = findings.mismatches.iter();
        found
            .filter(|one| one.mapping == mapping && one.rule != "(record)")
            .count()
    };
    for mapping in ["companies", "contacts", "leads", "deals"] {
        assert!(differing(mapping) > 0, "{mapping} agree from the start");
    }
    let alone = findings
        .mismatches
        .iter()
        .filter(|one| one.rule == "(record)")
        .count();
    assert!(alone > 60, "{alone}");
    assert!(findings.duplicates.is_empty());
}

#[test]
fn one_listed_record_covers_the_others_it_is_confused_with() {
    let mut world = World::new();
    let name = [("name", "Twin"), ("domain", "twin.example.org")];
    let one = world.hubspot.create("companies", &name).unwrap();
    let two = world.hubspot.create("companies", &name).unwrap();
    world.seeded.expected = vec![Expected {
        hubspot_object: "companies",
        salesforce_object: "Account",
        hubspot: vec![one, two.clone()],
        salesforce: Vec::new(),
        trouble: Trouble::SeveralCompaniesOneDomain,
    }];
    assert_eq!(world.verify().mismatches.len(), 2);
    world.holds = vec![Open {
        mapping: "companies".to_owned(),
        hubspot_id: two,
        why: "two companies share one domain".to_owned(),
        ..Open::default()
    }];
    let findings = world.verify();
    assert!(findings.is_clean(), "{findings:?}");
    assert_eq!(findings.excused, 2);
}

#[test]
fn a_removed_record_that_is_made_again_is_caught() {
    let mut world = World::new();
    let (ours, theirs) = world.ada();
    let (ours, theirs) = (ours.to_owned(), theirs.to_owned());
    world.hubspot.archive("contacts", &ours).unwrap();
    world.ledger.enter(Edit {
        shape: shape::of("contacts").unwrap(),
        side: Side::HubSpot,
        id: ours,
        partner: Some(theirs.clone()),
        kind: EditKind::Remove,
        at: world.clock.now(),
    });
    let links = std::mem::take(&mut world.links);
    assert!(world.verify().is_clean());
    let again = [
        ("email", "ada@example.com"),
        ("lastname", "Lindqvist"),
        ("jobtitle", TITLE),
        ("lifecyclestage", "customer"),
        ("hubspot_owner_id", OWNERS[0].0),
    ];
    let again = world.hubspot.create("contacts", &again).unwrap();
    world.links = vec![(links[0].0.clone(), again, theirs)];
    let findings = world.verify();
    assert_eq!(findings.mismatches.len(), 1, "{findings:?}");
    assert!(findings.mismatches[0].to_string().contains("made again"));
}
