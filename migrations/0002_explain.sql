-- What `tandem explain` looks up by record, at any size of the store.

-- When a pair agreed on anything for the first time; NULL for pairs that are older than the column.
-- Every later move of a base is in the journal.
ALTER TABLE bases ADD COLUMN since BIGINT;

CREATE INDEX revisions_mapping ON revisions (workspace_id, mapping, created_at, revision);
CREATE INDEX dead_letters_task ON dead_letters (workspace_id, task_key, dead_letter_id);
