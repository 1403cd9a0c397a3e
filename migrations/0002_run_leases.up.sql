-- Who works on a run. `fence` counts those who have: whoever writes for the run names his, and is
-- refused when it is not the last. Times are of the database's clock, in milliseconds since 1970.
CREATE TABLE run_leases (
    run BIGINT NOT NULL PRIMARY KEY REFERENCES runs (key) ON DELETE CASCADE,
    owner TEXT COLLATE "C" NOT NULL,
    fence BIGINT NOT NULL,
    until_ms BIGINT NOT NULL
);
CREATE INDEX run_leases_by_owner ON run_leases (owner);

-- What happened in runs lately, for those who listen at another process than the one that works.
CREATE TABLE run_events (
    run BIGINT NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    data TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (run, number)
);

-- The clock of leases; the embedded store has a function of the same name.
CREATE FUNCTION lab_now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE PARALLEL SAFE AS
    'SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)';
