//! Rows of the service's tables.

use std::collections::BTreeMap;

use sqlx::FromRow;

use crate::model::{
    ConnectionState, KeyKind, OwnerPair, OwnerTable, Role, Side, Timestamp, Workspace, WorkspaceId,
    WorkspaceMode,
};
use crate::store::access::AccessEntry;
use crate::store::attention::Attention;
use crate::store::connecting::{Authorization, ConnectLink};
use crate::store::connections::SealedConnection;
use crate::store::keys::ApiKey;

use super::mappings::pauses_of;
use super::{Fault, side_of};

#[derive(FromRow)]
pub(in crate::store) struct TenantDb {
    workspace_id: String,
    mode: Option<String>,
    paused: Option<i64>,
    vars: Option<String>,
    owners: Option<String>,
    created_at: i64,
    pauses: Option<String>,
    mappings_version: Option<i64>,
}

impl TryFrom<TenantDb> for Workspace {
    type Error = Fault;

    fn try_from(row: TenantDb) -> Result<Self, Fault> {
        let mode = row.mode.unwrap_or_default();
        let vars: BTreeMap<String, String> = match row.vars {
            Some(text) => serde_json::from_str(&text).map_err(|error| error.to_string())?,
            None => BTreeMap::new(),
        };
        let owners: Vec<OwnerPair> = match row.owners {
            Some(text) => serde_json::from_str(&text).map_err(|error| error.to_string())?,
            None => Vec::new(),
        };
        Ok(Self {
            id: WorkspaceId::new(row.workspace_id),
            mode: WorkspaceMode::parse(&mode).ok_or_else(|| format!("no mode is {mode:?}"))?,
            paused: row.paused.unwrap_or(0) != 0,
            vars,
            owners: OwnerTable::new(owners).map_err(|fault| fault.to_string())?,
            created_at: Timestamp::from_micros(row.created_at),
            pauses: pauses_of(row.pauses)?,
            mappings_version: row.mappings_version.unwrap_or(0),
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct AgendaDb {
    pub workspace_id: String,
    pub at: Option<i64>,
    pub news: Option<i64>,
}

#[derive(FromRow)]
pub(in crate::store) struct DocDb {
    pub doc: String,
}

#[derive(FromRow)]
pub(in crate::store) struct AttentionDb {
    workspace_id: String,
    due: Option<i64>,
    dead_letters: i64,
    holds: i64,
    conflicts: i64,
}

impl TryFrom<AttentionDb> for Attention {
    type Error = Fault;

    fn try_from(row: AttentionDb) -> Result<Self, Fault> {
        let count = |n: i64| u64::try_from(n).map_err(|_| format!("{n} is no count"));
        Ok(Self {
            workspace: WorkspaceId::new(row.workspace_id),
            due: row.due.map(Timestamp::from_micros),
            dead_letters: count(row.dead_letters)?,
            holds: count(row.holds)?,
            conflicts: count(row.conflicts)?,
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct TextIdDb {
    pub id: String,
}

#[derive(FromRow)]
pub(in crate::store) struct SealedDb {
    side: String,
    account_id: String,
    state: Option<String>,
    detail: Option<String>,
    scopes: Option<String>,
    sealed: Option<String>,
    version: Option<i64>,
    renewing_until: Option<i64>,
    connected_at: Option<i64>,
}

impl TryFrom<SealedDb> for SealedConnection {
    type Error = Fault;

    fn try_from(row: SealedDb) -> Result<Self, Fault> {
        let state = row.state.unwrap_or_default();
        Ok(Self {
            side: side_of(&row.side)?,
            account_id: row.account_id,
            state: ConnectionState::parse(&state)
                .ok_or_else(|| format!("no state is {state:?}"))?,
            detail: row.detail.unwrap_or_default(),
            scopes: row.scopes.unwrap_or_default(),
            sealed: row.sealed,
            version: row.version.unwrap_or(0),
            renewing_until: Timestamp::from_micros(row.renewing_until.unwrap_or(0)),
            connected_at: Timestamp::from_micros(row.connected_at.unwrap_or(0)),
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct GrantDb {
    workspace_id: String,
    side: String,
}

impl TryFrom<GrantDb> for (WorkspaceId, Side) {
    type Error = Fault;

    fn try_from(row: GrantDb) -> Result<Self, Fault> {
        Ok((WorkspaceId::new(row.workspace_id), side_of(&row.side)?))
    }
}

#[derive(FromRow)]
pub(in crate::store) struct DataKeyDb {
    pub workspace_id: String,
    pub wrapped: String,
}

#[derive(FromRow)]
pub(in crate::store) struct ApiKeyDb {
    key_id: String,
    workspace_id: String,
    kind: String,
    role: String,
    name: String,
    hash: String,
    created_at: i64,
    used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl TryFrom<ApiKeyDb> for ApiKey {
    type Error = Fault;

    fn try_from(row: ApiKeyDb) -> Result<Self, Fault> {
        let workspace = row.workspace_id;
        Ok(Self {
            id: row.key_id,
            workspace: (!workspace.is_empty()).then(|| WorkspaceId::new(workspace)),
            kind: KeyKind::parse(&row.kind).ok_or_else(|| format!("no key is {:?}", row.kind))?,
            role: Role::parse(&row.role).ok_or_else(|| format!("no role is {:?}", row.role))?,
            name: row.name,
            hash: row.hash,
            created_at: Timestamp::from_micros(row.created_at),
            used_at: row.used_at.map(Timestamp::from_micros),
            revoked_at: row.revoked_at.map(Timestamp::from_micros),
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct ConnectLinkDb {
    link_id: String,
    side: String,
    created_at: i64,
    expires_at: i64,
    used_at: Option<i64>,
}

impl TryFrom<ConnectLinkDb> for ConnectLink {
    type Error = Fault;

    fn try_from(row: ConnectLinkDb) -> Result<Self, Fault> {
        Ok(Self {
            id: row.link_id,
            side: side_of(&row.side)?,
            created_at: Timestamp::from_micros(row.created_at),
            expires_at: Timestamp::from_micros(row.expires_at),
            used_at: row.used_at.map(Timestamp::from_micros),
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct AuthorizationDb {
    authorization_id: String,
    link_id: String,
    side: String,
    sealed: String,
}

impl TryFrom<AuthorizationDb> for Authorization {
    type Error = Fault;

    fn try_from(row: AuthorizationDb) -> Result<Self, Fault> {
        let side: Side = side_of(&row.side)?;
        Ok(Self {
            id: row.authorization_id,
            link: row.link_id,
            side,
            sealed: row.sealed,
        })
    }
}

#[derive(FromRow)]
pub(in crate::store) struct NamedDb {
    pub request: String,
    pub status: Option<i64>,
    pub sealed: Option<String>,
}

#[derive(FromRow)]
pub(in crate::store) struct AccessDb {
    entry_id: String,
    made_at: i64,
    actor: String,
    action: String,
    target: String,
    detail: String,
}

impl TryFrom<AccessDb> for AccessEntry {
    type Error = Fault;

    fn try_from(row: AccessDb) -> Result<Self, Fault> {
        Ok(Self {
            id: row.entry_id,
            made_at: Timestamp::from_micros(row.made_at),
            actor: row.actor,
            action: row.action,
            target: row.target,
            detail: row.detail,
        })
    }
}
