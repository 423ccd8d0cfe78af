//! Hidden records: the link waits and nothing is written.

use serde_json::json;
use tandem::model::LinkState;

use crate::world::World;
use crate::{PEOPLE, linked};

async fn assert_suspended(world: &mut World, code: &str) {
    let before = world.api_writes();
    world.settle().await;
    assert_eq!(world.link().await.state, LinkState::Suspended);
    assert_eq!(world.letter_codes().await, [code]);
    assert_eq!(
        world.api_writes(),
        before,
        "nothing is written over a {code} record"
    );
    world.assert_quiet().await;
    assert_eq!(world.letter_codes().await, [code], "told once");
}

#[tokio::test]
async fn a_record_that_is_hidden_from_us_suspends_and_goes_on_when_it_is_back() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    // Neither readable nor in the bin: purged from it, or no longer shared with us.
    let portal = world.hubspot.clone();
    world.salesforce.delete("Contact", &salesforce).unwrap();
    world.salesforce.purge("Contact", &salesforce).unwrap();
    portal
        .edit("contacts", &hubspot, &[("jobtitle", "CEO")])
        .unwrap();
    assert_suspended(&mut world, "not-visible").await;
    assert_eq!(world.hubspot_ids("contacts"), [hubspot]);
    assert!(
        world.salesforce_ids("Contact").is_empty(),
        "absence is not a delete"
    );
    assert_eq!(json!(world.links().await.len()), json!(1));
}
