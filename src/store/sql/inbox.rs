//! Statements about what webhooks announced and nobody has marked yet.

use super::lanes::marked_again;
use super::statements;

statements! {
    INBOX_PUT = [
        "INSERT INTO inbox (workspace_id, inbox_id, arrived_at, mapping, side, records, ids) \
         SELECT r.workspace_id, r.inbox_id, CAST($1 AS BIGINT), r.mapping, r.side, r.records, \
         r.ids FROM",
        rows("$2": workspace_id TEXT, inbox_id TEXT, mapping TEXT, side TEXT, records BIGINT,
             ids TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, inbox_id) DO NOTHING"
    ];
    /// The oldest rows of a workspace, out of the table; those that another process is taking are
    /// left to it. `known` is 0 where the workspace was erased meanwhile.
    INBOX_TAKE = [
        sqlite "DELETE FROM inbox WHERE workspace_id = $1 AND inbox_id IN (\
            SELECT o.inbox_id FROM inbox AS o WHERE o.workspace_id = $1 \
            ORDER BY o.inbox_id LIMIT $2) \
            RETURNING arrived_at, mapping, side, records, ids, \
            (SELECT COUNT(*) FROM workspaces AS w WHERE w.workspace_id = $1) AS known",
        postgres "DELETE FROM inbox WHERE workspace_id = $1 AND inbox_id IN (\
            SELECT o.inbox_id FROM inbox AS o WHERE o.workspace_id = $1 \
            ORDER BY o.inbox_id LIMIT $2 FOR UPDATE SKIP LOCKED) \
            RETURNING arrived_at, mapping, side, records, ids, \
            (SELECT COUNT(*) FROM workspaces AS w WHERE w.workspace_id = $1) AS known"
    ];
    /// The marks of one mapping's records, given by their ids alone; their keys begin with $3.
    INBOX_MARK = [
        sqlite concat!(
            "INSERT INTO marks (workspace_id, lane, task_key, kind, mapping, side, record_id, \
             revision, cause, priority, attempts, not_before, first_marked_at, marked_at, \
             rate_limited, blocked) \
             SELECT $1, $2, $3 || r.value, 'record', $4, $5, r.value, 1, $6, $7, 0, $8, $8, $8, \
             0, 0 FROM json_each($9) AS r ",
            marked_again!()
        ),
        postgres concat!(
            "INSERT INTO marks (workspace_id, lane, task_key, kind, mapping, side, record_id, \
             revision, cause, priority, attempts, not_before, first_marked_at, marked_at, \
             rate_limited, blocked) \
             SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT) || r.value, 'record', \
             CAST($4 AS TEXT), CAST($5 AS TEXT), r.value, 1, CAST($6 AS TEXT), \
             CAST($7 AS BIGINT), 0, CAST($8 AS BIGINT), CAST($8 AS BIGINT), CAST($8 AS BIGINT), \
             0, 0 FROM json_array_elements_text(CAST(CAST($9 AS TEXT) AS json)) AS r(value) ",
            marked_again!()
        )
    ];
    INBOX_WAITING = ["SELECT workspace_id, CAST(SUM(records) AS BIGINT) AS records, \
        MIN(arrived_at) AS arrived_at FROM inbox GROUP BY workspace_id ORDER BY workspace_id"];
    INBOX_SINCE = ["SELECT MIN(arrived_at) AS at FROM inbox WHERE workspace_id = $1"];

    ERASE_INBOX = ["DELETE FROM inbox WHERE workspace_id = $1"];
}
