//! SOQL: filters, order, paging, and what it refuses.

use serde_json::{Value, json};

use crate::support::{Org, org};

fn people(org: &Org) -> Vec<String> {
    let rows = [
        json!({ "LastName": "Abel", "Email": "abel@example.com", "Score__c": 1.5,
                "Interests__c": "Events;Product", "Birthdate": "1990-05-01" }),
        json!({ "LastName": "O'Neil", "FirstName": "Bo", "Score__c": 20, "DoNotCall": true }),
        json!({ "LastName": "Zorn", "Title": "Head_of 100% joy", "Interests__c": "Webinars" }),
    ];
    rows.into_iter()
        .map(|row| {
            org.clock.advance_millis(1_000);
            org.contact(row)
        })
        .collect()
}

#[tokio::test]
async fn filters_choose_the_rows_they_name() {
    let org = org();
    let ids = people(&org);
    for (filter, found) in [
        ("LastName = 'abel'", "Abel"),
        (r"LastName = 'O\'Neil'", "O'Neil"),
        ("LastName != 'Abel'", "O'Neil Zorn"),
        ("Email = null", "O'Neil Zorn"),
        ("Email != NULL", "Abel"),
        ("Score__c > 1.4 AND Score__c <= 20", "Abel O'Neil"),
        (
            "(Score__c < 5 OR Title LIKE 'head%') AND DoNotCall = FALSE",
            "Abel Zorn",
        ),
        ("NOT (DoNotCall = TRUE)", "Abel Zorn"),
        (r"Title LIKE '%100\% j_y'", "Zorn"),
        (r"Title LIKE 'Headxof%'", ""),
        ("LastName IN ('Zorn', 'ABEL')", "Abel Zorn"),
        ("LastName NOT IN ('Zorn', 'ABEL')", "O'Neil"),
        (
            "Interests__c INCLUDES ('Events;Product', 'Webinars')",
            "Abel Zorn",
        ),
        ("Interests__c INCLUDES ('Events;Webinars')", ""),
        ("Interests__c EXCLUDES ('Events')", "O'Neil Zorn"),
        ("Birthdate >= 1990-05-01", "Abel"),
        ("CreatedDate > 2026-11-23T10:00:01Z", "O'Neil Zorn"),
        (
            "CreatedDate > 2026-11-23T11:00:01.500%2B01:00",
            "O'Neil Zorn",
        ),
        ("Name = 'Bo O\\'Neil'", "O'Neil"),
    ] {
        let filter = filter.replace("%2B", "+");
        let statement = format!("SELECT LastName FROM Contact WHERE {filter} ORDER BY LastName");
        let names = org.pick(&statement, "LastName").await;
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        assert_eq!(names.join(" "), found, "{filter}");
    }
    let by_id = format!(
        "SELECT LastName FROM Contact WHERE Id IN ('{}')",
        &ids[2][..15]
    );
    assert_eq!(org.pick(&by_id, "LastName").await, [json!("Zorn")]);
}

#[tokio::test]
async fn order_puts_nulls_first_unless_told() {
    let org = org();
    people(&org);
    for (order, found) in [
        ("Score__c", "Zorn Abel O'Neil"),
        ("Score__c DESC NULLS LAST", "O'Neil Abel Zorn"),
        ("Score__c ASC NULLS LAST, LastName", "Abel O'Neil Zorn"),
        ("LastName DESC LIMIT 1 OFFSET 1", "O'Neil"),
        ("SystemModstamp, Id", "Abel O'Neil Zorn"),
        ("Id DESC", "Zorn O'Neil Abel"),
    ] {
        let statement = format!("SELECT LastName FROM Contact ORDER BY {order}");
        let names = org.pick(&statement, "LastName").await;
        let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        assert_eq!(names.join(" "), found, "{order}");
    }
}

#[tokio::test]
async fn parents_come_nested_or_null() {
    let org = org();
    let top = org
        .create("Account", json!({ "Name": "Top" }))
        .expect("an account");
    let own = json!({ "Name": "Acme", "ParentId": top });
    let own = org.create("Account", own).expect("an account");
    org.contact(json!({ "LastName": "Roe", "AccountId": own }));
    org.contact(json!({ "LastName": "Solo" }));
    let statement = "SELECT c.LastName, Account.Name, Account.Parent.Name, Owner.Email \
                     FROM Contact c WHERE Account.Parent.Name = 'top' OR AccountId = NULL \
                     ORDER BY LastName";
    let rows = org.query("query", statement).await.body["records"].clone();
    assert_eq!(rows[0]["Account"]["Parent"]["Name"], "Top");
    assert_eq!(rows[0]["Account"]["attributes"]["type"], "Account");
    assert_eq!(rows[0]["Owner"]["Email"], "ada.owner@example.com");
    assert_eq!(
        (&rows[1]["LastName"], &rows[1]["Account"]),
        (&json!("Solo"), &Value::Null)
    );
    let lead = json!({ "LastName": "L", "Company": "C" });
    org.create("Lead", lead).expect("a lead");
    let owner = org
        .pick("SELECT Owner.Name, Owner.Email FROM Lead", "Owner")
        .await;
    assert_eq!(owner[0]["Name"], "Ada Owner");
}

#[tokio::test]
async fn faulty_statements_are_refused_with_a_code() {
    let org = org();
    for (statement, code) in [
        ("SELECT Id FROM", "MALFORMED_QUERY"),
        ("SELECT Id Contact", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Contact WHERE LastName = 'x",
            "MALFORMED_QUERY",
        ),
        (
            "SELECT Id FROM Contact WHERE Id = null AND Id = null OR Id = null",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Contact LIMIT -1", "MALFORMED_QUERY"),
        (
            "SELECT Id FROM Contact WHERE LastName = 'x' rubbish",
            "MALFORMED_QUERY",
        ),
        ("SELECT Id FROM Kontakt", "INVALID_TYPE"),
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Firm.Name FROM Contact", "INVALID_FIELD"),
        (
            "SELECT Id FROM Contact WHERE Description = 'x'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact WHERE Score__c = '1'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact WHERE CreatedDate > '2026-01-01T00:00:00Z'",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact WHERE CreatedDate > 2026-01-01",
            "INVALID_FIELD",
        ),
        (
            "SELECT Id FROM Contact WHERE Id = 'x'",
            "INVALID_QUERY_FILTER_OPERATOR",
        ),
        (
            "SELECT Id FROM Contact OFFSET 2001",
            "NUMBER_OUTSIDE_VALID_RANGE",
        ),
        ("SELECT FIELDS(ALL) FROM Contact", "MALFORMED_QUERY"),
    ] {
        let answer = org.query("query", statement).await;
        assert_eq!((answer.status, answer.code()), (400, code), "{statement}");
    }
    let deep = format!(
        "SELECT Id FROM Contact WHERE {}Id = null{}",
        "(".repeat(1_000),
        ")".repeat(1_000)
    );
    assert_eq!(org.query("query", &deep).await.code(), "MALFORMED_QUERY");
    let counted = org.query("query", "SELECT COUNT() FROM Contact").await.body;
    assert_eq!(
        counted,
        json!({ "totalSize": 0, "done": true, "records": [] })
    );
}

fn crowd(org: &Org, size: usize) {
    for at in 0..size {
        org.contact(json!({ "LastName": format!("Person {at:05}") }));
    }
}

#[tokio::test]
async fn pages_follow_a_locator_over_a_fixed_set() {
    let org = org();
    crowd(&org, 4_500);
    let first = org
        .query("query", "SELECT Id, LastName FROM Contact")
        .await
        .body;
    assert_eq!(
        (&first["totalSize"], &first["done"]),
        (&json!(4_500), &json!(false))
    );
    let next = first["nextRecordsUrl"]
        .as_str()
        .expect("a next page")
        .to_owned();
    crowd(&org, 5);
    let second = org.call("GET", &next, Value::Null).await.body;
    let last = second["nextRecordsUrl"].as_str().expect("a last page");
    let third = org.call("GET", last, Value::Null).await.body;
    assert_eq!(
        (&third["done"], third["records"].as_array().map(Vec::len)),
        (&json!(true), Some(500))
    );
    org.clock.advance_millis(49 * 60 * 60 * 1_000);
    let org = Org {
        token: org.sim.issue_token(),
        ..org
    };
    let late = org.call("GET", &next, Value::Null).await;
    assert_eq!(late.code(), "INVALID_QUERY_LOCATOR");
}

#[tokio::test]
async fn the_eleventh_open_cursor_drops_the_first() {
    let org = org();
    crowd(&org, 201);
    let path = "/services/data/v67.0/query?q=SELECT+Id+FROM+Contact";
    let headers = [("Sforce-Query-Options", "batchSize=200")];
    let mut pages = Vec::new();
    for _ in 0..11 {
        let page = org.call_with("GET", path, &headers, Value::Null).await.body;
        pages.push(
            page["nextRecordsUrl"]
                .as_str()
                .expect("a next page")
                .to_owned(),
        );
    }
    assert_eq!(
        org.call("GET", &pages[0], Value::Null).await.code(),
        "INVALID_QUERY_LOCATOR"
    );
    assert_eq!(org.call("GET", &pages[1], Value::Null).await.status, 200);
}

#[tokio::test]
async fn a_keyset_walks_through_thousands_that_share_one_stamp() {
    let org = org();
    crowd(&org, 3_000);
    let (mut stamp, mut id) = ("2026-11-23T00:00:00.000+0000".to_owned(), String::new());
    let mut seen = 0;
    loop {
        let tie = if id.is_empty() {
            String::new()
        } else {
            format!(" OR (SystemModstamp = {stamp} AND Id > '{id}')")
        };
        let statement = format!(
            "SELECT Id, SystemModstamp FROM Contact WHERE (SystemModstamp > {stamp}{tie}) \
             AND SystemModstamp < 2026-11-24T00:00:00Z \
             ORDER BY SystemModstamp ASC, Id ASC LIMIT 700"
        );
        let page = org.query("queryAll", &statement).await.body;
        let rows = page["records"].as_array().expect("records").clone();
        let Some(last) = rows.last() else { break };
        seen += rows.len();
        stamp = last["SystemModstamp"].as_str().expect("a stamp").to_owned();
        id = last["Id"].as_str().expect("an id").to_owned();
    }
    assert_eq!(seen, 3_000);
}
