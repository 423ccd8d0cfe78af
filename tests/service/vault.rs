//! Keys from outside: a wrong one is found out, a new one takes over, a sealed row has one place.

use std::sync::{Arc, Mutex};

use secrecy::{ExposeSecret, SecretString};
use tandem::clock::Clock;
use tandem::model::WorkspaceId;
use tandem::store::Store;
use tandem::vault::{Keyring, Vault, VaultError};

use crate::house::START;

fn reader(text: &Arc<Mutex<String>>) -> Box<tandem::vault::ReadKeys> {
    let text = Arc::clone(text);
    Box::new(move || Keyring::parse(&SecretString::from(text.lock().unwrap().clone()), "test"))
}

fn line(id: &str) -> String {
    Keyring::fresh_line(id).expose_secret().to_owned()
}

async fn store() -> Arc<Store> {
    Arc::new(
        Store::open("sqlite::memory:", Clock::manual(START))
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn a_key_that_is_not_the_stores_opens_nothing() {
    let store = store().await;
    let first = Arc::new(Mutex::new(line("key-1")));
    Vault::open(Arc::clone(&store), reader(&first))
        .await
        .unwrap();
    let same_name = Arc::new(Mutex::new(line("key-1")));
    let wrong = Vault::open(Arc::clone(&store), reader(&same_name))
        .await
        .err();
    assert!(matches!(wrong, Some(VaultError::WrongKey)));
    let other = Arc::new(Mutex::new(line("key-2")));
    let unknown = Vault::open(store, reader(&other)).await.err();
    assert!(matches!(unknown, Some(VaultError::UnknownKey { found }) if found == "key-1"));
}

#[tokio::test]
async fn after_a_rotation_the_old_key_is_needed_no_more() {
    let store = store().await;
    let old = line("key-1");
    let keys = Arc::new(Mutex::new(old.clone()));
    let vault = Vault::open(Arc::clone(&store), reader(&keys))
        .await
        .unwrap();
    let (one, two) = (WorkspaceId::new("a/x"), WorkspaceId::new("b/x"));
    let secret = SecretString::from("sesame");
    let sealed = vault.seal(&one, "place", &secret).await.unwrap();
    vault.seal(&two, "place", &secret).await.unwrap();
    let link = vault.sign("purpose", "payload");
    let new = line("key-2");
    *keys.lock().unwrap() = format!("{new}\n{old}");
    assert_eq!(
        vault.rotate().await.unwrap(),
        3,
        "the service's own and two workspaces'"
    );
    assert_eq!(vault.rotate().await.unwrap(), 0);
    *keys.lock().unwrap() = new;
    let later = Vault::open(store, reader(&keys)).await.unwrap();
    let opened = later.unseal(&one, "place", &sealed).await.unwrap();
    assert_eq!(opened.expose_secret(), "sesame");
    assert_eq!(
        later.verify("purpose", &link).as_deref(),
        Some("payload"),
        "links live on"
    );
}

#[tokio::test]
async fn a_sealed_text_opens_in_its_workspace_and_place_only() {
    let keys = Arc::new(Mutex::new(line("key-1")));
    let vault = Vault::open(store().await, reader(&keys)).await.unwrap();
    let (one, two) = (WorkspaceId::new("a/x"), WorkspaceId::new("b/x"));
    let secret = SecretString::from("sesame");
    let sealed = vault
        .seal(&one, "connection/hubspot", &secret)
        .await
        .unwrap();
    assert!(
        vault
            .unseal(&two, "connection/hubspot", &sealed)
            .await
            .is_err()
    );
    assert!(
        vault
            .unseal(&one, "connection/salesforce", &sealed)
            .await
            .is_err()
    );
    assert!(
        vault
            .unseal(&one, "connection/hubspot", &sealed)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_signed_text_is_good_for_one_purpose_and_unchanged_only() {
    let keys = Arc::new(Mutex::new(line("key-1")));
    let vault = Vault::open(store().await, reader(&keys)).await.unwrap();
    let text = vault.sign("a", "payload");
    assert_eq!(vault.verify("a", &text).as_deref(), Some("payload"));
    assert_eq!(vault.verify("b", &text), None);
    let (body, tag) = text.split_once('.').unwrap();
    for changed in [
        body.to_owned(),
        format!("{body}."),
        format!("{body}x.{tag}"),
        format!("{body}.{}", &tag[1..]),
        format!(".{tag}"),
        String::new(),
    ] {
        assert_eq!(vault.verify("a", &changed), None, "{changed}");
    }
}
