-- What the books of a run came to when it was completed, so that nobody sums its samples again. They
-- count while the run is as it was then: completed, and at this moment.
CREATE TABLE run_books (
    run BIGINT NOT NULL PRIMARY KEY REFERENCES runs (key) ON DELETE CASCADE,
    completed_at TEXT COLLATE "C" NOT NULL,
    done BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    cached BIGINT NOT NULL,
    unpriced BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    usage_estimated BIGINT NOT NULL,
    settled_pico BIGINT NOT NULL,
    uncertain BIGINT NOT NULL,
    uncertain_pico BIGINT NOT NULL,
    uncertain_tokens BIGINT NOT NULL,
    uncertain_calls BIGINT NOT NULL,
    uncertain_unpriced BIGINT NOT NULL
);
