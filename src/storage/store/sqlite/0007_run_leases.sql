-- Who works on a run. `fence` counts those who have: whoever writes for the run names his, and is
-- refused when it is not the last. Times are of the database's clock, in milliseconds since 1970.
CREATE TABLE run_leases (
    run INTEGER NOT NULL PRIMARY KEY REFERENCES runs (key) ON DELETE CASCADE,
    owner TEXT NOT NULL,
    fence INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX run_leases_by_owner ON run_leases (owner);

-- What happened in runs lately, for those who listen at another process than the one that works.
CREATE TABLE run_events (
    run INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    type TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
