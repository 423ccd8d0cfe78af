-- What waits for a person, found and counted without walking what is settled.

CREATE INDEX conflicts_open ON conflicts (workspace_id, conflict_id) WHERE state = 'open';
CREATE INDEX dead_letters_open ON dead_letters (workspace_id, dead_letter_id) WHERE state = 'open';
