//! What a run that observes would have written: kept by id, found by record and day, and pruned.

use tandem::model::{IntentKind, RecordId, Side, Timestamp};
use tandem::store::{Changes, Lease, ShadowState, ShadowWrite};

use crate::fixture::{Fixture, START, contacts, fields, on_both};

on_both!(
    open_rows_are_found_by_record_and_a_later_put_replaces_the_first,
    rows_are_read_page_by_page_by_day_and_state_and_pruned_by_age,
);

fn row(number: usize, record: &str, at: Timestamp) -> ShadowWrite {
    ShadowWrite {
        id: format!("{number:04}"),
        mapping: contacts(),
        side: Side::Salesforce,
        kind: IntentKind::Update,
        record: RecordId::new(record),
        rule: "email".to_owned(),
        first_at: at,
        state: ShadowState::Open,
        ended_at: None,
        reason: "hubspot-moved".to_owned(),
        from: fields(&[("email", "b")]),
        before: fields(&[("Email", "a")]),
        after: fields(&[("Email", "b")]),
        found: None,
    }
}

async fn put(f: &Fixture, lease: &Lease, shadow: Vec<ShadowWrite>) {
    let changes = Changes {
        shadow,
        ..Changes::default()
    };
    f.apply(lease, changes).await;
}

async fn open_rows_are_found_by_record_and_a_later_put_replaces_the_first(f: Fixture) {
    let lease = f.lease().await;
    let (one, two) = (row(1, "003A", START), row(2, "003B", START));
    put(&f, &lease, vec![one.clone(), two.clone()]).await;
    let open = |records: &[&str]| {
        let records: Vec<RecordId> = records.iter().copied().map(RecordId::new).collect();
        let (f, mapping) = (&f, contacts());
        async move {
            f.store
                .shadow_open(&f.ws, &mapping, &records)
                .await
                .unwrap()
        }
    };
    assert_eq!(open(&["003A", "003C"]).await, std::slice::from_ref(&one));
    assert_eq!(open(&["003A", "003B"]).await, [one.clone(), two.clone()]);
    let ended = ShadowWrite {
        state: ShadowState::Otherwise,
        ended_at: Some(START.plus_millis(60_000)),
        found: Some(fields(&[("Email", "c")])),
        ..one
    };
    put(&f, &lease, vec![ended.clone()]).await;
    assert_eq!(open(&["003A", "003B"]).await, std::slice::from_ref(&two));
    let all = f
        .store
        .shadow_since(&f.ws, (START, START.plus_millis(1)), None, None, 10);
    assert_eq!(all.await.unwrap(), [ended, two]);
}

async fn rows_are_read_page_by_page_by_day_and_state_and_pruned_by_age(f: Fixture) {
    let lease = f.lease().await;
    let hour = |nth: i64| START.plus_millis(nth * 3_600_000);
    let mut rows: Vec<ShadowWrite> = (0_usize..10)
        .map(|nth| row(nth, &format!("003{nth}"), hour(nth as i64)))
        .collect();
    rows[4].state = ShadowState::Same;
    put(&f, &lease, rows.clone()).await;
    let since = |from, until, state, after: Option<&str>, limit| {
        let after = after.map(str::to_owned);
        let f = &f;
        async move {
            let span = (from, until);
            let rows = f
                .store
                .shadow_since(&f.ws, span, state, after.as_deref(), limit);
            rows.await.unwrap()
        }
    };
    assert_eq!(since(hour(2), hour(6), None, None, 100).await, rows[2..6]);
    assert_eq!(
        since(hour(2), hour(6), None, Some("0003"), 1).await,
        rows[4..5]
    );
    let open = Some(ShadowState::Open);
    let expected = [rows[3].clone(), rows[5].clone()];
    assert_eq!(since(hour(3), hour(6), open, None, 100).await, expected);
    // What is open stays, however old, and no more goes at once than is asked for.
    let prune = |limit| f.store.shadow_prune(&f.ws, hour(7), limit);
    assert_eq!(prune(100).await.unwrap(), 1);
    for row in &mut rows {
        row.state = ShadowState::Withdrawn;
    }
    rows.remove(4);
    put(&f, &lease, rows.clone()).await;
    assert_eq!(prune(4).await.unwrap(), 4);
    assert_eq!(prune(4).await.unwrap(), 2);
    assert_eq!(since(hour(0), hour(10), None, None, 100).await, rows[6..]);
}
