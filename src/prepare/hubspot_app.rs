//! The files of a HubSpot project: the app with its scopes, and its webhook subscriptions.
//!
//! One set of subscriptions per app, for every account that installs it (hubspot.md 9.1), so that
//! each stands once however many mappings of however many workspaces want it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::scopes::{AppScopes, standard};
use crate::mapping::{Mapping, needs};

/// HubSpot takes no more for one app.
const SUBSCRIPTIONS_MAX: usize = 1_000;
/// Calls at once per account, HubSpot's own default.
const CONCURRENT: u32 = 10;
/// The platform that the files are written for.
const PLATFORM: &str = "2026.03";
/// HubSpot takes no subscription for these.
const NEVER: [&str; 3] = [
    "hs_lastmodifieddate",
    "lastmodifieddate",
    "num_unique_conversion_events",
];

/// Where the callbacks of the service are, behind its public address.
pub const WEBHOOKS: &str = "/webhooks/hubspot";
pub const CALLBACK: &str = "/connect/callback/hubspot";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Only accounts that the owner of the app names.
    Private,
    /// Any account.
    Marketplace,
}

#[derive(Clone, Debug, PartialEq)]
pub struct App {
    pub files: Vec<AppFile>,
    pub subscriptions: usize,
    /// Custom objects by a name that means another object in each account, so that no app can
    /// subscribe to them.
    pub polled: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AppFile {
    /// From the root of the project.
    pub path: &'static str,
    pub content: Value,
}

impl AppFile {
    pub fn text(&self) -> String {
        format!("{:#}\n", self.content)
    }
}

/// More subscriptions than HubSpot takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    pub wanted: usize,
}

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = self.wanted;
        let over = wanted.saturating_sub(SUBSCRIPTIONS_MAX);
        write!(
            f,
            "the mappings need {wanted} webhook subscriptions, {over} more than the \
             {SUBSCRIPTIONS_MAX} that HubSpot takes for one app"
        )
    }
}

impl std::error::Error for TooMany {}

/// What mappings need of the one app that serves all workspaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppNeeds {
    pub scopes: AppScopes,
    /// By what a subscription calls the object.
    pub objects: BTreeMap<String, Watched>,
    /// Custom objects by a name that means another object in each account, so that no app can
    /// subscribe to them.
    pub polled: BTreeSet<String>,
}

/// What is watched of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Watched {
    /// That records come and go.
    pub records: bool,
    pub associations: bool,
    pub properties: BTreeSet<String>,
}

impl AppNeeds {
    /// Of mappings that all workspaces share.
    pub fn of(shared: &[Mapping]) -> Self {
        let mut needs = Self {
            scopes: AppScopes::of(shared),
            ..Self::default()
        };
        needs.watch(shared);
        needs
    }

    /// Of mappings that only some workspaces have, besides.
    pub fn add(&mut self, own: &[Mapping]) {
        self.scopes = std::mem::take(&mut self.scopes).with(own);
        self.watch(own);
    }

    fn watch(&mut self, mappings: &[Mapping]) {
        for mapping in mappings {
            let needs = needs(mapping);
            let Some(object) = subscribable(&mapping.objects.hubspot) else {
                self.polled.insert(mapping.objects.hubspot.clone());
                continue;
            };
            let watched = self.objects.entry(object).or_default();
            watched.records = true;
            watched.associations |= !needs.ties.is_empty();
            watched.properties.extend(needs.watched);
            // A tie is told from both of its ends.
            for far in needs.ties.keys() {
                if let Some(far) = subscribable(far) {
                    self.objects.entry(far).or_default().associations = true;
                }
            }
        }
    }

    /// In the generic form, by object and kind.
    fn subscriptions(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for (object, watched) in &self.objects {
            let lives: &[&str] = match watched.records {
                true => &["creation", "deletion", "merge", "restore"],
                false => &[],
            };
            let tie = watched.associations.then_some("associationChange");
            for kind in lives.iter().copied().chain(tie) {
                all.push(subscription(object, kind));
            }
            for name in &watched.properties {
                if NEVER.contains(&name.as_str()) {
                    continue;
                }
                let mut one = subscription(object, "propertyChange");
                one["propertyName"] = json!(name);
                all.push(one);
            }
        }
        all
    }
}

/// `url` is the public address of the service, without a slash at its end.
///
/// # Errors
/// When the mappings watch more than one app may subscribe to.
pub fn hubspot_app(
    needs: &AppNeeds,
    name: &str,
    url: &str,
    distribution: Distribution,
) -> Result<App, TooMany> {
    let subscriptions = needs.subscriptions();
    let count = subscriptions.len();
    if count > SUBSCRIPTIONS_MAX {
        return Err(TooMany { wanted: count });
    }
    let project = json!({"name": slug(name), "srcDir": "src", "platformVersion": PLATFORM});
    let webhooks = json!({
        "uid": "tandem_webhooks",
        "type": "webhooks",
        "config": {
            "settings": {
                "targetUrl": format!("{url}{WEBHOOKS}"),
                "maxConcurrentRequests": CONCURRENT,
            },
            "subscriptions": {"crmObjects": subscriptions},
        },
    });
    let file = |path, content| AppFile { path, content };
    Ok(App {
        files: vec![
            file("hsproject.json", project),
            file(
                "src/app/app-hsmeta.json",
                app(name, url, distribution, &needs.scopes),
            ),
            file("src/app/webhooks/webhooks-hsmeta.json", webhooks),
        ],
        subscriptions: count,
        polled: needs.polled.iter().cloned().collect(),
    })
}

fn app(name: &str, url: &str, distribution: Distribution, scopes: &AppScopes) -> Value {
    json!({
        "uid": "tandem_app",
        "type": "app",
        "config": {
            "name": name,
            "description": "Keeps HubSpot and Salesforce in step, both ways.",
            "distribution": match distribution {
                Distribution::Private => "private",
                Distribution::Marketplace => "marketplace",
            },
            "auth": {
                "type": "oauth",
                "redirectUrls": [format!("{url}{CALLBACK}")],
                "requiredScopes": scopes.required,
                "optionalScopes": scopes.optional,
                "conditionallyRequiredScopes": [],
            },
            "permittedUrls": {"fetch": [], "iframe": [], "img": []},
        },
    })
}

/// What a subscription calls the object: a standard one by its singular, a custom one by its type
/// id or its full name, which only one account has.
fn subscribable(object: &str) -> Option<String> {
    if let Some((singular, _)) = standard(object) {
        return Some(singular.to_owned());
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let of_account = object.strip_prefix("2-").is_some_and(digits)
        || object
            .strip_prefix('p')
            .and_then(|rest| rest.split_once('_'))
            .is_some_and(|(portal, name)| digits(portal) && !name.is_empty());
    of_account.then(|| object.to_owned())
}

fn subscription(object: &str, kind: &str) -> Value {
    json!({"subscriptionType": format!("object.{kind}"), "objectType": object, "active": true})
}

/// The name of the project: small letters, digits and hyphens.
fn slug(name: &str) -> String {
    let word = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let text: String = name.chars().map(word).collect();
    let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    match parts.is_empty() {
        true => "tandem".to_owned(),
        false => parts.join("-"),
    }
}
