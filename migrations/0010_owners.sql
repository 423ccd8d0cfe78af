-- A table of owners for one workspace, which goes before that of each rule: pairs as JSON.

ALTER TABLE workspaces ADD COLUMN owners TEXT;
