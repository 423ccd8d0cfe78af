//! A Salesforce org as a local server: stateful, with the platform's real rules.
//!
//! Built from `salesforce.md`; shares nothing with the client, so that one misreading is not made
//! twice. State sits behind one lock that is never held over an await. This file is the public
//! face: options, records as tests see them, and the direct doors of a user at the browser.

mod access;
mod doors;
mod envelope;
mod error;
mod http;
mod id;
mod org;
mod outbound;
mod rights;
mod save;
mod schema;
mod soql;
mod table;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

pub use self::http::AUTHORIZATION_CODE;
pub use self::outbound::OutboundSettings;
pub use self::save::Converted;
pub use self::soql::dissect;

use self::org::Org;
use crate::model::Timestamp;
use crate::sim::SimClock;
use crate::sim::faults::{FaultCounts, Switch};

/// How an org differs from the default one.
#[derive(Clone, Debug)]
pub struct SalesforceOptions {
    /// Decides ids and tokens.
    pub seed: u64,
    /// Leaves out the key field `Tandem_Link_Id__c`.
    pub bare: bool,
    /// Outer blanks are trimmed and `""` becomes null on save.
    pub normalise: bool,
    pub client_id: String,
    pub client_secret: String,
    /// Where the app may have a browser sent; with none, to any address that is fit for it.
    pub redirect_uris: Vec<String>,
    /// Whom the JWT bearer flow signs in, and the name of the integration user.
    pub username: String,
    /// When set, signatures of assertions are verified with this RSA key.
    pub jwt_public_key_der: Option<Vec<u8>>,
    /// A token dies when it was not used for this long.
    pub token_idle_ms: i64,
    /// Calls per rolling 24 hours.
    pub daily_limit: u64,
    /// EUR is the corporate currency, USD and GBP are active, CHF is not.
    pub multi_currency: bool,
}

impl Default for SalesforceOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            bare: false,
            normalise: true,
            client_id: "sim-client-id".to_owned(),
            client_secret: "sim-client-secret".to_owned(),
            redirect_uris: Vec::new(),
            username: "integration@example.com".to_owned(),
            jwt_public_key_der: None,
            token_idle_ms: 2 * 60 * 60 * 1_000,
            daily_limit: 100_000,
            multi_currency: true,
        }
    }
}

/// A record as the org holds it; fields that are null are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct SimRecord {
    /// 18 characters.
    pub id: String,
    /// In the recycle bin.
    pub deleted: bool,
    pub fields: BTreeMap<String, Value>,
    pub created_at: Timestamp,
    pub last_modified_at: Timestamp,
    pub system_modstamp: Timestamp,
}

/// One platform call; the address without its query. The latest 100,000 are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedRequest {
    pub method: String,
    pub path: String,
    pub status: u16,
    pub at: Timestamp,
}

/// What came through the API since the org began. Direct doors and test control do not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Calls of every kind, token calls and refused ones included.
    pub total: u64,
    pub by_family: BTreeMap<String, u64>,
    pub records_created: u64,
    pub records_updated: u64,
    /// Rows of a cascade count one by one.
    pub records_deleted: u64,
    /// Updates that left every sent field as it was stored.
    pub noop_updates: u64,
}

/// Records that agree in all `fields` (letter case aside) are duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DuplicateRule {
    pub fields: Vec<String>,
    /// Refuses the save; otherwise the rule alerts, and `allowSave` overrides it.
    pub block: bool,
}

/// An edit whose stamp is taken and which nobody sees yet.
#[derive(Clone, Debug)]
pub struct LateCommit {
    object: usize,
    /// `None` for a record that will only then exist.
    number: Option<u64>,
    fields: Map<String, Value>,
    stamp: i64,
}

/// Values a record is about to have -> message, and the field it points at.
pub type ValidationRule = org::ValidationRule;
/// Edits the values of a record before it is saved.
pub type Trigger = org::Trigger;

/// A running org; clones share it.
#[derive(Clone)]
pub struct SalesforceSim(Arc<Mutex<Org>>);

impl fmt::Debug for SalesforceSim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SalesforceSim")
            .field(&self.organization_id())
            .finish()
    }
}

impl SalesforceSim {
    pub fn new(clock: SimClock, options: SalesforceOptions) -> Self {
        Self(Arc::new(Mutex::new(Org::new(clock, options))))
    }

    /// The platform's paths and `/_sim`. `instance_url` follows the Host header of each request.
    pub fn router(&self) -> axum::Router {
        let router = axum::Router::new().fallback(http::enter);
        self.with(|org| org.clock.clone())
            .dated(router.with_state(self.clone()))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Org) -> T) -> T {
        let mut org = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        org.do_what_is_due();
        act(&mut org)
    }

    /// Replaces the fault switches; those of the other side are left out.
    pub fn set_faults(&self, switches: &[Switch]) {
        self.with(|org| org.faults.set(switches));
    }

    /// How often faults struck since the org began.
    pub fn fault_counts(&self) -> FaultCounts {
        self.with(|org| FaultCounts {
            pending: org.pending(),
            ..org.faults.counts()
        })
    }

    /// 18 characters.
    pub fn organization_id(&self) -> String {
        self.with(|org| org.org_id.clone())
    }

    /// A fresh access token of the integration user.
    pub fn issue_token(&self) -> String {
        self.with(|org| http::issue(org, None))
    }

    /// Creates a record as a user at the browser and returns its id.
    pub fn create(&self, object: &str, fields: &[(&str, Value)]) -> Result<String, String> {
        self.with(|org| doors::create(org, object, &map(fields)))
    }

    pub fn edit(&self, object: &str, id: &str, fields: &[(&str, Value)]) -> Result<(), String> {
        self.with(|org| doors::edit(org, object, id, &map(fields)))
    }

    /// Moves the record into the recycle bin, with what cascades from it.
    pub fn delete(&self, object: &str, id: &str) -> Result<(), String> {
        self.with(|org| doors::delete(org, object, id))
    }

    /// Takes the record out of the bin, with everything that went in along with it.
    pub fn undelete(&self, object: &str, id: &str) -> Result<(), String> {
        self.with(|org| doors::undelete(org, object, id))
    }

    /// Empties the bin of one record.
    pub fn purge(&self, object: &str, id: &str) -> Result<(), String> {
        self.with(|org| doors::purge(org, object, id))
    }

    /// The losers go to the bin with `MasterRecordId`; their children move to the master.
    pub fn merge(&self, object: &str, master: &str, losers: &[&str]) -> Result<(), String> {
        self.with(|org| doors::merge(org, object, master, losers))
    }

    /// Converts a Lead into the given contact and account, or into new ones.
    pub fn convert_lead(
        &self,
        lead: &str,
        contact: Option<&str>,
        account: Option<&str>,
        opportunity: bool,
    ) -> Result<Converted, String> {
        self.with(|org| doors::convert(org, lead, contact, account, opportunity))
    }

    /// All records of an object in id order, the bin included; empty for an unknown object.
    pub fn records(&self, object: &str) -> Vec<SimRecord> {
        self.with(|org| doors::records(org, object).unwrap_or_default())
    }

    /// As [`Self::records`], with these fields and no others.
    pub fn records_with(&self, object: &str, fields: &[&str]) -> Vec<SimRecord> {
        self.with(|org| doors::records_with(org, object, fields).unwrap_or_default())
    }

    pub fn record(&self, object: &str, id: &str) -> Option<SimRecord> {
        self.with(|org| doors::record(org, object, id))
    }

    /// Begins a transaction that takes its stamp now and is visible after [`Self::commit`].
    pub fn begin_late_commit(
        &self,
        object: &str,
        id: &str,
        fields: &[(&str, Value)],
    ) -> Result<LateCommit, String> {
        self.with(|org| doors::begin_late(org, object, id, &map(fields)))
    }

    /// As [`Self::begin_late_commit`], for a record that does not exist yet.
    pub fn begin_late_create(
        &self,
        object: &str,
        fields: &[(&str, Value)],
    ) -> Result<LateCommit, String> {
        self.with(|org| doors::begin_late_create(org, object, &map(fields)))
    }

    /// Returns the id of the record.
    pub fn commit(&self, late: LateCommit) -> Result<String, String> {
        self.with(|org| doors::commit(org, late))
    }

    /// Moves `SystemModstamp` alone, as the platform's internal jobs do.
    pub fn internal_bump(&self, object: &str, id: &str) -> Result<(), String> {
        self.with(|org| doors::bump(org, object, id))
    }

    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.with(|org| org.log.iter().cloned().collect())
    }

    pub fn counters(&self) -> Counters {
        self.with(|org| org.counters.clone())
    }

    /// Ends every access token now; refresh tokens live on.
    pub fn expire_tokens(&self) {
        self.with(|org| org.sessions.expire_all());
    }

    /// Sets which fields of an object field-level security hides from the API.
    pub fn hide_fields(&self, object: &str, fields: &[&str]) -> Result<(), String> {
        self.with(|org| doors::hide(org, object, fields))
    }

    /// Sets which fields of an object field-level security shows and keeps from being edited.
    pub fn lock_fields(&self, object: &str, fields: &[&str]) -> Result<(), String> {
        self.with(|org| doors::lock(org, object, fields))
    }

    /// Whether the integration user may make fields, permission sets and assignments; it may at
    /// first.
    pub fn set_administrator(&self, may: bool) {
        self.with(|org| org.set_administrator(may));
    }

    /// Sets which fields of an object keep a history; none do until this is called.
    pub fn track_history(&self, object: &str, fields: &[&str]) -> Result<(), String> {
        self.with(|org| doors::track_history(org, object, fields))
    }

    /// Tracks a few fields of accounts, contacts and opportunities, as most orgs do.
    pub fn track_usual_history(&self) {
        for (object, fields) in schema::history::USUAL {
            let kept = self.track_history(object, fields);
            debug_assert!(kept.is_ok(), "{object}: {kept:?}");
        }
    }

    /// An unknown object is ignored, here and in the next two.
    pub fn set_validation(&self, object: &str, rule: Option<ValidationRule>) {
        self.with(|org| {
            if let Some(at) = org.schema.find(object) {
                org.hooks[at].validation = rule;
            }
        });
    }

    pub fn set_duplicate_rule(&self, object: &str, rule: Option<DuplicateRule>) {
        self.with(|org| {
            if let Some(at) = org.schema.find(object) {
                org.hooks[at].duplicates = rule;
            }
        });
    }

    pub fn set_trigger(&self, object: &str, trigger: Option<Trigger>) {
        self.with(|org| {
            if let Some(at) = org.schema.find(object) {
                org.hooks[at].trigger = trigger;
            }
        });
    }
}

fn map(fields: &[(&str, Value)]) -> Map<String, Value> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}
