-- Options: what is legal where, ranges, required ones; GUC over table over server.
\i sql/setup.psql
\set VERBOSITY default
-- server
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw;
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'cn-hangzhou.log.aliyuncs.com', project 'web');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'ftp://cn-hangzhou.log.aliyuncs.com', project 'web');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://user:pw@cn-hangzhou.log.aliyuncs.com', project 'web');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', access_key_secret 'x');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', logstore 'x');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', tunnel_endpoint 'x');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', fetch_size '1001');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', compression 'deflate');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', stall_timeout 'soon');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', timezone 'Mars/Olympus');
CREATE SERVER o1 FOREIGN DATA WRAPPER loghub_fdw
	OPTIONS (endpoint 'https://cn-hangzhou.log.aliyuncs.com', project 'web', region 'cn-hangzhou', connect_timeout '5s', stall_timeout '1min',
		max_retries '3', retry_max_elapsed '2min', concurrency '8', rate_limit '64MB', timezone 'Asia/Shanghai', on_error 'stop', reject_limit '10',
		log_verbosity 'default', fetch_size '500', compression 'zstd', expired_window 'error', max_delay '7d', max_clock_skew '15min');
-- user mapping
CREATE USER MAPPING FOR CURRENT_USER SERVER o1 OPTIONS (access_key_id 'a');
CREATE USER MAPPING FOR CURRENT_USER SERVER o1 OPTIONS (access_key_id 'a', access_key_secret 'b', project 'p');
CREATE USER MAPPING FOR CURRENT_USER SERVER o1 OPTIONS (access_key_id 'a', access_key_secret '');
CREATE USER MAPPING FOR CURRENT_USER SERVER o1 OPTIONS (access_key_id 'a', access_key_secret 'b', security_token 'c');
-- table and columns
CREATE FOREIGN TABLE ot (a text) SERVER o1;
CREATE FOREIGN TABLE ot (a text) SERVER o1 OPTIONS (logstore 'l', endpoint 'https://x');
CREATE FOREIGN TABLE ot (a text) SERVER o1 OPTIONS (logstore 'l', expired_window 'ignore');
CREATE FOREIGN TABLE ot (a text OPTIONS (column_name 'b')) SERVER o1 OPTIONS (logstore 'l');
CREATE FOREIGN TABLE ot (a text OPTIONS (field 'b'), t timestamptz OPTIONS (field '__receive_time__')) SERVER o1 OPTIONS (logstore 'l', fetch_size '10', concurrency '2');
EXPLAIN (VERBOSE, COSTS OFF) SELECT a FROM ot WHERE t >= '2024-01-01 00:00+08';
DROP SERVER o1 CASCADE;

-- which one wins: the emulator tells the number of requests for 20 groups
SET client_min_messages = warning;
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"opts","shards":1,"ttl":30}' >/dev/null
\! emu '{"service":"loghub","op":"generate","project":"web","logstore":"opts","profile":"text10","rows":200,"logs_per_group":10,"seed":1}' >/dev/null
CREATE FOREIGN TABLE opts (c1 text) SERVER sls OPTIONS (logstore 'opts', fetch_size '10');
CREATE FUNCTION pages(q text DEFAULT 'SELECT c1 FROM opts') RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; found text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) ' || q LOOP
		IF line ~ ' Pages: ' THEN found := trim(line); END IF;
	END LOOP;
	RETURN found;
END $$;
-- one chain of requests, so that the number of pages is certain
SET mc_fdw.concurrency = 1;
SELECT pages();
SET mc_fdw.fetch_size = 4;
SELECT pages();
RESET mc_fdw.fetch_size;
ALTER SERVER sls OPTIONS (ADD fetch_size '2');
SELECT pages();
ALTER FOREIGN TABLE opts OPTIONS (DROP fetch_size);
SELECT pages();
ALTER SERVER sls OPTIONS (DROP fetch_size);
SELECT pages();
RESET mc_fdw.concurrency;
-- each coding, each signature, any concurrency: the same rows
CREATE TEMP TABLE seen AS SELECT md5(string_agg(c1, ',' ORDER BY c1)) AS h FROM opts;
SELECT count(*) FROM opts;
SET mc_fdw.compression = 'zstd';
SELECT md5(string_agg(c1, ',' ORDER BY c1)) = h AS same FROM opts, seen GROUP BY h;
SET mc_fdw.compression = 'none';
SELECT md5(string_agg(c1, ',' ORDER BY c1)) = h AS same FROM opts, seen GROUP BY h;
RESET mc_fdw.compression;
SET mc_fdw.fetch_size = 1;
SET mc_fdw.concurrency = 1;
SELECT md5(string_agg(c1, ',' ORDER BY c1)) = h AS same FROM opts, seen GROUP BY h;
SET mc_fdw.concurrency = 64;
SELECT md5(string_agg(c1, ',' ORDER BY c1)) = h AS same FROM opts, seen GROUP BY h;
-- LIMIT fetches little of it
SELECT split_part(pages('SELECT c1 FROM opts LIMIT 10'), ' ', 2)::int < 10 AS few;
RESET mc_fdw.fetch_size;
RESET mc_fdw.concurrency;
ALTER SERVER sls OPTIONS (ADD region 'cn-test');
SELECT md5(string_agg(c1, ',' ORDER BY c1)) = h AS same FROM opts, seen GROUP BY h;
ALTER SERVER sls OPTIONS (DROP region);
DROP FOREIGN TABLE opts;
DROP FUNCTION pages;
