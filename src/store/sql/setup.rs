//! Statements about the store itself, workspaces, connections and mapping revisions.

use super::statements;

/// The statements that speak of no single workspace, each for its own reason: the clock, the
/// migration gate, the contents of a file before it is known to be ours, and the release of every
/// lane after a crash, which the file lock makes safe; the planners' statistics; the schema's
/// number; the end of answers that are kept for a day; whether the file is whole; and the removal
/// of what has expired, wherever it is.
#[cfg(test)]
pub(in crate::store) const GLOBAL: [&str; 14] = [
    "NOW",
    "CHECK",
    "SCHEMA",
    "GATE_PUT",
    "GATE_LOCK",
    "FOREIGN_TABLES",
    "LANES_FREE_ALL",
    "STATS_MAKE",
    "STATS_CLEAR",
    "STATS_PUT",
    "STATS_LOAD",
    "SURVEY",
    "REPEATS_CLEAR",
    "JOBS_EXPIRE",
];

statements! {
    /// The database's time in microseconds; only PostgreSQL's is ever asked.
    NOW = [
        sqlite "SELECT CAST(0 AS BIGINT) AS at",
        postgres "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS at"
    ];
    /// What is wrong with the file, `ok` for nothing; a server looks after its own.
    CHECK = [
        sqlite "SELECT quick_check AS id FROM pragma_quick_check LIMIT 10",
        postgres "SELECT CAST('ok' AS TEXT) AS id"
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
    /// The number of the last migration.
    SCHEMA = ["SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS n FROM _sqlx_migrations \
        WHERE success"];
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

    /// Makes the table of statistics; what it finds in the small table named is of no use.
    STATS_MAKE = [sqlite "ANALYZE workspaces", postgres "SELECT 1 AS one"];
    STATS_CLEAR = [sqlite "DELETE FROM sqlite_stat1", postgres "SELECT 1 AS one"];
    /// Rows in all, then rows per distinct value of the first column, of the first two, and so on.
    STATS_PUT = [
        sqlite "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES \
            ('marks', 'sqlite_autoindex_marks_1', '1000000 1000000 1000000 1'), \
            ('marks', 'marks_due', '1000000 1000000 1000000 900000 300000 1000 1'), \
            ('marks', 'marks_parent', '100000 100000 100000 50000 50000 10'), \
            ('links', 'sqlite_autoindex_links_1', '1000000 1000000 1'), \
            ('links', 'links_hubspot', '1000000 1000000 250000 2 1'), \
            ('links', 'links_salesforce', '1000000 1000000 250000 2 1'), \
            ('links', 'links_group', '1000000 1000000 250000 2 1'), \
            ('bases', 'sqlite_autoindex_bases_1', '1000000 1000000 1'), \
            ('holds', 'sqlite_autoindex_holds_1', '100000 100000 2 1'), \
            ('intents', 'sqlite_autoindex_intents_1', '10000 10000 1'), \
            ('intents', 'intents_open', '10000 10000 2 1'), \
            ('match_keys', 'sqlite_autoindex_match_keys_1', \
             '2000000 2000000 500000 250000 2 2 1'), \
            ('match_keys', 'match_keys_record', '2000000 2000000 500000 250000 2'), \
            ('aliases', 'sqlite_autoindex_aliases_1', '100000 100000 25000 12500 1'), \
            ('tombstones', 'sqlite_autoindex_tombstones_1', '100000 100000 25000 12500 1'), \
            ('tombstones', 'tombstones_time', '100000 100000 25000 12500 2'), \
            ('journal', 'sqlite_autoindex_journal_1', '5000000 5000000 1'), \
            ('journal', 'journal_link', '5000000 5000000 5 1'), \
            ('shadow_writes', 'sqlite_autoindex_shadow_writes_1', '100000 100000 1'), \
            ('shadow_writes', 'shadow_writes_record', '100000 100000 25000 2 1'), \
            ('shadow_writes', 'shadow_writes_first', '100000 100000 2 1'), \
            ('conflicts', 'sqlite_autoindex_conflicts_1', '100000 100000 1'), \
            ('conflicts', 'conflicts_once', '100000 100000 2 1 1'), \
            ('conflicts', 'conflicts_open', '10000 10000 1'), \
            ('dead_letters', 'sqlite_autoindex_dead_letters_1', '100000 100000 1'), \
            ('dead_letters', 'dead_letters_once', '10000 10000 2 1'), \
            ('dead_letters', 'dead_letters_link', '10000 10000 2'), \
            ('dead_letters', 'dead_letters_task', '100000 100000 2 1'), \
            ('dead_letters', 'dead_letters_open', '10000 10000 1'), \
            ('revisions', 'sqlite_autoindex_revisions_1', '1000 1000 1'), \
            ('revisions', 'revisions_mapping', '1000 1000 100 1 1'), \
            ('approvals', 'sqlite_autoindex_approvals_1', '1000 1000 1'), \
            ('approvals', 'approvals_once', '1000 1000 500 250 100 1'), \
            ('jobs', 'jobs_open', '10 1'), \
            ('runs', 'sqlite_autoindex_runs_1', '100000 100000 1'), \
            ('runs', 'runs_open', '10 10'), \
            ('inbox', 'sqlite_autoindex_inbox_1', '10000 1000 1')",
        postgres "SELECT 1 AS one"
    ];
    STATS_LOAD = [sqlite "ANALYZE sqlite_schema", postgres "SELECT 1 AS one"];
    SURVEY = [
        sqlite "SELECT 1 AS one",
        postgres "ANALYZE marks, links, bases, holds, intents, match_keys, aliases, tombstones, \
            journal, conflicts, dead_letters"
    ];
}
