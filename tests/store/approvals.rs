//! What a run leaves for people: questions of the guards, and its own summary.

use tandem::model::{ApprovalId, RunEnd, RunId, Side, Timestamp};
use tandem::store::{Approval, ApprovalState, Changes, RunRow};

use crate::fixture::{Fixture, START, contacts, on_both};

on_both!(
    an_approval_is_asked_granted_and_used_once,
    a_run_keeps_its_summary,
);

fn question(id: &str, asked_at: Timestamp) -> Approval {
    Approval {
        id: ApprovalId::new(id),
        mapping: contacts(),
        side: Side::Salesforce,
        kind: "delete".to_owned(),
        set_hash: "abc".to_owned(),
        records: Vec::new(),
        items: 40,
        detail: "40 contacts would be archived".to_owned(),
        state: ApprovalState::Asked,
        asked_at,
        expires_at: None,
    }
}

async fn an_approval_is_asked_granted_and_used_once(f: Fixture) {
    let lease = f.lease().await;
    let ask = |id, at| Changes {
        approvals: vec![question(id, at)],
        ..Changes::default()
    };
    f.apply(&lease, ask("apr_1", START)).await;
    f.apply(&lease, ask("apr_2", START.plus_millis(1))).await;
    assert_eq!(
        f.store.approvals(&f.ws).await.unwrap(),
        [question("apr_1", START)]
    );
    let unknown = f
        .store
        .grant_approval(&f.ws, &ApprovalId::new("apr_2"), START)
        .await;
    assert!(!unknown.unwrap());
    let until = START.plus_millis(1_000);
    assert!(
        f.store
            .grant_approval(&f.ws, &ApprovalId::new("apr_1"), until)
            .await
            .unwrap()
    );
    f.apply(&lease, ask("apr_3", START.plus_millis(2))).await;
    let granted = f.store.approvals(&f.ws).await.unwrap().remove(0);
    assert_eq!(
        (granted.state, granted.expires_at),
        (ApprovalState::Granted, Some(until))
    );
    let approvals_used = vec![ApprovalId::new("apr_1")];
    f.apply(
        &lease,
        Changes {
            approvals_used,
            ..Changes::default()
        },
    )
    .await;
    assert!(
        !f.store
            .grant_approval(&f.ws, &ApprovalId::new("apr_1"), until)
            .await
            .unwrap()
    );
    f.apply(&lease, ask("apr_4", START.plus_millis(3))).await;
    let asked = f.store.approvals(&f.ws).await.unwrap();
    assert_eq!(asked, [question("apr_4", START.plus_millis(3))]);
}

async fn a_run_keeps_its_summary(f: Fixture) {
    let lease = f.lease().await;
    let run = |id: &str, ended: Option<RunEnd>, summary: &str| RunRow {
        id: RunId::new(id),
        kind: "sync".to_owned(),
        started_at: START,
        ended_at: ended.map(|_| START.plus_millis(9)),
        end: ended,
        summary: summary.to_owned(),
    };
    let put = |run| Changes {
        run: Some(run),
        ..Changes::default()
    };
    f.apply(&lease, put(run("run_1", None, "{}"))).await;
    let ended = run("run_1", Some(RunEnd::Unread), "{\"writes\":3}");
    f.apply(&lease, put(ended.clone())).await;
    f.apply(&lease, put(run("run_2", None, "{}"))).await;
    assert_eq!(
        f.store.runs(&f.ws, 5).await.unwrap(),
        [run("run_2", None, "{}"), ended.clone()]
    );
    // Whoever works next has the lane, so nobody is at the second one any more.
    let third = run("run_3", None, "{\"writes\":1}");
    f.apply(&lease, put(third.clone())).await;
    let cut_off = RunRow {
        end: Some(RunEnd::CutOff),
        ..run("run_2", None, "{}")
    };
    assert_eq!(
        f.store.runs(&f.ws, 5).await.unwrap(),
        [third, cut_off, ended]
    );
}
