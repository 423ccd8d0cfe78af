//! Rows 84 and 85: a process stands still for a minute, and wakes.
//!
//! The request before which it stands still is on the wire of that process alone; a successor has
//! wires of its own, and the same store, clock and CRMs.

use std::sync::Arc;

use tandem::app::Step;
use tandem::model::Side;
use tokio::sync::Notify;

use crate::wire::Wire;
use crate::world::World;
use crate::{GRACE_MS, PEOPLE, Pair};

const FREEZE_MS: i64 = 60_000;
const EXPIRED: &str = r#"[{"errorCode":"INVALID_SESSION_ID","message":"Session expired"}]"#;

/// A moment at which a process stands still.
struct Frozen {
    reached: Arc<Notify>,
    wakes: Arc<Notify>,
}

impl Frozen {
    /// Right before the next such request arrives.
    fn before(wire: &Wire, method: &'static str, path_end: &'static str) -> Self {
        let (reached, wakes) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let frozen = Self {
            reached: Arc::clone(&reached),
            wakes: Arc::clone(&wakes),
        };
        wire.before_async(method, path_end, move || async move {
            reached.notify_one();
            wakes.notified().await;
        });
        frozen
    }

    /// Steps until the process stands still, lets `meanwhile` happen, and the step end.
    async fn during(&self, world: &mut World, meanwhile: impl Future<Output = ()>) {
        let clock = world.clock.clone();
        clock.advance_millis(30_000);
        world.engine().poll_now().await.unwrap();
        for _ in 0..1_000 {
            let step = world.step();
            tokio::pin!(step);
            tokio::select! {
                biased;
                () = self.reached.notified() => {
                    clock.advance_millis(FREEZE_MS);
                    meanwhile.await;
                    self.wakes.notify_one();
                    step.await;
                    return;
                }
                step = &mut step => if let Step::Wait(_) = step {
                    clock.advance_millis(500);
                },
            }
        }
        panic!("the request before which it stands still was never sent");
    }
}

/// Another process beside the first: not open yet.
async fn beside(world: &World) -> World {
    let mut other = World::new(world.setup.clone()).await;
    other.clock = world.clock.clone();
    other.hubspot = world.hubspot.clone();
    other.salesforce = world.salesforce.clone();
    other.store = Arc::clone(&world.store);
    other
}

/// A title is on its way to Salesforce when the token has to be renewed, and there the process
/// stands still. Its successor writes the title, and a person then types another one.
async fn succeeded_while_it_renewed_its_token() -> (Pair, World) {
    let mut ada = Pair::of(PEOPLE).await;
    let mut successor = beside(&ada.world).await;
    ada.retitle(Side::HubSpot, "CEO");
    let wire = ada.world.to_salesforce.clone();
    wire.answer("PATCH", "/composite/sobjects", 401, EXPIRED);
    let frozen = Frozen::before(&wire, "POST", "/oauth2/token");
    let (clock, salesforce) = (ada.world.clock.clone(), ada.salesforce.clone());
    let meanwhile = async {
        successor.open().await;
        let began = clock.now();
        while successor.sf("Contact", &salesforce, "Title") != "CEO" {
            assert!(clock.now().millis_since(began) < 4 * GRACE_MS);
            successor.look().await;
        }
        let chair = [("Title", "Chair")];
        successor.edit_salesforce("Contact", &salesforce, &chair);
        successor.settle().await;
    };
    Box::pin(frozen.during(&mut ada.world, meanwhile)).await;
    (ada, successor)
}

#[tokio::test]
async fn row_85_a_frozen_process_that_wakes_after_its_lease_sends_nothing() {
    let (ada, mut successor) = Box::pin(succeeded_while_it_renewed_its_token()).await;
    assert_eq!(ada.title(Side::Salesforce), "Chair", "the person's title");
    assert_eq!(ada.writes(Side::Salesforce), 1, "the successor's write");
    successor.settle().await;
    assert_eq!(ada.title(Side::HubSpot), "Chair");
    assert_eq!(successor.conflicts().await, []);
    successor.assert_quiet().await;
}

/// The old value returns, and nobody can tell it from an edit.
#[cfg(debug_assertions)]
#[tokio::test]
async fn row_85_without_the_last_look_at_the_clock_the_old_value_would_return() {
    tandem::bugs::plant(Some(tandem::bugs::Bug::ExpiredCallSent));
    let (ada, _) = Box::pin(succeeded_while_it_renewed_its_token()).await;
    tandem::bugs::plant(None);
    assert_eq!(ada.title(Side::Salesforce), "CEO");
}

/// The process stands still when it has read one side and not the other. Nobody takes its place,
/// so its lease is still its own when it wakes. A person has typed into the side it had read.
async fn frozen_between_its_reads() -> Pair {
    let mut ada = Pair::of(PEOPLE).await;
    ada.retitle(Side::HubSpot, "CEO");
    let wire = ada.world.to_hubspot.clone();
    let frozen = Frozen::before(&wire, "POST", "/contacts/batch/read");
    let (salesforce, id) = (ada.world.salesforce.clone(), ada.salesforce.clone());
    let meanwhile = async {
        let chair = [("Title", serde_json::Value::from("Chair"))];
        salesforce.edit("Contact", &id, &chair).unwrap();
    };
    Box::pin(frozen.during(&mut ada.world, meanwhile)).await;
    ada
}

#[tokio::test]
async fn row_84_a_process_that_stood_still_reads_again_before_it_writes() {
    let mut ada = frozen_between_its_reads().await;
    ada.world.settle().await;
    for side in Side::BOTH {
        assert_eq!(ada.title(side), "Chair", "the mapping's winner");
    }
    let conflicts = ada.world.conflicts().await;
    assert_eq!(conflicts.len(), 1);
    let loser: Vec<_> = conflicts[0].loser.values().collect();
    assert_eq!(loser[0].as_text(), Some("CEO"), "the loser is kept");
    ada.world.assert_quiet().await;
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn row_84_without_reading_again_the_edit_would_be_lost() {
    tandem::bugs::plant(Some(tandem::bugs::Bug::ExpiredCallSent));
    let mut ada = frozen_between_its_reads().await;
    tandem::bugs::plant(None);
    ada.world.settle().await;
    for side in Side::BOTH {
        assert_eq!(ada.title(side), "CEO");
    }
    assert_eq!(ada.world.conflicts().await, []);
}
