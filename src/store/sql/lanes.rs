//! Statements about lanes and the marks that wait in them.

use super::statements;

/// What becomes of a mark that is there already.
macro_rules! marked_again {
    () => {
        "WHERE TRUE ON CONFLICT (workspace_id, lane, task_key) DO UPDATE SET \
         revision = marks.revision + 1, \
         cause = CASE WHEN excluded.priority <= marks.priority \
            THEN excluded.cause ELSE marks.cause END, \
         priority = CASE WHEN excluded.priority < marks.priority \
            THEN excluded.priority ELSE marks.priority END, \
         attempts = CASE WHEN excluded.cause = 'person' THEN 0 ELSE marks.attempts END, \
         not_before = CASE WHEN marks.not_before <= excluded.not_before \
            OR (marks.rate_limited = 1 AND excluded.cause <> 'person') \
            THEN marks.not_before ELSE excluded.not_before END, \
         blocked = CASE WHEN excluded.cause IN ('scan', 'backfill') \
            THEN marks.blocked ELSE 0 END, \
         marked_at = excluded.marked_at"
    };
}

pub(super) use marked_again;

statements! {
    /// Takes a lane nobody holds. No row comes back when somebody does.
    LANE_LEASE = ["INSERT INTO lanes (workspace_id, lane, owner, epoch, until_at, step, state) \
        VALUES ($1, $2, $3, 1, $4, 0, '{}') ON CONFLICT (workspace_id, lane) DO UPDATE \
        SET owner = excluded.owner, epoch = lanes.epoch + 1, until_at = excluded.until_at, \
        step = 0 \
        WHERE lanes.owner IS NULL OR lanes.until_at <= $5 RETURNING epoch, state"];
    LANE_RENEW = ["UPDATE lanes SET until_at = $5 WHERE workspace_id = $1 AND lane = $2 \
        AND owner = $3 AND epoch = $4"];
    LANE_RELEASE = ["UPDATE lanes SET owner = NULL, until_at = 0 \
        WHERE workspace_id = $1 AND lane = $2 AND owner = $3 AND epoch = $4"];
    /// The first statement of every commit: a row lock, and proof that the lease still stands and
    /// that this very commit was not applied before.
    LANE_FENCE = ["UPDATE lanes SET state = COALESCE($5, lanes.state), step = $6 \
        WHERE workspace_id = $1 AND lane = $2 AND owner = $3 AND epoch = $4 AND step < $6"];
    /// What the fence has let through last, for its owner.
    LANE_STEP = ["SELECT step AS n FROM lanes \
        WHERE workspace_id = $1 AND lane = $2 AND owner = $3 AND epoch = $4"];
    /// The same lock for those who only leave marks, in any number of workspaces.
    LANE_TOUCH = [
        "INSERT INTO lanes (workspace_id, lane, owner, epoch, until_at, step, state) \
         SELECT r.id, $1, NULL, 0, 0, 0, '{}' FROM",
        rows("$2": id TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, lane) DO UPDATE SET state = lanes.state"
    ];
    LANE_STATE = ["SELECT state FROM lanes WHERE workspace_id = $1 AND lane = $2"];

    /// A scan that sees a blocked record again learns nothing new; anything else wakes it.
    MARKS_PUT = [
        "INSERT INTO marks (workspace_id, lane, task_key, kind, mapping, side, record_id, \
         revision, cause, priority, attempts, not_before, first_marked_at, marked_at, \
         rate_limited, blocked) \
         SELECT r.workspace_id, $1, r.task_key, r.kind, r.mapping, r.side, r.record_id, 1, \
         r.cause, r.priority, 0, r.not_before, CAST($2 AS BIGINT), CAST($2 AS BIGINT), 0, 0 FROM",
        rows("$3": workspace_id TEXT, task_key TEXT, kind TEXT, mapping TEXT, side TEXT,
             record_id TEXT, cause TEXT,
             priority BIGINT, not_before BIGINT),
        marked_again!()
    ];
    /// What failed keeps its time: it is put off for a reason.
    MARKS_HASTEN = ["UPDATE marks SET not_before = $4 WHERE workspace_id = $1 AND lane = $2 \
        AND kind = $3 AND not_before > $4 AND failure IS NULL"];
    /// Through the index, past what is due already.
    MARKS_RESUME = ["UPDATE marks SET not_before = $3 WHERE workspace_id = $1 AND lane = $2 \
        AND blocked = 0 AND priority IN (0, 1, 2, 3) AND not_before > $3 \
        AND failure LIKE '%\"code\":\"paused\"%'"];
    /// The first piece of work due of the first class that has any. One look into the index for
    /// each class, however much work there is.
    CLAIM_HEAD = ["SELECT task_key, kind, mapping, priority FROM (SELECT * FROM \
         (SELECT task_key, kind, mapping, priority, 1 AS turn FROM marks \
            WHERE workspace_id = $1 AND lane = $2 AND blocked = 0 AND not_before <= $3 \
            AND priority = $4 ORDER BY not_before, task_key LIMIT 1) AS a \
         UNION ALL SELECT * FROM (SELECT task_key, kind, mapping, priority, 2 AS turn FROM marks \
            WHERE workspace_id = $1 AND lane = $2 AND blocked = 0 AND not_before <= $3 \
            AND priority = $5 ORDER BY not_before, task_key LIMIT 1) AS b \
         UNION ALL SELECT * FROM (SELECT task_key, kind, mapping, priority, 3 AS turn FROM marks \
            WHERE workspace_id = $1 AND lane = $2 AND blocked = 0 AND not_before <= $3 \
            AND priority = $6 ORDER BY not_before, task_key LIMIT 1) AS c \
         UNION ALL SELECT * FROM (SELECT task_key, kind, mapping, priority, 4 AS turn FROM marks \
            WHERE workspace_id = $1 AND lane = $2 AND blocked = 0 AND not_before <= $3 \
            AND priority = $7 ORDER BY not_before, task_key LIMIT 1) AS d) AS heads \
        ORDER BY turn LIMIT 1"];
    /// Records of the class whose turn it is, with those that come to be due by $8 and wait for
    /// nothing else, filled up with its riders.
    CLAIM_RECORDS = ["SELECT kind, mapping, side, record_id, revision, attempts, cause, \
        first_marked_at, not_before, parent_mapping, parent_side, parent_id, failure FROM (\
         SELECT * FROM (SELECT kind, mapping, side, record_id, revision, attempts, cause, \
            first_marked_at, not_before, parent_mapping, parent_side, parent_id, failure, \
            priority, task_key, 0 AS turn FROM marks \
            WHERE workspace_id = $1 AND lane = $2 AND blocked = 0 AND not_before <= $8 \
            AND (not_before <= $3 OR failure IS NULL) \
            AND kind = 'record' AND mapping = $4 AND priority = $6 \
            ORDER BY not_before, task_key LIMIT $5) AS own \
         UNION ALL SELECT * FROM (\
            SELECT kind, mapping, side, record_id, revision, attempts, cause, \
            first_marked_at, not_before, parent_mapping, parent_side, parent_id, failure, \
            priority, task_key, 1 AS turn FROM marks \
            WHERE workspace_id = $1 AND lane = $2 AND blocked = 0 AND not_before <= $3 \
            AND kind = 'record' AND mapping = $4 AND priority <> $6 AND priority <= $7 \
            ORDER BY priority, not_before, task_key LIMIT $5) AS others) AS found \
        ORDER BY turn, priority, not_before, task_key LIMIT $5"];
    CLAIM_CHORE = ["SELECT kind, mapping, side, record_id, revision, attempts, cause, \
        first_marked_at, not_before, parent_mapping, parent_side, parent_id, failure FROM marks \
        WHERE workspace_id = $1 AND lane = $2 AND task_key = $3"];
    /// Due work by name: what belongs to records that are being worked anyway.
    CLAIM_NAMED = [
        "SELECT m.kind, m.mapping, m.side, m.record_id, m.revision, m.attempts, m.cause, \
         m.first_marked_at, m.not_before, m.parent_mapping, m.parent_side, m.parent_id, \
         m.failure FROM",
        rows("$3": id TEXT),
        "JOIN marks AS m ON m.workspace_id = $1 AND m.lane = $2 AND m.task_key = r.id \
         AND m.blocked = 0 AND m.not_before <= $4"
    ];
    /// Work of every state, most urgent first, for people to look at.
    MARKS_LIST = ["SELECT kind, mapping, side, record_id, revision, attempts, cause, \
        first_marked_at, not_before, parent_mapping, parent_side, parent_id, failure FROM marks \
        WHERE workspace_id = $1 AND lane = $2 ORDER BY priority, not_before, task_key LIMIT $3"];
    MARKS_BLOCKED = ["SELECT kind, mapping, side, record_id, revision, attempts, cause, \
        first_marked_at, not_before, parent_mapping, parent_side, parent_id, failure FROM marks \
        WHERE workspace_id = $1 AND lane = $2 AND blocked = 1 AND blocked_at <= $3 \
        ORDER BY blocked_at, task_key LIMIT $4"];
    NEXT_DUE = ["SELECT MIN(not_before) AS at FROM marks \
        WHERE workspace_id = $1 AND lane = $2 AND blocked = 0"];
    NEXT_DUE_OF_KIND = ["SELECT MIN(not_before) AS at FROM marks \
        WHERE workspace_id = $1 AND lane = $2 AND blocked = 0 AND kind = $3"];
    QUEUE_COUNTS = ["SELECT kind, CASE WHEN blocked = 1 THEN 'blocked' \
        WHEN not_before <= $3 THEN 'ready' ELSE 'waiting' END AS standing, COUNT(*) AS n \
        FROM marks WHERE workspace_id = $1 AND lane = $2 GROUP BY 1, 2 ORDER BY 1, 2"];
    DEAD_COUNTS = ["SELECT kind AS word, COUNT(*) AS n FROM dead_letters \
        WHERE workspace_id = $1 AND state = 'open' GROUP BY kind ORDER BY kind"];

    /// Done or dead: the row goes if nothing marked it since it was claimed.
    MARKS_FINISH = [
        "DELETE FROM marks WHERE workspace_id = $1 AND lane = $2 AND task_key IN \
         (SELECT m.task_key FROM",
        rows("$3": task_key TEXT, revision BIGINT),
        "JOIN marks AS m ON m.workspace_id = $1 AND m.lane = $2 \
         AND m.task_key = r.task_key AND m.revision = r.revision)"
    ];
    /// What [`MARKS_FINISH`] left standing starts afresh.
    MARKS_REOPEN = [
        "UPDATE marks AS m SET attempts = 0, rate_limited = 0, blocked = 0, failure = NULL, \
         first_marked_at = m.marked_at FROM",
        rows("$3": task_key TEXT, revision BIGINT),
        "WHERE m.workspace_id = $1 AND m.lane = $2 AND m.task_key = r.task_key"
    ];
    /// A mark newer than the attempt is not made to wait, except for a rate limit. Live work that
    /// failed takes the turns of retries; whatever marks it again makes it live.
    MARKS_RETRY = [
        "UPDATE marks AS m SET not_before = CASE WHEN m.revision <> r.revision \
         AND r.rate_limited = 0 AND m.not_before < r.not_before \
         THEN m.not_before ELSE r.not_before END, \
         attempts = m.attempts + r.counted, rate_limited = r.rate_limited, blocked = 0, \
         failure = r.failure, priority = CASE WHEN m.priority = 1 AND r.counted = 1 \
         AND m.kind = 'record' AND m.revision = r.revision THEN 2 ELSE m.priority END FROM",
        rows("$3": task_key TEXT, revision BIGINT, not_before BIGINT, counted BIGINT,
             rate_limited BIGINT, failure TEXT),
        "WHERE m.workspace_id = $1 AND m.lane = $2 AND m.task_key = r.task_key"
    ];
    /// Not blocked after all when the parent was linked meanwhile, or the record marked again.
    MARKS_BLOCK = [
        "UPDATE marks AS m SET blocked = 1, blocked_at = $4, rate_limited = 0, \
         parent_mapping = r.parent_mapping, parent_side = r.parent_side, \
         parent_id = r.parent_id, failure = r.failure FROM",
        rows("$3": task_key TEXT, revision BIGINT, parent_mapping TEXT, parent_side TEXT,
             parent_id TEXT, failure TEXT),
        "WHERE m.workspace_id = $1 AND m.lane = $2 AND m.task_key = r.task_key \
         AND m.revision = r.revision \
         AND NOT (r.parent_side = 'hubspot' AND EXISTS (SELECT 1 FROM links AS l \
            WHERE l.workspace_id = $1 AND l.mapping = r.parent_mapping \
            AND l.hubspot_id = r.parent_id AND l.open_key = '' AND l.state = 'linked')) \
         AND NOT (r.parent_side = 'salesforce' AND EXISTS (SELECT 1 FROM links AS l \
            WHERE l.workspace_id = $1 AND l.mapping = r.parent_mapping \
            AND l.salesforce_id = r.parent_id AND l.open_key = '' AND l.state = 'linked'))"
    ];
    MARKS_UNBLOCK = [
        "UPDATE marks AS m SET blocked = 0 FROM",
        rows("$3": mapping TEXT, side TEXT, record_id TEXT),
        "WHERE m.workspace_id = $1 AND m.lane = $2 AND m.blocked = 1 \
         AND m.parent_mapping = r.mapping AND m.parent_side = r.side \
         AND m.parent_id = r.record_id"
    ];
}
