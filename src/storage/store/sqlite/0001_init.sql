-- Money is in pico-dollars (1e-12 USD), durations in nanoseconds, times in RFC 3339 text (UTC).

CREATE TABLE datasets (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE dataset_versions (
    key INTEGER PRIMARY KEY,
    dataset INTEGER NOT NULL REFERENCES datasets (key) ON DELETE CASCADE,
    version INTEGER NOT NULL,
    content_hash TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    byte_count INTEGER NOT NULL,
    fields TEXT NOT NULL,
    source TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (dataset, version),
    UNIQUE (dataset, content_hash)
) STRICT;
CREATE INDEX dataset_versions_by_hash ON dataset_versions (content_hash);

CREATE TABLE experiments (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    run_number_last INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
) STRICT;

-- Keys are never given twice: a process may still hold the key of a run that was deleted.
CREATE TABLE runs (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    experiment INTEGER NOT NULL REFERENCES experiments (key) ON DELETE CASCADE,
    run_number INTEGER NOT NULL,
    state TEXT NOT NULL,
    stop_reason TEXT NOT NULL,
    spec TEXT NOT NULL,
    manifest TEXT NOT NULL,
    dataset_hash TEXT NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT,
    completed_at TEXT,
    planned INTEGER NOT NULL,
    UNIQUE (experiment, run_number)
) STRICT;

-- Results arrive in a shuffled order, are read in the order of `sample` and never change. A heap
-- with a slim index takes shuffled rows six times as fast as a clustered table, whose every insert
-- dirties another page. The wide columns stand last, so that sums need not read them.
CREATE TABLE samples (
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    sample INTEGER NOT NULL,
    state INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    item INTEGER NOT NULL,
    repetition INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    replayed INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    http_status INTEGER NOT NULL,
    cost_pico INTEGER,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    usage_estimated INTEGER NOT NULL,
    latency_ns INTEGER NOT NULL,
    first_token_ns INTEGER,
    cache_key BLOB,
    item_id TEXT NOT NULL,
    finish_reason TEXT,
    error_code TEXT,
    error_message TEXT,
    scores TEXT,
    output TEXT NOT NULL,
    logprobs TEXT,
    PRIMARY KEY (run, sample)
) STRICT;
CREATE INDEX samples_by_cache_key ON samples (cache_key)
    WHERE cache_key IS NOT NULL AND state = 1;

-- Calls that may be on the wire: written before a call is sent, gone when its result is stored.
CREATE TABLE intents (
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    sample INTEGER NOT NULL,
    cost_pico INTEGER,
    tokens INTEGER NOT NULL,
    PRIMARY KEY (run, sample)
) STRICT, WITHOUT ROWID;

-- Calls that were on the wire when a process died: possibly billed.
CREATE TABLE uncertain (
    key INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    sample INTEGER NOT NULL,
    cost_pico INTEGER,
    tokens INTEGER NOT NULL,
    noted_at TEXT NOT NULL
) STRICT;
CREATE INDEX uncertain_by_run ON uncertain (run);

-- What was spent on samples that are not stored: failed ones that were forgotten to be tried again,
-- and calls without an answer that were given up.
CREATE TABLE carried (
    run INTEGER PRIMARY KEY REFERENCES runs (key) ON DELETE CASCADE,
    calls INTEGER NOT NULL,
    cost_pico INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL
) STRICT;
