DROP TABLE outbox_turns, outbox;
ALTER TABLE samples DROP COLUMN stored_ms;
