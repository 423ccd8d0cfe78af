//! A demo that stays up: the service's workers keep both workspaces in step, and it is said what
//! they write.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::model::WorkspaceId;

use super::served::Served;

/// From one look at what was written to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub struct Stay<'a> {
    pub served: &'a Served,
    pub workspaces: &'a [WorkspaceId; 2],
    pub clock: &'a Clock,
    /// Nothing is said.
    pub quiet: bool,
}

impl Stay<'_> {
    pub async fn until(&self, stop: &CancellationToken) {
        tokio::join!(self.served.work(stop), self.watch(stop));
    }

    async fn watch(&self, stop: &CancellationToken) {
        let mut known = [0, 1].map(|nth| self.written(nth).unwrap_or_default());
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            for (nth, known) in known.iter_mut().enumerate() {
                // While a worker has it, the next look tells.
                let Some(now) = self.written(nth) else {
                    continue;
                };
                // An engine that was opened anew has begun to count anew.
                let more = now.checked_sub(*known).unwrap_or(now);
                *known = now;
                if more > 0 && !self.quiet {
                    let time = self.clock.now().to_string();
                    let word = if more == 1 { "record" } else { "records" };
                    let ws = &self.workspaces[nth];
                    eprintln!("{}  {ws}: {more} {word} written", &time[11..19]);
                }
            }
        }
    }

    fn written(&self, nth: usize) -> Option<u64> {
        let counted = self.served.service.counted(&self.workspaces[nth]);
        counted.map(|counted| counted.writes)
    }
}
