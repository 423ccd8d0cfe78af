//! Single records: match keys, cursors, aliases, tombstones.

use std::collections::BTreeMap;

use tandem::model::{LinkId, RecordId, RecordKey, Side};
use tandem::store::{Changes, CursorPut, MatchKeys, Tombstone, match_hash};

use crate::fixture::{Fixture, START, contacts, key, on_both, polled};

on_both!(
    a_match_key_finds_its_records,
    a_records_keys_are_replaced_as_a_whole,
    keys_that_several_records_share_are_counted_and_listed,
    a_cursor_moves_with_the_work_it_stands_for,
    a_merged_record_is_found_under_its_new_id,
    a_tombstone_stays_until_it_is_lifted,
);

fn keys(record: &str, keys: &[Option<&str>]) -> MatchKeys {
    MatchKeys {
        mapping: contacts(),
        side: Side::HubSpot,
        record: RecordId::new(record),
        keys: keys.iter().map(|key| key.map(str::to_owned)).collect(),
    }
}

async fn found(f: &Fixture, wanted: &[(u16, &str)]) -> Vec<(u16, String, String)> {
    let wanted: Vec<(u16, String)> = wanted
        .iter()
        .map(|(rule, text)| (*rule, (*text).to_owned()))
        .collect();
    let found = f
        .store
        .match_lookup(&f.ws, &contacts(), Side::HubSpot, &wanted)
        .await
        .unwrap();
    found
        .into_iter()
        .map(|(rule, text, id)| (rule, text, id.to_string()))
        .collect()
}

fn hit(rule: u16, text: &str, record: &str) -> (u16, String, String) {
    (rule, text.to_owned(), record.to_owned())
}

async fn a_match_key_finds_its_records(f: Fixture) {
    let lease = f.lease().await;
    let match_keys = vec![
        keys("1", &[Some("a@x.test"), None]),
        keys("2", &[Some("a@x.test"), Some("ext-2")]),
        keys("3", &[Some("c@x.test"), Some("a@x.test")]),
    ];
    f.apply(
        &lease,
        Changes {
            match_keys,
            ..Changes::default()
        },
    )
    .await;
    let wanted = [
        (0, "a@x.test"),
        (1, "ext-2"),
        (0, "nobody"),
        (0, "a@x.test"),
    ];
    let expected = [
        hit(0, "a@x.test", "1"),
        hit(0, "a@x.test", "2"),
        hit(1, "ext-2", "2"),
    ];
    assert_eq!(
        found(&f, &wanted).await,
        expected,
        "a rule sees only its own keys"
    );
    assert_eq!(found(&f, &[]).await, []);
    let wanted = [(0, "a@x.test".to_owned())];
    let other = f
        .store
        .match_lookup(&f.ws, &contacts(), Side::Salesforce, &wanted)
        .await;
    assert_eq!(other.unwrap(), []);
}

async fn keys_that_several_records_share_are_counted_and_listed(f: Fixture) {
    let lease = f.lease().await;
    let match_keys = vec![
        keys("1", &[Some("a@x.test"), Some("acme")]),
        keys("2", &[Some("a@x.test"), Some("acme")]),
        keys("3", &[Some("a@x.test"), Some("other")]),
        keys("4", &[Some("b@x.test"), None]),
    ];
    let changes = Changes {
        match_keys,
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    let (mapping, side) = (contacts(), Side::HubSpot);
    let repeats = f.store.match_repeats(&f.ws, &mapping, side).await.unwrap();
    assert_eq!(repeats, BTreeMap::from([(0, (1, 3)), (1, (1, 2))]));
    let most = f.store.match_repeated(&f.ws, &mapping, side, 1).await;
    let most = most.unwrap();
    assert_eq!(most, [(0, match_hash("a@x.test"))], "most records first");
    let members = f.store.match_members(&f.ws, &mapping, side, &most).await;
    let members: Vec<String> = members.unwrap()[&most[0]]
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(members, ["1", "2", "3"]);
    let other = f
        .store
        .match_repeats(&f.ws, &mapping, Side::Salesforce)
        .await;
    assert!(other.unwrap().is_empty(), "the other side has none");
}

async fn a_records_keys_are_replaced_as_a_whole(f: Fixture) {
    let lease = f.lease().await;
    let put = |match_keys| Changes {
        match_keys,
        ..Changes::default()
    };
    f.apply(
        &lease,
        put(vec![
            keys("1", &[Some("old"), Some("x")]),
            keys("2", &[Some("old")]),
        ]),
    )
    .await;
    f.apply(&lease, put(vec![keys("1", &[Some("new")])])).await;
    let wanted = [(0, "old"), (0, "new"), (1, "x")];
    assert_eq!(
        found(&f, &wanted).await,
        [hit(0, "new", "1"), hit(0, "old", "2")]
    );
    let ids = [RecordId::new("1"), RecordId::new("9")];
    let of = f
        .store
        .match_keys_of(&f.ws, &contacts(), Side::HubSpot, &ids)
        .await
        .unwrap();
    let expected = BTreeMap::from([(RecordId::new("1"), vec![(0, match_hash("new"))])]);
    assert_eq!(of, expected);
    f.apply(&lease, put(vec![keys("1", &[None])])).await;
    assert_eq!(found(&f, &wanted).await, [hit(0, "old", "2")]);
}

async fn a_cursor_moves_with_the_work_it_stands_for(f: Fixture) {
    let lease = f.lease().await;
    let at = |kind: &str, value: &str| CursorPut {
        mapping: contacts(),
        side: Side::Salesforce,
        kind: kind.to_owned(),
        value: value.to_owned(),
    };
    let cursors = vec![at("poll", "1"), at("poll", "2"), at("late", "0")];
    let changes = Changes {
        cursors,
        marks: vec![polled("1")],
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    let read = async |kind| {
        let side = Side::Salesforce;
        f.store
            .cursor(&f.ws, &contacts(), side, kind)
            .await
            .unwrap()
    };
    assert_eq!(read("poll").await.as_deref(), Some("2"));
    assert_eq!(read("scan").await, None);
    assert_eq!(
        f.store.cursors(&f.ws).await.unwrap(),
        [at("late", "0"), at("poll", "2")]
    );
    assert_eq!(f.queue().await.len(), 1);
}

async fn a_merged_record_is_found_under_its_new_id(f: Fixture) {
    let lease = f.lease().await;
    let old = key("contacts", Side::HubSpot, "1");
    let to = |id: &str| (old.clone(), RecordId::new(id));
    let aliases = vec![to("2"), to("3")];
    f.apply(
        &lease,
        Changes {
            aliases,
            ..Changes::default()
        },
    )
    .await;
    let asked = [
        old.clone(),
        old.clone(),
        key("contacts", Side::Salesforce, "1"),
    ];
    let found = f.store.aliases(&f.ws, &asked).await.unwrap();
    assert_eq!(found, BTreeMap::from([to("3")]));
}

async fn a_tombstone_stays_until_it_is_lifted(f: Fixture) {
    let lease = f.lease().await;
    let stone = |id: &str, after_ms: i64| Tombstone {
        key: key("contacts", Side::HubSpot, id),
        link: LinkId::new("lnk_1"),
        at: START.plus_millis(after_ms),
        reason: "archived".to_owned(),
    };
    let tombstones = vec![stone("2", 5), stone("1", 0)];
    f.apply(
        &lease,
        Changes {
            tombstones,
            ..Changes::default()
        },
    )
    .await;
    let asked: Vec<RecordKey> = vec![stone("2", 0).key, stone("1", 0).key, stone("2", 0).key];
    let found = f.store.tombstones(&f.ws, &asked).await.unwrap();
    assert_eq!(found, [stone("1", 0), stone("2", 5)]);
    let since = START.plus_millis(1);
    let count = f
        .store
        .tombstones_since(&f.ws, &contacts(), Side::HubSpot, "archived", since)
        .await;
    assert_eq!(count.unwrap(), 1);
    let tombstones_lifted = vec![stone("2", 0).key, key("contacts", Side::Salesforce, "1")];
    f.apply(
        &lease,
        Changes {
            tombstones_lifted,
            ..Changes::default()
        },
    )
    .await;
    assert_eq!(
        f.store.tombstones(&f.ws, &asked).await.unwrap(),
        [stone("1", 0)]
    );
}
