//! Paths, definitions, limits, tokens, error bodies and test control.

use serde_json::{Value, json};
use tandem::sim::hubspot::HubSpotOptions;

use super::{CONTACTS, Portal, ids};

#[tokio::test]
async fn both_path_families_and_all_names_of_a_type_lead_to_one_record() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    for path in [
        "/crm/v3/objects/contacts",
        "/crm/v3/objects/contact",
        "/crm/objects/2026-03/0-1",
        "/crm/objects/2026-09/CONTACTS",
    ] {
        let answer = portal
            .get(&format!("{path}/{id}?properties=email,phone,nonsense"))
            .await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.body["id"], json!(id));
        let properties = &answer.body["properties"];
        assert_eq!(properties["email"], "ann@example.com");
        assert!(properties["phone"].is_null() && properties.get("phone").is_some());
        assert!(properties.get("nonsense").is_none());
        assert_eq!(properties["createdate"], "2026-01-01T00:00:00Z");
    }
    let own = portal
        .sim
        .create("subscriptions", &[("subscription_name", "Team plan")])
        .unwrap();
    let full = format!("p{}_subscriptions", portal.sim.portal_id());
    for name in ["subscriptions", "2-1234567", full.as_str()] {
        let answer = portal
            .get(&format!("/crm/objects/2026-09/{name}/{own}"))
            .await;
        assert_eq!(answer.status, 200, "{name}");
    }
    assert_eq!(
        portal.get("/crm/objects/2026-09/nonsense").await.status,
        400
    );
    assert_eq!(
        portal.get("/crm/objects/2031-09/contacts").await.status,
        404
    );
    assert_eq!(portal.call("PUT", CONTACTS, Value::Null).await.status, 405);
}

#[tokio::test]
async fn the_burst_window_rolls_and_its_headers_count_down() {
    let portal = Portal::with(HubSpotOptions {
        burst_limit: 3,
        ..HubSpotOptions::default()
    });
    for left in ["2", "1", "0"] {
        let answer = portal.get(CONTACTS).await;
        assert_eq!(answer.headers["x-hubspot-ratelimit-remaining"], left);
        assert_eq!(answer.headers["x-hubspot-ratelimit-max"], "3");
        assert!(
            answer
                .headers
                .contains_key("x-hubspot-ratelimit-daily-remaining")
        );
        portal.clock.advance_millis(1_000);
    }
    let refused = portal.get(CONTACTS).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body["policyName"], "TEN_SECONDLY_ROLLING");
    portal.clock.advance_millis(7_000);
    assert_eq!(portal.get(CONTACTS).await.status, 200);
    assert_eq!(portal.get(CONTACTS).await.status, 429);
    assert_eq!(portal.sim.counters().rate_limited, 2);
}

#[tokio::test]
async fn searches_have_their_own_limit_and_no_rate_headers() {
    let portal = Portal::with(HubSpotOptions {
        burst_limit: 1,
        ..HubSpotOptions::default()
    });
    let path = format!("{CONTACTS}/search");
    for _ in 0..5 {
        let answer = portal.post(&path, json!({})).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("x-hubspot-ratelimit-max"));
    }
    let refused = portal.post(&path, json!({})).await;
    assert_eq!(
        (refused.status, &refused.body["policyName"]),
        (429, &json!("SECONDLY"))
    );
    assert_eq!(
        refused.body["message"],
        "You have reached your secondly limit."
    );
    portal.clock.advance_millis(1_000);
    assert_eq!(portal.post(&path, json!({})).await.status, 200);
}

#[tokio::test]
async fn associations_have_a_lower_limit_of_their_own_that_no_header_tells() {
    let portal = Portal::with(HubSpotOptions {
        associations_limit: 2,
        associations_daily_limit: 3,
        ..HubSpotOptions::default()
    });
    let batch = "/crm/associations/2026-09/contacts/deals/batch/read";
    let read = || portal.post(batch, json!({"inputs": [{"id": "1"}]}));
    let labels = "/crm/v4/associations/contacts/deals/labels";
    assert_eq!(read().await.headers["x-hubspot-ratelimit-max"], "190");
    assert_eq!(portal.get(labels).await.status, 200);
    let refused = read().await;
    let policy = &refused.body["policyName"];
    assert_eq!(
        (refused.status, policy),
        (429, &json!("TEN_SECONDLY_ROLLING"))
    );
    let other = portal.get(CONTACTS).await;
    assert_eq!(other.headers["x-hubspot-ratelimit-remaining"], "187");
    portal.clock.advance_millis(10_000);
    assert_eq!(portal.get(labels).await.status, 200);
    let refused = portal.get(labels).await;
    assert_eq!(refused.body["policyName"], "DAILY");
    assert_eq!(portal.get(CONTACTS).await.status, 200);
}

#[tokio::test]
async fn the_daily_limit_ends_at_midnight_of_the_account() {
    let portal = Portal::with(HubSpotOptions {
        daily_limit: 1,
        ..HubSpotOptions::default()
    });
    assert_eq!(portal.get(CONTACTS).await.status, 200);
    let refused = portal.get(CONTACTS).await;
    assert_eq!(refused.body["policyName"], "DAILY");
    // Midnight in the account's time zone is at 05:00 UTC in winter.
    portal.clock.advance_millis(4 * 3_600_000);
    assert_eq!(portal.get(CONTACTS).await.status, 429);
    portal.clock.advance_millis(3_600_000);
    assert_eq!(portal.get(CONTACTS).await.status, 200);
}

#[tokio::test]
async fn an_access_token_expires_and_a_refresh_token_may_rotate() {
    let portal = Portal::new();
    let options = HubSpotOptions::default();
    let (id, secret) = (options.client_id, options.client_secret);
    let form = |grant: &str| format!("client_id={id}&client_secret={secret}&{grant}");
    let token = "/oauth/2026-09/token";
    let code =
        form("grant_type=authorization_code&redirect_uri=http://localhost/cb&code=sim-code-1");
    let granted = portal.raw("POST", token, code.clone(), "").await;
    assert_eq!(
        (granted.status, &granted.body["expires_in"]),
        (200, &json!(1_800))
    );
    let used = portal.raw("POST", token, code, "").await;
    assert_eq!(
        (used.status, &used.body["status"]),
        (400, &json!("BAD_AUTH_CODE"))
    );
    let access = granted.body["access_token"].as_str().unwrap().to_owned();
    let refresh = granted.body["refresh_token"].as_str().unwrap();
    let read = portal.raw("GET", CONTACTS, String::new(), &access).await;
    assert_eq!(read.status, 200);
    assert!(!read.headers.contains_key("x-hubspot-ratelimit-daily"));
    portal.clock.advance_millis(1_875_000);
    let late = portal.raw("GET", CONTACTS, String::new(), &access).await;
    assert_eq!(
        (late.status, &late.body["category"]),
        (401, &json!("EXPIRED_AUTHENTICATION"))
    );
    assert!(
        late.body["message"]
            .as_str()
            .unwrap()
            .contains("expired 75 second(s) ago")
    );
    let again = form(&format!("grant_type=refresh_token&refresh_token={refresh}"));
    let kept = portal
        .raw("POST", "/oauth/v1/token", again.clone(), "")
        .await;
    assert_eq!(kept.body["refresh_token"], json!(refresh));
    portal
        .post("/_sim/options", json!({"rotate_refresh_tokens": true}))
        .await;
    let rotated = portal.raw("POST", token, again.clone(), "").await;
    assert_ne!(rotated.body["refresh_token"], json!(refresh));
    let dead = portal.raw("POST", token, again, "").await;
    assert_eq!(dead.body["error"], "invalid_grant");
    assert_eq!(
        portal.raw("GET", CONTACTS, String::new(), "x").await.status,
        401
    );
}

#[tokio::test]
async fn a_missing_scope_is_named() {
    let portal = Portal::new();
    let options = json!({"missing_scopes": ["crm.objects.contacts.write"]});
    portal.post("/_sim/options", options).await;
    assert_eq!(portal.get(CONTACTS).await.status, 200);
    let refused = portal
        .post(CONTACTS, json!({"properties": {"firstname": "A"}}))
        .await;
    assert_eq!(
        (refused.status, &refused.body["category"]),
        (403, &json!("MISSING_SCOPES"))
    );
    assert_eq!(
        refused.body["errors"][0]["context"]["requiredGranularScopes"],
        json!(["crm.objects.contacts.write"])
    );
}

#[tokio::test]
async fn bad_requests_are_answered_in_the_platforms_words() {
    let portal = Portal::new();
    let broken = portal
        .raw("POST", CONTACTS, "{".to_owned(), &portal.token)
        .await;
    assert_eq!(broken.status, 400);
    let message = broken.body["message"].as_str().unwrap();
    assert!(
        message.starts_with("Invalid input JSON on line 1, column 1"),
        "{message}"
    );
    let named = portal.get(&format!("{CONTACTS}/ann")).await;
    assert_eq!(named.status, 404);
    assert_eq!(
        named.body["message"],
        "Object not found.  objectId are usually numeric."
    );
    assert_eq!(portal.get(&format!("{CONTACTS}/12345")).await.status, 404);
    let nothing = portal
        .post(CONTACTS, json!({"properties": {"city": "Ulm"}}))
        .await;
    assert_eq!(
        nothing.body["context"]["properties"],
        json!(["email", "firstname", "lastname"])
    );
    let id = portal.contact("ann@example.com");
    for _ in 0..2 {
        let gone = portal
            .call("DELETE", &format!("{CONTACTS}/{id}"), Value::Null)
            .await;
        assert_eq!(gone.status, 204);
    }
    let company = json!({"properties": {"name": "A"}, "associations": [{"to": {"id": id},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 280}]}]});
    let refused = portal.post("/crm/v3/objects/companies", company).await;
    assert_eq!(refused.body["context"]["INVALID_OBJECT_IDS"], json!([id]));
}

#[tokio::test]
async fn definitions_owners_and_the_account_can_be_read() {
    let portal = Portal::new();
    let email = portal.get("/crm/v3/properties/contacts/email").await;
    assert_eq!(email.body["type"], "string");
    let owner = portal
        .get("/crm/properties/2026-09/contacts/hubspot_owner_id")
        .await;
    assert_eq!(owner.body["referencedObjectType"], "OWNER");
    assert_eq!(owner.body["options"], json!([]));
    let deals = portal.get("/crm/pipelines/2026-09/deals").await;
    assert_eq!(ids(&deals.body), ["default", "8423117"]);
    let first = &deals.body["results"][0]["stages"][0];
    assert_eq!(first["metadata"]["probability"], "0.2");
    let page = portal.get("/crm/owners/2026-09?limit=2").await;
    assert_eq!(ids(&page.body).len(), 2);
    let after = page.body["paging"]["next"]["after"].as_str().unwrap();
    let rest = portal
        .get(&format!("/crm/v3/owners?limit=2&after={after}"))
        .await;
    assert_eq!(ids(&rest.body).len(), 1);
    let gone = portal.get("/crm/owners/2026-09?archived=true").await;
    assert!(gone.body["results"][0]["userId"].is_null());
    let schemas = portal.get("/crm-object-schemas/2026-09/schemas").await;
    assert_eq!(schemas.body["results"][0]["objectTypeId"], "2-1234567");
    let account = portal.get("/account-info/2026-09/details").await;
    assert_eq!(account.body["portalId"], json!(portal.sim.portal_id()));
    assert_eq!(account.body["utcOffset"], "-05:00");
}

#[tokio::test]
async fn test_control_edits_reads_and_moves_time() {
    let portal = Portal::new();
    let made = json!({"object": "contacts", "properties": {"email": "ann@example.com"}});
    let made = portal.post("/_sim/create", made).await;
    let id = made.body["id"].as_str().unwrap().to_owned();
    portal.post("/_sim/time", json!({"advance_ms": 250})).await;
    let edit = json!({"object": "contacts", "id": id, "properties": {"city": "Ulm"}});
    assert_eq!(portal.post("/_sim/edit", edit).await.status, 200);
    let state = portal.get("/_sim/state?object=contacts").await;
    let row = &state.body["results"][0];
    assert_eq!(
        row["properties"]["lastmodifieddate"],
        "2026-01-01T00:00:00.250Z"
    );
    assert_eq!(portal.get("/_sim/counters").await.body["calls"], 0);
    portal.get(CONTACTS).await;
    let log = portal.get("/_sim/requests").await;
    assert_eq!(log.body["results"][0]["path"], CONTACTS);
    let bad = json!({"object": "contacts", "id": id, "properties": {"nonsense": "1"}});
    assert_eq!(portal.post("/_sim/edit", bad).await.status, 400);
}

#[tokio::test]
async fn the_write_hook_may_edit_between_a_write_and_its_answer() {
    let portal = Portal::new();
    let id = portal.contact("ann@example.com");
    let sim = portal.sim.clone();
    portal.sim.set_write_hook(Some(Box::new(move |object, id| {
        sim.edit(object, id, &[("city", "Bonn")]).unwrap();
    })));
    let sent = json!({"properties": {"city": "Ulm"}});
    let answer = portal
        .call("PATCH", &format!("{CONTACTS}/{id}"), sent)
        .await;
    assert_eq!(answer.body["properties"]["city"], "Ulm");
    portal.sim.set_write_hook(None);
    let record = portal.sim.record("contacts", &id).unwrap();
    assert_eq!(record.properties["city"], "Bonn");
}

#[tokio::test]
async fn one_seed_gives_one_portal() {
    let (one, two) = (Portal::new(), Portal::new());
    for portal in [&one, &two] {
        portal.contact("ann@example.com");
        portal.company("Acme");
    }
    assert_eq!(one.sim.records("contacts"), two.sim.records("contacts"));
    assert_eq!(one.sim.records("companies"), two.sim.records("companies"));
    assert_eq!(one.sim.portal_id(), two.sim.portal_id());
}
