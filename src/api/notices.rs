//! Whom a workspace tells that it needs a person, and what it told.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::caller::{Caller, WorkspacePath};
use super::dto::{Body, time, whole};
use super::error::{ApiError, Problem};
use crate::model::Role;
use crate::notices::{Kind, NoticeError, Wanted};
use crate::store::{Notice, NoticeChannel};

const MINUTE_MILLIS: i64 = 60_000;
const BACKLOG_MINUTES: u32 = 60;
const BACKLOG_MINUTES_MAX: u32 = 7 * 24 * 60;

/// Where notices shall go.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNotices {
    /// slack (an incoming webhook of Slack) or webhook (signed, as Standard Webhooks has it).
    #[schema(pattern = "^(slack|webhook)$")]
    pub kind: String,
    /// An https address. It is sealed before it is stored, and never shown again.
    #[schema(write_only)]
    pub url: String,
    /// Work that is due for longer is told of: 1 to 10080, 60 unless given.
    #[schema(minimum = 1, maximum = 10080)]
    #[serde(default, deserialize_with = "whole")]
    pub backlog_minutes: Option<u32>,
}

#[derive(Serialize, ToSchema)]
pub struct NoticesJson {
    /// slack or webhook.
    pub kind: String,
    /// Of the address, which is not shown.
    pub host: String,
    pub backlog_minutes: i64,
    pub set_at: String,
    /// Signs requests to a webhook; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// What was noticed since, one entry for each condition that ever held.
    pub conditions: Vec<NoticeJson>,
}

#[derive(Serialize, ToSchema)]
pub struct NoticeJson {
    pub id: String,
    /// connection-hubspot, connection-salesforce, backlog, approvals or dead-letters.
    pub condition: String,
    /// Whether the last notice says that it began, or that it ended.
    pub going_on: bool,
    pub since: String,
    /// Of the last notice: waits, told or given-up.
    pub state: &'static str,
    pub tries: u32,
    /// Why the last try failed.
    pub trouble: Option<String>,
}

impl NoticesJson {
    fn of(channel: NoticeChannel, notices: Vec<Notice>, secret: Option<SecretString>) -> Self {
        Self {
            kind: channel.kind,
            host: channel.host,
            backlog_minutes: channel.backlog_millis / MINUTE_MILLIS,
            set_at: time(channel.set_at),
            secret: secret.map(|secret| secret.expose_secret().to_owned()),
            conditions: notices.into_iter().map(NoticeJson::from).collect(),
        }
    }
}

impl From<Notice> for NoticeJson {
    fn from(notice: Notice) -> Self {
        Self {
            id: notice.id,
            condition: notice.subject,
            going_on: notice.going_on,
            since: time(notice.since),
            state: notice.state.as_str(),
            tries: notice.tries,
            trouble: Some(notice.trouble).filter(|text| !text.is_empty()),
        }
    }
}

impl From<NoticeError> for ApiError {
    fn from(error: NoticeError) -> Self {
        match error {
            NoticeError::Address(bad) => Self::bad(bad.to_string()),
            NoticeError::Vault(error) => error.into(),
            NoticeError::Store(error) => error.into(),
        }
    }
}

/// Show whom the workspace tells that it needs a person.
#[utoipa::path(get, path = "/v1/workspaces/{customer}/{environment}/notices", tag = "notices",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 200, body = NoticesJson), (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<Json<NoticesJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let ws = api.enter(&caller, place, Role::Viewer).await?.id;
    let channel = api.store.notice_channel(&ws).await?;
    let channel = channel.ok_or_else(|| ApiError::not_found("receiver of notices"))?;
    let notices = api.store.notices(&ws).await?;
    Ok(Json(NoticesJson::of(channel, notices, None)))
}

/// Have Slack or a webhook told from now on, in place of whoever was told before.
#[utoipa::path(put, path = "/v1/workspaces/{customer}/{environment}/notices", tag = "notices",
    params(("customer" = String, Path), ("environment" = String, Path)),
    request_body = NewNotices,
    responses((status = 200, body = NoticesJson), (status = "4XX", body = Problem)))]
pub(super) async fn put(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
    Body(new): Body<NewNotices>,
) -> Result<Json<NoticesJson>, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let ws = api.enter(&caller, place, Role::Admin).await?.id;
    let unknown = || ApiError::bad("kind is slack or webhook");
    let kind = Kind::parse(&new.kind).ok_or_else(unknown)?;
    let minutes = new.backlog_minutes.unwrap_or(BACKLOG_MINUTES);
    if !(1..=BACKLOG_MINUTES_MAX).contains(&minutes) {
        return Err(ApiError::bad(format!(
            "backlog_minutes is a number from 1 to {BACKLOG_MINUTES_MAX}"
        )));
    }
    let wanted = Wanted {
        kind,
        url: SecretString::from(new.url),
        backlog_millis: i64::from(minutes) * MINUTE_MILLIS,
    };
    let (channel, secret) = api.notices.set(&ws, &wanted).await?;
    let detail = format!("{} at {}", channel.kind, channel.host);
    api.note(
        Some(&ws),
        &caller.actor,
        "set notices",
        ws.as_str(),
        &detail,
    )
    .await?;
    Ok(Json(NoticesJson::of(channel, Vec::new(), secret)))
}

/// Tell nobody any more.
#[utoipa::path(delete, path = "/v1/workspaces/{customer}/{environment}/notices", tag = "notices",
    params(("customer" = String, Path), ("environment" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn off(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((customer, environment)): WorkspacePath,
) -> Result<StatusCode, ApiError> {
    let place = (customer.as_str(), environment.as_str());
    let ws = api.enter(&caller, place, Role::Admin).await?.id;
    if !api.store.drop_notice_channel(&ws).await? {
        return Err(ApiError::not_found("receiver of notices"));
    }
    api.note(Some(&ws), &caller.actor, "end notices", ws.as_str(), "")
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
