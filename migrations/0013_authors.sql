-- What the last change of a workspace's variables or owners made of its mappings, and who made it:
-- an author, and a revision for each mapping. JSON; NULL once a mapping was set after it.
ALTER TABLE workspaces ADD COLUMN brought TEXT;
