//! Notices as rows: one of each condition waits at most, and one process tells it.

use tandem::model::{ConnectionState, Side, WorkspaceId};
use tandem::store::{Erased, Notice, NoticeChannel, NoticeState};

use crate::fixture::{Fixture, on_both, polled};

on_both!(
    a_condition_has_one_notice_at_a_time,
    one_process_tells_a_notice,
    no_more_notices_than_the_hour_holds,
    another_receiver_hears_of_everything_anew,
    facts_are_those_of_workspaces_that_tell_somebody,
    notices_go_with_their_workspace,
);

async fn channel(f: &Fixture) {
    let channel = NoticeChannel {
        workspace: f.ws.clone(),
        kind: "slack".to_owned(),
        host: "example.com".to_owned(),
        sealed: "sealed".to_owned(),
        backlog_millis: 60_000,
        set_at: f.clock.now(),
    };
    f.store.put_notice_channel(&channel).await.unwrap();
    let found = f.store.notice_channel(&f.ws).await.unwrap();
    assert_eq!(found, Some(channel));
}

fn notice(f: &Fixture, id: &str, going_on: bool) -> Notice {
    Notice {
        workspace: f.ws.clone(),
        subject: "backlog".to_owned(),
        id: id.to_owned(),
        going_on,
        since: f.clock.now(),
        made_at: f.clock.now(),
        body: "{}".to_owned(),
        state: NoticeState::Waits,
        due_at: f.clock.now(),
        tries: 0,
        trouble: String::new(),
    }
}

async fn made(f: &Fixture, id: &str, going_on: bool) -> bool {
    let notice = notice(f, id, going_on);
    f.store.make_notice(&notice, 10).await.unwrap()
}

async fn waiting(f: &Fixture) -> Vec<String> {
    let due = f.store.notices_due(10).await.unwrap();
    due.into_iter().map(|one| one.id).collect()
}

async fn a_condition_has_one_notice_at_a_time(f: Fixture) {
    assert!(!made(&f, "n0", true).await, "nobody is told");
    channel(&f).await;
    assert!(made(&f, "n1", true).await);
    assert!(!made(&f, "n2", true).await, "it goes on already");
    assert!(!made(&f, "n3", false).await, "its beginning still waits");
    assert_eq!(waiting(&f).await, ["n1"]);
    let told = notice(&f, "n1", true);
    f.store
        .settle_notice(&told, NoticeState::Told, "")
        .await
        .unwrap();
    assert!(waiting(&f).await.is_empty());
    assert!(!made(&f, "n4", true).await, "told once is enough");
    assert!(made(&f, "n5", false).await);
    let found = f.store.notices(&f.ws).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id.as_str(), found[0].going_on), ("n5", false));
}

async fn one_process_tells_a_notice(f: Fixture) {
    channel(&f).await;
    assert!(made(&f, "n1", true).await);
    let due = f.store.notices_due(10).await.unwrap().remove(0);
    assert!(f.store.take_notice(&due, 60_000).await.unwrap());
    assert!(!f.store.take_notice(&due, 60_000).await.unwrap());
    assert!(waiting(&f).await.is_empty(), "somebody is at it");
    f.store
        .postpone_notice(&due, 0, "status 500")
        .await
        .unwrap();
    let again = f.store.notices_due(10).await.unwrap().remove(0);
    assert_eq!((again.tries, again.trouble.as_str()), (1, "status 500"));
    f.store
        .postpone_notice(&due, 60_000, "status 500")
        .await
        .unwrap();
    assert!(waiting(&f).await.is_empty(), "it is not due yet");
    f.store
        .settle_notice(&due, NoticeState::GivenUp, "gone")
        .await
        .unwrap();
    assert!(!f.store.take_notice(&due, 60_000).await.unwrap());
    let found = f.store.notices(&f.ws).await.unwrap();
    assert_eq!(found[0].state, NoticeState::GivenUp);
}

async fn no_more_notices_than_the_hour_holds(f: Fixture) {
    channel(&f).await;
    for (nth, subject) in ["a", "b", "c"].into_iter().enumerate() {
        let one = Notice {
            subject: subject.to_owned(),
            ..notice(&f, subject, true)
        };
        let made = f.store.make_notice(&one, 2).await.unwrap();
        assert_eq!(made, nth < 2, "{subject}");
    }
    assert_eq!(f.store.notices(&f.ws).await.unwrap().len(), 2);
}

async fn another_receiver_hears_of_everything_anew(f: Fixture) {
    channel(&f).await;
    assert!(made(&f, "n1", true).await);
    channel(&f).await;
    assert!(f.store.notices(&f.ws).await.unwrap().is_empty());
    assert!(made(&f, "n2", true).await);
    assert!(f.store.drop_notice_channel(&f.ws).await.unwrap());
    assert!(!f.store.drop_notice_channel(&f.ws).await.unwrap());
    assert!(waiting(&f).await.is_empty());
}

async fn facts_are_those_of_workspaces_that_tell_somebody(f: Fixture) {
    let facts = async |after: &str| f.store.notice_facts("sync", after, 10).await.unwrap();
    assert!(facts("").await.is_empty());
    channel(&f).await;
    f.mark(&[polled("1")]).await;
    f.store
        .seal_connection(&f.ws, Side::HubSpot, "1", "", "sealed")
        .await
        .unwrap();
    let lost = ConnectionState::Reconnect;
    f.store
        .lose_connection(&f.ws, Side::HubSpot, 1, lost, "revoked")
        .await
        .unwrap();
    let found = facts("").await;
    assert_eq!(found.len(), 1);
    let one = &found[0];
    assert_eq!((&one.workspace, one.backlog_millis), (&f.ws, 60_000));
    assert_eq!(one.due, Some(f.clock.now()));
    assert_eq!((one.dead_letters, one.approvals, one.paused), (0, 0, false));
    assert_eq!(*one.connections.get(Side::HubSpot), Some(lost));
    assert_eq!(*one.connections.get(Side::Salesforce), None);
    assert!(facts(f.ws.as_str()).await.is_empty(), "the next page");
}

async fn notices_go_with_their_workspace(f: Fixture) {
    channel(&f).await;
    assert!(made(&f, "n1", true).await);
    let other = WorkspaceId::new("other/test");
    assert_eq!(
        f.store.erase_workspace(&other).await.unwrap(),
        Erased::new()
    );
    let erased = f.store.erase_workspace(&f.ws).await.unwrap();
    assert_eq!(erased.get("notices"), Some(&1));
    assert_eq!(erased.get("notice_channels"), Some(&1));
    assert!(waiting(&f).await.is_empty());
}
