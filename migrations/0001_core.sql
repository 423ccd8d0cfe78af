-- The whole store. One text for SQLite and PostgreSQL; see README.md for the rules.

CREATE TABLE workspaces (
    workspace_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id)
);

CREATE TABLE connections (
    workspace_id TEXT NOT NULL,
    side TEXT NOT NULL,
    account_id TEXT NOT NULL,
    url TEXT NOT NULL,
    PRIMARY KEY (workspace_id, side)
);

CREATE TABLE revisions (
    workspace_id TEXT NOT NULL,
    revision TEXT NOT NULL,
    mapping TEXT NOT NULL,
    body TEXT NOT NULL,
    rules TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, revision)
);

CREATE TABLE active_revisions (
    workspace_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    revision TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mapping)
);

-- owner is NULL while nobody holds the lane. epoch rises with every lease and never falls.
CREATE TABLE lanes (
    workspace_id TEXT NOT NULL,
    lane TEXT NOT NULL,
    owner TEXT,
    epoch BIGINT NOT NULL,
    until_at BIGINT NOT NULL,
    -- Commits made under this epoch: tells whether one whose reply was lost was applied.
    step BIGINT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (workspace_id, lane)
);

-- task_key is the text of kind, mapping, side and record_id together.
CREATE TABLE marks (
    workspace_id TEXT NOT NULL,
    lane TEXT NOT NULL,
    task_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side TEXT NOT NULL,
    record_id TEXT NOT NULL,
    revision BIGINT NOT NULL,
    cause TEXT NOT NULL,
    priority BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    first_marked_at BIGINT NOT NULL,
    marked_at BIGINT NOT NULL,
    rate_limited BIGINT NOT NULL,
    blocked BIGINT NOT NULL,
    blocked_at BIGINT,
    parent_mapping TEXT,
    parent_side TEXT,
    parent_id TEXT,
    failure TEXT,
    PRIMARY KEY (workspace_id, lane, task_key)
);
CREATE INDEX marks_due
    ON marks (workspace_id, lane, blocked, priority, not_before, task_key);
CREATE INDEX marks_parent
    ON marks (workspace_id, lane, parent_mapping, parent_side, parent_id) WHERE blocked = 1;

-- open_key is empty for an open link and the link's own id for a closed one, so that one key
-- both finds links by record and keeps a record from having two open links.
CREATE TABLE links (
    workspace_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    link_group TEXT,
    hubspot_id TEXT,
    salesforce_id TEXT,
    state TEXT NOT NULL,
    open_key TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (workspace_id, link_id)
);
CREATE UNIQUE INDEX links_hubspot ON links (workspace_id, mapping, hubspot_id, open_key);
CREATE UNIQUE INDEX links_salesforce ON links (workspace_id, mapping, salesforce_id, open_key);
CREATE UNIQUE INDEX links_group ON links (workspace_id, link_group, hubspot_id, open_key);

CREATE TABLE bases (
    workspace_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (workspace_id, link_id)
);

CREATE TABLE holds (
    workspace_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    sides TEXT NOT NULL,
    rule_hash TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, link_id, rule)
);

-- Open intents only: a settled intent is in the journal.
CREATE TABLE intents (
    workspace_id TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    revision TEXT NOT NULL,
    run_id TEXT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    rules TEXT NOT NULL,
    send_before BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, intent_id)
);
CREATE UNIQUE INDEX intents_open ON intents (workspace_id, link_id, side);

CREATE TABLE match_keys (
    workspace_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side TEXT NOT NULL,
    match_rule BIGINT NOT NULL,
    hash TEXT NOT NULL,
    record_id TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mapping, side, hash, match_rule, record_id)
);
CREATE INDEX match_keys_record ON match_keys (workspace_id, mapping, side, record_id);

CREATE TABLE cursors (
    workspace_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    reached TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mapping, side, kind)
);

CREATE TABLE aliases (
    workspace_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side TEXT NOT NULL,
    record_id TEXT NOT NULL,
    now_id TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mapping, side, record_id)
);

CREATE TABLE tombstones (
    workspace_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side TEXT NOT NULL,
    record_id TEXT NOT NULL,
    link_id TEXT NOT NULL,
    set_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mapping, side, record_id)
);
CREATE INDEX tombstones_time ON tombstones (workspace_id, mapping, side, set_at);

CREATE TABLE journal (
    workspace_id TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    run_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    revision TEXT NOT NULL,
    link_id TEXT,
    record_side TEXT,
    record_id TEXT,
    rule TEXT NOT NULL,
    decision TEXT NOT NULL,
    reason TEXT NOT NULL,
    winner TEXT,
    vals TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (workspace_id, entry_id)
);
CREATE INDEX journal_link ON journal (workspace_id, link_id, entry_id);

CREATE TABLE conflicts (
    workspace_id TEXT NOT NULL,
    conflict_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    run_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    link_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    winner TEXT,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    vals TEXT NOT NULL,
    PRIMARY KEY (workspace_id, conflict_id)
);
CREATE UNIQUE INDEX conflicts_once ON conflicts (workspace_id, link_id, rule, input_hash);

-- rule is empty for a dead letter of the whole record.
CREATE TABLE dead_letters (
    workspace_id TEXT NOT NULL,
    dead_letter_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    run_id TEXT,
    mapping TEXT NOT NULL,
    link_id TEXT,
    task_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    side TEXT NOT NULL,
    record_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    class TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    fields TEXT NOT NULL,
    vals TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    fingerprint TEXT NOT NULL,
    state TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (workspace_id, dead_letter_id)
);
CREATE UNIQUE INDEX dead_letters_once
    ON dead_letters (workspace_id, task_key, rule) WHERE state = 'open';
CREATE INDEX dead_letters_link ON dead_letters (workspace_id, link_id) WHERE state = 'open';

CREATE TABLE approvals (
    workspace_id TEXT NOT NULL,
    approval_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    set_hash TEXT NOT NULL,
    records TEXT NOT NULL,
    items BIGINT NOT NULL,
    detail TEXT NOT NULL,
    state TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (workspace_id, approval_id)
);
CREATE UNIQUE INDEX approvals_once ON approvals (workspace_id, mapping, side, kind, set_hash);

CREATE TABLE runs (
    workspace_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    summary TEXT NOT NULL,
    PRIMARY KEY (workspace_id, run_id)
);
