-- How the database is. psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -f db-health.sql, PostgreSQL 15 or later.

\echo Connections by client and state, of as many as there may be
SELECT coalesce(nullif(application_name, ''), '-') AS client, state, count(*) AS connections,
       current_setting('max_connections') AS max_connections
FROM pg_stat_activity
WHERE backend_type = 'client backend'
GROUP BY 1, 2
ORDER BY 3 DESC
LIMIT 30;

\echo Active connections
SELECT count(*) AS active_connections
FROM pg_stat_activity
WHERE state = 'active';

\echo Queries of more than five minutes
SELECT pid, now() - pg_stat_activity.query_start AS duration, left(query, 200) AS query
FROM pg_stat_activity
WHERE state = 'active'
  AND backend_type = 'client backend'
  AND (now() - pg_stat_activity.query_start) > interval '5 minutes';

\echo Who waits for whom
SELECT waiting.pid, waiting.application_name AS client, pg_blocking_pids(waiting.pid) AS blocked_by,
       now() - waiting.query_start AS waiting_for
FROM pg_stat_activity AS waiting
WHERE cardinality(pg_blocking_pids(waiting.pid)) > 0
LIMIT 10;

\echo Table sizes
SELECT relname, pg_size_pretty(pg_total_relation_size(relid))
FROM pg_catalog.pg_statio_user_tables
ORDER BY pg_total_relation_size(relid) DESC
LIMIT 10;

-- The view has relname and indexrelname, not tablename and indexname.
\echo Index usage
SELECT schemaname, relname AS tablename, indexrelname AS indexname, idx_scan, idx_tup_read, idx_tup_fetch
FROM pg_stat_user_indexes
ORDER BY idx_scan DESC
LIMIT 10;

\echo Replicas and how far behind they are
SELECT application_name, state, sync_state, replay_lag
FROM pg_stat_replication;
