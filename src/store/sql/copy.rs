//! Statements that carry one workspace's rows into another store, a page at a time: each row goes
//! as one JSON object.

use crate::store::db::Dialected;

/// A table, the columns of its key after the workspace, and its two statements.
pub(in crate::store) struct Copied {
    /// In the order of the key; the last row's say where the next page begins.
    pub keys: &'static [&'static str],
    /// `$1` workspace, `$2` rows of a page, then a text for each column of the key.
    pub out: Dialected,
    /// `$1` workspace, `$2` an array of such objects.
    pub into: Dialected,
}

/// Writes the pairs of statements, and lists them for the test that prepares each.
macro_rules! copied {
    ($(
        $out:ident $into:ident $table:literal [$($key:literal),+] where $after:literal
        order $order:literal ($($column:ident $type:ident),+ $(,)?);
    )+) => {
        $(
            const $out: Dialected = Dialected {
                name: stringify!($out),
                sqlite: concat!(
                    "SELECT json_object(",
                    $("'", stringify!($column), "', ", stringify!($column), ", ",)+
                    "'one', 1) AS doc FROM ", $table, " WHERE workspace_id = $1 AND ", $after,
                    " ORDER BY ", $order, " LIMIT $2"
                ),
                postgres: concat!(
                    "SELECT CAST(json_build_object(",
                    $("'", stringify!($column), "', ", stringify!($column), ", ",)+
                    "'one', 1) AS TEXT) AS doc FROM ", $table,
                    " WHERE workspace_id = $1 AND ", $after, " ORDER BY ", $order, " LIMIT $2"
                ),
            };
            const $into: Dialected = Dialected {
                name: stringify!($into),
                sqlite: concat!(
                    "INSERT INTO ", $table, " (", $(stringify!($column), ", ",)+
                    "workspace_id) SELECT ", $("r.", stringify!($column), ", ",)+
                    "$1 FROM (SELECT ",
                    $("value->>'", stringify!($column), "' AS ", stringify!($column), ", ",)+
                    "1 AS one FROM json_each($2)) AS r WHERE TRUE ON CONFLICT DO NOTHING"
                ),
                postgres: concat!(
                    "INSERT INTO ", $table, " (", $(stringify!($column), ", ",)+
                    "workspace_id) SELECT ", $("r.", stringify!($column), ", ",)+
                    "$1 FROM json_to_recordset(CAST(CAST($2 AS TEXT) AS json)) AS r(",
                    $(stringify!($column), " ", stringify!($type), ", ",)+
                    "one BIGINT) WHERE TRUE ON CONFLICT DO NOTHING"
                ),
            };
        )+
        pub(in crate::store) const ALL: &[Dialected] = &[$($out, $into),+];
        pub(in crate::store) const TABLES: &[Copied] = &[$(Copied {
            keys: &[$($key),+],
            out: $out,
            into: $into,
        }),+];
    };
}

copied! {
    OUT_REVISIONS INTO_REVISIONS "revisions" ["revision"] where "revision > $3"
    order "revision" (revision TEXT, mapping TEXT, body TEXT, rules TEXT, created_at BIGINT);

    OUT_ACTIVE INTO_ACTIVE "active_revisions" ["mapping"] where "mapping > $3"
    order "mapping" (mapping TEXT, revision TEXT);

    OUT_LANES INTO_LANES "lanes" ["lane"] where "lane > $3"
    order "lane" (lane TEXT, epoch BIGINT, until_at BIGINT, step BIGINT, state TEXT);

    OUT_MARKS INTO_MARKS "marks" ["lane", "task_key"] where "(lane, task_key) > ($3, $4)"
    order "lane, task_key" (
        lane TEXT, task_key TEXT, kind TEXT, mapping TEXT, side TEXT, record_id TEXT,
        revision BIGINT, cause TEXT, priority BIGINT, attempts BIGINT, not_before BIGINT,
        first_marked_at BIGINT, marked_at BIGINT, rate_limited BIGINT, blocked BIGINT,
        blocked_at BIGINT, parent_mapping TEXT, parent_side TEXT, parent_id TEXT, failure TEXT,
    );

    OUT_LINKS INTO_LINKS "links" ["link_id"] where "link_id > $3"
    order "link_id" (
        link_id TEXT, mapping TEXT, link_group TEXT, hubspot_id TEXT, salesforce_id TEXT,
        state TEXT, open_key TEXT, note TEXT,
    );

    OUT_BASES INTO_BASES "bases" ["link_id"] where "link_id > $3"
    order "link_id" (link_id TEXT, doc TEXT, since BIGINT);

    OUT_HOLDS INTO_HOLDS "holds" ["link_id", "rule"] where "(link_id, rule) > ($3, $4)"
    order "link_id, rule" (
        link_id TEXT, rule TEXT, reason TEXT, detail TEXT, sides TEXT, rule_hash TEXT,
        since BIGINT,
    );

    OUT_INTENTS INTO_INTENTS "intents" ["intent_id"] where "intent_id > $3"
    order "intent_id" (
        intent_id TEXT, link_id TEXT, mapping TEXT, revision TEXT, run_id TEXT, side TEXT,
        kind TEXT, target TEXT, rules TEXT, send_before BIGINT, created_at BIGINT,
    );

    OUT_MATCH_KEYS INTO_MATCH_KEYS "match_keys"
    ["mapping", "side", "hash", "match_rule", "record_id"]
    where "(mapping, side, hash, match_rule, record_id) \
           > ($3, $4, $5, CAST(CAST($6 AS TEXT) AS BIGINT), $7)"
    order "mapping, side, hash, match_rule, record_id" (
        mapping TEXT, side TEXT, match_rule BIGINT, hash TEXT, record_id TEXT,
    );

    OUT_CURSORS INTO_CURSORS "cursors" ["mapping", "side", "kind"]
    where "(mapping, side, kind) > ($3, $4, $5)"
    order "mapping, side, kind" (mapping TEXT, side TEXT, kind TEXT, reached TEXT);

    OUT_ALIASES INTO_ALIASES "aliases" ["mapping", "side", "record_id"]
    where "(mapping, side, record_id) > ($3, $4, $5)"
    order "mapping, side, record_id" (mapping TEXT, side TEXT, record_id TEXT, now_id TEXT);

    OUT_TOMBSTONES INTO_TOMBSTONES "tombstones" ["mapping", "side", "record_id"]
    where "(mapping, side, record_id) > ($3, $4, $5)"
    order "mapping, side, record_id" (
        mapping TEXT, side TEXT, record_id TEXT, link_id TEXT, set_at BIGINT, reason TEXT,
    );

    OUT_CONFLICTS INTO_CONFLICTS "conflicts" ["conflict_id"] where "conflict_id > $3"
    order "conflict_id" (
        conflict_id TEXT, made_at BIGINT, run_id TEXT, mapping TEXT, link_id TEXT, rule TEXT,
        input_hash TEXT, winner TEXT, state TEXT, reason TEXT, vals TEXT,
    );

    OUT_DEAD_LETTERS INTO_DEAD_LETTERS "dead_letters" ["dead_letter_id"]
    where "dead_letter_id > $3"
    order "dead_letter_id" (
        dead_letter_id TEXT, made_at BIGINT, first_at BIGINT, run_id TEXT, mapping TEXT,
        link_id TEXT, task_key TEXT, kind TEXT, side TEXT, record_id TEXT, rule TEXT, class TEXT,
        code TEXT, message TEXT, fields TEXT, vals TEXT, attempts BIGINT, fingerprint TEXT,
        state TEXT, note TEXT,
    );

    OUT_APPROVALS INTO_APPROVALS "approvals" ["approval_id"] where "approval_id > $3"
    order "approval_id" (
        approval_id TEXT, mapping TEXT, side TEXT, kind TEXT, set_hash TEXT, records TEXT,
        items BIGINT, detail TEXT, state TEXT, asked_at BIGINT, expires_at BIGINT,
    );

    OUT_SHADOW INTO_SHADOW "shadow_writes" ["shadow_id"]
    where "state = 'open' AND shadow_id > $3"
    order "shadow_id" (
        shadow_id TEXT, mapping TEXT, side TEXT, kind TEXT, record_id TEXT, rule TEXT,
        first_at BIGINT, state TEXT, ended_at BIGINT, reason TEXT, vals TEXT,
    );

    OUT_JOURNAL INTO_JOURNAL "journal" ["entry_id"]
    where "decision IN ('write', 'hold') AND entry_id > $3"
    order "entry_id" (
        entry_id TEXT, made_at BIGINT, run_id TEXT, mapping TEXT, revision TEXT, link_id TEXT,
        record_side TEXT, record_id TEXT, rule TEXT, decision TEXT, reason TEXT, winner TEXT,
        vals TEXT, detail TEXT,
    );
}
