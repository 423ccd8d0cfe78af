//! Statements about what people look at: journal, conflicts, dead letters, approvals, runs.

use super::statements;

statements! {
    /// A repeated commit after a lost reply must not make an entry twice.
    JOURNAL_PUT = [
        "INSERT INTO journal (workspace_id, entry_id, made_at, run_id, mapping, revision, \
         link_id, record_side, record_id, rule, decision, reason, winner, vals, detail) \
         SELECT $1, r.entry_id, r.made_at, r.run_id, r.mapping, r.revision, r.link_id, \
         r.record_side, r.record_id, r.rule, r.decision, r.reason, r.winner, r.vals, \
         r.detail FROM",
        rows("$2": entry_id TEXT, made_at BIGINT, run_id TEXT, mapping TEXT, revision TEXT,
             link_id TEXT, record_side TEXT, record_id TEXT, rule TEXT, decision TEXT,
             reason TEXT, winner TEXT, vals TEXT, detail TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, entry_id) DO NOTHING"
    ];
    JOURNAL_OF = ["SELECT entry_id, made_at, run_id, mapping, revision, link_id, record_side, \
        record_id, rule, decision, reason, winner, vals, detail FROM journal \
        WHERE workspace_id = $1 AND link_id = $2 ORDER BY entry_id DESC LIMIT $3"];
    /// Writes and holds of several links; what went back and forth shows here.
    JOURNAL_SINCE = [
        "SELECT entry_id, made_at, run_id, mapping, revision, link_id, record_side, record_id, \
         rule, decision, reason, winner, vals, detail FROM journal WHERE workspace_id = $1 \
         AND link_id IN (SELECT r.id FROM",
        rows("$2": id TEXT),
        ") AND made_at >= $3 AND decision IN ('write', 'hold') ORDER BY entry_id DESC LIMIT 50000"
    ];
    JOURNAL_PAGE = ["SELECT entry_id, made_at, run_id, mapping, revision, link_id, record_side, \
        record_id, rule, decision, reason, winner, vals, detail FROM journal \
        WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR run_id = $2) \
        AND (CAST($3 AS TEXT) IS NULL OR mapping = $3) \
        AND (CAST($4 AS TEXT) IS NULL OR decision = $4) \
        AND entry_id > $5 ORDER BY entry_id LIMIT $6"];
    JOURNAL_WRITES = ["SELECT entry_id, made_at, run_id, mapping, revision, link_id, record_side, \
        record_id, rule, decision, reason, winner, vals, detail FROM journal \
        WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR run_id = $2) \
        AND made_at >= $3 AND made_at <= $4 AND decision IN ('write', 'tombstone') \
        AND entry_id > $5 ORDER BY entry_id LIMIT $6"];
    JOURNAL_SIZE = ["SELECT COUNT(*) AS entries, \
        CAST(COALESCE(SUM(LENGTH(vals) + LENGTH(detail) + 200), 0) AS BIGINT) AS bytes, \
        MIN(made_at) AS oldest FROM journal WHERE workspace_id = $1"];
    JOURNAL_OLDEST = ["SELECT entry_id, made_at, run_id, mapping, revision, link_id, record_side, \
        record_id, rule, decision, reason, winner, vals, detail FROM journal \
        WHERE workspace_id = $1 ORDER BY entry_id LIMIT 1"];
    JOURNAL_PRUNE = ["DELETE FROM journal WHERE workspace_id = $1 AND made_at < $2 AND entry_id IN \
        (SELECT entry_id FROM journal WHERE workspace_id = $1 ORDER BY entry_id LIMIT $3)"];
    JOURNAL_COUNT = ["SELECT decision AS word, COUNT(*) AS n FROM journal \
        WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR run_id = $2) \
        GROUP BY decision ORDER BY decision"];

    /// The same two values meeting again are the same conflict, told as it ended last: a write that
    /// was refused may leave the next look with the other winner, and then the other loser.
    CONFLICTS_PUT = [
        "INSERT INTO conflicts (workspace_id, conflict_id, made_at, run_id, mapping, link_id, \
         rule, input_hash, winner, state, reason, vals) \
         SELECT $1, r.conflict_id, r.made_at, r.run_id, r.mapping, r.link_id, r.rule, \
         r.input_hash, r.winner, r.state, r.reason, r.vals FROM",
        rows("$2": conflict_id TEXT, made_at BIGINT, run_id TEXT, mapping TEXT, link_id TEXT,
             rule TEXT, input_hash TEXT, winner TEXT, state TEXT, reason TEXT, vals TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, link_id, rule, input_hash) DO UPDATE SET \
         made_at = excluded.made_at, run_id = excluded.run_id, winner = excluded.winner, \
         state = excluded.state, reason = excluded.reason, vals = excluded.vals \
         WHERE conflicts.state = 'closed' OR COALESCE(conflicts.winner, '') <> \
         COALESCE(excluded.winner, '') OR conflicts.vals <> excluded.vals"
    ];
    CONFLICTS_CLOSE = [
        "UPDATE conflicts AS c SET state = 'closed', reason = r.why FROM",
        rows("$2": link_id TEXT, rule TEXT, why TEXT),
        "WHERE c.workspace_id = $1 AND c.link_id = r.link_id AND c.state = 'open' \
         AND (r.rule IS NULL OR c.rule = r.rule)"
    ];
    CONFLICTS = ["SELECT conflict_id, made_at, run_id, mapping, link_id, rule, input_hash, \
        winner, state, reason, vals FROM conflicts WHERE workspace_id = $1 \
        AND (CAST($2 AS TEXT) IS NULL OR mapping = $2) \
        AND (CAST($3 AS TEXT) IS NULL OR state = $3) \
        AND (CAST($4 AS TEXT) IS NULL OR link_id = $4) \
        AND (CAST($5 AS TEXT) IS NULL OR rule = $5) \
        AND (CAST($6 AS TEXT) IS NULL OR run_id = $6) ORDER BY conflict_id LIMIT $7"];
    CONFLICTS_PAGE = ["SELECT conflict_id, made_at, run_id, mapping, link_id, rule, input_hash, \
        winner, state, reason, vals FROM conflicts WHERE workspace_id = $1 \
        AND (CAST($2 AS TEXT) IS NULL OR mapping = $2) \
        AND (CAST($3 AS TEXT) IS NULL OR rule = $3) \
        AND conflict_id > $4 AND state = $6 ORDER BY conflict_id LIMIT $5"];
    /// The same for open ones, by an index of theirs.
    CONFLICTS_OPEN = ["SELECT conflict_id, made_at, run_id, mapping, link_id, rule, input_hash, \
        winner, state, reason, vals FROM conflicts WHERE workspace_id = $1 \
        AND (CAST($2 AS TEXT) IS NULL OR mapping = $2) \
        AND (CAST($3 AS TEXT) IS NULL OR rule = $3) \
        AND conflict_id > $4 AND state = 'open' ORDER BY conflict_id LIMIT $5"];
    CONFLICT = ["SELECT conflict_id, made_at, run_id, mapping, link_id, rule, input_hash, \
        winner, state, reason, vals FROM conflicts \
        WHERE workspace_id = $1 AND conflict_id = $2"];
    CONFLICTS_OF_LINKS = [
        "SELECT conflict_id, made_at, run_id, mapping, link_id, rule, input_hash, \
         winner, state, reason, vals FROM conflicts WHERE workspace_id = $1 \
         AND link_id IN (SELECT r.id FROM",
        rows("$2": id TEXT),
        ") ORDER BY conflict_id"
    ];
    CONFLICTS_COUNT = ["SELECT state AS word, COUNT(*) AS n FROM conflicts \
        WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR mapping = $2) \
        AND (CAST($3 AS TEXT) IS NULL OR rule = $3) GROUP BY state ORDER BY state"];

    /// A repeat brings the open one up to date and keeps its id and its first time.
    DEAD_LETTERS_PUT = [
        "INSERT INTO dead_letters (workspace_id, dead_letter_id, made_at, first_at, run_id, \
         mapping, link_id, task_key, kind, side, record_id, rule, class, code, message, fields, \
         vals, attempts, fingerprint, state, note) \
         SELECT $1, r.dead_letter_id, r.made_at, r.first_at, r.run_id, r.mapping, r.link_id, \
         r.task_key, r.kind, r.side, r.record_id, r.rule, r.class, r.code, r.message, r.fields, \
         r.vals, r.attempts, r.fingerprint, r.state, r.note FROM",
        rows("$2": dead_letter_id TEXT, made_at BIGINT, first_at BIGINT, run_id TEXT,
             mapping TEXT, link_id TEXT, task_key TEXT, kind TEXT, side TEXT, record_id TEXT,
             rule TEXT, class TEXT, code TEXT, message TEXT, fields TEXT, vals TEXT,
             attempts BIGINT, fingerprint TEXT, state TEXT, note TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, task_key, rule) WHERE state = 'open' \
         DO UPDATE SET made_at = excluded.made_at, run_id = excluded.run_id, \
         link_id = excluded.link_id, class = excluded.class, code = excluded.code, \
         message = excluded.message, fields = excluded.fields, vals = excluded.vals, \
         attempts = excluded.attempts, fingerprint = excluded.fingerprint, \
         note = excluded.note"
    ];
    DEAD_LETTERS_CLOSE_ID = [
        "UPDATE dead_letters AS d SET state = r.state, note = r.why FROM",
        rows("$2": of_id TEXT, rule TEXT, state TEXT, why TEXT),
        "WHERE d.workspace_id = $1 AND d.dead_letter_id = r.of_id AND d.state = 'open' \
         AND (r.rule IS NULL OR d.rule = r.rule)"
    ];
    DEAD_LETTERS_CLOSE_LINK = [
        "UPDATE dead_letters AS d SET state = r.state, note = r.why FROM",
        rows("$2": of_id TEXT, rule TEXT, state TEXT, why TEXT),
        "WHERE d.workspace_id = $1 AND d.link_id = r.of_id AND d.state = 'open' \
         AND (r.rule IS NULL OR d.rule = r.rule)"
    ];
    DEAD_LETTERS_CLOSE_TASK = [
        "UPDATE dead_letters AS d SET state = r.state, note = r.why FROM",
        rows("$2": of_id TEXT, rule TEXT, state TEXT, why TEXT),
        "WHERE d.workspace_id = $1 AND d.task_key = r.of_id AND d.state = 'open' \
         AND (r.rule IS NULL OR d.rule = r.rule)"
    ];
    DEAD_LETTERS = ["SELECT dead_letter_id, made_at, first_at, run_id, mapping, link_id, \
        task_key, kind, side, record_id, rule, class, code, message, fields, vals, attempts, \
        fingerprint, state, note FROM dead_letters WHERE workspace_id = $1 \
        AND (CAST($2 AS TEXT) IS NULL OR mapping = $2) \
        AND (CAST($3 AS TEXT) IS NULL OR class = $3) \
        AND (CAST($4 AS TEXT) IS NULL OR code = $4) \
        AND (CAST($5 AS TEXT) IS NULL OR state = $5) \
        AND (CAST($6 AS TEXT) IS NULL OR side = $6) \
        AND (CAST($7 AS TEXT) IS NULL OR link_id = $7) \
        AND (CAST($8 AS TEXT) IS NULL OR rule = $8) \
        AND (CAST($9 AS TEXT) IS NULL OR fingerprint = $9) \
        AND dead_letter_id > $10 ORDER BY dead_letter_id LIMIT $11"];
    /// Open ones, by an index of theirs.
    DEAD_LETTERS_OPEN = ["SELECT dead_letter_id, made_at, first_at, run_id, mapping, link_id, \
        task_key, kind, side, record_id, rule, class, code, message, fields, vals, attempts, \
        fingerprint, state, note FROM dead_letters WHERE workspace_id = $1 \
        AND (CAST($2 AS TEXT) IS NULL OR mapping = $2) \
        AND (CAST($3 AS TEXT) IS NULL OR class = $3) \
        AND (CAST($4 AS TEXT) IS NULL OR code = $4) \
        AND (CAST($5 AS TEXT) IS NULL OR side = $5) \
        AND (CAST($6 AS TEXT) IS NULL OR rule = $6) \
        AND dead_letter_id > $7 AND state = 'open' ORDER BY dead_letter_id LIMIT $8"];
    DEAD_LETTER = ["SELECT dead_letter_id, made_at, first_at, run_id, mapping, link_id, \
        task_key, kind, side, record_id, rule, class, code, message, fields, vals, attempts, \
        fingerprint, state, note FROM dead_letters \
        WHERE workspace_id = $1 AND dead_letter_id = $2"];
    DEAD_LETTERS_OF_TASKS = [
        "SELECT dead_letter_id, made_at, first_at, run_id, mapping, link_id, \
         task_key, kind, side, record_id, rule, class, code, message, fields, vals, attempts, \
         fingerprint, state, note FROM dead_letters WHERE workspace_id = $1 AND state = 'open' \
         AND task_key IN (SELECT r.id FROM",
        rows("$2": id TEXT),
        ") ORDER BY dead_letter_id"
    ];
    DEAD_LETTERS_COUNT = ["SELECT state AS word, COUNT(*) AS n FROM dead_letters \
        WHERE workspace_id = $1 GROUP BY state ORDER BY state"];

    /// The same set is asked for once; again only after the first yes was used or ran out.
    APPROVALS_PUT = [
        "INSERT INTO approvals (workspace_id, approval_id, mapping, side, kind, set_hash, \
         records, items, detail, state, asked_at, expires_at) \
         SELECT $1, r.approval_id, r.mapping, r.side, r.kind, r.set_hash, r.records, r.items, \
         r.detail, r.state, r.asked_at, r.expires_at FROM",
        rows("$2": approval_id TEXT, mapping TEXT, side TEXT, kind TEXT, set_hash TEXT,
             records TEXT, items BIGINT, detail TEXT, state TEXT, asked_at BIGINT,
             expires_at BIGINT),
        "WHERE TRUE ON CONFLICT (workspace_id, mapping, side, kind, set_hash) DO UPDATE SET \
         approval_id = excluded.approval_id, items = excluded.items, detail = excluded.detail, \
         state = excluded.state, asked_at = excluded.asked_at, \
         expires_at = excluded.expires_at \
         WHERE approvals.state = 'used' \
         OR (approvals.state = 'granted' AND approvals.expires_at <= excluded.asked_at)"
    ];
    APPROVAL_GRANT = ["UPDATE approvals SET state = 'granted', expires_at = $3 \
        WHERE workspace_id = $1 AND approval_id = $2 AND state <> 'used'"];
    APPROVALS_USE = [
        "UPDATE approvals SET state = 'used' WHERE workspace_id = $1 AND approval_id IN \
         (SELECT r.id FROM",
        rows("$2": id TEXT),
        ")"
    ];
    APPROVALS = ["SELECT approval_id, mapping, side, kind, set_hash, records, items, detail, \
        state, asked_at, expires_at FROM approvals WHERE workspace_id = $1 ORDER BY approval_id"];
    /// Questions of guards that wait; choices for conflicts are kept in the same table.
    APPROVALS_ASKED = ["SELECT approval_id, mapping, side, kind, set_hash, records, items, detail, \
        state, asked_at, expires_at FROM approvals WHERE workspace_id = $1 AND state = 'asked' \
        AND kind <> $2 AND approval_id > $3 ORDER BY approval_id LIMIT $4"];
    /// Granted ones of one kind: choices that wait to be carried out, say.
    APPROVALS_GRANTED = ["SELECT approval_id, mapping, side, kind, set_hash, records, items, \
        detail, state, asked_at, expires_at FROM approvals WHERE workspace_id = $1 \
        AND state = 'granted' AND kind = $2 ORDER BY approval_id"];
    APPROVAL = ["SELECT approval_id, mapping, side, kind, set_hash, records, items, detail, \
        state, asked_at, expires_at FROM approvals WHERE workspace_id = $1 AND approval_id = $2"];

    RUN_PUT = ["INSERT INTO runs (workspace_id, run_id, kind, started_at, ended_at, summary, \
        outcome) VALUES ($1, $2, $3, $4, $5, $6, $7) \
        ON CONFLICT (workspace_id, run_id) DO UPDATE SET ended_at = excluded.ended_at, \
        summary = excluded.summary, outcome = excluded.outcome"];
    /// Whoever has the lane is the only one at work: what else looks as if it were under way is
    /// not.
    RUNS_CUT_OFF = ["UPDATE runs SET outcome = $3 WHERE workspace_id = $1 AND run_id <> $2 \
        AND outcome IS NULL AND ended_at IS NULL"];
    RUN = ["SELECT run_id, kind, started_at, ended_at, outcome, summary FROM runs \
        WHERE workspace_id = $1 AND run_id = $2"];
    RUNS = ["SELECT run_id, kind, started_at, ended_at, outcome, summary FROM runs \
        WHERE workspace_id = $1 ORDER BY run_id DESC LIMIT $2"];
    RUNS_PAGE = ["SELECT run_id, kind, started_at, ended_at, outcome, summary FROM runs \
        WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR run_id < $2) \
        ORDER BY run_id DESC LIMIT $3"];
}
