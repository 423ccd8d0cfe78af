//! Tells people that a workspace needs them: once when a condition begins, once when it ends.
//!
//! Looks at the store from time to time, notes what changed, and sends it to the workspace's
//! channel. Works beside the engines and holds nothing up: whatever fails here is tried again,
//! given up after a day, and logged. A notice holds no value of a record.

mod channel;
mod condition;
mod post;
mod words;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::{Chance, Clock, Ids};
use crate::model::{Choice, WorkspaceId};
use crate::pipeline::LANE;
use crate::store::{
    Approval, DeadLetterFilter, DeadLetterState, Notice, NoticeChannel, NoticeFacts, NoticeState,
    Store, StoreError,
};
use crate::vault::{Vault, VaultError};

use channel::Channel;
pub use channel::{BadAddress, Kind, Wanted};
pub use condition::Subject;
use post::{Poster, Refused};
use words::Site;

const LOOK_EVERY: Duration = Duration::from_secs(15);
const TELL_EVERY: Duration = Duration::from_secs(5);
const PAGE: u32 = 200;
/// Notices that are sent at the same time.
const TOGETHER: u32 = 32;
/// Notices of one workspace in an hour: each condition begins and ends once, and a little more.
const HOURLY: i64 = 12;
/// Letters and questions that are looked at to name mappings and codes.
const NAMED: u32 = 200;
/// Longer than a post takes; a process that dies meanwhile leaves it to others after this.
const TAKEN_MILLIS: i64 = 60_000;
const AGAIN_MILLIS: i64 = 15_000;
const AGAIN_MILLIS_MAX: i64 = 3_600_000;
const GIVE_UP_MILLIS: i64 = 24 * 3_600_000;

/// Why nobody can be told.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    #[error(transparent)]
    Address(#[from] BadAddress),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub struct Notices {
    store: Arc<Store>,
    vault: Arc<Vault>,
    clock: Clock,
    ids: Ids,
    poster: Poster,
    /// How the service is reached, without a slash at its end.
    base: String,
    /// Whether an address may be `http` on this machine: for services that are not public either.
    local: bool,
}

impl Notices {
    /// `base` is the public address of the service.
    ///
    /// # Errors
    /// What keeps an HTTP client from being made.
    pub fn new(
        store: Arc<Store>,
        vault: Arc<Vault>,
        clock: Clock,
        chance: Chance,
        base: &str,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            store,
            vault,
            ids: Ids::new(clock.clone(), chance),
            clock,
            poster: Poster::new()?,
            base: base.trim_end_matches('/').to_owned(),
            local: base.starts_with("http://"),
        })
    }

    /// Tells somebody from now on. Answers the secret that signs, where there is one; it is shown
    /// this once.
    pub async fn set(
        &self,
        ws: &WorkspaceId,
        wanted: &Wanted,
    ) -> Result<(NoticeChannel, Option<SecretString>), NoticeError> {
        let channel = Channel::new(wanted, self.local)?;
        let written = channel.write();
        let sealed = self.vault.seal(ws, channel::PLACE, &written);
        let kept = NoticeChannel {
            workspace: ws.clone(),
            kind: wanted.kind.as_str().to_owned(),
            host: channel.host(),
            sealed: sealed.await?,
            backlog_millis: wanted.backlog_millis,
            set_at: self.clock.now(),
        };
        self.store.put_notice_channel(&kept).await?;
        Ok((kept, channel.secret()))
    }

    /// Looks and tells until it is told to stop. Both at their own pace, so that a receiver that
    /// does not answer keeps nothing from being noticed.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let looking = async {
            while pause(&stop, LOOK_EVERY).await {
                if let Err(error) = self.look().await {
                    tracing::warn!(%error, "it could not be looked what to tell");
                }
            }
        };
        let telling = async {
            while pause(&stop, TELL_EVERY).await {
                if let Err(error) = self.tell().await {
                    tracing::warn!(%error, "notices could not be read or settled");
                }
            }
        };
        tokio::join!(looking, telling);
    }

    /// Notes every condition that began or ended since the last look.
    pub async fn look(&self) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let page = self.store.notice_facts(LANE, &after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            last.workspace.as_str().clone_into(&mut after);
            for facts in &page {
                self.look_at(facts).await?;
            }
        }
    }

    async fn look_at(&self, facts: &NoticeFacts) -> Result<(), StoreError> {
        let known = self.store.notices(&facts.workspace).await?;
        let now = self.clock.now();
        for subject in Subject::ALL {
            let last = known.iter().find(|one| one.subject == subject.as_str());
            let was = last.is_some_and(|last| last.going_on);
            let is = condition::holds(subject, facts, was, now);
            if is == was || last.is_some_and(|last| last.state == NoticeState::Waits) {
                continue;
            }
            let since = last.filter(|_| was).map_or(now, |last| last.since);
            let site = Site {
                workspace: &facts.workspace,
                base: &self.base,
                since,
                now,
            };
            let body = if is {
                words::began(&site, subject, facts, &self.named(facts, subject).await?)
            } else {
                words::ended(&site, subject)
            };
            let notice = Notice {
                workspace: facts.workspace.clone(),
                subject: subject.as_str().to_owned(),
                id: format!("ntc_{}", self.ids.next()),
                going_on: is,
                since,
                made_at: now,
                body,
                state: NoticeState::Waits,
                due_at: now,
                tries: 0,
                trouble: String::new(),
            };
            if !self.store.make_notice(&notice, HOURLY).await? {
                let (ws, subject) = (facts.workspace.as_str(), subject.as_str());
                tracing::debug!(ws, subject, "a notice has to wait for its turn");
            }
        }
        Ok(())
    }

    /// Mappings and codes of what waits, each as often as it is there.
    async fn named(
        &self,
        facts: &NoticeFacts,
        subject: Subject,
    ) -> Result<Vec<words::Named>, StoreError> {
        let ws = &facts.workspace;
        match subject {
            Subject::DeadLetters => {
                let filter = DeadLetterFilter {
                    limit: NAMED,
                    ..DeadLetterFilter::default()
                };
                let open = DeadLetterState::Open;
                let found = self.store.dead_letters_page(ws, open, &filter).await?;
                let each = found.into_iter().map(|one| (one.mapping, one.code));
                Ok(words::counted(each))
            }
            Subject::Approvals => {
                let found = self.store.approvals_asked(ws, "", NAMED).await?;
                let asked = |one: &Approval| one.kind != Choice::APPROVAL;
                let each = found.into_iter().filter(asked);
                Ok(words::counted(each.map(|one| (one.mapping, one.kind))))
            }
            Subject::HubSpot | Subject::Salesforce | Subject::Backlog => Ok(Vec::new()),
        }
    }

    /// Sends what waits and is due; comes back when all of that was tried.
    pub async fn tell(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut tries = JoinSet::new();
        for notice in self.store.notices_due(TOGETHER).await? {
            let notices = Arc::clone(self);
            tries.spawn(async move { notices.tell_one(&notice).await });
        }
        let mut failed = None;
        while let Some(tried) = tries.join_next().await {
            match tried {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed = Some(error),
                Err(error) => tracing::error!(%error, "a notice could not be tried"),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn tell_one(&self, notice: &Notice) -> Result<(), StoreError> {
        if !self.store.take_notice(notice, TAKEN_MILLIS).await? {
            return Ok(());
        }
        let Err(refused) = self.send(notice).await? else {
            return self
                .store
                .settle_notice(notice, NoticeState::Told, "")
                .await;
        };
        let (ws, why) = (notice.workspace.as_str(), refused.why.as_str());
        let (subject, tries) = (notice.subject.as_str(), notice.tries + 1);
        if self.clock.now().millis_since(notice.made_at) >= GIVE_UP_MILLIS {
            tracing::error!(ws, subject, tries, why, "a notice is given up");
            let given_up = NoticeState::GivenUp;
            return self.store.settle_notice(notice, given_up, why).await;
        }
        if notice.tries == 0 {
            tracing::warn!(
                ws,
                subject,
                why,
                "a notice could not be told; it is tried again"
            );
        }
        let wait = AGAIN_MILLIS << notice.tries.min(16);
        let wait = wait.min(AGAIN_MILLIS_MAX).max(refused.wait_millis);
        self.store.postpone_notice(notice, wait, why).await
    }

    /// One try. The outer error is of the store, the inner one the receiver's.
    async fn send(&self, notice: &Notice) -> Result<Result<(), Refused>, StoreError> {
        let ws = &notice.workspace;
        let Some(kept) = self.store.notice_channel(ws).await? else {
            return Ok(Err(Refused::new("there is nobody to tell any more")));
        };
        let channel = match self.vault.unseal(ws, channel::PLACE, &kept.sealed).await {
            Ok(text) => Channel::read(&text),
            Err(VaultError::Store(error)) => return Err(error),
            Err(error) => return Ok(Err(Refused::new(&error.to_string()))),
        };
        let Some(channel) = channel else {
            return Ok(Err(Refused::new(
                "the address cannot be read; set it again",
            )));
        };
        Ok(self.poster.post(&channel, notice, self.clock.now()).await)
    }
}

/// False when it is time to stop.
async fn pause(stop: &CancellationToken, wait: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(wait) => true,
    }
}
