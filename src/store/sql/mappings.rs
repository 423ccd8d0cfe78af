//! Statements about mappings set for one workspace, activations and pauses.

use super::statements;

statements! {
    SET_MAPPINGS = ["SELECT mapping, body, author, made_at FROM set_mappings \
        WHERE workspace_id = $1 ORDER BY mapping"];
    SET_MAPPINGS_PUT = [
        "INSERT INTO set_mappings (workspace_id, mapping, body, author, made_at) \
         SELECT $1, r.mapping, r.body, $2, CAST($3 AS BIGINT) FROM",
        rows("$4": mapping TEXT, body TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, mapping) DO UPDATE SET body = excluded.body, \
         author = excluded.author, made_at = excluded.made_at"
    ];
    SET_MAPPINGS_DROP = [
        "DELETE FROM set_mappings WHERE workspace_id = $1 AND mapping IN (SELECT r.mapping FROM",
        rows("$2": mapping TEXT),
        ")"
    ];
    /// Also the lock that keeps two of these changes apart.
    MAPPINGS_VERSION = ["UPDATE workspaces SET brought = NULL, \
        mappings_version = COALESCE(mappings_version, 0) + 1 WHERE workspace_id = $1"];
    BROUGHT = ["SELECT brought AS doc FROM workspaces \
        WHERE workspace_id = $1 AND brought IS NOT NULL"];
    BROUGHT_PUT = ["UPDATE workspaces SET brought = $3 \
        WHERE workspace_id = $1 AND COALESCE(brought, '') = $2"];
    PAUSES_CHANGE = ["UPDATE workspaces SET pauses = $3 \
        WHERE workspace_id = $1 AND mode IS NOT NULL AND COALESCE(pauses, '{}') = $2"];
    PAUSES_AT_WORK = ["UPDATE workspaces SET pauses_at_work = $2 \
        WHERE workspace_id = $1 AND COALESCE(pauses_at_work, '{}') <> $2"];
    /// Whoever brought this very revision about is its author, else whoever set the mapping.
    ACTIVATIONS_PUT = [
        "INSERT INTO activations (workspace_id, mapping, made_at, revision, author) \
         SELECT $1, r.mapping, CAST($2 AS BIGINT), r.revision, COALESCE(\
            NULLIF(r.author, ''), (SELECT s.author FROM set_mappings AS s \
            WHERE s.workspace_id = $1 AND s.mapping = r.mapping), 'files') FROM",
        rows("$3": mapping TEXT, revision TEXT, author TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, mapping, made_at) DO UPDATE SET \
         revision = excluded.revision, author = excluded.author"
    ];
    ACTIVATIONS = ["SELECT made_at, revision, author FROM activations \
        WHERE workspace_id = $1 AND mapping = $2 AND made_at < $3 \
        ORDER BY made_at DESC LIMIT $4"];
    ERASE_SET_MAPPINGS = ["DELETE FROM set_mappings WHERE workspace_id = $1"];
    ERASE_ACTIVATIONS = ["DELETE FROM activations WHERE workspace_id = $1"];
}
