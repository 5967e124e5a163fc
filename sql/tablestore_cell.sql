-- Shape 'cell': one row for each version of each attribute column.
\i sql/setup.psql
CREATE SCHEMA ts_cell;
SET search_path = ts_cell, public;
SET TimeZone = 'UTC';
\! emu '{"service":"tablestore","op":"create_table","replace":true,"table":"cells","deviation":4000000000,"max_versions":5,"keys":[{"name":"k","type":"STRING"},{"name":"n","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","table":"cells","rows":[{"key":["a",1],"columns":{"i":[{"value":3,"ts":1700000003000},{"value":2,"ts":1700000002000},{"value":"one","ts":1700000001000}],"d":[{"value":1.5,"ts":1700000000000}],"b":[{"value":true,"ts":1700000000000}],"ü":[{"value":"wörld","ts":1700000000000}],"x":[{"value":{"bytes":"00ff"},"ts":1700000000000}]}},{"key":["b",2],"columns":{}},{"key":["c",3],"columns":{"i":[{"value":"a\u0000b","ts":1700000000500}],"j":[{"value":1,"ts":1700000000500}]}}]}' | grep .
CREATE FOREIGN TABLE cells (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL,
  __column__ text, __version__ bigint, __type__ text, __value__ text) SERVER ots OPTIONS (shape 'cell');
SELECT * FROM cells WHERE k < 'c';
SELECT k, count(*) FROM cells GROUP BY k ORDER BY k;
SELECT __column__ FROM cells WHERE __type__ = 'BOOLEAN';
SELECT n, __version__ FROM cells WHERE k = 'a' AND __column__ = 'i' ORDER BY __version__;
-- versions become the time range
SELECT __column__, __version__, __value__ FROM cells WHERE __version__ >= 1700000001000 AND __version__ < 1700000003000;
SELECT count(*) FROM cells WHERE __version__ = 1700000000000;
SELECT count(*) FROM cells WHERE __version__ > 1700000003000;
ALTER FOREIGN TABLE cells OPTIONS (ADD max_versions '2');
SELECT __column__, __version__, __value__ FROM cells WHERE k = 'a' AND __column__ = 'i';
ALTER FOREIGN TABLE cells OPTIONS (SET max_versions '1');
SELECT __column__, __version__, __value__ FROM cells WHERE k = 'a' AND __column__ = 'i';
ALTER FOREIGN TABLE cells ALTER __version__ TYPE timestamptz, OPTIONS (DROP max_versions);
SELECT __version__, __value__ FROM cells WHERE k = 'a' AND __version__ >= '2023-11-14 22:13:22+00';
-- bad values
SELECT __value__ FROM cells WHERE k = 'c';
ALTER FOREIGN TABLE cells OPTIONS (ADD on_error 'set_null');
SELECT k, __column__, __value__ FROM cells WHERE k = 'c';
ALTER FOREIGN TABLE cells OPTIONS (SET on_error 'reject');
SELECT k, __column__, __value__ FROM cells WHERE k = 'c';
-- what does not fit the shape
CREATE FOREIGN TABLE bad_cell (k text OPTIONS (key '1') COLLATE "C" NOT NULL, n bigint OPTIONS (key '2') NOT NULL, i bigint) SERVER ots OPTIONS (table 'cells', shape 'cell');
SELECT * FROM bad_cell;
ALTER FOREIGN TABLE bad_cell DROP COLUMN i, ADD rest jsonb OPTIONS (field '*');
SELECT * FROM bad_cell;
ALTER FOREIGN TABLE bad_cell DROP COLUMN rest, ADD v text OPTIONS (field '__version__');
SELECT * FROM bad_cell;
ALTER FOREIGN TABLE bad_cell DROP COLUMN v, ADD __op__ text;
SELECT * FROM bad_cell;
ALTER FOREIGN TABLE bad_cell DROP COLUMN __op__, ADD __value__ text OPTIONS (type 'any');
SELECT * FROM bad_cell;
