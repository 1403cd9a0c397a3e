-- What the books of a run came to when it was completed, so that nobody sums its samples again. They
-- count while the run is as it was then: completed, and at this moment.
CREATE TABLE run_books (
    run INTEGER NOT NULL PRIMARY KEY REFERENCES runs (key) ON DELETE CASCADE,
    completed_at TEXT NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    usage_estimated INTEGER NOT NULL,
    settled_pico INTEGER NOT NULL,
    uncertain INTEGER NOT NULL,
    uncertain_pico INTEGER NOT NULL,
    uncertain_tokens INTEGER NOT NULL,
    uncertain_calls INTEGER NOT NULL,
    uncertain_unpriced INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
