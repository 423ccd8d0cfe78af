//! Jobs: one open at a time, ended once, kept for a while.

use tandem::model::{RunId, Timestamp, WorkspaceId};
use tandem::store::{JobEnd, JobKind, JobState, NewJob};

use crate::fixture::{Fixture, START, on_both};

on_both!(
    one_job_of_a_workspace_is_open_at_a_time,
    a_job_ends_once_and_can_be_gone_on_with,
    what_is_old_goes_and_what_is_open_stays,
    looks_at_records_push_nothing_else_out,
);

const LATER: Timestamp = START.plus_millis(60_000);

fn job(id: &str, state: JobState) -> NewJob<'_> {
    NewJob {
        id,
        kind: JobKind::Plan,
        state,
        wish: "{}",
        expires_at: LATER,
        found: "{}",
        doc: None,
    }
}

fn end(state: JobState) -> JobEnd {
    JobEnd {
        state,
        expires_at: LATER,
        code: String::new(),
        detail: String::new(),
        found: Some("{\"values\":3}".to_owned()),
        progress: None,
        doc: Some("the plan".to_owned()),
        outcome: None,
    }
}

async fn one_job_of_a_workspace_is_open_at_a_time(f: Fixture) {
    let put = async |ws: &WorkspaceId, id: &str, state| {
        let job = job(id, state);
        f.store.put_job(ws, &job).await.unwrap()
    };
    assert!(put(&f.ws, "a", JobState::Waiting).await);
    assert!(!put(&f.ws, "b", JobState::Waiting).await, "one is open");
    assert!(put(&f.ws, "c", JobState::Ready).await, "it is not open");
    let other = WorkspaceId::new("other/test");
    assert!(
        put(&other, "a", JobState::Waiting).await,
        "another workspace"
    );
    let open = f.store.open_job(&f.ws).await.unwrap().unwrap();
    assert_eq!((open.id.as_str(), open.state), ("a", JobState::Waiting));
    let with = f.store.workspaces_with_jobs().await.unwrap();
    assert_eq!(with, [f.ws.clone(), other]);
    assert!(!f.store.job_again(&f.ws, "c", "{}", LATER).await.unwrap());
    let end = end(JobState::Ready);
    assert!(f.store.end_job(&f.ws, "a", end).await.unwrap());
    assert!(f.store.job_again(&f.ws, "c", "{}", LATER).await.unwrap());
    assert!(!put(&f.ws, "d", JobState::Waiting).await, "c is open again");
}

async fn a_job_ends_once_and_can_be_gone_on_with(f: Fixture) {
    let (ws, store) = (&f.ws, &f.store);
    let waiting = job("a", JobState::Waiting);
    assert!(store.put_job(ws, &waiting).await.unwrap());
    let working = JobState::Working;
    assert!(store.job_begins(ws, "a", working, None).await.unwrap());
    store.job_progress(ws, "a", "{\"values\":1}").await.unwrap();
    assert!(store.end_job(ws, "a", end(JobState::Ready)).await.unwrap());
    assert!(!store.end_job(ws, "a", end(JobState::Failed)).await.unwrap());
    assert!(!store.job_begins(ws, "a", working, None).await.unwrap());
    let ready = store.job(ws, "a").await.unwrap().unwrap();
    assert_eq!(ready.state, JobState::Ready);
    assert_eq!(ready.ended_at, Some(START));
    assert_eq!(ready.found, "{\"values\":3}");
    assert_eq!(ready.progress, "{\"values\":1}");
    let doc = store.job_doc(ws, "a").await.unwrap();
    assert_eq!(doc.as_deref(), Some("the plan"));
    assert_eq!(store.job_outcome(ws, "a").await.unwrap(), None);
    assert!(
        store
            .job_again(ws, "a", "{\"canary\":2}", LATER)
            .await
            .unwrap()
    );
    let run = RunId::new("run_1");
    let applying = JobState::Applying;
    assert!(
        store
            .job_begins(ws, "a", applying, Some(&run))
            .await
            .unwrap()
    );
    let at = store.job(ws, "a").await.unwrap().unwrap();
    assert_eq!((at.run, at.ended_at), (Some(run), None));
    assert_eq!(at.wish, "{\"canary\":2}");
    let over = JobEnd {
        doc: None,
        found: None,
        outcome: Some("[]".to_owned()),
        ..end(JobState::Applied)
    };
    assert!(store.end_job(ws, "a", over).await.unwrap());
    let doc = store.job_doc(ws, "a").await.unwrap();
    assert_eq!(doc.as_deref(), Some("the plan"), "it stays");
    let outcome = store.job_outcome(ws, "a").await.unwrap();
    assert_eq!(outcome.as_deref(), Some("[]"));
}

async fn what_is_old_goes_and_what_is_open_stays(f: Fixture) {
    let (ws, store) = (&f.ws, &f.store);
    for id in ["1", "2", "3", "4"] {
        let job = job(id, JobState::Ready);
        assert!(store.put_job(ws, &job).await.unwrap());
    }
    let open = job("0", JobState::Waiting);
    assert!(store.put_job(ws, &open).await.unwrap());
    let listed = async |before: Option<&str>, limit| {
        let found = store.plans(ws, before, limit).await.unwrap();
        found.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, 2).await, ["4", "3"]);
    assert_eq!(listed(Some("3"), 10).await, ["2", "1", "0"]);
    let last = async |kind| store.last_job(ws, kind).await.unwrap().map(|job| job.id);
    assert_eq!(last(JobKind::Match).await, None);
    assert_eq!(last(JobKind::Plan).await.as_deref(), Some("4"));
    assert_eq!(store.prune_jobs(ws, 2).await.unwrap(), 2);
    assert_eq!(listed(None, 10).await, ["4", "3", "0"]);
    f.clock.advance_millis(60_000);
    assert_eq!(
        listed(None, 10).await,
        ["0"],
        "what has expired is not shown"
    );
    assert!(!store.job_again(ws, "4", "{}", LATER).await.unwrap());
    assert_eq!(store.expire_jobs().await.unwrap(), 2);
    assert_eq!(listed(None, 10).await, ["0"]);
    assert_eq!(store.prune_jobs(ws, 2).await.unwrap(), 0);
}

async fn looks_at_records_push_nothing_else_out(f: Fixture) {
    let (ws, store) = (&f.ws, &f.store);
    let kinds = [
        ("1", JobKind::Plan),
        ("2", JobKind::Match),
        ("3", JobKind::Undo),
        ("4", JobKind::Explain),
        ("5", JobKind::Explain),
        ("6", JobKind::Explain),
    ];
    for (id, kind) in kinds {
        let job = NewJob {
            kind,
            ..job(id, JobState::Ready)
        };
        assert!(store.put_job(ws, &job).await.unwrap());
    }
    assert_eq!(store.prune_jobs(ws, 2).await.unwrap(), 2);
    let mut kept = Vec::new();
    for (id, _) in kinds {
        let job = store.job(ws, id).await.unwrap();
        kept.extend(job.map(|job| job.id));
    }
    assert_eq!(kept, ["2", "3", "5", "6"]);
}
