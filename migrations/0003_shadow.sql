-- What a run that only observes would have written, and what came of it by other hands.

CREATE TABLE shadow_writes (
    workspace_id TEXT NOT NULL,
    shadow_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- The record that would be written; for a create the one that it would be made from.
    record_id TEXT NOT NULL,
    rule TEXT NOT NULL,
    first_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    ended_at BIGINT,
    reason TEXT NOT NULL,
    vals TEXT NOT NULL,
    PRIMARY KEY (workspace_id, shadow_id)
);

CREATE INDEX shadow_writes_record ON shadow_writes (workspace_id, mapping, record_id, state);
CREATE INDEX shadow_writes_first ON shadow_writes (workspace_id, first_at, shadow_id);
