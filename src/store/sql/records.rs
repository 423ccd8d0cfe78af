//! Statements about single records: match keys, cursors, aliases, tombstones.

use super::statements;

statements! {
    MATCH_KEYS_CLEAR = [
        "DELETE FROM match_keys WHERE workspace_id = $1 AND mapping = $2 AND side = $3 \
         AND record_id IN (SELECT r.id FROM",
        rows("$4": id TEXT),
        ")"
    ];
    MATCH_KEYS_PUT = [
        "INSERT INTO match_keys (workspace_id, mapping, side, match_rule, hash, record_id) \
         SELECT $1, $2, $3, r.match_rule, r.hash, r.record_id FROM",
        rows("$4": match_rule BIGINT, hash TEXT, record_id TEXT),
        "WHERE TRUE ON CONFLICT DO NOTHING"
    ];
    MATCH_LOOKUP = [
        "SELECT k.match_rule, k.hash, k.record_id FROM",
        rows("$4": match_rule BIGINT, hash TEXT),
        "JOIN match_keys AS k ON k.workspace_id = $1 AND k.mapping = $2 AND k.side = $3 \
         AND k.hash = r.hash AND k.match_rule = r.match_rule"
    ];
    MATCH_KEYS_OF = [
        "SELECT match_rule, hash, record_id FROM match_keys \
         WHERE workspace_id = $1 AND mapping = $2 AND side = $3 AND record_id IN \
         (SELECT r.id FROM",
        rows("$4": id TEXT),
        ")"
    ];
    /// Keys that several records of one side share, and how many records those are.
    MATCH_REPEATS = ["SELECT match_rule, COUNT(*) AS shared_keys, CAST(SUM(n) AS BIGINT) AS n \
        FROM (SELECT match_rule, hash, COUNT(*) AS n FROM match_keys WHERE workspace_id = $1 \
        AND mapping = $2 AND side = $3 GROUP BY match_rule, hash HAVING COUNT(*) > 1) AS repeated \
        GROUP BY match_rule ORDER BY match_rule"];
    MATCH_REPEATED = ["SELECT match_rule, hash, COUNT(*) AS n FROM match_keys \
        WHERE workspace_id = $1 AND mapping = $2 AND side = $3 GROUP BY match_rule, hash \
        HAVING COUNT(*) > 1 ORDER BY n DESC, match_rule, hash LIMIT $4"];

    CURSORS_PUT = [
        "INSERT INTO cursors (workspace_id, mapping, side, kind, reached) \
         SELECT $1, r.mapping, r.side, r.kind, r.reached FROM",
        rows("$2": mapping TEXT, side TEXT, kind TEXT, reached TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, mapping, side, kind) \
         DO UPDATE SET reached = excluded.reached"
    ];
    CURSOR = ["SELECT reached FROM cursors WHERE workspace_id = $1 AND mapping = $2 \
        AND side = $3 AND kind = $4"];
    CURSORS = ["SELECT mapping, side, kind, reached FROM cursors WHERE workspace_id = $1 \
        ORDER BY mapping, side, kind"];

    ALIASES_PUT = [
        "INSERT INTO aliases (workspace_id, mapping, side, record_id, now_id) \
         SELECT $1, r.mapping, r.side, r.record_id, r.now_id FROM",
        rows("$2": mapping TEXT, side TEXT, record_id TEXT, now_id TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, mapping, side, record_id) \
         DO UPDATE SET now_id = excluded.now_id"
    ];
    ALIASES = [
        "SELECT a.mapping, a.side, a.record_id, a.now_id FROM",
        rows("$2": mapping TEXT, side TEXT, record_id TEXT),
        "JOIN aliases AS a ON a.workspace_id = $1 AND a.mapping = r.mapping \
         AND a.side = r.side AND a.record_id = r.record_id"
    ];

    TOMBSTONES_PUT = [
        "INSERT INTO tombstones (workspace_id, mapping, side, record_id, link_id, set_at, reason) \
         SELECT $1, r.mapping, r.side, r.record_id, r.link_id, r.set_at, r.reason FROM",
        rows("$2": mapping TEXT, side TEXT, record_id TEXT, link_id TEXT, set_at BIGINT,
             reason TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, mapping, side, record_id) DO UPDATE SET \
         link_id = excluded.link_id, set_at = excluded.set_at, reason = excluded.reason"
    ];
    TOMBSTONES_LIFT = [
        "DELETE FROM tombstones WHERE workspace_id = $1 AND (mapping, side, record_id) IN \
         (SELECT r.mapping, r.side, r.record_id FROM",
        rows("$2": mapping TEXT, side TEXT, record_id TEXT),
        ")"
    ];
    TOMBSTONES = [
        "SELECT t.mapping, t.side, t.record_id, t.link_id, t.set_at, t.reason FROM",
        rows("$2": mapping TEXT, side TEXT, record_id TEXT),
        "JOIN tombstones AS t ON t.workspace_id = $1 AND t.mapping = r.mapping \
         AND t.side = r.side AND t.record_id = r.record_id"
    ];
    TOMBSTONES_SINCE = ["SELECT COUNT(*) AS n FROM tombstones WHERE workspace_id = $1 \
        AND mapping = $2 AND side = $3 AND reason = $4 AND set_at >= $5"];
}
