-- Reading OSS: what an adversarial review asked.
\i sql/setup.psql
CREATE SCHEMA oss_read_review;
SET search_path = oss_read_review, public;
\pset null '<null>'
\set SHOW_CONTEXT never
-- options with COPY's words: COPY's errors
CREATE FUNCTION compare_option(format text, options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE theirs text = 'ok'; ours text = 'ok'; hint text; message text;
BEGIN
	CREATE TEMP TABLE local (a text);
	BEGIN
		EXECUTE format('COPY local FROM ''/dev/null'' (FORMAT %s, %s)', format, options);
	EXCEPTION WHEN others THEN
		GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, message = MESSAGE_TEXT;
		theirs := concat_ws(' ', SQLSTATE, message, hint);
	END;
	DROP TABLE local;
	BEGIN
		EXECUTE format('CREATE FOREIGN TABLE one (a text) SERVER oss OPTIONS (object ''no'', missing_ok ''true'', format %L, %s)', format,
			regexp_replace(options, '^(header) (\w+)$', '\1 ''\2'''));
		PERFORM * FROM one;
		DROP FOREIGN TABLE one;
	EXCEPTION WHEN others THEN
		GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, message = MESSAGE_TEXT;
		ours := concat_ws(' ', SQLSTATE, message, hint);
	END;
	RETURN CASE WHEN ours = theirs THEN 'the same: ' || ours ELSE 'COPY: ' || theirs || '; here: ' || ours END;
END $$;
SELECT f AS format, o AS option, compare_option(f, o) AS result FROM (VALUES ('csv', 'delimiter '';;'''), ('csv', 'delimiter '''''), ('text', 'delimiter ''a'''),
	('csv', 'delimiter ''a'''), ('text', E'delimiter E''\\n'''), ('csv', 'delimiter ''"'''), ('csv', 'delimiter ''ä'''), ('csv', 'quote '''''), ('csv', 'quote ''qq'''),
	('text', 'quote ''q'''), ('text', 'escape ''q'''), ('csv', 'escape ''ee'''), ('csv', 'null '','''), ('text', E'null E''a\\nb'''), ('csv', 'null ''"'''),
	('text', E'null E''\\t'''), ('csv', 'encoding ''klingon'''), ('csv', 'header x'), ('csv', 'header off'), ('text', 'header true'), ('csv', 'quote '',''')) v (f, o);
CREATE FOREIGN TABLE forced (a text OPTIONS (force_null 'true')) SERVER oss OPTIONS (object 'no', format 'text');
SELECT * FROM forced;
DROP FOREIGN TABLE forced;
CREATE FOREIGN TABLE forced (a text OPTIONS (force_quote 'true')) SERVER oss OPTIONS (object 'no', format 'text');
SELECT * FROM forced;
DROP FOREIGN TABLE forced;
-- what only the options of the server and the table together tell comes with the first use
CREATE FOREIGN TABLE together (a text) SERVER oss OPTIONS (object 'no', delimiter 'xy');
SELECT * FROM together;
DROP FOREIGN TABLE together;
-- compressed objects that are not, that end early, that are empty, padded
\! printf 'a,1\nb,2\n' | gzip -n | oss put demo/review/gz/whole.csv.gz; (printf 'a,1\nb,2\n' | gzip -n; head -c 300 /dev/zero) | oss put demo/review/gz/zeros.csv.gz; seq 100000 | sed 's/$/,x/' | gzip -n | head -c 100000 | oss put demo/review/gz/cut.csv.gz; printf '' | oss put demo/review/gz/nothing.csv.gz; printf '' | gzip -n | oss put demo/review/gz/none.csv.gz; printf 'a,1\n' | oss put demo/review/gz/plain.csv.gz; (printf 'a,1\n' | gzip -n; echo garbage) | oss put demo/review/gz/garbage.csv.gz; printf 'a,1\n' | gzip -n | oss put demo/review/gz/packed.csv
CREATE FOREIGN TABLE gz (a text, b text) SERVER oss OPTIONS (object 'review/gz/whole.csv.gz');
SELECT * FROM gz;
ALTER FOREIGN TABLE gz OPTIONS (SET object 'review/gz/zeros.csv.gz');
SELECT * FROM gz;
ALTER FOREIGN TABLE gz OPTIONS (SET object 'review/gz/cut.csv.gz');
SELECT count(*) FROM gz;
ALTER FOREIGN TABLE gz OPTIONS (SET object 'review/gz/nothing.csv.gz');
SELECT * FROM gz;
ALTER FOREIGN TABLE gz OPTIONS (SET object 'review/gz/none.csv.gz');
SELECT * FROM gz;
ALTER FOREIGN TABLE gz OPTIONS (SET object 'review/gz/plain.csv.gz');
SELECT * FROM gz;
ALTER FOREIGN TABLE gz OPTIONS (SET object 'review/gz/garbage.csv.gz');
SELECT * FROM gz;
ALTER FOREIGN TABLE gz OPTIONS (SET object 'review/gz/packed.csv');
SELECT * FROM gz;
ALTER FOREIGN TABLE gz OPTIONS (ADD compression 'gzip');
SELECT * FROM gz;
-- keys that are prefixes of keys, markers with content, odd directories
\! printf '1\n' | oss put demo/review/k/a; printf '2\n' | oss put demo/review/k/a/b; printf '3\n' | oss put demo/review/k/dir/; printf '' | oss put demo/review/k/empty/; printf '' | oss put demo/review/k/zero; printf '4\n' | oss put 'demo/review/k/x=%41%2'; printf '5\n' | oss put 'demo/review/k/a//b'
CREATE FOREIGN TABLE k (n int, __object__ text, __line__ int8, __size__ int8) SERVER oss OPTIONS (prefix 'review/k/');
SELECT * FROM k;
SELECT * FROM k WHERE __object__ = 'review/k/a';
SELECT n FROM k WHERE __object__ >= 'review/k/a/b' COLLATE "C" AND __object__ < 'review/k/e' COLLATE "C";
\! for d in 'dt=1/h=%41%2F' 'dt=1/h=__HIVE_DEFAULT_PARTITION__' 'dt=1/h=' 'dt=2/dt=3/h=b' 'h=c/x/dt=4' 'dt=5' 'dt=%zz/h=%' 'dt=2024/h=x=y' 'dt=1/h=ü'; do echo "$d" | oss put "demo/review/hive/$d/f.csv"; done; printf '' | oss put demo/review/hive/dt=1/
CREATE FOREIGN TABLE hive (what text, dt text OPTIONS (partition 'dt'), h text OPTIONS (partition 'h')) SERVER oss OPTIONS (prefix 'review/hive/');
SELECT * FROM hive ORDER BY what COLLATE "C";
SELECT what FROM hive WHERE dt = '1' AND h IS NULL;
SELECT what FROM hive WHERE h = 'A/';
SELECT what FROM hive WHERE dt = '2' AND h = 'b';
-- a bound on the key inside of a directory that is entered by its value
ALTER FOREIGN TABLE hive ADD __object__ text;
SELECT what FROM hive WHERE __object__ >= 'review/hive/dt=2024/a' COLLATE "C" AND dt = '2024';
SELECT what FROM hive WHERE __object__ >= 'review/hive/dt=2024/h' COLLATE "C" AND dt >= '2' AND h <> '';
DROP FOREIGN TABLE hive;
-- values in place outlive their record where they have to
\! seq 1 5000 | awk '{ printf "%d,k%d,\"v\"\"%d\"\n", $1, $1 % 97, $1 * 7 % 5000 }' | oss put demo/review/place/a.csv; seq 5001 9000 | awk '{ printf "%d,k%d,v%d\n", $1, $1 % 97, $1 * 7 % 5000 }' | gzip -n | oss put demo/review/place/b.csv.gz
CREATE FOREIGN TABLE place (n int, k text, v varchar, __object__ text) SERVER oss OPTIONS (prefix 'review/place/', block_size '64kB');
CREATE TEMP TABLE copy AS SELECT * FROM place;
SELECT count(*), min(v), max(v), min(k), max(k COLLATE "C"), count(DISTINCT v), count(DISTINCT __object__) FROM place;
SELECT count(*) FROM (SELECT * FROM place EXCEPT SELECT * FROM copy) x;
SELECT count(*) FROM place a JOIN place b USING (n, k, v, __object__);
SET enable_hashjoin = off;
SELECT count(*) FROM place a JOIN copy b USING (n, k, v, __object__);
SET enable_mergejoin = off;
SELECT count(*) FROM (SELECT * FROM place WHERE n < 50) a JOIN place b ON a.v = b.v AND a.n = b.n;
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT k, string_agg(v, ',' ORDER BY v) FILTER (WHERE n < 400) FROM place GROUP BY k ORDER BY k COLLATE "C" LIMIT 3;
SELECT lag(v) OVER w, v, lead(v) OVER w FROM place WINDOW w AS (ORDER BY n) ORDER BY n LIMIT 2 OFFSET 4999;
BEGIN;
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT n, v FROM place ORDER BY v COLLATE "C", n;
FETCH 2 FROM c;
FETCH LAST FROM c;
COMMIT;
FETCH ABSOLUTE 2 FROM c;
CLOSE c;
-- side by side, and several times
CREATE TABLE both_sides (n int, k text, v varchar, __object__ text) PARTITION BY RANGE (n);
CREATE FOREIGN TABLE side1 PARTITION OF both_sides FOR VALUES FROM (0) TO (5001) SERVER oss OPTIONS (object 'review/place/a.csv', block_size '64kB');
CREATE FOREIGN TABLE side2 PARTITION OF both_sides FOR VALUES FROM (5001) TO (10000) SERVER oss OPTIONS (object 'review/place/b.csv.gz', block_size '64kB');
SELECT count(*), count(DISTINCT v), max(v) FROM both_sides;
SELECT x, (SELECT max(v) FROM both_sides WHERE n = x * 1000 + 1) FROM generate_series(1, 3) x;
SELECT o, n FROM (VALUES ('review/place/a.csv'), ('no'), (NULL), ('review/place/b.csv.gz')) v (o), LATERAL (SELECT count(*) AS n FROM place WHERE __object__ = o OFFSET 0) x;
PREPARE p (text) AS SELECT count(*) FROM place WHERE __object__ = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE p ('review/place/a.csv');
EXECUTE p (NULL);
RESET plan_cache_mode;
-- headers that differ
\! printf 'n,k\n1,a\n' | oss put demo/review/head/1.csv; printf 'k,n\nb,2\n' | oss put demo/review/head/2.csv; printf 'n,k\n' | oss put demo/review/head/3.csv; printf '' | oss put demo/review/head/4.csv; printf 'k,"n",n\nc,3,4\n' | oss put demo/review/head/5.csv
CREATE FOREIGN TABLE head (n int, k text) SERVER oss OPTIONS (prefix 'review/head/', pattern '[1-4].csv', header 'true', match_by 'name');
SELECT * FROM head;
ALTER FOREIGN TABLE head OPTIONS (SET pattern '5.csv');
SELECT * FROM head;
ALTER FOREIGN TABLE head OPTIONS (DROP match_by, SET header 'match', SET pattern '[1-4].csv');
SELECT * FROM head;
-- a bucket is a part of a host's name, never the end of one: the endpoint alone says where requests go
\set VERBOSITY terse
CREATE SERVER outside FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint 'http://oss-cn-hangzhou.aliyuncs.com', bucket '169.254.169.254#');
CREATE SERVER outside FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint 'http://oss-cn-hangzhou.aliyuncs.com', bucket '127.0.0.1:80?');
CREATE SERVER outside FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint 'http://oss-cn-hangzhou.aliyuncs.com', bucket 'user@localhost');
CREATE SERVER outside FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint 'http://oss-cn-hangzhou.aliyuncs.com', bucket 'localhost\x');
-- who is not a superuser reaches no other host, by neither way
CREATE ROLE oss_plain;
GRANT USAGE ON FOREIGN DATA WRAPPER oss_fdw TO oss_plain;
CREATE SERVER rr_web FOREIGN DATA WRAPPER oss_fdw OPTIONS (base_url 'http://169.254.169.254/latest');
CREATE SERVER named FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint 'http://10.0.0.1', bucket 'b', url_style 'cname');
ALTER SERVER rr_web OWNER TO oss_plain;
ALTER SERVER named OWNER TO oss_plain;
CREATE FOREIGN TABLE rr_web (a text) SERVER rr_web OPTIONS (object 'meta-data', format 'line');
CREATE FOREIGN TABLE named (a text) SERVER named OPTIONS (object 'a', format 'line');
SELECT * FROM rr_web;
SELECT * FROM named;
SELECT * FROM mc.objects('named');
-- a view reads with its owner's mapping
CREATE FOREIGN TABLE mine (a text) SERVER oss OPTIONS (object 'review/k/a');
CREATE VIEW mine_view AS SELECT * FROM mine;
GRANT USAGE ON SCHEMA oss_read_review TO oss_plain;
GRANT SELECT ON mine, mine_view TO oss_plain;
SET ROLE oss_plain;
SELECT * FROM mine_view;
\set VERBOSITY sqlstate
SELECT * FROM mine;
RESET ROLE;
DROP SERVER rr_web, named CASCADE;
REVOKE ALL ON FOREIGN DATA WRAPPER oss_fdw FROM oss_plain;
DROP OWNED BY oss_plain;
DROP ROLE oss_plain;
-- a NUL in another encoding is an invalid byte, as for COPY
\! printf 'a\0b\n' | oss put demo/review/nul.csv
CREATE FOREIGN TABLE nul (a text) SERVER oss OPTIONS (object 'review/nul.csv', encoding 'GBK');
\set VERBOSITY default
\set SHOW_CONTEXT errors
SELECT * FROM nul;
