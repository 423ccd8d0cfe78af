//! Stamps, late commits, the recycle bin, merges and conversion.

use serde_json::{Value, json};

use crate::support::org;

#[tokio::test]
async fn an_internal_job_moves_the_system_stamp_alone() {
    let org = org();
    let id = org.contact(json!({ "LastName": "Roe" }));
    org.clock.advance_millis(60_999);
    org.sim.internal_bump("Contact", &id).expect("bumped");
    let record = org.sim.record("Contact", &id).expect("the record");
    assert_eq!(
        record.last_modified_at.to_string(),
        "2026-11-23T10:00:00.000Z"
    );
    assert_eq!(
        record.system_modstamp.to_string(),
        "2026-11-23T10:01:00.000Z"
    );
}

#[tokio::test]
async fn a_late_commit_appears_behind_the_clock() {
    let org = org();
    let id = org.contact(json!({ "LastName": "Roe" }));
    org.clock.advance_millis(10_000);
    let late = org
        .sim
        .begin_late_commit("Contact", &id, &[("Title", json!("CEO"))]);
    let late = late.expect("begun");
    org.clock.advance_millis(300_000);
    let seen = "SELECT Title FROM Contact WHERE SystemModstamp > 2026-11-23T10:00:00Z";
    assert!(org.pick(seen, "Title").await.is_empty());
    org.sim.commit(late).expect("committed");
    let record = org.sim.record("Contact", &id).expect("the record");
    assert_eq!(
        record.system_modstamp.to_string(),
        "2026-11-23T10:00:10.000Z"
    );
    assert_eq!(org.pick(seen, "Title").await, [json!("CEO")]);
    let refused = org
        .sim
        .begin_late_commit("Contact", &id, &[("Email", json!("x"))]);
    assert!(refused.is_err());
    let late = org
        .sim
        .begin_late_create("Contact", &[("LastName", json!("Late"))])
        .expect("begun");
    org.clock.advance_millis(1_000);
    let late = org.sim.commit(late).expect("committed");
    let record = org.sim.record("Contact", &late).expect("the record");
    assert_eq!(record.created_at.to_string(), "2026-11-23T10:05:10.000Z");
}

#[tokio::test]
async fn a_deleted_account_takes_its_people_and_deals_along_and_brings_them_back() {
    let org = org();
    let account = org
        .create("Account", json!({ "Name": "Acme" }))
        .expect("an account");
    let person = org.contact(json!({ "LastName": "Roe", "AccountId": account }));
    let deal = org
        .create(
            "Opportunity",
            json!({
                "Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01",
                "AccountId": account, "ContactId": person,
            }),
        )
        .expect("a deal");
    let other = org
        .create(
            "Subscription__c",
            json!({ "Name": "S", "Account__c": account }),
        )
        .expect("a subscription");
    assert_eq!(
        org.sim.records("OpportunityContactRole").len(),
        1,
        "the deal's first contact"
    );
    let path = format!("/sobjects/Account/{account}");
    assert_eq!(org.call("DELETE", &path, Value::Null).await.status, 204);
    let is_deleted = |object: &str, id: &str| org.sim.record(object, id).is_none_or(|r| r.deleted);
    assert!(is_deleted("Contact", &person) && is_deleted("Opportunity", &deal));
    let left = org.sim.record("Subscription__c", &other).expect("it stays");
    assert!(!left.deleted && !left.fields.contains_key("Account__c"));
    let gone = org.call("GET", &path, Value::Null).await;
    assert_eq!((gone.status, gone.code()), (404, "ENTITY_IS_DELETED"));
    assert!(org.pick("SELECT Id FROM Contact", "Id").await.is_empty());
    let all = org
        .query("queryAll", "SELECT Id FROM Contact WHERE IsDeleted = TRUE")
        .await;
    assert_eq!(all.body["totalSize"], 1);
    let refused = org
        .refusal("Contact", json!({ "LastName": "R", "AccountId": account }))
        .await;
    assert_eq!(refused, "INVALID_CROSS_REFERENCE_KEY");
    org.sim.undelete("Account", &account).expect("undeleted");
    assert!(!is_deleted("Contact", &person) && !is_deleted("Opportunity", &deal));
}

#[tokio::test]
async fn a_purged_record_leaves_no_trace() {
    let org = org();
    let id = org.contact(json!({ "LastName": "Roe" }));
    assert!(
        org.sim.purge("Contact", &id).is_err(),
        "it must be in the bin first"
    );
    org.sim.delete("Contact", &id).expect("deleted");
    org.sim.purge("Contact", &id).expect("purged");
    let path = format!("/sobjects/Contact/{id}");
    assert_eq!(
        org.call("GET", &path, Value::Null).await.code(),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn a_merge_names_its_master_and_moves_the_children() {
    let org = org();
    let account = |name: &str| {
        org.create("Account", json!({ "Name": name }))
            .expect("made")
    };
    let (master, loser) = (account("Acme"), account("ACME Inc"));
    let person = org.contact(json!({ "LastName": "Roe", "AccountId": loser }));
    org.clock.advance_millis(5_000);
    org.sim
        .merge("Account", &master, &[&loser])
        .expect("merged");
    let row = org
        .query(
            "queryAll",
            &format!("SELECT MasterRecordId FROM Account WHERE Id = '{loser}'"),
        )
        .await
        .body["records"][0]
        .clone();
    assert_eq!(row["MasterRecordId"], master.as_str());
    let person = org.sim.record("Contact", &person).expect("the contact");
    assert_eq!(person.fields["AccountId"], master.as_str());
    assert_eq!(
        person.last_modified_at.to_string(),
        "2026-11-23T10:00:00.000Z"
    );
    let winner = org.sim.record("Account", &master).expect("the master");
    assert_eq!(
        winner.last_modified_at.to_string(),
        "2026-11-23T10:00:05.000Z"
    );
    assert!(
        org.sim.merge("Account", &master, &[&loser]).is_err(),
        "it is gone already"
    );
}

#[tokio::test]
async fn a_converted_lead_points_at_what_it_became_and_stays_as_it_is() {
    let org = org();
    let lead = json!({ "LastName": "Roe", "Company": "Acme", "Email": "r@example.com" });
    let lead = org.create("Lead", lead).expect("a lead");
    let became = org
        .sim
        .convert_lead(&lead, None, None, true)
        .expect("converted");
    let fields = org.sim.record("Lead", &lead).expect("the lead").fields;
    assert_eq!(fields["IsConverted"], true);
    assert_eq!(fields["ConvertedContactId"], became.contact.as_str());
    assert_eq!(fields["ConvertedDate"], "2026-11-23");
    let contact = org
        .sim
        .record("Contact", &became.contact)
        .expect("the contact")
        .fields;
    assert_eq!(contact["AccountId"], became.account.as_str());
    assert_eq!(contact["Email"], "r@example.com");
    assert!(became.opportunity.is_some());
    let path = format!("/sobjects/Lead/{lead}");
    let refused = org.call("PATCH", &path, json!({ "Title": "T" })).await;
    assert_eq!(refused.code(), "CANNOT_UPDATE_CONVERTED_LEAD");
}

#[tokio::test]
async fn one_role_of_a_deal_is_primary() {
    let org = org();
    let person = org.contact(json!({ "LastName": "Roe" }));
    let deal = json!({ "Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01" });
    let deal = org.create("Opportunity", deal).expect("a deal");
    for _ in 0..2 {
        let role = json!({ "OpportunityId": deal, "ContactId": person, "IsPrimary": true });
        org.create("OpportunityContactRole", role).expect("a role");
    }
    let primary = "SELECT Id FROM OpportunityContactRole WHERE IsPrimary = TRUE";
    assert_eq!(org.pick(primary, "Id").await.len(), 1);
}

#[tokio::test]
async fn a_role_needs_both_its_ends_keeps_them_and_goes_with_either() {
    let org = org();
    for (object, end, label) in [
        ("OpportunityContactRole", "OpportunityId", "Opportunity"),
        ("AccountContactRole", "AccountId", "Account"),
    ] {
        let parent = json!({
            "Opportunity": { "Name": "D", "StageName": "Prospecting", "CloseDate": "2026-12-01" },
            "Account": { "Name": "Acme" },
        });
        let parent = || org.create(label, parent[label].clone()).expect("a parent");
        let person = || org.contact(json!({ "LastName": "Roe" }));
        let (one, other) = (person(), person());
        let (first, second) = (parent(), parent());
        let half = json!({ "ContactId": one, "Role": "Decision Maker" });
        assert_eq!(org.refusal(object, half).await, "REQUIRED_FIELD_MISSING");
        let tie = |contact: &str, parent: &str| {
            let role = json!({ end: parent, "ContactId": contact, "Role": "Decision Maker" });
            org.create(object, role).expect("a role")
        };
        let (kept, lost) = (tie(&one, &first), tie(&one, &second));
        tie(&other, &first);
        let path = format!("/sobjects/{object}/{kept}");
        let moved = org.call("PATCH", &path, json!({ end: second })).await;
        assert_eq!(moved.code(), "INVALID_FIELD_FOR_INSERT_UPDATE");
        let live = || {
            let records = org.sim.records(object).into_iter();
            let ids = records.filter(|row| !row.deleted).map(|row| row.id);
            ids.collect::<Vec<_>>()
        };
        org.sim.delete("Contact", &other).expect("deleted");
        assert_eq!(live(), [kept.clone(), lost]);
        org.sim.delete(label, &second).expect("deleted");
        assert_eq!(live(), std::slice::from_ref(&kept));
        let path = format!("/composite/sobjects?ids={kept}&allOrNone=false");
        let gone = org.call("DELETE", &path, Value::Null).await;
        assert_eq!(gone.body[0]["success"], true);
        assert!(live().is_empty());
    }
}

#[tokio::test]
async fn test_control_opens_the_same_doors() {
    let org = org();
    let made = json!({ "object": "Contact", "fields": { "LastName": "Roe" } });
    let id = org.call("POST", "/_sim/create", made).await.body["id"].clone();
    let edit = json!({ "object": "Contact", "id": id, "fields": { "Title": "CEO" } });
    assert_eq!(org.call("POST", "/_sim/edit", edit).await.status, 200);
    let state = org
        .call("GET", "/_sim/state?object=Contact", Value::Null)
        .await
        .body;
    assert_eq!(state["records"][0]["fields"]["Title"], "CEO");
    let bad = json!({ "object": "Contact", "fields": {} });
    assert_eq!(org.call("POST", "/_sim/create", bad).await.status, 400);
    let late = json!({ "object": "Contact", "id": id, "fields": { "Title": "CTO" } });
    let late = org.call("POST", "/_sim/late", late).await.body;
    assert_eq!(org.call("POST", "/_sim/commit", late).await.status, 200);
    assert!(
        org.sim.requests().is_empty(),
        "none of this is a platform call"
    );
}
