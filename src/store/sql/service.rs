//! Statements of the service: workspaces as customers, sealed credentials, keys, the access log.
//!
//! Listing workspaces and finding the workspaces of a portal cross workspaces on purpose: whoever
//! asks is the service itself or holds a management key.

use super::statements;

statements! {
    TENANT_MAKE = ["INSERT INTO workspaces (workspace_id, created_at, mode, paused, vars, owners) \
        VALUES ($1, $2, $3, 0, $4, $5) ON CONFLICT (workspace_id) DO UPDATE SET \
        mode = excluded.mode, paused = 0, vars = excluded.vars, owners = excluded.owners \
        WHERE workspaces.mode IS NULL"];
    TENANT = ["SELECT workspace_id, mode, paused, vars, owners, created_at, pauses, \
        mappings_version FROM workspaces WHERE workspace_id = $1 AND mode IS NOT NULL"];
    TENANTS = ["SELECT workspace_id, mode, paused, vars, owners, created_at, pauses, \
        mappings_version FROM workspaces WHERE workspace_id > $1 AND mode IS NOT NULL \
        ORDER BY workspace_id LIMIT $2"];
    TENANT_MODE = ["UPDATE workspaces SET mode = $2 WHERE workspace_id = $1 AND mode IS NOT NULL"];
    TENANT_PAUSED = ["UPDATE workspaces SET paused = $2 \
        WHERE workspace_id = $1 AND mode IS NOT NULL"];
    /// Each of both stays as it is where nothing is given. Also the lock that keeps two of these
    /// changes apart.
    TENANT_CHANGE = ["UPDATE workspaces SET vars = COALESCE($2, vars), \
        owners = COALESCE($3, owners) \
        WHERE workspace_id = $1 AND mode IS NOT NULL"];
    /// When each workspace next has something to do whose lane nobody holds.
    AGENDA = ["SELECT m.workspace_id, MIN(m.not_before) AS at, MIN(CASE WHEN m.kind IN \
        ('record', 'backfill') THEN m.not_before END) AS news FROM marks AS m \
        LEFT JOIN lanes AS l ON l.workspace_id = m.workspace_id AND l.lane = m.lane \
        WHERE m.lane = $1 AND m.blocked = 0 AND (l.owner IS NULL OR l.until_at <= $2) \
        GROUP BY m.workspace_id"];

    /// What waits in the first workspaces by name: one look into an index for each count, and one
    /// for each class of work.
    ATTENTION = ["SELECT w.workspace_id AS workspace_id, \
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
        (SELECT COUNT(*) FROM holds AS h WHERE h.workspace_id = w.workspace_id) AS holds, \
        (SELECT COUNT(*) FROM conflicts AS f \
            WHERE f.workspace_id = w.workspace_id AND f.state = 'open') AS conflicts \
        FROM (SELECT workspace_id FROM workspaces WHERE mode IS NOT NULL \
            ORDER BY workspace_id LIMIT $2) AS w ORDER BY w.workspace_id"];


    CONNECTION_STATUS = ["SELECT side, account_id, state, detail, scopes, sealed, version, \
        renewing_until, connected_at FROM connections \
        WHERE workspace_id = $1 AND side = $2 AND state IS NOT NULL"];
    /// A new grant; of the same account only, once there is one.
    CONNECTION_SEAL = ["INSERT INTO connections (workspace_id, side, account_id, url, state, \
        detail, scopes, sealed, version, renewing_until, connected_at) \
        VALUES ($1, $2, $3, '', 'connected', '', $4, $5, 1, 0, $6) \
        ON CONFLICT (workspace_id, side) DO UPDATE SET state = 'connected', detail = '', \
        scopes = excluded.scopes, sealed = excluded.sealed, \
        version = COALESCE(connections.version, 0) + 1, renewing_until = 0, \
        connected_at = excluded.connected_at, refresh_due = NULL \
        WHERE connections.account_id = excluded.account_id"];
    /// Takes the right to refresh the tokens, for one process until it is over or its time is up.
    RENEWAL_BEGIN = ["UPDATE connections SET renewing_until = $5 WHERE workspace_id = $1 \
        AND side = $2 AND version = $3 AND renewing_until <= $4 AND state = 'connected'"];
    RENEWAL_END = ["UPDATE connections SET sealed = $4, version = version + 1, \
        renewing_until = 0, refresh_due = $5 \
        WHERE workspace_id = $1 AND side = $2 AND version = $3"];
    RENEWAL_DROP = ["UPDATE connections SET renewing_until = 0 \
        WHERE workspace_id = $1 AND side = $2 AND version = $3"];
    GRANTS_DUE = ["SELECT workspace_id, side FROM connections \
        WHERE state = 'connected' AND sealed IS NOT NULL AND (refresh_due <= $1 \
        OR (refresh_due IS NULL AND connected_at <= $2)) \
        ORDER BY COALESCE(refresh_due, connected_at), workspace_id, side LIMIT $3"];
    GRANT_PUT_OFF = ["UPDATE connections SET refresh_due = $5 WHERE workspace_id = $1 \
        AND side = $2 AND state = 'connected' AND (refresh_due <= $3 \
        OR (refresh_due IS NULL AND connected_at <= $4))"];
    CONNECTION_LOST = ["UPDATE connections SET state = $4, detail = $5, renewing_until = 0 \
        WHERE workspace_id = $1 AND side = $2 AND version = $3 AND state = 'connected'"];
    CONNECTION_CUT = ["UPDATE connections SET state = 'needs-reconnect', detail = $3, \
        sealed = NULL, version = COALESCE(version, 0) + 1, renewing_until = 0 \
        WHERE workspace_id = $1 AND side = $2 AND state IS NOT NULL"];
    WORKSPACES_OF = ["SELECT workspace_id AS id FROM connections \
        WHERE side = $1 AND account_id = $2 AND state IS NOT NULL ORDER BY workspace_id"];

    DATA_KEY_PUT = ["INSERT INTO data_keys (workspace_id, wrapped, created_at) \
        VALUES ($1, $2, $3) ON CONFLICT (workspace_id) DO NOTHING"];
    DATA_KEY = ["SELECT workspace_id, wrapped FROM data_keys WHERE workspace_id = $1"];
    DATA_KEYS = ["SELECT workspace_id, wrapped FROM data_keys WHERE workspace_id > $1 \
        ORDER BY workspace_id LIMIT $2"];
    DATA_KEY_REWRAP = ["UPDATE data_keys SET wrapped = $3 \
        WHERE workspace_id = $1 AND wrapped = $2"];

    KEY_PUT = ["INSERT INTO api_keys (key_id, workspace_id, kind, role, name, hash, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)"];
    KEY = ["SELECT key_id, workspace_id, kind, role, name, hash, created_at, used_at, revoked_at \
        FROM api_keys WHERE key_id = $1"];
    KEYS = ["SELECT key_id, workspace_id, kind, role, name, hash, created_at, used_at, revoked_at \
        FROM api_keys WHERE workspace_id = $1 AND key_id > $2 ORDER BY key_id LIMIT $3"];
    KEY_USED = ["UPDATE api_keys SET used_at = $3 WHERE workspace_id = $1 AND key_id = $2"];
    KEY_REVOKE = ["UPDATE api_keys SET revoked_at = $3 WHERE workspace_id = $1 AND key_id = $2 \
        AND revoked_at IS NULL"];

    LINK_PUT = ["INSERT INTO connect_links (workspace_id, link_id, side, created_at, expires_at) \
        VALUES ($1, $2, $3, $4, $5)"];
    LINK = ["SELECT link_id, side, created_at, expires_at, used_at FROM connect_links \
        WHERE workspace_id = $1 AND link_id = $2"];
    LINK_USE = ["UPDATE connect_links SET used_at = $3 WHERE workspace_id = $1 AND link_id = $2 \
        AND used_at IS NULL AND expires_at > $3"];
    AUTHORIZATION_PUT = ["INSERT INTO authorizations (workspace_id, authorization_id, link_id, \
        side, browser, sealed, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)"];
    /// Taken by whoever comes first; a second one finds nothing.
    AUTHORIZATION_TAKE = ["DELETE FROM authorizations WHERE workspace_id = $1 \
        AND authorization_id = $2 AND browser = $3 AND expires_at > $4 \
        RETURNING authorization_id, link_id, side, sealed"];
    AUTHORIZATIONS_CLEAR = ["DELETE FROM authorizations WHERE workspace_id = $1 \
        AND expires_at <= $2"];

    ACCESS_PUT = ["INSERT INTO access_log (workspace_id, entry_id, made_at, actor, action, \
        target, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)"];
    ACCESS = ["SELECT entry_id, made_at, actor, action, target, detail FROM access_log \
        WHERE workspace_id = $1 AND (CAST($2 AS TEXT) IS NULL OR entry_id < $2) \
        ORDER BY entry_id DESC LIMIT $3"];

    /// Takes a name that nobody has, or that has run out.
    REPEAT_BEGIN = ["INSERT INTO repeats (workspace_id, caller, name, request, until_at) \
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT (workspace_id, caller, name) DO UPDATE SET \
        request = excluded.request, until_at = excluded.until_at, status = NULL, sealed = NULL \
        WHERE repeats.until_at <= $6"];
    REPEAT = ["SELECT request, status, sealed FROM repeats \
        WHERE workspace_id = $1 AND caller = $2 AND name = $3"];
    REPEAT_END = ["UPDATE repeats SET status = $5, sealed = $6, until_at = $7 \
        WHERE workspace_id = $1 AND caller = $2 AND name = $3 AND until_at = $4 \
        AND status IS NULL"];
    REPEAT_DROP = ["DELETE FROM repeats WHERE workspace_id = $1 AND caller = $2 AND name = $3 \
        AND until_at = $4 AND status IS NULL"];
    REPEATS_CLEAR = ["DELETE FROM repeats WHERE until_at <= $1"];

    SCHEMAS_PUT = ["INSERT INTO schemas (workspace_id, doc, asked_for, read_at) \
        VALUES ($1, $2, $3, $4) ON CONFLICT (workspace_id) DO UPDATE SET doc = excluded.doc, \
        asked_for = excluded.asked_for, read_at = excluded.read_at"];
    SCHEMAS_LAST = ["SELECT doc FROM schemas WHERE workspace_id = $1"];
    SCHEMAS = ["SELECT doc FROM schemas WHERE workspace_id = $1 AND asked_for = $2 \
        AND read_at >= $3"];

    ERASE_SCHEMAS = ["DELETE FROM schemas WHERE workspace_id = $1"];
    ERASE_LANES = ["DELETE FROM lanes WHERE workspace_id = $1"];
    ERASE_MARKS = ["DELETE FROM marks WHERE workspace_id = $1"];
    ERASE_LINKS = ["DELETE FROM links WHERE workspace_id = $1"];
    ERASE_BASES = ["DELETE FROM bases WHERE workspace_id = $1"];
    ERASE_HOLDS = ["DELETE FROM holds WHERE workspace_id = $1"];
    ERASE_INTENTS = ["DELETE FROM intents WHERE workspace_id = $1"];
    ERASE_MATCH_KEYS = ["DELETE FROM match_keys WHERE workspace_id = $1"];
    ERASE_CURSORS = ["DELETE FROM cursors WHERE workspace_id = $1"];
    ERASE_ALIASES = ["DELETE FROM aliases WHERE workspace_id = $1"];
    ERASE_TOMBSTONES = ["DELETE FROM tombstones WHERE workspace_id = $1"];
    ERASE_JOURNAL = ["DELETE FROM journal WHERE workspace_id = $1"];
    ERASE_CONFLICTS = ["DELETE FROM conflicts WHERE workspace_id = $1"];
    ERASE_DEAD_LETTERS = ["DELETE FROM dead_letters WHERE workspace_id = $1"];
    ERASE_APPROVALS = ["DELETE FROM approvals WHERE workspace_id = $1"];
    ERASE_RUNS = ["DELETE FROM runs WHERE workspace_id = $1"];
    ERASE_SHADOW_WRITES = ["DELETE FROM shadow_writes WHERE workspace_id = $1"];
    ERASE_REVISIONS = ["DELETE FROM revisions WHERE workspace_id = $1"];
    ERASE_ACTIVE_REVISIONS = ["DELETE FROM active_revisions WHERE workspace_id = $1"];
    ERASE_CONNECTIONS = ["DELETE FROM connections WHERE workspace_id = $1"];
    ERASE_CONNECT_LINKS = ["DELETE FROM connect_links WHERE workspace_id = $1"];
    ERASE_AUTHORIZATIONS = ["DELETE FROM authorizations WHERE workspace_id = $1"];
    ERASE_REPEATS = ["DELETE FROM repeats WHERE workspace_id = $1"];
    ERASE_API_KEYS = ["DELETE FROM api_keys WHERE workspace_id = $1"];
    ERASE_DATA_KEYS = ["DELETE FROM data_keys WHERE workspace_id = $1"];
    ERASE_WORKSPACES = ["DELETE FROM workspaces WHERE workspace_id = $1"];
}
