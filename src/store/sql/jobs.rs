//! Statements about jobs: what the service does for somebody who asked.

use super::statements;

statements! {
    /// Nothing is put where another job of the workspace is open.
    JOB_PUT = ["INSERT INTO jobs (workspace_id, job_id, kind, state, is_open, wish, made_at, \
        ended_at, expires_at, code, detail, found, progress, doc) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', '', $10, '{}', $11) \
        ON CONFLICT DO NOTHING"];
    JOB = ["SELECT job_id, kind, state, wish, run_id, made_at, ended_at, expires_at, code, \
        detail, found, progress FROM jobs WHERE workspace_id = $1 AND job_id = $2"];
    JOB_OPEN = ["SELECT job_id, kind, state, wish, run_id, made_at, ended_at, expires_at, code, \
        detail, found, progress FROM jobs WHERE workspace_id = $1 AND is_open = 1"];
    /// Those of all workspaces, for a service that starts.
    JOBS_OPEN = ["SELECT workspace_id AS id FROM jobs WHERE is_open = 1 ORDER BY workspace_id"];
    /// What comes to a plan, the newest first; $2 is where the page begins or null.
    PLANS = ["SELECT job_id, kind, state, wish, run_id, made_at, ended_at, expires_at, code, \
        detail, found, progress FROM jobs WHERE workspace_id = $1 \
        AND kind IN ('plan', 'undo', 'repair') \
        AND (CAST($2 AS TEXT) IS NULL OR job_id < $2) AND (is_open = 1 OR expires_at > $3) \
        ORDER BY job_id DESC LIMIT $4"];
    JOB_LAST = ["SELECT job_id, kind, state, wish, run_id, made_at, ended_at, expires_at, code, \
        detail, found, progress FROM jobs WHERE workspace_id = $1 AND kind = $2 \
        AND (is_open = 1 OR expires_at > $3) ORDER BY job_id DESC LIMIT 1"];
    JOB_DOC = ["SELECT doc FROM jobs WHERE workspace_id = $1 AND job_id = $2 \
        AND doc IS NOT NULL"];
    JOB_OUTCOME = ["SELECT outcome AS doc FROM jobs WHERE workspace_id = $1 AND job_id = $2 \
        AND outcome IS NOT NULL"];
    /// One that has ended is to be gone on with, unless another is open.
    JOB_AGAIN = ["UPDATE jobs SET state = $3, is_open = 1, wish = $4, code = '', detail = '', \
        ended_at = NULL, run_id = NULL, progress = '{}', outcome = NULL, expires_at = $5 \
        WHERE workspace_id = $1 AND job_id = $2 AND is_open = 0 AND expires_at > $6 \
        AND NOT EXISTS (SELECT 1 FROM jobs AS o WHERE o.workspace_id = $1 AND o.is_open = 1)"];
    JOB_BEGINS = ["UPDATE jobs SET state = $3, run_id = COALESCE($4, run_id) \
        WHERE workspace_id = $1 AND job_id = $2 AND is_open = 1"];
    JOB_PROGRESS = ["UPDATE jobs SET progress = $3 \
        WHERE workspace_id = $1 AND job_id = $2 AND is_open = 1"];
    JOB_END = ["UPDATE jobs SET state = $3, is_open = 0, ended_at = $4, expires_at = $5, \
        code = $6, detail = $7, found = COALESCE($8, found), \
        progress = COALESCE($9, progress), doc = COALESCE($10, doc), \
        outcome = COALESCE($11, outcome) \
        WHERE workspace_id = $1 AND job_id = $2 AND is_open = 1"];
    /// What has ended and is too old, and what is not among the newest. Looks at records are many
    /// and soon read, so they do not crowd out what somebody still wants to carry out.
    JOBS_PRUNE = ["DELETE FROM jobs WHERE workspace_id = $1 AND is_open = 0 \
        AND (expires_at <= $2 OR (job_id NOT IN (SELECT j.job_id FROM jobs AS j \
        WHERE j.workspace_id = $1 AND j.is_open = 0 AND j.kind <> 'explain' \
        ORDER BY j.job_id DESC LIMIT $3) \
        AND job_id NOT IN (SELECT k.job_id FROM jobs AS k \
        WHERE k.workspace_id = $1 AND k.is_open = 0 AND k.kind = 'explain' \
        ORDER BY k.job_id DESC LIMIT $3)))"];
    /// In every workspace: nobody may come by again to have it done.
    JOBS_EXPIRE = ["DELETE FROM jobs WHERE is_open = 0 AND expires_at <= $1"];
    ERASE_JOBS = ["DELETE FROM jobs WHERE workspace_id = $1"];
}
