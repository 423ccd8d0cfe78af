//! Statements about links and what hangs on them: bases, holds, intents.

use super::statements;

statements! {
    LINKS_PUT = [
        "INSERT INTO links (workspace_id, link_id, mapping, link_group, hubspot_id, \
         salesforce_id, state, open_key, note) \
         SELECT $1, r.link_id, r.mapping, r.link_group, r.hubspot_id, r.salesforce_id, \
         r.state, r.open_key, r.note FROM",
        rows("$2": link_id TEXT, mapping TEXT, link_group TEXT, hubspot_id TEXT,
             salesforce_id TEXT, state TEXT, open_key TEXT, note TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, link_id) DO UPDATE SET \
         mapping = excluded.mapping, link_group = excluded.link_group, \
         hubspot_id = excluded.hubspot_id, salesforce_id = excluded.salesforce_id, \
         state = excluded.state, open_key = excluded.open_key, note = excluded.note"
    ];
    /// Whatever became of the link since it was looked at stays as it is.
    LINKS_PART = [
        "UPDATE links AS l SET state = 'unlinked', open_key = l.link_id, note = r.note FROM",
        rows("$2": link_id TEXT, note TEXT),
        "WHERE l.workspace_id = $1 AND l.link_id = r.link_id AND l.open_key = ''"
    ];
    LINKS_BY_HUBSPOT = [
        "SELECT link_id, mapping, link_group, hubspot_id, salesforce_id, state, open_key, note \
         FROM links WHERE workspace_id = $1 AND mapping = $2 AND hubspot_id IN \
         (SELECT r.id FROM",
        rows("$3": id TEXT),
        ") ORDER BY link_id"
    ];
    LINKS_BY_SALESFORCE = [
        "SELECT link_id, mapping, link_group, hubspot_id, salesforce_id, state, open_key, note \
         FROM links WHERE workspace_id = $1 AND mapping = $2 AND salesforce_id IN \
         (SELECT r.id FROM",
        rows("$3": id TEXT),
        ") ORDER BY link_id"
    ];
    LINKS_OF_GROUP = [
        "SELECT link_id, mapping, link_group, hubspot_id, salesforce_id, state, open_key, note \
         FROM links WHERE workspace_id = $1 AND link_group = $2 AND hubspot_id IN \
         (SELECT r.id FROM",
        rows("$3": id TEXT),
        ") ORDER BY link_id"
    ];
    LINKS_BY_ID = [
        "SELECT link_id, mapping, link_group, hubspot_id, salesforce_id, state, open_key, note \
         FROM links WHERE workspace_id = $1 AND link_id IN (SELECT r.id FROM",
        rows("$2": id TEXT),
        ") ORDER BY link_id"
    ];
    LINKS_PAGE = ["SELECT link_id, mapping, link_group, hubspot_id, salesforce_id, state, \
        open_key, note FROM links WHERE workspace_id = $1 \
        AND (CAST($2 AS TEXT) IS NULL OR mapping = $2) \
        AND (CAST($3 AS TEXT) IS NULL OR state = $3) \
        AND link_id > $4 ORDER BY link_id LIMIT $5"];
    LINKS_COUNT = ["SELECT state AS word, COUNT(*) AS n FROM links WHERE workspace_id = $1 \
        AND (CAST($2 AS TEXT) IS NULL OR mapping = $2) GROUP BY state ORDER BY state"];

    /// A pair that has agreed before keeps the time of its first agreement.
    BASES_PUT = [
        "INSERT INTO bases (workspace_id, link_id, doc, since) \
         SELECT $1, r.link_id, r.doc, CAST($3 AS BIGINT) FROM",
        rows("$2": link_id TEXT, doc TEXT),
        "WHERE TRUE ON CONFLICT (workspace_id, link_id) DO UPDATE SET doc = excluded.doc"
    ];
    BASES = [
        "SELECT link_id, doc FROM bases WHERE workspace_id = $1 \
         AND link_id IN (SELECT r.id FROM",
        rows("$2": id TEXT),
        ")"
    ];

    HOLDS_PUT = [
        "INSERT INTO holds (workspace_id, link_id, rule, reason, detail, sides, rule_hash, \
         since) SELECT $1, r.link_id, r.rule, r.reason, r.detail, r.sides, r.rule_hash, \
         r.since FROM",
        rows("$2": link_id TEXT, rule TEXT, reason TEXT, detail TEXT, sides TEXT,
             rule_hash TEXT, since BIGINT),
        "WHERE TRUE ON CONFLICT (workspace_id, link_id, rule) DO UPDATE SET \
         reason = excluded.reason, detail = excluded.detail, sides = excluded.sides, \
         rule_hash = excluded.rule_hash, since = excluded.since"
    ];
    HOLDS_CLOSE = [
        "DELETE FROM holds WHERE workspace_id = $1 AND (link_id, rule) IN \
         (SELECT r.link_id, r.rule FROM",
        rows("$2": link_id TEXT, rule TEXT),
        ")"
    ];
    HOLDS = [
        "SELECT link_id, rule, reason, detail, sides, rule_hash, since FROM holds \
         WHERE workspace_id = $1 AND link_id IN (SELECT r.id FROM",
        rows("$2": id TEXT),
        ") ORDER BY link_id, rule"
    ];
    HOLDS_PAGE = ["SELECT link_id, rule, reason, detail, sides, rule_hash, since FROM holds \
        WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR reason = $2) \
        AND (link_id > $3 OR (link_id = $3 AND rule > $4)) ORDER BY link_id, rule LIMIT $5"];
    HOLDS_COUNT = ["SELECT reason AS word, COUNT(*) AS n FROM holds WHERE workspace_id = $1 \
        GROUP BY reason ORDER BY reason"];

    INTENTS_PUT = [
        "INSERT INTO intents (workspace_id, intent_id, link_id, mapping, revision, run_id, side, \
         kind, target, rules, send_before, created_at) \
         SELECT $1, r.intent_id, r.link_id, r.mapping, r.revision, r.run_id, r.side, r.kind, \
         r.target, r.rules, r.send_before, r.created_at FROM",
        rows("$2": intent_id TEXT, link_id TEXT, mapping TEXT, revision TEXT, run_id TEXT,
             side TEXT, kind TEXT, target TEXT, rules TEXT, send_before BIGINT,
             created_at BIGINT),
        "WHERE TRUE ON CONFLICT (workspace_id, intent_id) DO UPDATE SET \
         target = excluded.target, rules = excluded.rules, send_before = excluded.send_before"
    ];
    INTENTS_CLOSE = [
        "DELETE FROM intents WHERE workspace_id = $1 AND intent_id IN (SELECT r.id FROM",
        rows("$2": id TEXT),
        ")"
    ];
    INTENTS = [
        "SELECT intent_id, link_id, mapping, revision, run_id, side, kind, target, rules, \
         send_before, created_at FROM intents WHERE workspace_id = $1 AND link_id IN \
         (SELECT r.id FROM",
        rows("$2": id TEXT),
        ") ORDER BY link_id, side"
    ];
    INTENTS_OPEN = ["SELECT intent_id, link_id, mapping, revision, run_id, side, kind, target, \
        rules, send_before, created_at FROM intents WHERE workspace_id = $1 \
        ORDER BY link_id, side"];
}
