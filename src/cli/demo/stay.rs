//! A demo that stays up: the service's workers keep both workspaces in step, and it is said what they
//! write.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

use super::super::sim::Simulators;
use super::served::{Customer, Served};

/// From one look at what was written to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub struct Stay<'a> {
    pub customers: [Customer<'a>; 2],
    pub clock: &'a Clock,
    /// Nothing is said.
    pub quiet: bool,
}

impl Stay<'_> {
    pub async fn until(&self, served: &Served, stop: &CancellationToken) {
        tokio::join!(served.work(stop), self.watch(stop));
    }

    /// Says which workspace wrote how much, by what its CRMs have counted.
    async fn watch(&self, stop: &CancellationToken) {
        let mut known = self.customers.map(|one| written(one.simulators));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            for (customer, known) in self.customers.iter().zip(&mut known) {
                let now = written(customer.simulators);
                let more = now - std::mem::replace(known, now);
                if more > 0 && !self.quiet {
                    let time = self.clock.now().to_string();
                    let word = if more == 1 { "record" } else { "records" };
                    eprintln!("{}  {}: {more} {word} written", &time[11..19], customer.ws);
                }
            }
        }
    }
}

/// Records that one workspace has written into its CRMs so far.
fn written(simulators: &Simulators) -> u64 {
    let hubspot = simulators.hubspot.counters();
    let salesforce = simulators.salesforce.counters();
    let made = hubspot.records_created + salesforce.records_created;
    made + hubspot.records_updated + salesforce.records_updated
}
