//! Statements that tell what is known about single records, each through an index.

use super::statements;

statements! {
    /// Every revision of every mapping that was ever run, without its text.
    REVISIONS = ["SELECT mapping, revision, created_at FROM revisions WHERE workspace_id = $1 \
        ORDER BY mapping, created_at, revision"];
    AGREED_SINCE = ["SELECT since AS at FROM bases WHERE workspace_id = $1 AND link_id = $2"];
    /// Work of every state by name.
    MARKS_OF = [
        "SELECT m.kind, m.mapping, m.side, m.record_id, m.revision, m.attempts, m.cause, \
         m.first_marked_at, m.not_before, m.parent_mapping, m.parent_side, m.parent_id, \
         m.failure, m.blocked FROM",
        rows("$3": id TEXT),
        "JOIN marks AS m ON m.workspace_id = $1 AND m.lane = $2 AND m.task_key = r.id"
    ];
    CONFLICTS_OF = ["SELECT conflict_id, made_at, run_id, mapping, link_id, rule, input_hash, \
        winner, state, reason, vals FROM conflicts WHERE workspace_id = $1 AND link_id = $2 \
        ORDER BY conflict_id DESC LIMIT $3"];
    LETTERS_OF_LINK = ["SELECT dead_letter_id, made_at, first_at, run_id, mapping, link_id, \
        task_key, kind, side, record_id, rule, class, code, message, fields, vals, attempts, \
        fingerprint, state, note FROM dead_letters WHERE workspace_id = $1 AND link_id = $2 \
        AND state = 'open' ORDER BY dead_letter_id"];
    /// What a person has not seen to, and what one has let go.
    LETTERS_OF_TASKS = [
        "SELECT d.dead_letter_id, d.made_at, d.first_at, d.run_id, d.mapping, d.link_id, \
         d.task_key, d.kind, d.side, d.record_id, d.rule, d.class, d.code, d.message, d.fields, \
         d.vals, d.attempts, d.fingerprint, d.state, d.note FROM",
        rows("$2": id TEXT),
        "JOIN dead_letters AS d ON d.workspace_id = $1 AND d.task_key = r.id \
         AND d.state <> 'closed' ORDER BY d.dead_letter_id"
    ];
    APPROVALS_OF = ["SELECT approval_id, mapping, side, kind, set_hash, records, items, detail, \
        state, asked_at, expires_at FROM approvals WHERE workspace_id = $1 AND mapping = $2 \
        AND state <> 'used'"];
    /// The newest entries of each rule of a link.
    JOURNAL_NEWEST = ["SELECT entry_id, made_at, run_id, mapping, revision, link_id, record_side, \
        record_id, rule, decision, reason, winner, vals, detail FROM (SELECT j.*, \
        ROW_NUMBER() OVER (PARTITION BY rule ORDER BY made_at DESC, entry_id DESC) AS nth \
        FROM journal AS j WHERE j.workspace_id = $1 AND j.link_id = $2) AS ranked \
        WHERE nth <= $3 ORDER BY made_at DESC, entry_id DESC"];
    /// The first entry of each rule after a moment that tells what the base was before it.
    JOURNAL_NEXT = ["SELECT entry_id, made_at, run_id, mapping, revision, link_id, record_side, \
        record_id, rule, decision, reason, winner, vals, detail FROM (SELECT j.*, \
        ROW_NUMBER() OVER (PARTITION BY rule ORDER BY made_at, entry_id) AS nth \
        FROM journal AS j WHERE j.workspace_id = $1 AND j.link_id = $2 AND j.made_at > $3 \
        AND j.decision <> 'audit') AS ranked \
        WHERE nth = 1 ORDER BY made_at, entry_id"];
    /// Entries of one rule and those about the pair as a whole.
    JOURNAL_OF_RULE = ["SELECT entry_id, made_at, run_id, mapping, revision, link_id, \
        record_side, record_id, rule, decision, reason, winner, vals, detail FROM journal \
        WHERE workspace_id = $1 AND link_id = $2 AND rule IN ($3, '') \
        ORDER BY entry_id DESC LIMIT $4"];
    JOURNAL_OF_RULE_COUNT = ["SELECT COUNT(*) AS n FROM journal \
        WHERE workspace_id = $1 AND link_id = $2 AND rule IN ($3, '')"];
}
