-- INSERT and COPY into a logstore: groups, times, values, tags, hash keys, batches, ids, EXPLAIN, transactions.
\i sql/setup.psql
CREATE SCHEMA log_write;
SET search_path = log_write, public;
SET client_min_messages = warning;
\! emu clock '{"system":true}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"w-plain","shards":2,"ttl":30}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"w-types","shards":1,"ttl":30}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"w-hash","shards":3,"ttl":30}' >/dev/null
\! emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"w-batch","shards":1,"ttl":30}' >/dev/null
CREATE FOREIGN TABLE w (__time__ timestamptz, __topic__ text, __source__ text, env text OPTIONS (field '__tag__:env'),
  id int, msg text, rest jsonb OPTIONS (field '*')) SERVER sls OPTIONS (logstore 'w-plain');
\pset null '<null>'

-- what is absent, what is empty
INSERT INTO w (id, msg) VALUES (1, NULL), (2, ''), (3, '中文 é "q"');
INSERT INTO w VALUES (now() - interval '1 hour', 't1', '10.0.0.1', 'prod', 4, 'x', '{"n": 1.50, "b": true, "gone": null, "o": {"k": [1, 2]}, "s": ""}');
INSERT INTO w (id, __topic__, env) VALUES (5, '', NULL), (6, 't1', 'prod'), (7, 't1', '');
SELECT id, msg, __topic__, __source__, env, rest, __time__ BETWEEN now() - interval '2 hours' AND now() AS timed FROM w ORDER BY id;
-- the default time is now()
BEGIN;
INSERT INTO w (id) VALUES (10), (11);
SELECT id, __time__ = now() AS is_now FROM w WHERE id IN (10, 11) ORDER BY 1;
COMMIT;

-- every type, through the service and back
CREATE TYPE mood AS ENUM ('sad', 'so so');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE FOREIGN TABLE t (n int, i2 int2, i8 int8, f4 float4, f8 float8, num numeric, b bool, d date, ts timestamp, tz timestamptz, tm time,
  iv interval, u uuid, ip inet, raw bytea, j json, jb jsonb, a int[], ta text[], m mood, p positive, c char(4), v varchar(5))
  SERVER sls OPTIONS (logstore 'w-types');
CREATE TABLE t_local (LIKE t);
INSERT INTO t_local VALUES
  (1, -32768, '-9223372036854775808', '-3.4028235e38', '-1.7976931348623157e308', '-0.00000000000000000001', false, '4713-01-01 BC', '0001-01-01 BC', '4713-01-01 00:00+00 BC', '00:00',
   '-178000000 years', '00000000-0000-0000-0000-000000000000', '::1', '\x', '{"a":  1}', '{"a": [null]}', '{}', '{}', 'sad', 1, '', ''),
  (2, 32767, 9223372036854775807, 'NaN', 'Infinity', 'NaN', true, 'infinity', '294276-12-31 23:59:59.999999', '-infinity', '24:00',
   '1 year 2 mons 3 days 04:05:06.789', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '10.0.0.0/8', '\x00ff', 'null', '"text"', '{{1,2},{3,NULL}}', '{"a,b","NULL",NULL,""}', 'so so', 2147483647, 'ab', '中文 é!'),
  (4, 0, 0, 0.1, 0.1, 1.10, NULL, '2024-02-29', '2024-02-29 12:00', '2024-02-29 12:00:00.5+08', '23:59:59.999999', '0', NULL, NULL, '\x31', '[]', '{}', '{1}', '{x}', NULL, NULL, 'abcd', 'x');
INSERT INTO t_local (n) VALUES (3);
SET TimeZone = 'America/New_York'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = 'sql_standard'; SET extra_float_digits = -3; SET bytea_output = 'escape';
INSERT INTO t SELECT * FROM t_local;
RESET TimeZone; RESET DateStyle; RESET IntervalStyle; RESET extra_float_digits; RESET bytea_output;
SELECT count(*) FROM t JOIN t_local l USING (n) WHERE t::text = l::text;
SELECT t::text, l::text FROM t JOIN t_local l USING (n) WHERE t::text <> l::text;

-- times
CREATE FOREIGN TABLE tm (__time__ numeric, __time_ns_part__ int, id int) SERVER sls OPTIONS (logstore 'w-types');
CREATE FOREIGN TABLE tx (__time__ text, id int) SERVER sls OPTIONS (logstore 'w-types');
CREATE FOREIGN TABLE tb (__time__ bigint, __time_ns_part__ bigint, id int) SERVER sls OPTIONS (logstore 'w-types');
SELECT extract(epoch FROM date_trunc('hour', now()))::bigint AS hour \gset
INSERT INTO tm VALUES (:hour + 0.123456789, NULL, 101), (:hour, 7, 102), (:hour + 0.5, 500000001, 103), (:hour, NULL, 104), (:hour + 0.100000000000, NULL, 105);
INSERT INTO tx VALUES (:'hour' || '.000000001', 106), (:'hour', 107);
INSERT INTO tb VALUES (:hour, 999999999, 108), (:hour, NULL, 109), (NULL, NULL, 110);
SELECT id, __time__ - :hour AS after, __time_ns_part__ FROM tm WHERE id BETWEEN 101 AND 109 ORDER BY id;
SELECT __time_ns_part__ FROM tb WHERE id = 110;
INSERT INTO tm VALUES (:hour + 0.1234567891, NULL, 1);
INSERT INTO tm VALUES (-1, NULL, 1);
INSERT INTO tm VALUES (4294967296, NULL, 1);
INSERT INTO tm VALUES (:hour + 0.25, 1, 1);
INSERT INTO tm VALUES (:hour, 1000000000, 1);
INSERT INTO tx VALUES ('yesterday', 1);
INSERT INTO w (__time__, id) VALUES ('infinity', 1);
INSERT INTO w (__time__, id) VALUES ('1969-12-31 23:59:59.9+00', 1);

-- the service takes logs of the last week
\set VERBOSITY sqlstate
INSERT INTO w (__time__, id) VALUES (now() - interval '8 days', 20);
\set VERBOSITY default
SELECT count(*) FROM w WHERE id = 20;

-- what only the service sets
CREATE FOREIGN TABLE fixed (__receive_time__ timestamptz, __shard__ int, __cursor__ text, ip text OPTIONS (field '__tag__:__client_ip__'), id int) SERVER sls OPTIONS (logstore 'w-plain');
INSERT INTO fixed (__receive_time__, id) VALUES (now(), 1);
INSERT INTO fixed (__shard__, id) VALUES (0, 1);
INSERT INTO fixed (__cursor__, id) VALUES ('x', 1);
INSERT INTO fixed (ip, id) VALUES ('1.1.1.1', 1);
INSERT INTO fixed (id, __shard__) VALUES (30, NULL);
SELECT count(*) FROM fixed WHERE id = 30;

-- values that do not fit
CREATE FOREIGN TABLE nn (__topic__ text, id int NOT NULL, msg text, rest jsonb OPTIONS (field '*')) SERVER sls OPTIONS (logstore 'w-plain');
INSERT INTO nn VALUES ('t', NULL, 'x');
INSERT INTO nn VALUES (repeat('t', 129), 1, 'x');
INSERT INTO nn VALUES ('t', 1, repeat('x', 1024 * 1024 + 1));
INSERT INTO nn VALUES ('t', 1, 'x', '[]');
INSERT INTO nn VALUES ('t', 1, 'x', '{"": 1}');
INSERT INTO nn VALUES ('t', 1, 'x', jsonb_build_object(repeat('k', 129), 1));
INSERT INTO nn VALUES ('t', 1, 'x', '{"id": 1}');
INSERT INTO nn VALUES ('t', 1, 'x', '{"__topic__": "a"}');
INSERT INTO nn VALUES ('t', 1, 'x', '{"__tag__:a": "a"}');
ALTER FOREIGN TABLE nn OPTIONS (ADD on_error 'reject', ADD reject_limit '3');
INSERT INTO nn SELECT 'rej', nullif(g, 42), CASE WHEN g = 43 THEN repeat('x', 1024 * 1024 + 1) ELSE 'x' END FROM generate_series(40, 45) g;
SELECT position_in_source, column_name, reason FROM mc.last_rejects() ORDER BY 1;
INSERT INTO nn SELECT 'rej', NULL FROM generate_series(1, 4) g;
ALTER FOREIGN TABLE nn OPTIONS (SET on_error 'set_null');
INSERT INTO nn SELECT CASE WHEN g = 52 THEN repeat('t', 129) ELSE 'nul' END, nullif(g, 53), CASE WHEN g = 51 THEN repeat('x', 1024 * 1024 + 1) ELSE 'x' END FROM generate_series(50, 54) g;
SELECT __topic__, id, msg FROM nn WHERE id BETWEEN 40 AND 54 ORDER BY id;
-- a log that only the service refuses: the others of its batch are stored
CREATE FOREIGN TABLE old (__time__ timestamptz, id int) SERVER sls OPTIONS (logstore 'w-plain', on_error 'reject');
INSERT INTO old SELECT CASE WHEN g IN (1003, 1050) THEN now() - interval '9 days' ELSE now() END, g FROM generate_series(1001, 1100) g;
SELECT count(*), count(*) FILTER (WHERE id IN (1003, 1050)) FROM w WHERE id BETWEEN 1001 AND 1100;
SELECT position_in_source, regexp_replace(reason, 'request id [0-9A-F]+', 'request id ...') FROM mc.last_rejects() ORDER BY 1;

-- hash keys
CREATE FOREIGN TABLE h (__hash_key__ text, __shard__ int, id int) SERVER sls OPTIONS (logstore 'w-hash');
INSERT INTO h (__hash_key__, id) VALUES ('00', 1), ('55', 2), ('56', 3), ('AB', 4), ('ffffffffffffffffffffffffffffffff', 5), ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', 6), ('55555555555555555555555555555555', 7);
SELECT id, __shard__, __hash_key__ FROM h ORDER BY id;
INSERT INTO h (__hash_key__, id) SELECT md5(g::text), g FROM generate_series(101, 400) g;
SELECT count(*), bool_and(__shard__ = CASE WHEN md5(id::text) < '55555555555555555555555555555555' THEN 0 WHEN md5(id::text) < 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' THEN 1 ELSE 2 END) FROM h WHERE id > 100;
INSERT INTO h (__hash_key__, id) VALUES ('xyz', 1);
INSERT INTO h (__hash_key__, id) VALUES ('', 1);
INSERT INTO h (__hash_key__, id) VALUES (repeat('0', 33), 1);

-- batches: by rows, by size, by group; budget
CREATE FOREIGN TABLE b (__cursor__ text, __topic__ text, id int, msg text) SERVER sls OPTIONS (logstore 'w-batch', batch_size '100');
CREATE FUNCTION explain(command text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || command LOOP
    IF line ~ '^ +(Target|Write Mode|Compression|Batch|Request Size|Concurrency|Rows|Batches|Retries|Throttled)' THEN RETURN NEXT trim(line); END IF;
  END LOOP;
END $$;
SELECT explain('INSERT INTO b (id) SELECT g FROM generate_series(1, 1001) g');
SELECT n, count(*) FROM (SELECT count(*) AS n FROM b GROUP BY __cursor__) x GROUP BY 1 ORDER BY 1;
SELECT explain($$INSERT INTO b (__topic__, id) SELECT 't' || g % 3, 2000 + g FROM generate_series(1, 300) g$$);
SELECT __topic__, count(*), count(DISTINCT __cursor__) FROM b WHERE id > 2000 GROUP BY 1 ORDER BY 1;
ALTER FOREIGN TABLE b OPTIONS (ADD request_size '10kB', ADD compression 'zstd');
INSERT INTO b (id, msg) SELECT 3000 + g, repeat('x', 1000) FROM generate_series(1, 100) g;
SELECT n, count(*) FROM (SELECT count(*) AS n FROM b WHERE id > 3000 GROUP BY __cursor__) x GROUP BY 1 ORDER BY 1;
-- one row larger than that
ALTER FOREIGN TABLE b OPTIONS (SET compression 'none');
INSERT INTO b (id, msg) VALUES (4001, 'a'), (4002, repeat('y', 900000)), (4003, 'b');
SELECT id, length(msg) FROM b WHERE id > 4000 ORDER BY id;
-- more groups than are remembered
ALTER FOREIGN TABLE b OPTIONS (DROP request_size, SET compression 'lz4', ADD write_buffer '1MB');
INSERT INTO b (__topic__, id) SELECT 'many' || g % 1500, 10000 + g FROM generate_series(1, 3000) g;
SELECT count(*), count(DISTINCT __topic__), count(DISTINCT id) FROM b WHERE id > 10000;
-- larger than a request of the service
CREATE FOREIGN TABLE big (id int, a text, b text, c text, d text, e text, f text, g text, h text, i text, j text, k text) SERVER sls OPTIONS (logstore 'w-batch', request_size '10MB');
INSERT INTO big SELECT g, m, m, m, m, m, m, m, m, m, m FROM (SELECT g, repeat('z', 1024 * 1024) AS m FROM generate_series(1, 1) g) x;
INSERT INTO big SELECT g, m, m, m, m, m, m FROM (SELECT g, repeat('z', 1024 * 1024) AS m FROM generate_series(20001, 20003) g) x;
SELECT id, length(a) FROM big WHERE id > 20000 AND a IS NOT NULL ORDER BY id;

-- COPY, a view, a trigger, a partitioned parent, RETURNING
COPY w (id, msg) FROM stdin;
60	copied
61	\N
\.
SELECT id, msg FROM w WHERE id IN (60, 61) ORDER BY id;
INSERT INTO w (id, msg) VALUES (62, 'r') RETURNING id, msg, __topic__;
CREATE TABLE parent (id int, msg text) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE part PARTITION OF parent FOR VALUES FROM (70) TO (80) SERVER sls OPTIONS (logstore 'w-plain');
INSERT INTO parent VALUES (70, 'routed'), (71, 'too');
SELECT id, msg FROM w WHERE id BETWEEN 70 AND 79 ORDER BY id;
CREATE VIEW wv AS SELECT id, msg FROM w WHERE id < 100 WITH CHECK OPTION;
INSERT INTO wv VALUES (80, 'v');
INSERT INTO wv VALUES (200, 'v');
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.msg = upper(NEW.msg); IF NEW.id = 82 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER shout BEFORE INSERT ON w FOR EACH ROW EXECUTE FUNCTION shout();
INSERT INTO w (id, msg) VALUES (81, 'up'), (82, 'gone');
DROP TRIGGER shout ON w;
SELECT id, msg FROM w WHERE id BETWEEN 80 AND 82 ORDER BY id;

-- ids
CREATE FOREIGN TABLE ids (id int, eid text, msg text) SERVER sls OPTIONS (logstore 'w-plain', dedup_id 'eid');
CREATE FOREIGN TABLE ids2 (id int) SERVER sls OPTIONS (logstore 'w-plain', dedup_id 'eid');
INSERT INTO ids VALUES (90, 'mine', 'x'), (91, NULL, 'x'), (92, NULL, 'x');
INSERT INTO ids2 VALUES (93);
SELECT id, CASE WHEN eid ~ '^[0-9a-f]{32}/[0-9]+/[0-9]+$' THEN 'made, row ' || split_part(eid, '/', 3) ELSE eid END FROM ids WHERE id BETWEEN 90 AND 93 ORDER BY id;
SELECT count(DISTINCT eid), count(DISTINCT split_part(eid, '/', 1)) FROM ids WHERE id BETWEEN 91 AND 93;

-- transactions: rows are visible at once
BEGIN;
INSERT INTO w (id) VALUES (300), (301);
ROLLBACK;
BEGIN;
INSERT INTO w (id) VALUES (302);
SAVEPOINT s;
INSERT INTO w (id) VALUES (303);
ROLLBACK TO s;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO w (id) VALUES (304);
COMMIT;
SELECT count(*) FROM w WHERE id BETWEEN 300 AND 304;
SET client_min_messages = error;
BEGIN;
INSERT INTO w (id) VALUES (305);
PREPARE TRANSACTION 'x';
SET client_min_messages = warning;

-- what is not possible
UPDATE w SET msg = 'x';
DELETE FROM w;
TRUNCATE w;
INSERT INTO w (id) VALUES (1) ON CONFLICT DO NOTHING;
CREATE FOREIGN TABLE ro (id int) SERVER sls OPTIONS (logstore 'w-plain', updatable 'false');
INSERT INTO ro VALUES (1);
CREATE FOREIGN TABLE twice (id int, id2 int OPTIONS (field 'id')) SERVER sls OPTIONS (logstore 'w-plain');
INSERT INTO twice VALUES (1, 2);
CREATE FOREIGN TABLE ob (id int) SERVER sls OPTIONS (logstore 'w-plain', publish 'outbox');
INSERT INTO ob VALUES (1);
EXPLAIN (COSTS OFF) INSERT INTO ob VALUES (1);
EXPLAIN (COSTS OFF, VERBOSE) INSERT INTO w (id) VALUES (1);
CREATE FOREIGN TABLE bad1 (id int) SERVER sls OPTIONS (logstore 'x', publish 'later');
CREATE FOREIGN TABLE bad2 (id int) SERVER sls OPTIONS (logstore 'x', batch_size '0');
CREATE FOREIGN TABLE bad3 (id int) SERVER sls OPTIONS (logstore 'x', request_size '11MB');
CREATE FOREIGN TABLE bad4 (id int) SERVER sls OPTIONS (logstore 'x', dedup_id '__topic__');
INSERT INTO bad4 VALUES (1);
CREATE FOREIGN TABLE bad5 (__hash_key__ int) SERVER sls OPTIONS (logstore 'x');
INSERT INTO bad5 VALUES (1);
CREATE FOREIGN TABLE nolog (id int) SERVER sls OPTIONS (logstore 'nosuch');
\set VERBOSITY sqlstate
INSERT INTO nolog VALUES (1);
SET client_min_messages = error;
DROP SCHEMA log_write CASCADE;
\pset null ''
