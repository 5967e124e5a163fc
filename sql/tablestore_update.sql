-- UPDATE and DELETE by key.
\i sql/setup.psql
CREATE SCHEMA ts_update;
SET search_path = ts_update, public;
\! emu '{"service":"tablestore","op":"create_table","table":"u","keys":[{"name":"k","type":"STRING"},{"name":"n","type":"INTEGER"},{"name":"b","type":"BINARY"}]}' >/dev/null
CREATE FOREIGN TABLE u (n bigint OPTIONS (key '2') NOT NULL, k text OPTIONS (key '1') COLLATE "C" NOT NULL, b bytea OPTIONS (key '3') NOT NULL,
  a int, gone int, t text, rest jsonb OPTIONS (field '*')) SERVER ots;
ALTER FOREIGN TABLE u DROP COLUMN gone;
INSERT INTO u SELECT g, 'k' || g % 3, decode(lpad(to_hex(g), 4, '0'), 'hex'), g, 't' || g, jsonb_build_object('x', g, 'y', 'r')
  FROM generate_series(1, 1000) g;

-- only the changed columns are written
EXPLAIN (VERBOSE, COSTS OFF) UPDATE u SET a = 1 WHERE n = 5;
UPDATE u SET a = -a WHERE k = 'k1';
SELECT count(*), sum(a), count(t), count(rest->'x') FROM u;
UPDATE u SET t = NULL, rest = rest - 'x' || '{"new": true}' WHERE n <= 3;
SELECT * FROM u WHERE n <= 4 ORDER BY n;
UPDATE u SET rest = NULL WHERE n = 3;
UPDATE u SET rest = rest WHERE n = 2;
SELECT n, rest FROM u WHERE n <= 3 ORDER BY n;
-- members that stay are not written again: types and versions are kept
\! emu '{"service":"tablestore","op":"put","table":"u","rows":[{"do":"update","key":["k2",2,{"bytes":"0002"}],"columns":{"bin":{"bytes":"00ff"},"two":2,"n2":1}}]}' >/dev/null
CREATE FOREIGN TABLE u_cells (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, b bytea OPTIONS (key '3') NOT NULL,
  __column__ text, __version__ bigint, __type__ text, __value__ text) SERVER ots OPTIONS (table 'u', shape 'cell');
UPDATE u SET rest = rest || '{"two": 2.0, "more": 1}' WHERE n = 2;
SELECT __column__, __type__, __value__, __version__ < max(__version__) OVER () AS kept FROM u_cells WHERE k = 'k2' AND n = 2 ORDER BY 1;
UPDATE u SET rest = '{"y": "r", "new": true}' WHERE n = 2;
DROP FOREIGN TABLE u_cells;
-- from another table, with what both tables say
CREATE TABLE changes (n bigint, t text);
INSERT INTO changes SELECT g, 'c' || g FROM generate_series(10, 400) g;
UPDATE u SET t = c.t || u.a FROM changes c WHERE c.n = u.n;
SELECT count(*), min(t), max(t) FROM u WHERE t LIKE 'c%';
DELETE FROM u USING changes c WHERE c.n = u.n AND u.n > 20;
SELECT count(*) FROM u;
-- RETURNING: rows as they are now, and as they were
UPDATE u SET a = a * 2 WHERE n < 4 RETURNING n, a, t, rest;
DELETE FROM u WHERE n < 4 RETURNING *;
WITH gone AS (DELETE FROM u WHERE n < 8 RETURNING n) SELECT count(*), sum(n) FROM gone;
SELECT min(n) FROM u;
-- prepared, by key
PREPARE up(bigint, int) AS UPDATE u SET a = $2 WHERE n = $1;
EXECUTE up(8, 88);
EXECUTE up(8, 89);
SELECT a FROM u WHERE n = 8;
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text; BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
    EXIT WHEN line ~ '->'; RETURN NEXT regexp_replace(line, 'Bytes Sent: \d+', 'Bytes Sent: N');
  END LOOP; END $$;
SELECT * FROM explain('DELETE FROM u WHERE n BETWEEN 900 AND 902');

-- rows that are gone since they were read: not made again, and told
CREATE FUNCTION forget(bigint) RETURNS int LANGUAGE plpgsql VOLATILE AS
$$ BEGIN IF $1 % 2 = 0 THEN DELETE FROM u WHERE n = $1; END IF; RETURN 5; END $$;
UPDATE u SET a = forget(n) WHERE n BETWEEN 500 AND 503;
SELECT n, a FROM u WHERE n BETWEEN 500 AND 503 ORDER BY n;
UPDATE u SET a = forget(n) WHERE n BETWEEN 504 AND 507 RETURNING n;

-- triggers see what is written
CREATE TABLE log (op text, was int, is_now int);
CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO log VALUES (TG_OP, OLD.a, CASE WHEN TG_OP = 'UPDATE' THEN NEW.a END); RETURN NULL; END $$;
CREATE TRIGGER log AFTER UPDATE OR DELETE ON u FOR EACH ROW EXECUTE FUNCTION log_it();
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  NEW.t := 'by trigger'; IF NEW.a = 666 THEN NEW.n := 1; END IF; RETURN NEW; END $$;
CREATE TRIGGER bump BEFORE UPDATE ON u FOR EACH ROW EXECUTE FUNCTION bump();
UPDATE u SET a = 600 WHERE n = 600;
DELETE FROM u WHERE n = 601;
SELECT * FROM log;
SELECT a, t FROM u WHERE n = 600;
-- what cannot be (the rows before are told by a WARNING)
SET client_min_messages = error;
UPDATE u SET a = 666 WHERE n = 602;
UPDATE u SET k = 'other' WHERE n = 8;
EXPLAIN UPDATE u SET n = n + 1;
CREATE FOREIGN TABLE u_ver (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, b bytea OPTIONS (key '3') NOT NULL,
  a int NOT NULL, __version__ bigint) SERVER ots OPTIONS (table 'u');
UPDATE u_ver SET __version__ = 5;
UPDATE u_ver SET a = NULL WHERE n = 700;
SELECT (extract(epoch FROM now()) * 1000)::bigint + 3600000 AS later \gset
UPDATE u_ver SET a = 7, __version__ = :later WHERE n = 700;
SELECT a, __version__ = :later AS given FROM u_ver WHERE n = 700;
UPDATE u SET a = 'NaN'::float8::int WHERE n = 700;

RESET client_min_messages;

-- an inheritance tree of foreign and local tables
CREATE TABLE parent (k text, n bigint, b bytea, a int);
CREATE TABLE child () INHERITS (parent);
CREATE FOREIGN TABLE u_child (k text OPTIONS (key '1') COLLATE "default" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, b bytea OPTIONS (key '3') NOT NULL, a int)
  INHERITS (parent) SERVER ots OPTIONS (table 'u');
INSERT INTO child VALUES ('x', 800, '\x01', 1);
UPDATE parent SET a = 8000 WHERE n = 800;
SELECT tableoid::regclass, n, a FROM parent WHERE n = 800 ORDER BY 1;
DELETE FROM parent WHERE n = 800;
SELECT count(*) FROM parent WHERE n = 800;
DROP TABLE parent CASCADE;
DROP FOREIGN TABLE u, u_ver;
DROP TABLE changes, log;
DROP FUNCTION forget, log_it, bump, explain;
