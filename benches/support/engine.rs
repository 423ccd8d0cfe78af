//! An engine on a store in memory, with the shipped mappings, for benchmarks that own its clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use tandem::app::{Engine, Options, Parts};
use tandem::clock::{Chance, Clock};
use tandem::crm::{HubSpot, Salesforce};
use tandem::mapping::{self, SourceFile};
use tandem::model::WorkspaceId;
use tandem::store::Store;

pub async fn open(
    (hubspot, salesforce): (HubSpot, Salesforce),
    clock: &Clock,
    chance: u64,
    poll_millis: i64,
) -> Engine {
    let files = ["companies", "contacts", "deals", "leads"].map(|name| {
        let path = format!("{}/mappings/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("a shipped mapping");
        SourceFile { path, text }
    });
    let loaded = mapping::load(&files, &BTreeMap::new()).expect("the shipped mappings load");
    let store = Store::open("sqlite::memory:", clock.clone()).await;
    Engine::open(Parts {
        store: Arc::new(store.expect("a store")),
        workspace: WorkspaceId::new("acme/bench"),
        hubspot,
        salesforce,
        mappings: loaded.mappings,
        clock: clock.clone(),
        chance: Chance::seeded(chance),
        options: Options {
            poll_millis: Some(poll_millis),
            ..Options::default()
        },
    })
    .await
    .expect("the engine opens")
}
