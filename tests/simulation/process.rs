//! The process under test: it starts, steps, dies, freezes and is succeeded.

use std::sync::Arc;

use secrecy::SecretString;
use tandem::app::{Engine, Options, Parts, SetupError, Step};
use tandem::clock::Chance;
use tandem::crm::salesforce::{Login, log_in};
use tandem::crm::{HubSpot, Salesforce, Transport};
use tandem::model::Side;
use tandem::sim::hubspot::HubSpotOptions;
use tandem::sim::salesforce::SalesforceOptions;
use tandem::store::StoreError;
use tokio::pin;

use crate::run::Run;
use crate::wire::around;

/// A process that died gives nothing back; its lease has to run out.
const LEASE_MILLIS: i64 = 31_000;
const OPENINGS_MAX: u32 = 60;

impl Run<'_> {
    /// One step of the engine, in which the process may die or be frozen.
    pub async fn step(&mut self) -> Step {
        let hub = self.rig.hub.clone();
        hub.with(|stage| {
            stage.step_from = stage.seams;
            stage.counts.add("steps", 1);
        });
        let mut engine = self.engine.take().expect("the engine runs");
        let done = {
            let step = engine.step();
            pin!(step);
            tokio::select! {
                biased;
                done = &mut step => Some(done),
                () = hub.died() => None,
                () = hub.froze() => {
                    self.succeed().await;
                    hub.with(|stage| stage.thawed = true);
                    hub.thaw();
                    let done = step.await;
                    hub.with(|stage| {
                        stage.alone = false;
                        stage.thawed = false;
                    });
                    Some(done)
                }
            }
        };
        match done {
            None => {
                drop(engine);
                self.after_death().await;
                Step::Wait(None)
            }
            Some(done) => {
                // A successor took over while the old process was frozen; the old one ends here.
                if self.engine.is_none() {
                    self.engine = Some(engine);
                }
                done.unwrap_or_else(|error| self.stumbled(&error))
            }
        }
    }

    fn stumbled(&self, error: &StoreError) -> Step {
        self.with(|stage| stage.violated("I5", format!("the store refused a step: {error}")));
        Step::Wait(None)
    }

    /// The process stands still for longer than its lease, and another one works meanwhile.
    async fn succeed(&mut self) {
        let steps = self.with(|stage| {
            stage.alone = true;
            1 + stage.dice.below(5)
        });
        self.pass(LEASE_MILLIS + 4_000).await;
        self.open().await;
        let mut engine = self.engine.take().expect("the successor runs");
        for _ in 0..steps {
            if let Err(error) = engine.step().await {
                self.stumbled(&error);
            }
        }
        self.engine = Some(engine);
    }

    async fn after_death(&mut self) {
        // One statement, so that the connection is done with what was dropped.
        self.store().open_intents(&self.workspace).await.unwrap();
        self.pass(LEASE_MILLIS).await;
        self.open().await;
    }

    /// A process starts, and is started again when it dies or cannot begin.
    pub async fn open(&mut self) {
        let calm = self.with(|stage| stage.calm);
        for nth in 0..OPENINGS_MAX {
            self.openings += 1;
            // Enough trouble for one start.
            self.with(|stage| stage.calm |= nth > 8);
            let hub = self.rig.hub.clone();
            hub.with(|stage| stage.starting = true);
            let opened = {
                let open = self.try_open();
                pin!(open);
                tokio::select! {
                    biased;
                    opened = &mut open => Some(opened),
                    () = hub.died() => None,
                }
            };
            hub.with(|stage| stage.starting = false);
            match opened {
                Some(Ok(engine)) => {
                    self.engine = Some(engine);
                    return self.with(|stage| stage.calm = calm);
                }
                Some(Err(SetupError::Mappings(faults))) => {
                    panic!("the cast {} does not fit: {faults:?}", self.cast.name)
                }
                Some(Err(_)) | None => self.pass(LEASE_MILLIS).await,
            }
        }
        panic!("seed {}: the engine never opens", self.seed);
    }

    async fn try_open(&self) -> Result<Engine, SetupError> {
        let (hub, clock) = (&self.rig.hub, &self.rig.clock);
        let router = around(hub.clone(), Side::HubSpot, self.hubspot.router());
        let token = SecretString::from(HubSpotOptions::default().token);
        let transport = Transport::InProcess(router);
        let hubspot = HubSpot::new(transport, "http://hubspot.test", token, clock.clone());
        let router = around(hub.clone(), Side::Salesforce, self.salesforce.router());
        let transport = Transport::InProcess(router);
        let options = SalesforceOptions::default();
        let login = Login::ClientCredentials {
            url: "http://salesforce.test".to_owned(),
            id: options.client_id,
            secret: SecretString::from(options.client_secret),
        };
        let session = log_in(&transport, &login, clock).await;
        let session = session.map_err(|error| SetupError::Crm {
            side: Side::Salesforce,
            error,
        })?;
        let salesforce = Salesforce::new(transport, session, Some(login), clock.clone());
        Engine::open(Parts {
            store: Arc::clone(&self.rig.store),
            workspace: self.workspace.clone(),
            hubspot,
            salesforce,
            mappings: self.mappings.clone(),
            clock: clock.clone(),
            chance: Chance::seeded(self.seed ^ u64::from(self.openings) << 32),
            options: Options {
                poll_millis: Some(60_000),
                ..Options::default()
            },
        })
        .await
    }
}
