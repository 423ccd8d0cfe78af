//! `tandem sim`: both simulators alone on loopback, for anyone's own tests.
//!
//! Also the one place that starts the simulators for `tandem demo`. What they do is in `sim`.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::clock::Clock;
use crate::sim::faults::FaultPlan;
use crate::sim::hubspot::{HubSpotOptions, HubSpotSim, WebhookSettings};
use crate::sim::salesforce::{OutboundSettings, SalesforceOptions, SalesforceSim};
use crate::sim::{Pushing, Running, SimClock, seed, serve};

/// Starts simulators of HubSpot and Salesforce on this machine.
#[derive(Args, Clone, Debug)]
pub struct SimArgs {
    /// Port of the HubSpot simulator on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub hubspot_port: u16,
    /// Port of the Salesforce simulator on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub salesforce_port: u16,
    /// Records per object type to start with; none unless given
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub records: usize,
    /// Decides every seeded record
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// Leave out the key fields, as in accounts that were never prepared
    #[arg(long)]
    pub bare: bool,
    /// What goes wrong: none, some, harsh, or a YAML file (docs/faults.md)
    #[arg(long, value_name = "PRESET|FILE", default_value = "none")]
    pub faults: String,
    /// Send HubSpot's webhooks for contacts, companies and deals to this URL
    #[arg(long, value_name = "URL")]
    pub hubspot_webhooks: Option<String>,
    /// Send Salesforce's outbound messages for accounts, contacts, leads and opportunities there
    #[arg(long, value_name = "URL")]
    pub salesforce_messages: Option<String>,
    /// Print one line of JSON once both listen
    #[arg(long)]
    pub json: bool,
}

/// How the two simulators are to be started.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Start {
    pub hubspot_port: u16,
    pub salesforce_port: u16,
    pub seed: u64,
    pub bare: bool,
    /// How late HubSpot's search shows a change; the simulator's own choice when absent.
    pub search_lag_ms: Option<i64>,
}

/// Both simulators, listening, with what a client needs to talk to them.
pub(super) struct Simulators {
    pub hubspot: HubSpotSim,
    pub salesforce: SalesforceSim,
    pub hubspot_url: String,
    pub salesforce_url: String,
    pub hubspot_token: String,
    pub hubspot_client: (String, String),
    pub salesforce_client: (String, String),
    username: String,
    running: [Running; 2],
}

impl Simulators {
    /// # Errors
    /// A port that is taken, in one line that says which.
    pub async fn start(start: Start) -> anyhow::Result<Self> {
        let clock = SimClock::new(Clock::System);
        let mut options = HubSpotOptions {
            seed: start.seed,
            bare: start.bare,
            ..HubSpotOptions::default()
        };
        if let Some(lag) = start.search_lag_ms {
            options.search_lag_ms = lag;
        }
        let hubspot_token = options.token.clone();
        let hubspot_client = (options.client_id.clone(), options.client_secret.clone());
        let hubspot = HubSpotSim::new(clock.clone(), options);
        let options = SalesforceOptions {
            seed: start.seed,
            bare: start.bare,
            ..SalesforceOptions::default()
        };
        let salesforce_client = (options.client_id.clone(), options.client_secret.clone());
        let username = options.username.clone();
        let salesforce = SalesforceSim::new(clock, options);
        salesforce.track_usual_history();
        let first = listen("HubSpot", hubspot.router(), start.hubspot_port).await?;
        let second = listen("Salesforce", salesforce.router(), start.salesforce_port).await?;
        Ok(Self {
            hubspot_url: first.url(),
            salesforce_url: second.url(),
            hubspot,
            salesforce,
            hubspot_token,
            hubspot_client,
            salesforce_client,
            username,
            running: [first, second],
        })
    }

    /// Lets both go wrong as planned.
    pub fn switch_on(&self, plan: &FaultPlan) {
        self.hubspot.set_faults(&plan.faults);
        self.salesforce.set_faults(&plan.faults);
    }

    pub fn stop(&self) {
        for running in &self.running {
            running.stop();
        }
    }

    /// Lets both send what changes; with no URL yet, once test control gives one.
    pub fn push(
        &self,
        hubspot: Option<&str>,
        salesforce: Option<&str>,
    ) -> Result<[Pushing; 2], String> {
        if let Some(url) = hubspot {
            self.hubspot.set_webhooks(Some(WebhookSettings::to(url)))?;
        }
        if let Some(url) = salesforce {
            let settings = OutboundSettings {
                instance_url: self.salesforce_url.clone(),
                retry_gap_ms: 1_000,
                ..OutboundSettings::to(url)
            };
            self.salesforce.set_outbound_messages(Some(settings))?;
        }
        let webhooks = self.hubspot.push_webhooks()?;
        Ok([webhooks, self.salesforce.push_outbound_messages()?])
    }

    fn json(&self, salesforce_token: &str) -> serde_json::Value {
        json!({
            "hubspot": {
                "url": self.hubspot_url,
                "token": self.hubspot_token,
                "portal_id": self.hubspot.portal_id(),
                "client_id": self.hubspot_client.0,
                "client_secret": self.hubspot_client.1,
            },
            "salesforce": {
                "url": self.salesforce_url,
                "token": salesforce_token,
                "client_id": self.salesforce_client.0,
                "client_secret": self.salesforce_client.1,
                "username": self.username,
                "organization_id": self.salesforce.organization_id(),
            },
        })
    }

    /// Commands that read five contacts from each side.
    pub fn curl_examples(&self, salesforce_token: &str) -> [String; 2] {
        [
            format!(
                "curl -H 'Authorization: Bearer {}' \\\n    \
                 '{}/crm/objects/2026-03/contacts?limit=5'",
                self.hubspot_token, self.hubspot_url
            ),
            format!(
                "curl -H 'Authorization: Bearer {salesforce_token}' \\\n    \
                 '{}/services/data/v64.0/query?q=SELECT+Id,Name,Email+FROM+Contact+LIMIT+5'",
                self.salesforce_url
            ),
        ]
    }

    fn block(&self, salesforce_token: &str) -> String {
        let [hubspot_curl, salesforce_curl] = self.curl_examples(salesforce_token);
        format!(
            "HubSpot\n  url            {}\n  token          {}\n  portal id      {}\n  \
             client id      {}\n  client secret  {}\n\n  {hubspot_curl}\n\n\
             Salesforce\n  url            {}\n  token          {salesforce_token}\n  \
             organization   {}\n  username       {}\n  client id      {}\n  \
             client secret  {}\n\n  {salesforce_curl}\n\n  \
             A fresh token:\n  curl '{}/services/oauth2/token' \\\n    \
             -d grant_type=client_credentials -d client_id={} -d client_secret={}\n",
            self.hubspot_url,
            self.hubspot_token,
            self.hubspot.portal_id(),
            self.hubspot_client.0,
            self.hubspot_client.1,
            self.salesforce_url,
            self.salesforce.organization_id(),
            self.username,
            self.salesforce_client.0,
            self.salesforce_client.1,
            self.salesforce_url,
            self.salesforce_client.0,
            self.salesforce_client.1,
        )
    }
}

async fn listen(name: &str, router: axum::Router, port: u16) -> anyhow::Result<Running> {
    serve(router, port).await.with_context(|| {
        format!("the {name} simulator cannot listen on 127.0.0.1:{port}; give another port, or 0")
    })
}

/// Serves both until Ctrl-C or SIGTERM.
///
/// # Errors
/// A port that is taken, or seeding that the simulators refuse.
pub async fn run(args: SimArgs) -> anyhow::Result<ExitCode> {
    let plan = FaultPlan::named(&args.faults).map_err(anyhow::Error::msg)?;
    let started = Simulators::start(Start {
        hubspot_port: args.hubspot_port,
        salesforce_port: args.salesforce_port,
        seed: args.seed,
        bare: args.bare,
        search_lag_ms: None,
    });
    let simulators = started.await?;
    seed::seed(
        &simulators.hubspot,
        &simulators.salesforce,
        args.records,
        args.seed,
    )
    .map_err(anyhow::Error::msg)?;
    let token = simulators.salesforce.issue_token();
    simulators.switch_on(&plan);
    let (webhooks, messages) = (&args.hubspot_webhooks, &args.salesforce_messages);
    let _pushing = simulators
        .push(webhooks.as_deref(), messages.as_deref())
        .map_err(anyhow::Error::msg)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", simulators.json(&token))?;
    } else {
        writeln!(out, "{}\nCtrl-C stops both.", simulators.block(&token))?;
    }
    out.flush()?;
    drop(out);
    told_to_stop().await?;
    simulators.stop();
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C or, where it exists, SIGTERM.
pub(super) async fn told_to_stop() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
