//! Both simulators without limits and without lag, and a workspace of the service that is connected
//! to them.

use axum::Router;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tandem::clock::Clock;
use tandem::sim::hubspot::{HubSpotOptions, HubSpotSim};
use tandem::sim::salesforce::{SalesforceOptions, SalesforceSim};
use tandem::sim::{Running, SimClock, serve};

use super::rig::{Place, Program};

/// The address that HubSpot is told, and signs.
pub const PUBLIC: &str = "https://sync.example.test";
const WITHOUT_LIMIT: u64 = 1_000_000_000;

pub struct World {
    pub hubspot: HubSpotSim,
    pub salesforce: SalesforceSim,
    pub salesforce_token: String,
    servers: [Running; 2],
}

impl World {
    /// `watch` may put something in front of each simulator.
    pub async fn new(watch: impl FnOnce(&HubSpotSim, &SalesforceSim) -> [Router; 2]) -> Self {
        let clock = SimClock::new(Clock::System);
        let options = HubSpotOptions {
            search_lag_ms: 0,
            daily_limit: WITHOUT_LIMIT,
            burst_limit: WITHOUT_LIMIT,
            associations_limit: WITHOUT_LIMIT,
            associations_daily_limit: WITHOUT_LIMIT,
            search_per_second: WITHOUT_LIMIT,
            ..HubSpotOptions::default()
        };
        let hubspot = HubSpotSim::new(clock.clone(), options);
        let options = SalesforceOptions {
            daily_limit: WITHOUT_LIMIT,
            ..SalesforceOptions::default()
        };
        let salesforce = SalesforceSim::new(clock, options);
        let [portal, org] = watch(&hubspot, &salesforce);
        let first = serve(portal, 0).await.expect("a free port");
        let second = serve(org, 0).await.expect("a free port");
        Self {
            salesforce_token: salesforce.issue_token(),
            hubspot,
            salesforce,
            servers: [first, second],
        }
    }

    pub fn hubspot_url(&self) -> String {
        self.servers[0].url()
    }

    pub fn salesforce_url(&self) -> String {
        self.servers[1].url()
    }

    /// A service that reaches the simulators, on a SQLite file.
    pub fn place(&self) -> Place {
        let settings = [
            ("TANDEM_SERVER_PUBLIC_URL", PUBLIC.to_owned()),
            ("TANDEM_HUBSPOT_URL", self.hubspot_url()),
            ("TANDEM_HUBSPOT_AUTHORIZE_URL", self.hubspot_url()),
            ("TANDEM_SALESFORCE_LOGIN_URL", self.salesforce_url()),
        ];
        Place::new(None, &settings)
    }

    /// Makes a workspace that may write, connected on both sides.
    pub async fn connect(&self, place: &Place, program: &Program, ws: &str) {
        let client = Client::new();
        let call = async |method: Method, path: &str, body: Value| {
            let url = format!("http://{}/v1/workspaces{path}", program.address);
            let request = client.request(method, url).bearer_auth(&place.key);
            let answer = request.json(&body).send().await.expect("an answer");
            let status = answer.status();
            let text = answer.text().await.unwrap_or_default();
            assert!(status.is_success(), "{path}: {status} {text}");
        };
        let portal = json!({"kind": "token", "token": HubSpotOptions::default().token});
        let org = json!({"kind": "token", "token": self.salesforce_token,
            "url": self.salesforce_url()});
        call(Method::POST, "", json!({"id": ws})).await;
        call(Method::PUT, &format!("/{ws}/connections/hubspot"), portal).await;
        call(Method::PUT, &format!("/{ws}/connections/salesforce"), org).await;
        call(Method::POST, &format!("/{ws}/live"), Value::Null).await;
    }
}
