//! `newest` compares when people edited, and a stamp that we left ourselves is no such time.

use crate::crowd::{PEOPLE, linked};

fn newest() -> String {
    PEOPLE.replace(
        "jobtitle: Title",
        "jobtitle: { to: Title, conflict: { newest: hubspot } }",
    )
}

#[tokio::test]
async fn the_later_edit_wins() {
    let (mut world, pairs) = linked(&newest(), 1).await;
    let (hubspot, salesforce) = &pairs[0];
    world.edit_hubspot("contacts", hubspot, &[("jobtitle", "Countess")]);
    world.pass(60_000);
    world.edit_salesforce("Contact", salesforce, &[("Title", "Chief")]);
    world.settle().await;
    assert_eq!(world.hs("contacts", hubspot, "jobtitle"), "Chief");
    assert_eq!(world.sf("Contact", salesforce, "Title"), "Chief");
}

/// Our write of another field moves LastModifiedDate, which then says nothing about the title.
#[tokio::test]
async fn our_own_stamp_is_a_tie() {
    let (mut world, pairs) = linked(&newest(), 1).await;
    let (hubspot, salesforce) = pairs[0].clone();
    world.edit_hubspot("contacts", &hubspot, &[("firstname", "Eve")]);
    let (portal, org, clock) = (
        world.hubspot.clone(),
        world.salesforce.clone(),
        world.clock.clone(),
    );
    let (theirs, ours) = (hubspot.clone(), salesforce.clone());
    world
        .to_salesforce
        .before("PATCH", "/composite/sobjects", move || {
            portal
                .edit("contacts", &theirs, &[("jobtitle", "Countess")])
                .unwrap();
            clock.advance_millis(10_000);
            org.edit("Contact", &ours, &[("Title", "Chief".into())])
                .unwrap();
        });
    world.settle().await;
    assert_eq!(world.to_salesforce.waiting(), 0);
    assert_eq!(world.sf("Contact", &salesforce, "FirstName"), "Eve");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "Countess");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "Countess");
}
