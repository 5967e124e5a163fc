-- COPY, tuple routing, triggers, generated columns: as a local table would hold it.
\i sql/setup.psql
CREATE SCHEMA ts_copy;
SET search_path = ts_copy, public;
\! emu '{"service":"tablestore","op":"create_table","table":"cp","keys":[{"name":"id","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","table":"routed","keys":[{"name":"k","type":"INTEGER"},{"name":"id","type":"INTEGER"}]}' >/dev/null
CREATE FOREIGN TABLE cp (id bigint OPTIONS (key '1') NOT NULL, name text, a int DEFAULT 5) SERVER ots;
COPY cp (name, id) FROM stdin;
one	1
\N	2
	3
\.
SELECT id, name, name IS NULL AS is_null, a FROM cp ORDER BY id;
-- only what COPY names is written under 'update'
ALTER FOREIGN TABLE cp OPTIONS (ADD write_mode 'update');
COPY cp (id, name) FROM stdin;
1	eins
4	vier
\.
SELECT id, name, a FROM cp ORDER BY id;
ALTER FOREIGN TABLE cp OPTIONS (SET write_mode 'put');
-- bad rows
SET client_min_messages = error;
COPY cp FROM stdin;
10	ten	1
\N	none	2
\.
RESET client_min_messages;
ALTER FOREIGN TABLE cp OPTIONS (ADD on_error 'reject');
COPY cp FROM stdin;
10	ten	1
\N	none	2
11	eleven	3
\.
SELECT column_name, sqlstate, reason FROM mc.last_rejects();
SELECT id, name, a FROM cp WHERE id >= 10 ORDER BY id;

-- routing with permuted columns, a dropped column, both sides
CREATE TABLE parent (k int, id bigint, a int, name text) PARTITION BY LIST (k);
CREATE FOREIGN TABLE f_child (gone text, name text, id bigint OPTIONS (key '2') NOT NULL, k bigint OPTIONS (key '1') NOT NULL, a int) SERVER ots OPTIONS (table 'routed');
DROP FOREIGN TABLE f_child;
CREATE FOREIGN TABLE f_child (gone text, name text, id bigint OPTIONS (key '2') NOT NULL, k int OPTIONS (key '1') NOT NULL, a int) SERVER ots OPTIONS (table 'routed');
ALTER FOREIGN TABLE f_child DROP COLUMN gone;
ALTER TABLE parent ATTACH PARTITION f_child FOR VALUES IN (1);
CREATE TABLE l_child PARTITION OF parent FOR VALUES IN (2);
INSERT INTO parent SELECT 1 + g % 2, g / 2, g, 'x' || g / 2 FROM generate_series(2, 1001) g;
SELECT tableoid::regclass, count(*), sum(a - k) FROM parent GROUP BY 1 ORDER BY 1;
COPY parent FROM stdin;
1	5000	1	copied
2	5000	1	copied
\.
SELECT * FROM parent WHERE id = 5000 ORDER BY k;
INSERT INTO parent VALUES (1, 5001, 1, 'r') RETURNING *;
-- a key does not change, also where it is the partition key
UPDATE parent SET k = 2 WHERE id = 5001;

-- triggers and generated columns
CREATE FOREIGN TABLE g (id bigint OPTIONS (key '1') NOT NULL, name text, twice bigint GENERATED ALWAYS AS (id * 2) STORED) SERVER ots OPTIONS (table 'cp');
CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.id = 103 THEN RETURN NULL; END IF; NEW.name := NEW.name || '!'; NEW.id := NEW.id + 100; RETURN NEW; END $$;
CREATE TRIGGER loud BEFORE INSERT ON g FOR EACH ROW EXECUTE FUNCTION loud();
CREATE TABLE seen (id bigint, name text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (NEW.id, NEW.name); RETURN NULL; END $$;
CREATE TRIGGER see AFTER INSERT ON g FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO g (name, id) SELECT 'g' || g, g FROM generate_series(101, 104) g;
SELECT * FROM g WHERE id > 100 ORDER BY id;
SELECT * FROM seen ORDER BY id;
INSERT INTO g (name, id) VALUES ('again', 101), ('new', 105) ON CONFLICT DO NOTHING;
SELECT * FROM seen ORDER BY id, name;
-- a trigger's column is written under 'update' although nobody named it
ALTER FOREIGN TABLE g OPTIONS (ADD write_mode 'update');
CREATE OR REPLACE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := 'set'; RETURN NEW; END $$;
INSERT INTO g (id) VALUES (201);
SELECT * FROM g WHERE id = 201;
-- a view checks, before a row is sent
ALTER FOREIGN TABLE cp OPTIONS (DROP on_error);
CREATE VIEW v AS SELECT id, a FROM cp WHERE a < 10 WITH CHECK OPTION;
INSERT INTO v VALUES (300, 5);
\unset QUIET
INSERT INTO v VALUES (300, 6), (302, 6) ON CONFLICT DO NOTHING;
\set QUIET on
SET client_min_messages = error;
INSERT INTO v VALUES (301, 50);
UPDATE v SET a = 60 WHERE id = 300;
RESET client_min_messages;
SELECT id, a FROM cp WHERE id >= 300 ORDER BY id;
DROP VIEW v;
DROP FOREIGN TABLE cp, g;
DROP TABLE parent, seen;
DROP FUNCTION loud, see;
