-- What the service keeps beside the engine: customers' workspaces, sealed credentials, keys, and
-- who changed what.

-- NULL until the service takes the workspace on. mode is observing or live.
ALTER TABLE workspaces ADD COLUMN mode TEXT;
ALTER TABLE workspaces ADD COLUMN paused BIGINT;
ALTER TABLE workspaces ADD COLUMN vars TEXT;

-- NULL where credentials come from the environment. renewing_until fences one refresh at a time
-- across all processes; version rises with every change of the sealed credentials.
ALTER TABLE connections ADD COLUMN state TEXT;
ALTER TABLE connections ADD COLUMN detail TEXT;
ALTER TABLE connections ADD COLUMN scopes TEXT;
ALTER TABLE connections ADD COLUMN sealed TEXT;
ALTER TABLE connections ADD COLUMN version BIGINT;
ALTER TABLE connections ADD COLUMN renewing_until BIGINT;
ALTER TABLE connections ADD COLUMN connected_at BIGINT;

-- The key that seals one workspace's credentials, itself sealed. The workspace without a name is
-- the service's own.
CREATE TABLE data_keys (
    workspace_id TEXT NOT NULL,
    wrapped TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id)
);

-- Global, because a request shows its key before anybody knows the workspace. workspace_id is
-- empty for a management key.
CREATE TABLE api_keys (
    key_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    role TEXT NOT NULL,
    name TEXT NOT NULL,
    hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    revoked_at BIGINT,
    PRIMARY KEY (key_id)
);

-- What both CRMs said of their objects when they were last asked, and for which mappings.
CREATE TABLE schemas (
    workspace_id TEXT NOT NULL,
    doc TEXT NOT NULL,
    asked_for TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id)
);

CREATE TABLE connect_links (
    workspace_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    side TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (workspace_id, link_id)
);

-- An authorisation that a browser has begun. browser is the hash of a cookie, sealed holds the
-- verifier of the challenge.
CREATE TABLE authorizations (
    workspace_id TEXT NOT NULL,
    authorization_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    side TEXT NOT NULL,
    browser TEXT NOT NULL,
    sealed TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, authorization_id)
);

CREATE TABLE access_log (
    workspace_id TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (workspace_id, entry_id)
);
