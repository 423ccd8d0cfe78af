//! Rows 23, 25, 26 and 34: who types while Tandem writes, and automations that never agree.

use tandem::model::{HoldReason, Raw, Side};
use tandem::sim::faults::{Fault, Switch};

use crate::{PEOPLE, Pair, calls, run_for, struck, switch_on};

/// What somebody types into the title of one side right before our write arrives there.
fn typed_first(side: Side, title: &str) -> Switch {
    let (object, field) = match side {
        Side::HubSpot => ("contacts", "jobtitle"),
        Side::Salesforce => ("Contact", "Title"),
    };
    let typed = Switch::of(Fault::EditBefore).object(object).field(field);
    typed.times(1).value(title)
}

fn ruled(winner: Side) -> String {
    let rule = format!("jobtitle: {{ to: Title, conflict: {winner} }}");
    PEOPLE.replace("jobtitle: Title", &rule)
}

/// Somebody else works on the same record, or nothing would speak for a look.
fn edit_besides(ada: &Pair, side: Side) {
    match side {
        Side::HubSpot => {
            let name = [("firstname", "Adele")];
            ada.world.edit_hubspot("contacts", &ada.hubspot, &name);
        }
        Side::Salesforce => {
            let name = [("FirstName", "Adele")];
            ada.world.edit_salesforce("Contact", &ada.salesforce, &name);
        }
    }
}

#[tokio::test]
async fn row_23_an_edit_between_our_read_and_our_write_is_found_in_the_history_and_decided() {
    for side in Side::BOTH {
        for winner in Side::BOTH {
            let place = format!("typed in {side}, {winner} wins");
            let mut ada = Pair::of(&ruled(winner)).await;
            ada.world
                .salesforce
                .track_history("Contact", &["Title"])
                .unwrap();
            ada.retitle(side.other(), "CEO");
            edit_besides(&ada, side);
            switch_on(&ada.world, &[typed_first(side, "VP")]);
            ada.world.settle().await;
            assert_eq!(struck(&ada.world, Fault::EditBefore), 1, "{place}");
            let (stands, lost) = if side == winner {
                ("VP", "CEO")
            } else {
                ("CEO", "VP")
            };
            assert_eq!(ada.title(Side::HubSpot), stands, "{place}");
            assert_eq!(ada.title(Side::Salesforce), stands, "{place}");
            let conflicts = ada.world.conflicts().await;
            assert_eq!(conflicts.len(), 1, "{place}: {conflicts:?}");
            let loser: Vec<&Raw> = conflicts[0].loser.values().collect();
            assert_eq!(loser, [&Raw::text(lost)], "{place}: kept by name");
            ada.world.assert_quiet().await;
        }
    }
}

fn strict(winner: Side) -> String {
    ruled(winner).replace("create: both", "create: both\nguard: strict")
}

/// The switch lets somebody type after the guard has looked: an edit of the same second.
#[tokio::test]
async fn row_25_an_edit_that_passes_the_guard_is_found_in_the_history() {
    for winner in Side::BOTH {
        let mut ada = Pair::of(&strict(winner)).await;
        ada.world
            .salesforce
            .track_history("Contact", &["Title"])
            .unwrap();
        ada.retitle(Side::HubSpot, "CEO");
        switch_on(&ada.world, &[typed_first(Side::Salesforce, "VP")]);
        ada.world.settle().await;
        assert_eq!(struck(&ada.world, Fault::EditBefore), 1, "{winner}");
        let stands = if winner == Side::Salesforce {
            "VP"
        } else {
            "CEO"
        };
        assert_eq!(ada.title(Side::HubSpot), stands, "{winner}");
        assert_eq!(ada.title(Side::Salesforce), stands, "{winner}");
        assert_eq!(ada.world.conflicts().await.len(), 1, "{winner}");
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_26_a_guarded_write_that_comes_too_late_is_refused_and_planned_anew() {
    for winner in Side::BOTH {
        let mut ada = Pair::of(&strict(winner)).await;
        ada.retitle(Side::HubSpot, "CEO");
        let (org, clock) = (ada.world.salesforce.clone(), ada.world.clock.clone());
        let id = ada.salesforce.clone();
        let path: &'static str = Box::leak(format!("/sobjects/Contact/{id}").into());
        ada.world.to_salesforce.before("PATCH", path, move || {
            clock.advance_millis(1_500);
            org.edit("Contact", &id, &[("Title", "VP".into())]).unwrap();
        });
        ada.world.settle().await;
        let refused = ada.world.salesforce.requests().into_iter();
        let refused = refused.filter(|request| request.status == 412).count();
        assert_eq!(refused, 1, "{winner}");
        let (stands, lost) = match winner {
            Side::Salesforce => ("VP", "CEO"),
            Side::HubSpot => ("CEO", "VP"),
        };
        assert_eq!(ada.title(Side::HubSpot), stands, "{winner}");
        assert_eq!(ada.title(Side::Salesforce), stands, "{winner}");
        let conflicts = ada.world.conflicts().await;
        assert_eq!(conflicts.len(), 1, "{winner}");
        let loser: Vec<&Raw> = conflicts[0].loser.values().collect();
        assert_eq!(loser, [&Raw::text(lost)], "{winner}");
        assert_eq!(ada.world.letter_codes().await, [""; 0]);
        ada.world.assert_quiet().await;
    }
}

#[tokio::test]
async fn row_34_two_automations_that_take_everything_back_end_in_a_hold_of_that_field() {
    let mut ada = Pair::of(PEOPLE).await;
    let fights =
        |object: &str, field: &str| Switch::of(Fault::Reverted).object(object).field(field);
    let fights = [fights("contacts", "jobtitle"), fights("Contact", "Title")];
    switch_on(&ada.world, &fights);
    ada.retitle(Side::HubSpot, "CEO");
    run_for(&mut ada.world, 50).await;
    let writes = |ada: &Pair| ada.writes(Side::HubSpot) + ada.writes(Side::Salesforce);
    let spent = writes(&ada);
    assert!(spent <= 8, "{spent} writes for one edit");
    let holds = ada.world.holds().await;
    assert_eq!(holds.len(), 1, "{holds:?}");
    assert_eq!(holds[0].reason, HoldReason::Oscillation);
    assert_eq!(holds[0].rule, "jobtitle");
    ada.world
        .edit_hubspot("contacts", &ada.hubspot, &[("firstname", "Adele")]);
    run_for(&mut ada.world, 5).await;
    let name = ada.world.sf("Contact", &ada.salesforce, "FirstName");
    assert_eq!(name, "Adele", "the other fields go on");
    let before = (writes(&ada), calls(&ada.world, Side::HubSpot, "update"));
    run_for(&mut ada.world, 24 * 60).await;
    let spent = writes(&ada) - before.0;
    assert!(spent <= 24, "{spent} writes in a day of fighting");
}
