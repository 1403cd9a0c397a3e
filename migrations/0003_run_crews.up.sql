-- Several processes may work on one run. `run_leases` stays the lease of the run as a whole: its
-- fence is the last that was given, its time that of whoever holds it longest. Those who hold it:
CREATE TABLE run_members (
    run BIGINT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    fence BIGINT NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    until_ms BIGINT NOT NULL,
    -- Of the run's budget, what he may spend, and what his entries in the books come to at most.
    granted_pico BIGINT NOT NULL DEFAULT 0,
    granted_tokens BIGINT NOT NULL DEFAULT 0,
    granted_calls BIGINT NOT NULL DEFAULT 0,
    spent_pico BIGINT NOT NULL DEFAULT 0,
    spent_tokens BIGINT NOT NULL DEFAULT 0,
    spent_calls BIGINT NOT NULL DEFAULT 0,
    done BIGINT NOT NULL DEFAULT 0,
    failed BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (run, fence)
);
CREATE INDEX run_members_by_owner ON run_members (owner);

-- The same of those who have gone; and how the crew stands. Only while `crew_fence` is the fence
-- may others join it.
ALTER TABLE run_leases ADD COLUMN crew_fence BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN short BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN ending TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE run_leases ADD COLUMN spent_pico BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN spent_tokens BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN spent_calls BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN done BIGINT NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN failed BIGINT NOT NULL DEFAULT 0;

-- What a run is cut into: the positions [first, until) of the order in which a lane takes its samples.
-- `fence` is of the member who has it, 0 = nobody. state: 0 new, 1 somebody had it, 2 done.
CREATE TABLE run_shards (
    run BIGINT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    shard BIGINT NOT NULL,
    lane BIGINT NOT NULL,
    first BIGINT NOT NULL,
    until BIGINT NOT NULL,
    fence BIGINT NOT NULL DEFAULT 0,
    state BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (run, shard)
);
CREATE INDEX run_shards_to_take ON run_shards (run, lane, fence, state);

-- No calls of a lane until then: what one member has learned of its server holds for all.
CREATE TABLE run_pauses (
    run BIGINT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    lane BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (run, lane)
);

-- Whose call it is.
ALTER TABLE intents ADD COLUMN fence BIGINT NOT NULL DEFAULT 0;
