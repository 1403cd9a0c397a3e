-- Evaluations are of three kinds: sample, run_summary and definition. Only definitions have names.
CREATE TABLE evaluations_new (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    org INTEGER NOT NULL REFERENCES orgs (key),
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    visibility TEXT NOT NULL,
    collaborators TEXT NOT NULL,
    tags TEXT NOT NULL,
    search TEXT NOT NULL,
    body TEXT NOT NULL,
    revision INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    kind TEXT NOT NULL,
    evaluation_type TEXT NOT NULL DEFAULT '',
    experiment_id TEXT NOT NULL DEFAULT '',
    run_id TEXT NOT NULL DEFAULT ''
) STRICT;
INSERT INTO evaluations_new (
    key, id, org, owner_id, name, status, visibility, collaborators, tags, search, body, revision,
    created_at, updated_at, kind, evaluation_type, experiment_id, run_id
)
SELECT key, id, org, owner_id, name, status, visibility, collaborators, tags, search, body, revision,
    created_at, updated_at, 'definition', evaluation_type, experiment_id, run_id
FROM evaluations;
DROP TABLE evaluations;
ALTER TABLE evaluations_new RENAME TO evaluations;
CREATE UNIQUE INDEX evaluations_by_name ON evaluations (org, owner_id, name) WHERE name <> '';
CREATE INDEX evaluations_by_time ON evaluations (org, created_at, id);
CREATE INDEX evaluations_by_run ON evaluations (run_id);
CREATE INDEX evaluations_by_experiment ON evaluations (experiment_id);

-- An experiment that carries the runs of an evaluation's definition; those of people carry none.
ALTER TABLE experiments ADD COLUMN evaluation_id TEXT NOT NULL DEFAULT '';
