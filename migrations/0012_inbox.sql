-- What webhooks announced and nobody has marked yet. One row for the records of a mapping and all
-- requests that shared a commit: there before they are answered, gone with the commit of its marks.

CREATE TABLE inbox (
    workspace_id TEXT NOT NULL,
    -- Rises with time, or nearly.
    inbox_id TEXT NOT NULL,
    arrived_at BIGINT NOT NULL,
    mapping TEXT NOT NULL,
    side TEXT NOT NULL,
    -- How many ids there are.
    records BIGINT NOT NULL,
    ids TEXT NOT NULL,
    PRIMARY KEY (workspace_id, inbox_id)
);
