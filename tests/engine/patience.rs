//! How long something is tried: neither given up at the first trouble nor tried for ever.

use tandem::model::{Cause, MappingName, RecordId, RecordKey, Side, Task};
use tandem::store::{DeadLetterFilter, Mark};

use crate::world::LANE;
use crate::{PEOPLE, UPDATES, linked};

const READS: &str = "/composite/sobjects/Contact";
const HUBSPOT_READS: &str = "/contacts/batch/read";

const NO_SCOPE: &str = r#"{"status":"error","category":"MISSING_SCOPES",
    "message":"This app hasn't been granted all required scopes to make this call."}"#;

#[tokio::test]
async fn a_mark_that_waited_for_more_than_a_day_survives_one_outage() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.mark("contacts", Side::HubSpot, &hubspot).await;
    world.close().await;
    world.pass(25 * 3_600_000);
    world.open().await;
    world.to_salesforce.answer("POST", READS, 503, "");
    world.settle().await;
    // A later poll would close a letter again, so closed ones count too.
    let ever = DeadLetterFilter {
        limit: 10,
        ..DeadLetterFilter::default()
    };
    let ever = world.store.dead_letters(&world.workspace, &ever);
    let ever = ever.await.unwrap();
    assert!(ever.is_empty(), "tried again, not given up: {ever:?}");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_write_that_never_has_an_answer_ends_as_a_dead_letter() {
    const LOST: usize = 60;
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    for _ in 0..LOST {
        world.to_hubspot.lose_request("POST", UPDATES);
    }
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;
    world.settle().await;
    let sent = LOST - world.to_hubspot.waiting();
    assert_eq!(world.letters().await.len(), 1, "{sent} writes were sent");
    assert_eq!(sent, 12);
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CTO");
    world.to_hubspot.forget();
    world.mark("contacts", Side::Salesforce, &salesforce).await;
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    assert!(world.letters().await.is_empty(), "replayed with success");
    world.assert_quiet().await;
}

#[tokio::test]
async fn polls_that_show_a_record_again_try_nothing_again_that_failed_for_good() {
    const REFUSAL: &str = r#"{"status":"error","category":"VALIDATION_ERROR","message":"no"}"#;
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    for _ in 0..9 {
        world.to_hubspot.answer("POST", UPDATES, 400, REFUSAL);
    }
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;
    assert_eq!(world.letters().await.len(), 1);
    for _ in 0..4 {
        // The overlap of the next polls and the late pass show the edit again and again.
        world.pass(200_000);
        world.settle().await;
    }
    assert_eq!(world.to_hubspot.waiting(), 8, "refused once, asked once");
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CFO")]);
    world.to_hubspot.forget();
    world.settle().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CFO", "news is");
    assert!(world.letters().await.is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_record_that_has_not_moved_closes_no_letter_about_the_other_one_of_its_pair() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    for _ in 0..20 {
        world.to_hubspot.lose_request("POST", UPDATES);
    }
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;
    world.settle().await;
    assert_eq!(world.letters().await.len(), 1, "the write was given up");
    world.to_hubspot.forget();
    let echo = Mark {
        task: Task::Record(RecordKey {
            mapping: MappingName::new("contacts"),
            side: Side::HubSpot,
            id: RecordId::new(&hubspot),
        }),
        cause: Cause::Poll,
        not_before: world.clock.now(),
    };
    let marked = world.store.mark(&world.workspace, LANE, &[echo]).await;
    marked.unwrap();
    world.work().await;
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CTO");
    assert_eq!(world.letters().await.len(), 1, "the two still disagree");
}

#[tokio::test]
pub async fn records_that_may_not_be_read_for_a_while_are_not_given_up() {
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    for _ in 0..20 {
        world
            .to_hubspot
            .answer("POST", HUBSPOT_READS, 403, NO_SCOPE);
    }
    world.edit_salesforce("Contact", &salesforce, &[("Title", "CEO")]);
    world.settle().await;
    assert_eq!(world.to_hubspot.waiting(), 0, "asked again, now and then");
    assert!(world.letters().await.is_empty(), "nothing is given up");
    assert_eq!(world.hs("contacts", &hubspot, "jobtitle"), "CEO");
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_salesforce_permission_that_is_missing_for_a_while_gives_no_record_up() {
    const NO_ACCESS: &str = r#"[{"errorCode":"INSUFFICIENT_ACCESS","message":"no access"}]"#;
    let (mut world, hubspot, salesforce) = linked(PEOPLE).await;
    for _ in 0..20 {
        world.to_salesforce.answer("POST", READS, 403, NO_ACCESS);
    }
    world.edit_hubspot("contacts", &hubspot, &[("jobtitle", "CEO")]);
    world.settle().await;
    assert_eq!(world.to_salesforce.waiting(), 0, "asked again");
    assert!(world.letters().await.is_empty(), "nothing is given up");
    assert_eq!(world.sf("Contact", &salesforce, "Title"), "CEO");
    world.assert_quiet().await;
}
