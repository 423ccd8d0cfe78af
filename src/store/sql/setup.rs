//! Statements about the store itself, workspaces, connections and mapping revisions.

use super::statements;

/// The statements that speak of no single workspace, each for its own reason: the clock, the
/// migration gate, the contents of a file before it is known to be ours, and the release of every
/// lane after a crash, which the file lock makes safe.
#[cfg(test)]
pub(in crate::store) const GLOBAL: [&str; 5] = [
    "NOW",
    "GATE_PUT",
    "GATE_LOCK",
    "FOREIGN_TABLES",
    "LANES_FREE_ALL",
];

statements! {
    /// The database's time in microseconds; only PostgreSQL's is ever asked.
    NOW = [
        sqlite "SELECT CAST(0 AS BIGINT) AS at",
        postgres "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS at"
    ];
    /// The row that processes starting at once queue up for; a SQLite file has one process.
    GATE_PUT = [
        sqlite "SELECT 1 AS gate",
        postgres "INSERT INTO migration_gate (gate) VALUES (1) ON CONFLICT (gate) DO NOTHING"
    ];
    GATE_LOCK = [
        sqlite "SELECT 1 AS gate",
        postgres "SELECT gate FROM migration_gate FOR UPDATE"
    ];
    /// Tables in a file that is not ours: some, and none of them says which schema it has.
    FOREIGN_TABLES = [
        sqlite "SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' \
                AND NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = '_sqlx_migrations')",
        postgres "SELECT CAST(0 AS BIGINT) AS n"
    ];
    LANES_FREE_ALL = ["UPDATE lanes SET owner = NULL, until_at = 0 WHERE owner IS NOT NULL"];

    WORKSPACE_PUT = ["INSERT INTO workspaces (workspace_id, created_at) VALUES ($1, $2) \
        ON CONFLICT (workspace_id) DO NOTHING"];
    CONNECTION_PUT = ["INSERT INTO connections (workspace_id, side, account_id, url) \
        VALUES ($1, $2, $3, $4) ON CONFLICT (workspace_id, side) \
        DO UPDATE SET account_id = excluded.account_id, url = excluded.url"];
    CONNECTIONS = ["SELECT side, account_id, url FROM connections WHERE workspace_id = $1"];

    REVISION_PUT = ["INSERT INTO revisions \
        (workspace_id, revision, mapping, body, rules, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (workspace_id, revision) DO NOTHING"];
    REVISION_BODY = ["SELECT body, rules FROM revisions \
        WHERE workspace_id = $1 AND revision = $2"];
    ACTIVE_REVISIONS = ["SELECT mapping, revision FROM active_revisions \
        WHERE workspace_id = $1 ORDER BY mapping"];
    ACTIVE_CLEAR = ["DELETE FROM active_revisions WHERE workspace_id = $1"];
    ACTIVE_PUT = [
        "INSERT INTO active_revisions (workspace_id, mapping, revision) \
         SELECT $1, r.mapping, r.revision FROM",
        rows("$2": mapping TEXT, revision TEXT),
        "WHERE TRUE"
    ];
}
