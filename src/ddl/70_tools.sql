-- Tools around servers, foreign tables and the texts of jobs.

CREATE FUNCTION mc.lint(
	sql text, every interval DEFAULT NULL,
	OUT severity text, OUT rule text, OUT message text, OUT hint text)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_lint';
COMMENT ON FUNCTION mc.lint(text, interval) IS
'what is wrong with the text of a job ($1, $2 are the window, every its length): errors, warnings and notices, without running it and without a request';

CREATE FUNCTION mc.check(
	server name, OUT step text, OUT state text, OUT detail text, OUT hint text)
RETURNS SETOF record
LANGUAGE c STRICT VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'mc_check';
COMMENT ON FUNCTION mc.check(name) IS
'connection, TLS, clock, credentials, permissions of a server, step by step; state is ok, warning, error or skipped, and nothing is written';
