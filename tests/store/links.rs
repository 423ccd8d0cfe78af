//! Links and what hangs on them: unique while open, replaced as a whole, never half stored.

use std::collections::BTreeMap;

use tandem::model::{
    Bases, Halves, HoldReason, IntentId, Link, LinkId, LinkState, MappingName, Raw, RecordId, Side,
};
use tandem::store::{Changes, HoldPlace, LinkFilter, StoreError, Taken};

use crate::fixture::{Fixture, bases, contacts, hold, intent, link, linked, on_both, polled};

on_both!(
    a_link_comes_back_as_it_was_stored,
    a_record_has_one_open_link_per_mapping,
    a_group_shares_its_hubspot_records,
    a_refused_commit_leaves_nothing_behind,
    a_record_changes_hands_in_one_step,
    a_link_is_taken_apart_as_it_is_by_then,
    links_can_be_paged_and_counted,
    bases_are_replaced_as_a_whole,
    a_hold_is_one_per_rule,
    a_link_has_one_open_intent_per_side,
);

fn taken(error: &StoreError) -> Option<Taken> {
    match error {
        StoreError::Conflict(taken) => Some(*taken),
        _ => None,
    }
}

async fn a_link_comes_back_as_it_was_stored(f: Fixture) {
    let creating = Link {
        state: LinkState::Creating(Side::Salesforce),
        note: "quote ' \" \\ and \u{1f600}".to_owned(),
        group: None,
        ..link("lnk_2", "2", "")
    };
    let links = vec![link("lnk_1", "1", "a"), creating];
    let lease = f.lease().await;
    f.apply(&lease, linked(links.clone())).await;
    let records = [
        RecordId::new("2"),
        RecordId::new("1"),
        RecordId::new("none"),
    ];
    let found = f
        .store
        .links_by_record(&f.ws, &contacts(), Side::HubSpot, &records)
        .await;
    assert_eq!(found.unwrap(), links);
    let records = [RecordId::new("a")];
    let found = f
        .store
        .links_by_record(&f.ws, &contacts(), Side::Salesforce, &records)
        .await;
    assert_eq!(found.unwrap(), links[..1]);
    let none = f.store.links_by_id(&f.ws, &[]).await.unwrap();
    assert_eq!(none, []);
}

async fn a_record_has_one_open_link_per_mapping(f: Fixture) {
    let lease = f.lease().await;
    f.apply(&lease, linked(vec![link("lnk_1", "1", "a")])).await;
    let ungrouped = |id, hubspot, salesforce| Link {
        group: None,
        ..link(id, hubspot, salesforce)
    };
    let same_hubspot = linked(vec![ungrouped("lnk_2", "1", "b")]);
    assert_eq!(
        taken(&f.refused(&lease, same_hubspot).await),
        Some(Taken::HubSpotRecord)
    );
    let same_salesforce = linked(vec![ungrouped("lnk_3", "2", "a")]);
    assert_eq!(
        taken(&f.refused(&lease, same_salesforce).await),
        Some(Taken::SalesforceRecord)
    );
    let other_mapping = Link {
        mapping: MappingName::new("other"),
        ..ungrouped("lnk_4", "1", "a")
    };
    f.apply(&lease, linked(vec![other_mapping])).await;
    let closed = |id, state| Link {
        state,
        ..ungrouped(id, "1", "a")
    };
    f.apply(
        &lease,
        linked(vec![
            closed("lnk_5", LinkState::Tombstoned),
            closed("lnk_6", LinkState::Unlinked),
        ]),
    )
    .await;
    let reopened = linked(vec![closed("lnk_6", LinkState::Suspended)]);
    assert!(taken(&f.refused(&lease, reopened).await).is_some());
}

async fn a_group_shares_its_hubspot_records(f: Fixture) {
    let lease = f.lease().await;
    f.apply(&lease, linked(vec![link("lnk_1", "1", "003a")]))
        .await;
    let lead = Link {
        mapping: MappingName::new("leads"),
        ..link("lnk_2", "1", "00Qa")
    };
    let refused = f.refused(&lease, linked(vec![lead.clone()])).await;
    assert_eq!(taken(&refused), Some(Taken::Group));
    let unlinked = Link {
        state: LinkState::Unlinked,
        ..link("lnk_1", "1", "003a")
    };
    f.apply(&lease, linked(vec![unlinked.clone(), lead.clone()]))
        .await;
    let found = f
        .store
        .links_of_group(&f.ws, "people", &[RecordId::new("1")])
        .await
        .unwrap();
    assert_eq!(found, [unlinked, lead]);
}

async fn a_refused_commit_leaves_nothing_behind(f: Fixture) {
    let lease = f.lease().await;
    f.apply(&lease, linked(vec![link("lnk_1", "1", "a")])).await;
    let changes = Changes {
        lane_state: Some("{\"x\":1}".to_owned()),
        bases: vec![(LinkId::new("lnk_9"), bases("x", "y"))],
        holds: vec![hold("lnk_9", "email", HoldReason::Ask)],
        marks: vec![polled("9")],
        intents: vec![intent("int_9", "lnk_9", Side::HubSpot)],
        ..linked(vec![link("lnk_9", "9", "z"), link("lnk_8", "8", "a")])
    };
    let refused = f.refused(&lease, changes).await;
    assert_eq!(taken(&refused), Some(Taken::SalesforceRecord));
    assert!(refused.to_string().contains("nothing was stored"));
    let nine = [LinkId::new("lnk_9"), LinkId::new("lnk_8")];
    assert_eq!(f.store.links_by_id(&f.ws, &nine).await.unwrap(), []);
    assert_eq!(f.store.bases(&f.ws, &nine).await.unwrap(), BTreeMap::new());
    assert_eq!(f.store.holds(&f.ws, &nine).await.unwrap(), []);
    assert_eq!(f.store.open_intents(&f.ws).await.unwrap(), []);
    assert_eq!(f.queue().await, []);
    assert_eq!(
        f.store.lane_state(&f.ws, "sync").await.unwrap().as_deref(),
        Some("{}")
    );
}

async fn a_record_changes_hands_in_one_step(f: Fixture) {
    let lease = f.lease().await;
    f.apply(&lease, linked(vec![link("lnk_9", "1", "a")])).await;
    let old = Link {
        state: LinkState::Unlinked,
        ..link("lnk_9", "1", "a")
    };
    f.apply(&lease, linked(vec![link("lnk_1", "1", "b"), old]))
        .await;
    let records = [RecordId::new("1")];
    let found = f
        .store
        .links_by_record(&f.ws, &contacts(), Side::HubSpot, &records)
        .await;
    let states: Vec<LinkState> = found.unwrap().iter().map(|link| link.state).collect();
    assert_eq!(states, [LinkState::Linked, LinkState::Unlinked]);
}

async fn a_link_is_taken_apart_as_it_is_by_then(f: Fixture) {
    let lease = f.lease().await;
    let closed = Link {
        state: LinkState::Tombstoned,
        note: "gone".to_owned(),
        ..link("lnk_3", "3", "c")
    };
    let links = vec![link("lnk_1", "1", "a"), link("lnk_2", "2", "b"), closed];
    f.apply(&lease, linked(links.clone())).await;
    let moved = Link {
        note: "moved".to_owned(),
        ..link("lnk_1", "9", "a")
    };
    f.apply(&lease, linked(vec![moved.clone()])).await;
    let part = |id: &str| (LinkId::new(id), "unpaired by hand".to_owned());
    let parting = Changes {
        links_parted: vec![part("lnk_1"), part("lnk_3"), part("lnk_none")],
        links: vec![link("lnk_4", "9", "a")],
        ..Changes::default()
    };
    f.apply(&lease, parting).await;
    let filter = LinkFilter::default();
    let found = f.store.links_page(&f.ws, &filter, None, 10).await.unwrap();
    let parted = Link {
        state: LinkState::Unlinked,
        note: "unpaired by hand".to_owned(),
        ..moved
    };
    let want = [
        parted,
        links[1].clone(),
        links[2].clone(),
        link("lnk_4", "9", "a"),
    ];
    assert_eq!(found, want);
}

async fn links_can_be_paged_and_counted(f: Fixture) {
    let lease = f.lease().await;
    let numbered = |n: usize| link(&format!("lnk_{n:03}"), &format!("h{n}"), &format!("s{n}"));
    let mut links: Vec<Link> = (0..25).map(numbered).collect();
    links[7].state = LinkState::Suspended;
    f.apply(&lease, linked(links.clone())).await;
    let mut seen = Vec::new();
    loop {
        let after = seen.last().map(|link: &Link| link.id.clone());
        let filter = LinkFilter {
            mapping: Some(contacts()),
            state: Some(LinkState::Linked),
        };
        let page = f
            .store
            .links_page(&f.ws, &filter, after.as_ref(), 10)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    links.remove(7);
    assert_eq!(seen, links);
    let counts = f.store.count_links(&f.ws, Some(&contacts())).await.unwrap();
    let expected = BTreeMap::from([(LinkState::Linked, 24), (LinkState::Suspended, 1)]);
    assert_eq!(counts, expected);
}

async fn bases_are_replaced_as_a_whole(f: Fixture) {
    let lease = f.lease().await;
    let id = LinkId::new("lnk_1");
    let mut first = bases("a@x.test", "A@x.test");
    let mut odd = Halves {
        rule_hash: "r2".to_owned(),
        ..Halves::default()
    };
    odd.sides
        .hubspot
        .insert("nul".to_owned(), Raw::text("a\u{0}b\\u0000"));
    odd.sides
        .salesforce
        .insert("Amount".to_owned(), Raw::Number("12.30".to_owned()));
    odd.sides
        .salesforce
        .insert("Flag".to_owned(), Raw::Bool(true));
    odd.sides.salesforce.insert("None".to_owned(), Raw::Null);
    first.insert("odd".to_owned(), odd);
    let put = |bases: &Bases| Changes {
        bases: vec![(id.clone(), Bases::new()), (id.clone(), bases.clone())],
        ..Changes::default()
    };
    f.apply(&lease, put(&first)).await;
    let read = || f.store.bases(&f.ws, std::slice::from_ref(&id));
    assert_eq!(read().await.unwrap(), BTreeMap::from([(id.clone(), first)]));
    let second = bases("b@x.test", "b@x.test");
    f.apply(&lease, put(&second)).await;
    assert_eq!(
        read().await.unwrap(),
        BTreeMap::from([(id.clone(), second)])
    );
}

async fn a_hold_is_one_per_rule(f: Fixture) {
    let lease = f.lease().await;
    let (email, phone) = ("email", "phone");
    let holds = vec![
        hold("lnk_1", email, HoldReason::Ask),
        hold("lnk_1", phone, HoldReason::Refused),
        hold("lnk_2", email, HoldReason::Ask),
    ];
    f.apply(
        &lease,
        Changes {
            holds: holds.clone(),
            ..Changes::default()
        },
    )
    .await;
    let again = hold("lnk_1", email, HoldReason::Altered);
    let holds_closed = vec![(LinkId::new("lnk_1"), phone.to_owned())];
    let changes = Changes {
        holds: vec![again.clone()],
        holds_closed,
        ..Changes::default()
    };
    f.apply(&lease, changes).await;
    let both = [LinkId::new("lnk_1"), LinkId::new("lnk_2")];
    let held = f.store.holds(&f.ws, &both).await.unwrap();
    assert_eq!(held, [again.clone(), holds[2].clone()]);
    let first = f.store.holds_page(&f.ws, None, None, 1).await.unwrap();
    assert_eq!(first, std::slice::from_ref(&again));
    let place = HoldPlace {
        link: again.link.clone(),
        rule: again.rule.clone(),
    };
    let rest = f
        .store
        .holds_page(&f.ws, Some(HoldReason::Ask), Some(&place), 9)
        .await
        .unwrap();
    assert_eq!(rest, [holds[2].clone()]);
    let counts = f.store.count_holds(&f.ws).await.unwrap();
    assert_eq!(
        counts,
        BTreeMap::from([(HoldReason::Ask, 1), (HoldReason::Altered, 1)])
    );
}

async fn a_link_has_one_open_intent_per_side(f: Fixture) {
    let lease = f.lease().await;
    let open = |id: &str, side| Changes {
        intents: vec![intent(id, "lnk_1", side)],
        ..Changes::default()
    };
    f.apply(&lease, open("int_1", Side::HubSpot)).await;
    f.apply(&lease, open("int_2", Side::Salesforce)).await;
    let refused = f.refused(&lease, open("int_3", Side::HubSpot)).await;
    assert_eq!(taken(&refused), Some(Taken::Intent));
    let found = f
        .store
        .intents(&f.ws, &[LinkId::new("lnk_1")])
        .await
        .unwrap();
    let expected = [
        intent("int_1", "lnk_1", Side::HubSpot),
        intent("int_2", "lnk_1", Side::Salesforce),
    ];
    assert_eq!(found, expected);
    let closing = Changes {
        intents_closed: vec![IntentId::new("int_1")],
        ..open("int_3", Side::HubSpot)
    };
    f.apply(&lease, closing).await;
    let ids: Vec<IntentId> = f
        .store
        .open_intents(&f.ws)
        .await
        .unwrap()
        .into_iter()
        .map(|intent| intent.id)
        .collect();
    assert_eq!(ids, [IntentId::new("int_3"), IntentId::new("int_2")]);
}
