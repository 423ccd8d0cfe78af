-- How a run ended: one word of a closed set, see `model::RunEnd`. NULL while it is under way, and of
-- runs that ended under an earlier version.
ALTER TABLE runs ADD COLUMN outcome TEXT;

-- Runs that nobody has ended: one that is under way, and those that were cut off since.
CREATE INDEX runs_open ON runs (workspace_id) WHERE outcome IS NULL AND ended_at IS NULL;
