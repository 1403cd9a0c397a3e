-- How many attempts of a call ended without an answer; after a crash at most one more was sent.
ALTER TABLE intents ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
-- Requests behind an uncertain entry that no finished sample counts.
ALTER TABLE uncertain ADD COLUMN calls INTEGER NOT NULL DEFAULT 1;
