-- Nouns that people own and share. What they have in common are columns; what is their own is in
-- `body` (JSON). Lists inside columns are written ";a;;b;", sorted, so that one LIKE finds a subset.

CREATE TABLE orgs (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;
INSERT INTO orgs (key, id, name, created_at)
VALUES (1, '00000000-0000-4000-8000-000000000001', 'default', '1970-01-01T00:00:00.000000Z');

-- Names of experiments and datasets are unique for their owner from now on. Without an owner: made
-- by the command line on this machine.
CREATE TABLE experiments_new (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL DEFAULT 1 REFERENCES orgs (key),
    owner_id TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ready',
    visibility TEXT NOT NULL DEFAULT 'org',
    collaborators TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '',
    search TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL DEFAULT '{}',
    revision INTEGER NOT NULL DEFAULT 1,
    run_number_last INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL DEFAULT '',
    UNIQUE (org, owner_id, name)
) STRICT;
INSERT INTO experiments_new (key, id, name, search, run_number_last, created_at, updated_at)
SELECT key, id, name, lower(name), run_number_last, created_at, created_at FROM experiments;
DROP TABLE experiments;
ALTER TABLE experiments_new RENAME TO experiments;
CREATE INDEX experiments_by_time ON experiments (org, created_at, id);

CREATE TABLE datasets_new (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL DEFAULT 1 REFERENCES orgs (key),
    owner_id TEXT NOT NULL DEFAULT '',
    name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'ready',
    visibility TEXT NOT NULL DEFAULT 'org',
    collaborators TEXT NOT NULL DEFAULT '',
    tags TEXT NOT NULL DEFAULT '',
    search TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL DEFAULT '{}',
    revision INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL DEFAULT '',
    format TEXT NOT NULL DEFAULT '',
    UNIQUE (org, owner_id, name)
) STRICT;
INSERT INTO datasets_new (key, id, name, search, created_at, updated_at)
SELECT key, id, name, lower(name), created_at, created_at FROM datasets;
DROP TABLE datasets;
ALTER TABLE datasets_new RENAME TO datasets;
CREATE INDEX datasets_by_time ON datasets (org, created_at, id);
ALTER TABLE dataset_versions ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE dataset_versions ADD COLUMN body TEXT NOT NULL DEFAULT '{}';

CREATE TABLE models (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL REFERENCES orgs (key),
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    visibility TEXT NOT NULL,
    collaborators TEXT NOT NULL,
    tags TEXT NOT NULL,
    search TEXT NOT NULL,
    body TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    provider TEXT NOT NULL DEFAULT '',
    UNIQUE (org, owner_id, name)
) STRICT;
CREATE INDEX models_by_time ON models (org, created_at, id);

CREATE TABLE prompt_templates (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL REFERENCES orgs (key),
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    visibility TEXT NOT NULL,
    collaborators TEXT NOT NULL,
    tags TEXT NOT NULL,
    search TEXT NOT NULL,
    body TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (org, owner_id, name)
) STRICT;
CREATE INDEX prompt_templates_by_time ON prompt_templates (org, created_at, id);

CREATE TABLE prompt_versions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    prompt INTEGER NOT NULL REFERENCES prompt_templates (key) ON DELETE CASCADE,
    version_number INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (prompt, version_number)
) STRICT;

CREATE TABLE evaluations (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL REFERENCES orgs (key),
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    visibility TEXT NOT NULL,
    collaborators TEXT NOT NULL,
    tags TEXT NOT NULL,
    search TEXT NOT NULL,
    body TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    evaluation_type TEXT NOT NULL DEFAULT '',
    experiment_id TEXT NOT NULL DEFAULT '',
    run_id TEXT NOT NULL DEFAULT '',
    UNIQUE (org, owner_id, name)
) STRICT;
CREATE INDEX evaluations_by_time ON evaluations (org, created_at, id);
CREATE INDEX evaluations_by_run ON evaluations (run_id);

-- People, their keys and their sessions.

CREATE TABLE users (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL REFERENCES orgs (key),
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    roles TEXT NOT NULL,
    rate_limit_tier TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    last_login_at TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE INDEX users_by_time ON users (org, created_at, id);

-- One row for each login; the tokens that descend from it are its family. Of its refresh tokens only
-- the last one may be used: an older one that comes again ends the family.
CREATE TABLE login_sessions (
    family TEXT NOT NULL PRIMARY KEY,
    org INTEGER NOT NULL REFERENCES orgs (key),
    user_id TEXT NOT NULL REFERENCES users (id),
    refresh_jti TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    ended_at TEXT,
    end_reason TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX login_sessions_by_user ON login_sessions (user_id);
CREATE INDEX login_sessions_by_expiry ON login_sessions (expires_at);

-- Access tokens that ended before their time.
CREATE TABLE revoked_tokens (
    jti TEXT NOT NULL PRIMARY KEY,
    expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (expires_at);

CREATE TABLE api_keys (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL REFERENCES orgs (key),
    owner_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    key_prefix TEXT NOT NULL UNIQUE,
    key_hash BLOB NOT NULL,
    scopes TEXT NOT NULL,
    roles TEXT NOT NULL,
    rate_limit_tier TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    expires_at TEXT,
    last_used_at TEXT,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX api_keys_by_time ON api_keys (org, created_at, id);

-- Secrets of providers that runs of the service may use: where the secret is, and where it may go.
CREATE TABLE provider_credentials (
    key INTEGER PRIMARY KEY,
    org INTEGER NOT NULL REFERENCES orgs (key),
    name TEXT NOT NULL,
    secret_ref TEXT NOT NULL,
    allowed_hosts TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (org, name)
) STRICT;

CREATE TABLE audit_log (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL,
    timestamp TEXT NOT NULL,
    event_type TEXT NOT NULL,
    actor TEXT NOT NULL,
    resource TEXT NOT NULL,
    action TEXT NOT NULL,
    outcome TEXT NOT NULL,
    details TEXT NOT NULL,
    ip_address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    request_id TEXT NOT NULL,
    duration_ms INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    event_kind TEXT NOT NULL DEFAULT '',
    actor_kind TEXT NOT NULL DEFAULT '',
    actor_id TEXT NOT NULL DEFAULT '',
    resource_kind TEXT NOT NULL DEFAULT '',
    resource_id TEXT NOT NULL DEFAULT '',
    action_name TEXT NOT NULL DEFAULT '',
    outcome_status TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_log_by_time ON audit_log (org, timestamp, id);
-- What is written stays as it is.
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE ON audit_log
BEGIN
    SELECT RAISE(ABORT, 'audit_log is append-only');
END;

-- Answers to requests that carried an Idempotency-Key, for a day. Status 0: still under way.
CREATE TABLE idempotency_keys (
    org INTEGER NOT NULL,
    caller TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status INTEGER NOT NULL,
    response TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (org, caller, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (created_at);

-- What the whole service agrees on: the pepper of keys, forced breakers.
CREATE TABLE service_settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Runs of the service. `origin`: the engine carries it out, or a client reports it.
ALTER TABLE runs ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN origin TEXT NOT NULL DEFAULT 'engine';
ALTER TABLE runs ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN body TEXT NOT NULL DEFAULT '{}';
CREATE INDEX runs_by_state ON runs (state);

CREATE TABLE client_samples (
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    body TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (run, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE metric_values (
    key INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    name TEXT NOT NULL,
    step INTEGER NOT NULL,
    value REAL NOT NULL,
    timestamp TEXT NOT NULL,
    UNIQUE (run, name, step, timestamp)
) STRICT;

CREATE TABLE artifacts (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    artifact_type TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    mime_type TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX artifacts_by_run ON artifacts (run, key);
