-- Several processes may work on one run. `run_leases` stays the lease of the run as a whole: its
-- fence is the last that was given, its time that of whoever holds it longest. Those who hold it:
CREATE TABLE run_members (
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    fence INTEGER NOT NULL,
    owner TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    -- Of the run's budget, what he may spend, and what his entries in the books come to at most.
    granted_pico INTEGER NOT NULL DEFAULT 0,
    granted_tokens INTEGER NOT NULL DEFAULT 0,
    granted_calls INTEGER NOT NULL DEFAULT 0,
    spent_pico INTEGER NOT NULL DEFAULT 0,
    spent_tokens INTEGER NOT NULL DEFAULT 0,
    spent_calls INTEGER NOT NULL DEFAULT 0,
    done INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, fence)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_members_by_owner ON run_members (owner);

-- The same of those who have gone; and how the crew stands. Only while `crew_fence` is the fence
-- may others join it.
ALTER TABLE run_leases ADD COLUMN crew_fence INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN short INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN ending TEXT NOT NULL DEFAULT '';
ALTER TABLE run_leases ADD COLUMN spent_pico INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN spent_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN spent_calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run_leases ADD COLUMN failed INTEGER NOT NULL DEFAULT 0;

-- What a run is cut into: the positions [first, until) of the order in which a lane takes its samples.
-- `fence` is of the member who has it, 0 = nobody. state: 0 new, 1 somebody had it, 2 done.
CREATE TABLE run_shards (
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    shard INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    first INTEGER NOT NULL,
    until INTEGER NOT NULL,
    fence INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run, shard)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_shards_to_take ON run_shards (run, lane, fence, state);

-- No calls of a lane until then: what one member has learned of its server holds for all.
CREATE TABLE run_pauses (
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    lane INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (run, lane)
) STRICT, WITHOUT ROWID;

-- Whose call it is.
ALTER TABLE intents ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
