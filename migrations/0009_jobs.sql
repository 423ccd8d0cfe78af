-- What the service does for somebody who asked over the API: plans, what takes a run back,
-- inventories, and how carrying a plan out went.

-- is_open is 1 while the job waits or is under way, and 0 once it has ended.
CREATE TABLE jobs (
    workspace_id TEXT NOT NULL,
    job_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    is_open BIGINT NOT NULL,
    -- What was asked, without values.
    wish TEXT NOT NULL,
    run_id TEXT,
    made_at BIGINT NOT NULL,
    ended_at BIGINT,
    expires_at BIGINT NOT NULL,
    -- Why it failed or stopped; empty where it did not.
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    -- Counts of what was found, and of what was done with it.
    found TEXT NOT NULL,
    progress TEXT NOT NULL,
    -- What was found, and what became of each row; both with values.
    doc TEXT,
    outcome TEXT,
    PRIMARY KEY (workspace_id, job_id)
);

-- One job of a workspace at a time.
CREATE UNIQUE INDEX jobs_open ON jobs (workspace_id) WHERE is_open = 1;
