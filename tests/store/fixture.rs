//! An open store of either kind with a standing clock, and short ways to make rows.

use std::collections::BTreeMap;

use tandem::clock::Clock;
use tandem::model::{
    Bases, BySide, Cause, ErrorClass, Failure, Fields, Halves, Hold, HoldReason, IntendedRule,
    Intent, IntentId, IntentKind, Link, LinkId, LinkState, MappingName, Raw, RecordId, RecordKey,
    Revision, RunId, Side, Task, Timestamp, Verdict, WorkspaceId,
};
use tandem::store::{Changes, Claimed, Judged, Lease, Mark, Store, StoreError};

pub const LANE: &str = "sync";
pub const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub struct Fixture {
    pub store: Store,
    pub clock: Clock,
    pub ws: WorkspaceId,
}

/// Runs each named test on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::fixture::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(fixture) = $crate::fixture::postgres().await {
                    super::$name(fixture).await;
                }
            })+
        }
    };
}
pub(crate) use on_both;

pub async fn open(url: &str) -> Fixture {
    let clock = Clock::manual(START);
    let store = Store::open(url, clock.clone())
        .await
        .expect("the store opens");
    let ws = WorkspaceId::new("acme/test");
    store.ensure_workspace(&ws).await.unwrap();
    Fixture { store, clock, ws }
}

pub async fn sqlite() -> Fixture {
    open("sqlite::memory:").await
}

pub async fn postgres() -> Option<Fixture> {
    Some(open(&crate::postgres::database().await?).await)
}

impl Fixture {
    pub async fn lease(&self) -> Lease {
        let leased = self.store.lease(&self.ws, LANE, "me", 3_600_000).await;
        leased.unwrap().expect("the lane is free")
    }

    pub async fn apply(&self, lease: &Lease, changes: Changes) {
        self.store.commit(lease, changes).await.unwrap();
    }

    pub async fn refused(&self, lease: &Lease, changes: Changes) -> StoreError {
        let refused = self.store.commit(lease, changes).await;
        refused.expect_err("the commit is refused")
    }

    pub async fn mark(&self, marks: &[Mark]) {
        self.store.mark(&self.ws, LANE, marks).await.unwrap();
    }

    pub async fn claim(&self, lease: &Lease) -> Vec<Claimed> {
        self.store
            .claim(lease, self.clock.now(), 1_000)
            .await
            .unwrap()
    }

    pub async fn queue(&self) -> Vec<Claimed> {
        self.store.queue(&self.ws, LANE, 1_000).await.unwrap()
    }

    /// Ends the attempt of every claimed piece of work the same way.
    pub async fn judge(&self, lease: &Lease, claimed: &[Claimed], verdict: &Verdict) {
        let verdicts = claimed
            .iter()
            .map(|work| judged(work, verdict.clone()))
            .collect();
        let changes = Changes {
            verdicts,
            ..Changes::default()
        };
        self.apply(lease, changes).await;
    }
}

pub fn judged(work: &Claimed, verdict: Verdict) -> Judged {
    Judged {
        task: work.task.clone(),
        revision: work.revision,
        verdict,
    }
}

pub fn contacts() -> MappingName {
    MappingName::new("contacts")
}

pub fn key(mapping: &str, side: Side, id: &str) -> RecordKey {
    RecordKey {
        mapping: MappingName::new(mapping),
        side,
        id: RecordId::new(id),
    }
}

pub fn record(id: &str) -> Task {
    Task::Record(key("contacts", Side::HubSpot, id))
}

pub fn mark(task: Task, cause: Cause) -> Mark {
    Mark {
        task,
        cause,
        not_before: START,
    }
}

pub fn polled(id: &str) -> Mark {
    mark(record(id), Cause::Poll)
}

pub fn failure(class: ErrorClass) -> Failure {
    Failure {
        class,
        code: "SOME_CODE".to_owned(),
        message: "it said \"no\"".to_owned(),
        fields: vec!["Email".to_owned()],
    }
}

pub fn retry(after_ms: i64, class: ErrorClass) -> Verdict {
    Verdict::RetryAt {
        at: START.plus_millis(after_ms),
        counted: class != ErrorClass::Rate,
        failure: failure(class),
    }
}

pub fn link(id: &str, hubspot: &str, salesforce: &str) -> Link {
    let record = |id: &str| Some(id).filter(|id| !id.is_empty()).map(RecordId::new);
    Link {
        id: LinkId::new(id),
        mapping: contacts(),
        group: Some("people".to_owned()),
        records: BySide::new(record(hubspot), record(salesforce)),
        state: LinkState::Linked,
        note: String::new(),
    }
}

pub fn fields(pairs: &[(&str, &str)]) -> Fields {
    let raw = |(name, text): &(&str, &str)| ((*name).to_owned(), Raw::text(*text));
    pairs.iter().map(raw).collect()
}

pub fn sides(hubspot: &str, salesforce: &str) -> BySide<Fields> {
    BySide::new(
        fields(&[("email", hubspot)]),
        fields(&[("Email", salesforce)]),
    )
}

pub fn bases(hubspot: &str, salesforce: &str) -> Bases {
    let halves = Halves {
        sides: sides(hubspot, salesforce),
        rule_hash: "r1".to_owned(),
    };
    BTreeMap::from([("email".to_owned(), halves)])
}

pub fn hold(link: &str, rule: &str, reason: HoldReason) -> Hold {
    Hold {
        link: LinkId::new(link),
        rule: rule.to_owned(),
        reason,
        detail: "waits for a person".to_owned(),
        sides: sides("a@x.test", "b@x.test"),
        rule_hash: "r1".to_owned(),
        since: START,
    }
}

pub fn intent(id: &str, link: &str, side: Side) -> Intent {
    Intent {
        id: IntentId::new(id),
        link: LinkId::new(link),
        mapping: contacts(),
        revision: Revision::new("rev_1"),
        run: RunId::new("run_1"),
        side,
        kind: IntentKind::Update,
        target: "003000000000001AAA".to_owned(),
        rules: vec![IntendedRule {
            rule: "email".to_owned(),
            rule_hash: "r1".to_owned(),
            source: fields(&[("email", "new@x.test")]),
            before: fields(&[("Email", "old@x.test")]),
            after: fields(&[("Email", "new@x.test")]),
            reason: "hubspot-moved".to_owned(),
        }],
        send_before: START.plus_millis(20_000),
        created_at: START,
    }
}

pub fn linked(links: Vec<Link>) -> Changes {
    Changes {
        links,
        ..Changes::default()
    }
}
