//! Statements about what a run that only observes would have written.

use super::statements;

statements! {
    SHADOW_PUT = [
        "INSERT INTO shadow_writes (workspace_id, shadow_id, mapping, side, kind, record_id, rule, \
         first_at, state, ended_at, reason, vals) \
         SELECT $1, r.shadow_id, r.mapping, r.side, r.kind, r.record_id, r.rule, r.first_at, \
         r.state, r.ended_at, r.reason, r.vals FROM",
        rows("$2": shadow_id TEXT, mapping TEXT, side TEXT, kind TEXT, record_id TEXT, rule TEXT,
             first_at BIGINT, state TEXT, ended_at BIGINT, reason TEXT, vals TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, shadow_id) DO UPDATE SET state = excluded.state, \
         ended_at = excluded.ended_at, reason = excluded.reason, vals = excluded.vals"
    ];
    SHADOW_OPEN_OF = [
        "SELECT s.shadow_id, s.mapping, s.side, s.kind, s.record_id, s.rule, s.first_at, s.state, \
         s.ended_at, s.reason, s.vals FROM",
        rows("$3": id TEXT),
        "JOIN shadow_writes AS s ON s.workspace_id = $1 AND s.mapping = $2 \
         AND s.record_id = r.id AND s.state = 'open' ORDER BY s.shadow_id"
    ];
    /// Of a stretch of time, page by page; `$4` names a state or is null.
    SHADOW_SINCE = ["SELECT shadow_id, mapping, side, kind, record_id, rule, first_at, state, \
        ended_at, reason, vals FROM shadow_writes WHERE workspace_id = $1 AND first_at >= $2 \
        AND first_at < $3 AND (CAST($4 AS TEXT) IS NULL OR state = $4) AND shadow_id > $5 \
        ORDER BY shadow_id LIMIT $6"];
    /// What is still open stays, however old.
    SHADOW_PRUNE = ["DELETE FROM shadow_writes WHERE workspace_id = $1 AND shadow_id IN \
        (SELECT shadow_id FROM shadow_writes WHERE workspace_id = $1 AND first_at < $2 \
        AND state <> 'open' ORDER BY first_at, shadow_id LIMIT $3)"];
}
