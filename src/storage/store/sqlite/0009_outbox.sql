-- When a sample was stored, in milliseconds since 1970; not known of those that are older.
ALTER TABLE samples ADD COLUMN stored_ms INTEGER;

-- What analytics has still to be told, where it wants to be: which rows of which run, and what
-- happened. Rows are written with what they tell of, and removed when it has been told.
CREATE TABLE outbox (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    run INTEGER NOT NULL,
    body TEXT NOT NULL,
    facts INTEGER NOT NULL,
    noted_ms INTEGER NOT NULL
) STRICT;

-- Whose turn it is to tell: one process at a time. Times are of the database's clock.
CREATE TABLE outbox_turns (
    name TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
