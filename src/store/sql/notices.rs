//! Statements about notices: where they go, how conditions stand, what waits to be told.
//!
//! Those that look for what is due cross workspaces on purpose: the service itself asks.

use super::statements;

statements! {
    NOTICE_CHANNEL_PUT = ["INSERT INTO notice_channels (workspace_id, kind, host, sealed, \
        backlog_ms, set_at, hour_at, hour_count) VALUES ($1, $2, $3, $4, $5, $6, $6, 0) \
        ON CONFLICT (workspace_id) DO UPDATE SET kind = excluded.kind, host = excluded.host, \
        sealed = excluded.sealed, backlog_ms = excluded.backlog_ms, set_at = excluded.set_at"];
    NOTICE_CHANNEL = ["SELECT workspace_id, kind, host, sealed, backlog_ms, set_at \
        FROM notice_channels WHERE workspace_id = $1"];
    /// One more notice of this hour, if there is room for it. $2 now, $3 an hour ago, $4 the bound.
    NOTICE_COUNT = ["UPDATE notice_channels SET \
        hour_count = CASE WHEN hour_at <= $3 THEN 1 ELSE hour_count + 1 END, \
        hour_at = CASE WHEN hour_at <= $3 THEN $2 ELSE hour_at END \
        WHERE workspace_id = $1 AND (hour_at <= $3 OR hour_count < $4)"];
    /// How the workspaces stand that tell somebody, page by page.
    NOTICE_FACTS = ["SELECT w.workspace_id AS workspace_id, w.backlog_ms AS backlog_ms, \
        (SELECT t.paused FROM workspaces AS t WHERE t.workspace_id = w.workspace_id) AS paused, \
        (SELECT MIN(c.at) FROM (SELECT MIN(m.not_before) AS at FROM marks AS m \
            WHERE m.workspace_id = w.workspace_id AND m.lane = $1 AND m.blocked = 0 \
            AND m.priority = 0 \
         UNION ALL SELECT MIN(m.not_before) AS at FROM marks AS m \
            WHERE m.workspace_id = w.workspace_id AND m.lane = $1 AND m.blocked = 0 \
            AND m.priority = 1 \
         UNION ALL SELECT MIN(m.not_before) AS at FROM marks AS m \
            WHERE m.workspace_id = w.workspace_id AND m.lane = $1 AND m.blocked = 0 \
            AND m.priority = 2 \
         UNION ALL SELECT MIN(m.not_before) AS at FROM marks AS m \
            WHERE m.workspace_id = w.workspace_id AND m.lane = $1 AND m.blocked = 0 \
            AND m.priority = 3 \
         UNION ALL SELECT MIN(i.arrived_at) AS at FROM inbox AS i \
            WHERE i.workspace_id = w.workspace_id) AS c) AS due, \
        (SELECT COUNT(*) FROM dead_letters AS d \
            WHERE d.workspace_id = w.workspace_id AND d.state = 'open') AS dead_letters, \
        (SELECT COUNT(*) FROM approvals AS a WHERE a.workspace_id = w.workspace_id \
            AND a.state = 'asked' AND a.kind <> $4) AS approvals, \
        (SELECT h.state FROM connections AS h WHERE h.workspace_id = w.workspace_id \
            AND h.side = 'hubspot') AS hubspot, \
        (SELECT s.state FROM connections AS s WHERE s.workspace_id = w.workspace_id \
            AND s.side = 'salesforce') AS salesforce \
        FROM (SELECT workspace_id, backlog_ms FROM notice_channels WHERE workspace_id > $2 \
            ORDER BY workspace_id LIMIT $3) AS w ORDER BY w.workspace_id"];
    NOTICES = ["SELECT workspace_id, subject, notice_id, going_on, since, made_at, body, state, \
        due_at, tries, trouble FROM notices WHERE workspace_id = $1 ORDER BY subject"];
    /// A condition that began or ended; nothing while its last notice still waits, or when another
    /// process was faster.
    NOTICE_PUT = ["INSERT INTO notices (workspace_id, subject, notice_id, going_on, since, \
        made_at, body, state, due_at, tries, trouble) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'waits', $6, 0, '') \
        ON CONFLICT (workspace_id, subject) DO UPDATE SET notice_id = excluded.notice_id, \
        going_on = excluded.going_on, since = excluded.since, made_at = excluded.made_at, \
        body = excluded.body, state = 'waits', due_at = excluded.due_at, tries = 0, trouble = '' \
        WHERE notices.state <> 'waits' AND notices.going_on <> excluded.going_on"];
    NOTICES_DUE = ["SELECT workspace_id, subject, notice_id, going_on, since, made_at, body, \
        state, due_at, tries, trouble FROM notices WHERE state = 'waits' AND due_at <= $1 \
        ORDER BY due_at, workspace_id, subject LIMIT $2"];
    /// Takes the right to tell it, for one process, until $4.
    NOTICE_TAKE = ["UPDATE notices SET due_at = $4, tries = tries + 1 WHERE workspace_id = $1 \
        AND notice_id = $2 AND state = 'waits' AND due_at <= $3"];
    NOTICE_SETTLE = ["UPDATE notices SET state = $3, trouble = $4 WHERE workspace_id = $1 \
        AND notice_id = $2 AND state = 'waits'"];
    NOTICE_LATER = ["UPDATE notices SET due_at = $3, trouble = $4 WHERE workspace_id = $1 \
        AND notice_id = $2 AND state = 'waits'"];

    ERASE_NOTICE_CHANNELS = ["DELETE FROM notice_channels WHERE workspace_id = $1"];
    ERASE_NOTICES = ["DELETE FROM notices WHERE workspace_id = $1"];
}
