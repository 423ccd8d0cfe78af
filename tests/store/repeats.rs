//! Requests with a name: carried out once, answered as before, forgotten in the end.

use tandem::model::WorkspaceId;
use tandem::store::{Begun, Repeat};

use crate::fixture::{Fixture, on_both};

on_both!(
    a_name_is_taken_once_and_answered_from_then_on,
    a_name_that_was_given_back_or_ran_out_is_free,
    names_of_different_callers_and_workspaces_never_meet,
    what_is_kept_no_longer_is_cleared_everywhere,
);

const MINUTE: i64 = 60_000;

fn named(f: &Fixture, caller: &str, request: &str) -> Repeat {
    Repeat {
        ws: f.ws.clone(),
        caller: caller.to_owned(),
        name: "n".to_owned(),
        request: request.to_owned(),
    }
}

async fn begin(f: &Fixture, of: &Repeat) -> Begun {
    f.store.begin_repeat(of, MINUTE).await.unwrap()
}

async fn a_name_is_taken_once_and_answered_from_then_on(f: Fixture) {
    let of = named(&f, "me", "one");
    let Begun::Mine { until } = begin(&f, &of).await else {
        panic!("it is free");
    };
    assert_eq!(begin(&f, &of).await, Begun::UnderWay);
    assert_eq!(begin(&f, &named(&f, "me", "two")).await, Begun::Different);
    let end = async |status: u16, sealed: &str| {
        f.store
            .end_repeat(&of, until, status, sealed, 10 * MINUTE)
            .await
            .unwrap()
    };
    assert!(end(201, "sealed").await);
    assert!(!end(500, "late").await, "the first answer stays");
    let answered = Begun::Answered {
        status: 201,
        sealed: "sealed".to_owned(),
    };
    assert_eq!(begin(&f, &of).await, answered);
    assert_eq!(begin(&f, &named(&f, "me", "two")).await, Begun::Different);
    f.store.drop_repeat(&of, until).await.unwrap();
    assert_eq!(
        begin(&f, &of).await,
        answered,
        "an answer is not given back"
    );
}

async fn a_name_that_was_given_back_or_ran_out_is_free(f: Fixture) {
    let of = named(&f, "me", "one");
    let Begun::Mine { until: first } = begin(&f, &of).await else {
        panic!("it is free");
    };
    f.store.drop_repeat(&of, first).await.unwrap();
    let other = named(&f, "me", "two");
    let Begun::Mine { until: second } = begin(&f, &other).await else {
        panic!("it was given back");
    };
    f.clock.advance_millis(MINUTE);
    let Begun::Mine { until: third } = begin(&f, &of).await else {
        panic!("it has run out");
    };
    // Whoever was too slow neither answers for the next one nor sets it free.
    let end = f.store.end_repeat(&other, second, 200, "x", MINUTE).await;
    assert!(!end.unwrap());
    f.store.drop_repeat(&other, second).await.unwrap();
    assert_eq!(begin(&f, &of).await, Begun::UnderWay);
    let end = f.store.end_repeat(&of, third, 200, "x", MINUTE).await;
    assert!(end.unwrap());
}

async fn names_of_different_callers_and_workspaces_never_meet(f: Fixture) {
    let mine = named(&f, "me", "one");
    let theirs = named(&f, "them", "two");
    let elsewhere = Repeat {
        ws: WorkspaceId::new("other/test"),
        ..named(&f, "me", "three")
    };
    for of in [&mine, &theirs, &elsewhere] {
        let begun = begin(&f, of).await;
        assert!(matches!(begun, Begun::Mine { .. }), "{of:?}: {begun:?}");
    }
    f.store.erase_workspace(&f.ws).await.unwrap();
    assert_eq!(begin(&f, &elsewhere).await, Begun::UnderWay);
    let begun = begin(&f, &mine).await;
    assert!(matches!(begun, Begun::Mine { .. }), "{begun:?}");
}

async fn what_is_kept_no_longer_is_cleared_everywhere(f: Fixture) {
    let here = named(&f, "me", "one");
    let there = Repeat {
        ws: WorkspaceId::new("other/test"),
        ..here.clone()
    };
    for of in [&here, &there] {
        begin(&f, of).await;
    }
    assert_eq!(f.store.clear_repeats().await.unwrap(), 0);
    f.clock.advance_millis(MINUTE);
    let young = named(&f, "them", "one");
    begin(&f, &young).await;
    assert_eq!(f.store.clear_repeats().await.unwrap(), 2);
    assert_eq!(begin(&f, &young).await, Begun::UnderWay);
}
