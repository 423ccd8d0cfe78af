-- Who is told that a workspace needs a person, what was told, and when a grant is renewed although
-- nobody uses it.

-- sealed holds the address, and the secret that signs. hour_count notices were made since hour_at.
CREATE TABLE notice_channels (
    workspace_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    host TEXT NOT NULL,
    sealed TEXT NOT NULL,
    backlog_ms BIGINT NOT NULL,
    set_at BIGINT NOT NULL,
    hour_at BIGINT NOT NULL,
    hour_count BIGINT NOT NULL,
    PRIMARY KEY (workspace_id)
);

-- One row for each condition that ever held: how it stood when its last notice was made, and what
-- became of that notice. state is waits, told or given-up.
CREATE TABLE notices (
    workspace_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    notice_id TEXT NOT NULL,
    going_on BIGINT NOT NULL,
    since BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    trouble TEXT NOT NULL,
    PRIMARY KEY (workspace_id, subject)
);

-- NULL: at the next occasion.
ALTER TABLE connections ADD COLUMN refresh_due BIGINT;
