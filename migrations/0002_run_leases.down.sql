DROP FUNCTION lab_now_ms();
DROP TABLE run_events, run_leases;
