//! Requests that their callers gave a name, and how they were answered.

use crate::model::{Timestamp, WorkspaceId};

use super::Store;
use super::db::args;
use super::error::Result;
use super::rows::NamedDb;
use super::sql::service as sql;

/// A request with a name. Name and request are hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// The workspace that it is about; the one without a name for none.
    pub ws: WorkspaceId,
    /// The id of the caller's key. Names of different callers never meet.
    pub caller: String,
    pub name: String,
    pub request: String,
}

/// How a request with a name begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nobody has this name: the request is to be carried out, and answered before `until`.
    Mine { until: Timestamp },
    /// Somebody is at it.
    UnderWay,
    /// The name belongs to another request.
    Different,
    /// It was answered before.
    Answered { status: u16, sealed: String },
}

impl Store {
    /// Takes the name for `millis`, unless somebody has it.
    pub async fn begin_repeat(&self, of: &Repeat, millis: i64) -> Result<Begun> {
        let now = self.clock.now();
        let until = now.plus_millis(millis);
        let (ws, caller, name) = (of.ws.as_str(), of.caller.as_str(), of.name.as_str());
        let put = args![ws, caller, name, of.request.as_str(), until, now];
        if self.db.run(&sql::REPEAT_BEGIN, &put).await? > 0 {
            return Ok(Begun::Mine { until });
        }
        let args = args![ws, caller, name];
        let found = self.db.fetch_one::<NamedDb>(&sql::REPEAT, &args).await?;
        // Gone in between: whoever had the name has just given it back.
        let Some(found) = found else {
            return Ok(Begun::UnderWay);
        };
        if found.request != of.request {
            return Ok(Begun::Different);
        }
        let status = found.status.and_then(|status| u16::try_from(status).ok());
        Ok(match status.zip(found.sealed) {
            Some((status, sealed)) => Begun::Answered { status, sealed },
            None => Begun::UnderWay,
        })
    }

    /// Keeps the answer for `millis`. False when the name was lost meanwhile.
    pub async fn end_repeat(
        &self,
        of: &Repeat,
        until: Timestamp,
        status: u16,
        sealed: &str,
        millis: i64,
    ) -> Result<bool> {
        let args = args![
            of.ws.as_str(),
            of.caller.as_str(),
            of.name.as_str(),
            until,
            i64::from(status),
            sealed,
            self.clock.now().plus_millis(millis),
        ];
        Ok(self.db.run(&sql::REPEAT_END, &args).await? > 0)
    }

    /// Gives the name back, for a request that did nothing.
    pub async fn drop_repeat(&self, of: &Repeat, until: Timestamp) -> Result<()> {
        let (ws, caller, name) = (of.ws.as_str(), of.caller.as_str(), of.name.as_str());
        let args = args![ws, caller, name, until];
        self.db.run(&sql::REPEAT_DROP, &args).await?;
        Ok(())
    }

    /// Clears away what is kept no longer, in all workspaces. Answers how many rows went.
    pub async fn clear_repeats(&self) -> Result<u64> {
        let args = args![self.clock.now()];
        self.db.run(&sql::REPEATS_CLEAR, &args).await
    }
}
