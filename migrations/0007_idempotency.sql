-- Requests that their callers gave a name, so that sending one again does nothing twice.

-- name is the hash of the Idempotency-Key, request that of address and body. status and sealed are
-- NULL while the request is under way. The workspace without a name has those about none.
CREATE TABLE repeats (
    workspace_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    name TEXT NOT NULL,
    request TEXT NOT NULL,
    until_at BIGINT NOT NULL,
    status BIGINT,
    sealed TEXT,
    PRIMARY KEY (workspace_id, caller, name)
);
