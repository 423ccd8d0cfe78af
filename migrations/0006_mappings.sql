-- Mappings that somebody set for one workspace, what was active when, and what is paused.

-- pauses names, for each mapping, the sides that nothing is written to, and pauses_at_work what an
-- engine has last worked under. mappings_version rises with every mapping that is set or taken back.
ALTER TABLE workspaces ADD COLUMN pauses TEXT;
ALTER TABLE workspaces ADD COLUMN pauses_at_work TEXT;
ALTER TABLE workspaces ADD COLUMN mappings_version BIGINT;

CREATE TABLE set_mappings (
    workspace_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    body TEXT NOT NULL,
    author TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, mapping)
);

-- From when on a revision of a mapping was at work; none (an empty revision) where it was taken out.
CREATE TABLE activations (
    workspace_id TEXT NOT NULL,
    mapping TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    revision TEXT NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (workspace_id, mapping, made_at)
);
