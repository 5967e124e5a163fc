-- Which objects a table has, and which of them a scan reads.
\i sql/setup.psql
CREATE SCHEMA oss_objects;
SET search_path = oss_objects, public;
\! oss mk objects
CREATE SERVER ob FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint :'oss_endpoint', bucket 'objects', url_style 'path', region 'cn-hangzhou');
CREATE USER MAPPING FOR CURRENT_USER SERVER ob OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
\! for k in o/a.csv o/b.csv o/b.csv.bak o/sub/c.csv o/sub/deep/d.csv oo/x.csv 'o/with blank+%.csv'; do oss printf "objects/$k" "$(basename "$k" | cut -c1)\n"; done
\! oss printf objects/o/中.csv 'z\n'
\! oss printf objects/o/ ''
\! oss printf objects/o/sub/ ''
CREATE FOREIGN TABLE t (v text, k text OPTIONS (field '__object__') COLLATE "C") SERVER ob OPTIONS (prefix 'o/');
SELECT k, v FROM t;
ALTER FOREIGN TABLE t OPTIONS (ADD pattern '*.csv');
SELECT k FROM t;
ALTER FOREIGN TABLE t OPTIONS (SET pattern '**/*.csv');
SELECT k FROM t;
ALTER FOREIGN TABLE t OPTIONS (SET pattern '{a,b}.csv*', DROP prefix);
SELECT k FROM t;
ALTER FOREIGN TABLE t OPTIONS (SET pattern 'o/[!a].csv');
SELECT k FROM t;
ALTER FOREIGN TABLE t OPTIONS (SET pattern 'o*/?.csv');
SELECT k FROM t;
-- conditions on the key
ALTER FOREIGN TABLE t OPTIONS (DROP pattern, ADD prefix 'o');
SELECT k FROM t WHERE k > 'o/b' AND k <= 'o/sub/c.csv';
SELECT k FROM t WHERE k IN ('o/a.csv', 'oo/x.csv', 'nothing', NULL);
SELECT k FROM t WHERE k LIKE '%.bak' OR k ~ 'deep';
SELECT k FROM t WHERE k = 'elsewhere';
SELECT k FROM t WHERE k < 'o/b' AND v = 'a';

-- directories of values
\! for d in 2024-01-01 2024-01-02 __HIVE_DEFAULT_PARTITION__; do for r in cn eu%2Fwest ''; do oss printf "objects/h/dt=$d/region=$r/f.csv" "$d\n"; done; done
\! oss printf objects/h/dt=2024-01-01/other.csv 'not in the form\n'
CREATE FOREIGN TABLE h (v text, dt date OPTIONS (partition 'dt'), region text OPTIONS (partition 'region') COLLATE "C") SERVER ob OPTIONS (prefix 'h/');
SELECT * FROM h;
SELECT count(*) FROM h WHERE dt IS NULL;
SELECT v, region FROM h WHERE dt = '2024-01-02' AND region LIKE 'e%';
SELECT count(*) FROM h WHERE region = '';
SELECT v FROM h WHERE region = 'eu/west' ORDER BY 1;
CREATE FOREIGN TABLE tpl (v text, dt text, region text) SERVER ob OPTIONS (prefix 'h/dt={dt}/region={region}/');
SELECT dt, region, v FROM tpl WHERE dt = '2024-01-02';
-- parameters, joins, rescans
PREPARE p (date) AS SELECT count(*) FROM h WHERE dt = $1;
EXECUTE p ('2024-01-01');
EXECUTE p ('2024-01-03');
EXECUTE p (NULL);
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT d, h.region FROM generate_series(date '2024-01-01', '2024-01-03', '1 day') d JOIN h ON h.dt = d::date AND h.region <> '' ORDER BY 1, 2;
RESET enable_hashjoin;
RESET enable_mergejoin;
-- the time of the last change
CREATE FOREIGN TABLE m (v text, __last_modified__ timestamptz) SERVER ob OPTIONS (prefix 'h/');
SELECT count(*) FROM m WHERE __last_modified__ > now() - interval '1 hour';
SELECT count(*) FROM m WHERE __last_modified__ > now() + interval '1 hour';

-- directories that are wanted one after the other are listed together, the others are not listed
\! emu '{"service":"oss","op":"generate_many","bucket":"objects","key":"run/dt={n:4}/a.csv","count":300,"text":"{n}\n"}' >/dev/null
\! emu '{"service":"oss","op":"generate_many","bucket":"objects","key":"run/dt=other{n:4}","count":300,"text":"no directory\n"}' >/dev/null
CREATE FOREIGN TABLE run (n int, dt int) SERVER ob OPTIONS (prefix 'run/dt={dt}/');
CREATE FUNCTION listed(q text) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || q LOOP
		IF line ~ '(List Pages|Listed|Pruned|Passed Over|Objects Read)' THEN RETURN NEXT; END IF;
	END LOOP;
END $$;
SELECT count(*), sum(n), min(dt), max(dt) FROM run WHERE dt >= 3;
SELECT listed('SELECT * FROM run WHERE dt >= 3');
SELECT count(*), sum(n) FROM run WHERE dt NOT IN (0, 100, 299);
SELECT listed('SELECT * FROM run WHERE dt NOT IN (0, 100, 299)');
SELECT count(*), sum(n) FROM run WHERE dt % 100 = 7;
SELECT listed('SELECT * FROM run WHERE dt % 100 = 7');
\! emu '{"service":"oss","op":"set","page_keys":7}' >/dev/null
SELECT count(*), sum(n), min(dt), max(dt) FROM run WHERE dt BETWEEN 3 AND 290;
\! emu '{"service":"oss","op":"set","page_keys":1000}' >/dev/null

-- many objects, side by side, in order; some are empty
\! for i in $(seq 100 160); do if [ $((i % 7)) = 0 ]; then oss printf objects/many/$i ''; else seq $i $((i + i % 5)) | oss put objects/many/$i; fi; done
CREATE FOREIGN TABLE many (n int, o text OPTIONS (field '__object__') COLLATE "C", l bigint OPTIONS (field '__line__')) SERVER ob OPTIONS (prefix 'many/');
SELECT count(*), sum(n), count(DISTINCT o), sum(l) FROM many;
SELECT count(*), sum(n), bool_and(n = substr(o, 6)::int + l - 1) AS right FROM many;
SELECT bool_and(o >= before) AS ordered FROM (SELECT o, lag(o) OVER () AS before FROM many) s;
SELECT count(*) FROM (SELECT FROM many LIMIT 5) s;
SET mc_fdw.concurrency = 1;
SELECT count(*), sum(n) FROM many;
RESET mc_fdw.concurrency;

-- partitions of a local table are read side by side
CREATE TABLE everything (n int, name text) PARTITION BY RANGE (n);
CREATE FOREIGN TABLE p1 PARTITION OF everything FOR VALUES FROM (0) TO (130) SERVER ob OPTIONS (object 'async/1');
CREATE FOREIGN TABLE p2 PARTITION OF everything FOR VALUES FROM (130) TO (1000) SERVER ob OPTIONS (prefix 'async/2');
\! for i in $(seq 0 129); do echo $i,a; done | oss put objects/async/1
\! for i in $(seq 130 199); do echo $i,b; done | oss put objects/async/2a
\! for i in $(seq 200 299); do echo $i,c; done | gzip | oss put objects/async/2b.gz
EXPLAIN (COSTS OFF) SELECT * FROM everything;
SELECT count(*), sum(n), count(DISTINCT n), count(DISTINCT name) FROM everything;
SELECT count(*) FROM (SELECT FROM everything LIMIT 200) s;

-- signature V1, a key of STS, nobody, a plain web server
CREATE SERVER v1 FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint :'oss_endpoint', bucket 'objects', url_style 'path', signature_version 'v1');
CREATE USER MAPPING FOR CURRENT_USER SERVER v1 OPTIONS (access_key_id 'sts-id', access_key_secret 'sts-secret', security_token 'sts-token');
CREATE FOREIGN TABLE v1 (v text, __object__ text) SERVER v1 OPTIONS (pattern 'o/w*');
SELECT * FROM v1;
ALTER SERVER v1 OPTIONS (SET signature_version 'v4', ADD region 'cn-hangzhou');
SELECT * FROM v1;
DROP USER MAPPING FOR CURRENT_USER SERVER v1;
\set VERBOSITY sqlstate
SELECT * FROM v1;
\set VERBOSITY default
-- what everybody may read; as a plain web server too, whose keys begin with the bucket
\! emu '{"service":"oss","op":"create_bucket","bucket":"public","acl":"public-read","replace":true}' >/dev/null
\! emu '{"service":"oss","op":"put_object","bucket":"public","key":"dir/a b.csv","text":"p\nq\n"}' >/dev/null
ALTER SERVER v1 OPTIONS (SET bucket 'public');
ALTER FOREIGN TABLE v1 OPTIONS (SET pattern '**');
SELECT * FROM v1;
SELECT :'oss_endpoint' || '/public' AS web_url \gset
CREATE SERVER web FOREIGN DATA WRAPPER oss_fdw OPTIONS (base_url :'web_url');
CREATE FOREIGN TABLE web (v text, __object__ text, __size__ bigint) SERVER web OPTIONS (object 'dir/a b.csv');
SELECT * FROM web;
ALTER FOREIGN TABLE web OPTIONS (SET object 'nothing');
\set VERBOSITY sqlstate
SELECT * FROM web;
\set VERBOSITY default
