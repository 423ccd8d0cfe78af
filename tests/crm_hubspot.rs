//! The HubSpot client against the simulated portal, in process.

use std::collections::BTreeSet;

use secrecy::SecretString;
use tandem::clock::Clock;
use tandem::crm::{ErrorKind, HubSpot, Transport, WriteRow};
use tandem::model::{FieldKind, Presence, Raw, RecordId, Timestamp};
use tandem::sim::SimClock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};

const START: i64 = 1_767_225_600_000;

struct Portal {
    sim: HubSpotSim,
    clock: Clock,
    client: HubSpot,
}

fn portal(options: HubSpotOptions) -> Portal {
    let clock = Clock::manual(Timestamp::from_millis(START));
    let token = SecretString::from(options.token.clone());
    let sim = HubSpotSim::new(SimClock::new(clock.clone()), options);
    let transport = Transport::InProcess(sim.router());
    let client = HubSpot::new(transport, "http://hubspot.test", token, clock.clone());
    Portal { sim, clock, client }
}

/// A portal whose index is up to date.
fn prompt() -> Portal {
    portal(HubSpotOptions {
        search_lag_ms: 0,
        ..HubSpotOptions::default()
    })
}

impl Portal {
    /// Waits, on the manual clock, until the gate has room again.
    fn rest(&self) {
        self.clock.advance_millis(11_000);
    }

    fn contact(&self, email: &str) -> RecordId {
        let fields = [("email", email), ("firstname", "Ann")];
        RecordId::new(self.sim.create("contacts", &fields).unwrap())
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn row(trace: &str, id: Option<&RecordId>, fields: &[(&str, &str)]) -> WriteRow {
    WriteRow {
        trace: trace.to_owned(),
        id: id.cloned(),
        fields: fields
            .iter()
            .map(|&(name, text)| (name.to_owned(), Raw::text(text)))
            .collect(),
        unless_changed_since: None,
    }
}

#[tokio::test]
async fn the_portal_describes_itself() {
    let portal = prompt();
    let account = portal.client.account().await.unwrap();
    assert_eq!(account.portal_id, portal.sim.portal_id().to_string());
    let contacts = portal.client.object_schema("contacts").await.unwrap();
    assert_eq!(contacts.fields["email"].kind, FieldKind::Email);
    assert!(contacts.fields["email"].unique);
    assert_eq!(contacts.fields["hubspot_owner_id"].kind, FieldKind::Owner);
    assert_eq!(contacts.fields["hs_object_id"].kind, FieldKind::Id);
    assert!(!contacts.fields["lastmodifieddate"].updateable);
    assert!(contacts.fields["tandem_link_id"].external_id);
    let deals = portal.client.object_schema("deals").await.unwrap();
    assert!(deals.fields["dealstage"].required);
    assert!(matches!(
        deals.fields["amount"].kind,
        FieldKind::Money { .. }
    ));
    assert!(
        deals
            .pipelines
            .iter()
            .any(|pipeline| pipeline.id == "default")
    );
    let owners = portal.client.owners().await.unwrap();
    assert_eq!(owners.iter().filter(|owner| owner.active).count(), 3);
    assert_eq!(owners.iter().filter(|owner| !owner.active).count(), 1);
}

#[tokio::test]
async fn a_custom_object_is_found_by_its_name_once() {
    let portal = prompt();
    let object = "p_subscriptions";
    let schema = portal.client.object_schema(object).await.unwrap();
    assert_eq!(schema.name, "2-1234567");
    assert!(schema.fields["subscription_number"].unique);
    let rows = [row(
        "a",
        None,
        &[("subscription_name", "S"), ("subscription_number", "7")],
    )];
    let answers = portal.client.create(object, &rows).await;
    let id = answers[0].1.as_ref().unwrap().id.clone();
    let key = names(&["7"]);
    let found = portal
        .client
        .batch_read_by(object, "subscription_number", &key, &[])
        .await;
    assert_eq!(found.unwrap()[0].id, id);
    let error = portal
        .client
        .object_schema("p_unheard_of")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_batch_with_bad_rows_writes_the_good_ones() {
    let portal = prompt();
    let taken = portal.contact("ann@acme.test");
    let rows = [
        row(
            "good",
            None,
            &[("email", "bob@acme.test"), ("firstname", "Bob")],
        ),
        row("taken", None, &[("email", "ann@acme.test")]),
        row(
            "typo",
            None,
            &[("firstname", "Eve"), ("no_such_thing", "x")],
        ),
    ];
    let answers = portal.client.create("contacts", &rows).await;
    let of = |trace: &str| &answers.iter().find(|(t, _)| t == trace).unwrap().1;
    let written = of("good").as_ref().unwrap();
    let stored = written.stored.as_ref().unwrap();
    assert_eq!(stored.fields["firstname"], Raw::text("Bob"));
    assert!(stored.modified_at.is_some());
    let duplicate = of("taken").as_ref().unwrap_err();
    assert_eq!(duplicate.kind, ErrorKind::Duplicate);
    assert_eq!(duplicate.existing.as_ref(), Some(&taken));
    let unknown = of("typo").as_ref().unwrap_err();
    assert_eq!(unknown.kind, ErrorKind::UnknownField, "{unknown:?}");
    assert_eq!(unknown.fields, ["no_such_thing"]);
    assert_eq!(portal.sim.records("contacts").len(), 2);
}

#[tokio::test]
async fn updates_clear_with_blanks_and_missing_records_are_told_apart() {
    let portal = prompt();
    let ann = portal.contact("ann@acme.test");
    let gone = RecordId::new("999999");
    let mut clear = row("clear", Some(&ann), &[("lastname", "Berg")]);
    clear.fields.insert("firstname".to_owned(), Raw::Null);
    let rows = [clear, row("gone", Some(&gone), &[("firstname", "X")])];
    let answers = portal.client.update("contacts", &rows).await;
    assert!(answers[0].1.is_ok(), "{:?}", answers[0].1);
    let error = answers[1].1.as_ref().unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    let wanted = names(&["firstname", "lastname"]);
    let read = portal
        .client
        .batch_read("contacts", &[ann], &wanted)
        .await
        .unwrap();
    assert!(read[0].fields["firstname"].is_blank());
    assert_eq!(read[0].fields["lastname"], Raw::text("Berg"));
    assert!(read[0].fields.contains_key("hs_object_id"));
    assert!(!read[0].fields.contains_key("hs_merged_object_ids"));
}

#[tokio::test]
async fn an_upsert_by_key_creates_once() {
    let portal = prompt();
    let rows = [row(
        "a",
        None,
        &[("tandem_link_id", "k1"), ("firstname", "Ann")],
    )];
    for created in [true, false] {
        let answers = portal
            .client
            .upsert("contacts", "tandem_link_id", &rows)
            .await;
        assert_eq!(answers[0].1.as_ref().unwrap().created, created);
    }
    assert_eq!(portal.sim.records("contacts").len(), 1);
}

#[tokio::test]
async fn merged_archived_and_unknown_records_come_back_as_such() {
    let portal = prompt();
    let [a, b, c] = ["a@x.test", "b@x.test", "c@x.test"].map(|email| portal.contact(email));
    let merged = portal
        .sim
        .merge("contacts", a.as_str(), b.as_str())
        .unwrap();
    let answers = portal
        .client
        .archive("contacts", std::slice::from_ref(&c))
        .await;
    assert!(answers[0].1.is_ok());
    let ids = [
        a,
        b,
        c,
        RecordId::new("424242"),
        RecordId::new(merged.as_str()),
    ];
    let records = portal
        .client
        .batch_read("contacts", &ids, &names(&["email"]))
        .await
        .unwrap();
    let presence: Vec<Presence> = records.into_iter().map(|record| record.presence).collect();
    let into = Presence::MergedInto(RecordId::new(merged));
    let expected = [
        into.clone(),
        into,
        Presence::Deleted,
        Presence::NotVisible,
        Presence::Live,
    ];
    assert_eq!(presence, expected);
}

#[tokio::test]
async fn a_deleted_record_is_found_by_its_key_in_the_bin_alone() {
    let portal = prompt();
    let [a, b] = ["a@x.test", "b@x.test"].map(|email| portal.contact(email));
    portal
        .client
        .archive("contacts", std::slice::from_ref(&a))
        .await;
    let values = names(&["a@x.test", "b@x.test"]);
    let wanted = names(&["firstname"]);
    let client = &portal.client;
    let gone = client.archived_by("contacts", "email", &values, &wanted);
    let gone = gone.await.unwrap();
    assert_eq!(gone.len(), 1);
    assert_eq!((&gone[0].id, &gone[0].presence), (&a, &Presence::Deleted));
    assert!(gone[0].fields.contains_key("firstname"));
    let live = client.batch_read_by("contacts", "email", &values, &wanted);
    let live = live.await.unwrap();
    assert_eq!((live.len(), &live[0].id), (1, &b));
}

#[tokio::test]
async fn lists_page_to_the_end_and_keep_the_bin_apart() {
    let portal = prompt();
    let ids: Vec<RecordId> = (0..250)
        .map(|n| portal.contact(&format!("c{n}@x.test")))
        .collect();
    portal.client.archive("contacts", &ids[..3]).await;
    let wide: Vec<String> = (0..400).map(|n| format!("some_property_{n:04}")).collect();
    for properties in [names(&["email"]), wide] {
        let mut after: Option<String> = None;
        let mut met = BTreeSet::new();
        loop {
            let page = portal
                .client
                .list("contacts", &properties, after.as_deref(), false)
                .await
                .unwrap();
            met.extend(page.records.into_iter().map(|record| record.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(met.len(), 247);
    }
    let bin = portal
        .client
        .list("contacts", &[], None, true)
        .await
        .unwrap();
    assert_eq!(bin.records.len(), 3);
    assert!(
        bin.records
            .iter()
            .all(|record| record.presence == Presence::Deleted)
    );
}

#[tokio::test]
async fn twelve_thousand_records_with_one_stamp_are_all_found() {
    let portal = prompt();
    for n in 0..12_000 {
        portal.contact(&format!("c{n}@x.test"));
    }
    let at = Timestamp::from_millis(START);
    let mut after = None;
    let mut met = BTreeSet::new();
    for _ in 0..70 {
        portal.rest();
        let page = portal
            .client
            .search_changed("contacts", "lastmodifieddate", at, at, after.as_ref(), &[])
            .await
            .unwrap();
        after = page.records.last().map(|record| record.id.clone());
        assert!(
            page.records
                .iter()
                .all(|record| record.modified_at == Some(at))
        );
        met.extend(page.records.into_iter().map(|record| record.id));
        if page.complete {
            break;
        }
    }
    assert_eq!(met.len(), 12_000);
    assert_eq!(portal.client.calls().by_family["search"], 60);
}

#[tokio::test]
async fn ties_are_made_read_labelled_and_cut() {
    let portal = prompt();
    let ann = portal.contact("ann@acme.test");
    let bob = portal.contact("bob@acme.test");
    let acme = RecordId::new(portal.sim.create("companies", &[("name", "Acme")]).unwrap());
    let types = portal
        .client
        .association_types("contacts", "companies")
        .await
        .unwrap();
    let primary = types.iter().find(|kind| kind.type_id == 1).unwrap().clone();
    assert_eq!(primary.label.as_deref(), Some("Primary"));
    let missing = RecordId::new("999999");
    let pairs = [
        (ann.clone(), acme.clone(), primary.clone()),
        (bob.clone(), missing, primary),
    ];
    let answers = portal
        .client
        .associate("contacts", "companies", &pairs)
        .await;
    assert!(answers[0].is_ok(), "{:?}", answers[0]);
    assert!(answers[1].is_err());
    let ids = [ann.clone(), bob.clone()];
    let ties = portal
        .client
        .associations("contacts", "companies", &ids)
        .await
        .unwrap();
    assert_eq!(ties.len(), 1);
    assert_eq!(ties[&ann][0].to, acme);
    assert!(ties[&ann][0].types.iter().any(|kind| kind.type_id == 1));
    let cut = portal
        .client
        .dissociate("contacts", "companies", &[(ann, acme)])
        .await;
    assert!(cut[0].is_ok());
    let ties = portal
        .client
        .associations("contacts", "companies", &ids)
        .await
        .unwrap();
    assert!(ties.is_empty());
}

#[tokio::test]
async fn history_is_newest_first_and_says_who() {
    let portal = prompt();
    let ann = portal.contact("ann@acme.test");
    portal.clock.advance_millis(5_000);
    portal
        .sim
        .edit("contacts", ann.as_str(), &[("firstname", "Anna")])
        .unwrap();
    let history = portal
        .client
        .history(
            "contacts",
            std::slice::from_ref(&ann),
            &names(&["firstname"]),
        )
        .await
        .unwrap();
    let versions = &history[&ann]["firstname"];
    assert_eq!(versions[0].value, Raw::text("Anna"));
    assert_eq!(versions[0].at, Timestamp::from_millis(START + 5_000));
    assert_eq!(versions[0].source_type, "CRM_UI");
    assert_eq!(versions[1].value, Raw::text("Ann"));
}

#[tokio::test]
async fn the_gate_keeps_the_portal_from_ever_refusing() {
    let portal = prompt();
    let mut refused = 0;
    for _ in 0..600 {
        match portal.client.account().await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::NotBefore);
                let wait = error.retry_after.unwrap().millis_since(portal.clock.now());
                portal.clock.advance_millis(wait);
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    assert_eq!(portal.client.calls().rate_limited, 0);
    assert_eq!(portal.client.usage().burst_limit, Some(190));
}

#[tokio::test]
async fn the_gate_keeps_within_the_lower_limit_of_associations() {
    let portal = portal(HubSpotOptions {
        search_lag_ms: 0,
        associations_limit: 100,
        ..HubSpotOptions::default()
    });
    let ann = [portal.contact("ann@acme.test")];
    for _ in 0..300 {
        if let Err(error) = portal.client.associations("contacts", "deals", &ann).await {
            assert_eq!(error.kind, ErrorKind::NotBefore);
            let wait = error.retry_after.unwrap().millis_since(portal.clock.now());
            portal.clock.advance_millis(wait);
        }
    }
    assert_eq!(portal.client.calls().rate_limited, 0);
}

#[tokio::test]
async fn a_wrong_token_is_for_a_person() {
    let portal = prompt();
    let transport = Transport::InProcess(portal.sim.router());
    let token = SecretString::from("pat-wrong");
    let client = HubSpot::new(
        transport,
        "http://hubspot.test",
        token,
        portal.clock.clone(),
    );
    assert_eq!(
        client.account().await.unwrap_err().kind,
        ErrorKind::TokenExpired
    );
}

#[tokio::test]
async fn the_same_calls_work_over_a_socket() {
    let portal = prompt();
    let ann = portal.contact("ann@acme.test");
    let running = tandem::sim::serve(portal.sim.router(), 0).await.unwrap();
    let token = SecretString::from(HubSpotOptions::default().token);
    let transport = Transport::network().unwrap();
    let client = HubSpot::new(transport, &running.url(), token, portal.clock.clone());
    let read = client
        .batch_read("contacts", &[ann], &names(&["email"]))
        .await
        .unwrap();
    assert_eq!(read[0].fields["email"], Raw::text("ann@acme.test"));
}
