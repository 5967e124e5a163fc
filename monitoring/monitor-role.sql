-- A role for Grafana and exporters; run once in each database with jobs, as a superuser.
-- pg_monitor has pg_read_all_stats: it sees how the jobs of all roles fare (mc.status, mc.run_stats,
-- mc.open_entry, mc.progress) and neither their texts nor their rows.  It cannot run or change any job.
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mc_monitor') THEN
		CREATE ROLE mc_monitor LOGIN CONNECTION LIMIT 5 IN ROLE pg_monitor;
	END IF;
END
$$;
ALTER ROLE mc_monitor SET default_transaction_read_only = on;
ALTER ROLE mc_monitor SET statement_timeout = '10s';
