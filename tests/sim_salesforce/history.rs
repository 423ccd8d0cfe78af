//! Field history: who changed which tracked field, and from what to what.

use serde_json::{Value, json};

use crate::support::{Org, org};

async fn rows(org: &Org) -> Vec<(String, Value, Value)> {
    let soql = "SELECT Id, ContactId, Field, DataType, OldValue, NewValue, CreatedById, \
                CreatedDate FROM ContactHistory ORDER BY CreatedDate, Id";
    let answer = org.query("query", soql).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let records = answer.body["records"].as_array().cloned().unwrap();
    let row = |row: Value| {
        let name = format!("{}/{}", row["Field"], row["DataType"]).replace('"', "");
        (name, row["OldValue"].clone(), row["NewValue"].clone())
    };
    records.into_iter().map(row).collect()
}

#[tokio::test]
async fn a_save_leaves_a_row_for_each_tracked_field_that_it_changed() {
    let org = org();
    let tracked = ["Title", "Score__c", "DoNotCall", "Description", "OwnerId"];
    org.sim.track_history("Contact", &tracked).unwrap();
    let ids = org
        .pick("SELECT Id FROM User WHERE FirstName = 'Ben'", "Id")
        .await;
    let first = json!({"LastName": "Abel", "Title": "CTO", "FirstName": "A"});
    let id = org.contact(first);
    assert_eq!(rows(&org).await, [], "a create leaves none");
    let news = json!({"FirstName": "B", "Title": "CEO", "Score__c": 1.5, "DoNotCall": true,
        "Description": "long", "OwnerId": ids[0]});
    let path = format!("/sobjects/Contact/{id}");
    let answer = org.call("PATCH", &path, news.clone()).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    org.call("PATCH", &path, news).await;
    let mut found = rows(&org).await;
    found.sort_by(|one, two| one.0.cmp(&two.0));
    let (name, owner) = (found.remove(3), found.remove(2));
    assert_eq!(owner.0, "Owner/EntityId");
    assert_eq!(owner.2, ids[0]);
    assert_eq!(
        (name.0.as_str(), &name.2),
        ("Owner/Text", &json!("Ben Owner"))
    );
    let named = |name: &str, old: Value, new: Value| (name.to_owned(), old, new);
    let expected = [
        named("Description/Text", Value::Null, Value::Null),
        named("DoNotCall/Boolean", json!(false), json!(true)),
        named("Score__c/Double", Value::Null, json!(1.5)),
        named("Title/Text", json!("CTO"), json!("CEO")),
    ];
    assert_eq!(found, expected, "equal values leave none");
}

#[tokio::test]
async fn a_row_says_who_changed_the_field_and_of_which_record() {
    let org = org();
    org.sim.track_history("Contact", &["Title"]).unwrap();
    let [one, two] = ["Abel", "Zorn"].map(|name| org.contact(json!({"LastName": name})));
    let title = [("Title", json!("CEO"))];
    org.sim.edit("Contact", &one, &title).unwrap();
    let path = format!("/sobjects/Contact/{two}");
    org.call("PATCH", &path, json!({"Title": "CEO"})).await;
    let by = |id: &str| format!("SELECT CreatedById FROM ContactHistory WHERE ContactId = '{id}'");
    let (user, api) = (org.pick(&by(&one), "CreatedById").await, by(&two));
    let api = org.pick(&api, "CreatedById").await;
    assert_eq!((user.len(), api.len()), (1, 1));
    assert_ne!(user, api);
    let of = "SELECT Contact.LastName FROM ContactHistory WHERE Field = 'Title'";
    assert_eq!(org.pick(of, "Contact").await.len(), 2);
}

#[tokio::test]
async fn a_history_is_read_and_not_written_filtered_by_value_or_polled_by_stamp() {
    let org = org();
    for (soql, code) in [
        (
            "SELECT Id FROM ContactHistory WHERE OldValue = 'x'",
            "INVALID_FIELD",
        ),
        ("SELECT SystemModstamp FROM ContactHistory", "INVALID_FIELD"),
        ("SELECT Id FROM OpportunityHistory", "INVALID_TYPE"),
    ] {
        assert_eq!(org.query("query", soql).await.code(), code, "{soql}");
    }
    let row = json!({"Field": "Title"});
    let refused = org.refusal("ContactHistory", row).await;
    assert_eq!(refused, "INVALID_TYPE_FOR_OPERATION");
}

#[tokio::test]
async fn the_org_tells_what_it_tracks_and_lets_an_administrator_choose_twenty_fields() {
    let org = org();
    let soql = "SELECT QualifiedApiName, IsFieldHistoryTracked FROM FieldDefinition \
                WHERE EntityDefinition.QualifiedApiName = 'Contact'";
    let told = || async {
        let names = org.pick(soql, "QualifiedApiName").await;
        let flags = org.pick(soql, "IsFieldHistoryTracked").await;
        let both = names.into_iter().zip(flags);
        let tracked = both.filter(|(_, flag)| *flag == json!(true));
        tracked.map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert!(told().await.is_empty());
    org.sim
        .track_history("Contact", &["Title", "Email"])
        .unwrap();
    assert_eq!(told().await, [json!("Email"), json!("Title")]);
    let options = json!({"tracked_fields": {"Contact": ["Phone"]}});
    let answer = org.call("POST", "/_sim/options", options).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(told().await, [json!("Phone")]);
    let many = ["Phone"; 21];
    assert!(org.sim.track_history("Contact", &many).is_err());
    assert!(
        org.sim.track_history("Contact", &["Name"]).is_err(),
        "a compound"
    );
    assert!(org.sim.track_history("User", &["Email"]).is_err());
}
