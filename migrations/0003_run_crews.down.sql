ALTER TABLE intents DROP COLUMN fence;
ALTER TABLE run_leases
    DROP COLUMN crew_fence,
    DROP COLUMN short,
    DROP COLUMN ending,
    DROP COLUMN spent_pico,
    DROP COLUMN spent_tokens,
    DROP COLUMN spent_calls,
    DROP COLUMN done,
    DROP COLUMN failed;
DROP TABLE run_pauses, run_shards, run_members;
