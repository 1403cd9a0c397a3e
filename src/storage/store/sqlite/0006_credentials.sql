-- Credentials say whose models they are for, and who wrote them when. Never the secret itself:
-- `secret_ref` says where it lies, `allowed_hosts` (a JSON array) where it may be sent.
ALTER TABLE provider_credentials ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE provider_credentials ADD COLUMN revision INTEGER NOT NULL DEFAULT 1;
ALTER TABLE provider_credentials ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE provider_credentials ADD COLUMN updated_at TEXT NOT NULL DEFAULT '';
