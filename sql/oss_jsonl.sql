-- Reading JSON Lines.
\i sql/setup.psql
CREATE SCHEMA oss_jsonl;
SET search_path = oss_jsonl, public;
\set VERBOSITY terse
\! printf '%s\n' '{"id": 1, "name": "one", "x": 1.50, "ok": true, "tags": ["a", "b"], "o": {"k": [1, {}]}}' '' '  {"name":"\u4e2d \"q\" \n\\","id":2,"ok":false,"more":null,"more2":12345678901234567890.10}  ' '{"id": 3, "name": null, "x": 1e400}' '{}' '{"id": 4, "id": 5, "name": ""}' | oss put demo/jsonl/a.jsonl
CREATE FOREIGN TABLE a (id int, name text, ok bool, o jsonb, tags json, __line__ bigint) SERVER oss
	OPTIONS (object 'jsonl/a.jsonl', format 'jsonl');
SELECT * FROM a;
SELECT count(*), count(name), count(id) FROM a;
SELECT __line__, tags->>0 AS tag, o #> '{k,0}' AS o FROM a WHERE tags IS NOT NULL;
-- numbers are never doubles on the way
CREATE FOREIGN TABLE num (id int, x numeric, more2 numeric) SERVER oss OPTIONS (object 'jsonl/a.jsonl', format 'jsonl');
SELECT id, left(x::text, 8) AS x, more2 FROM num;
CREATE FOREIGN TABLE txt (id text, x text, ok text, tags text, o text) SERVER oss OPTIONS (object 'jsonl/a.jsonl', format 'jsonl');
SELECT * FROM txt;
-- a column of a JSON type gets the value as it stands: a string is a JSON string
CREATE FOREIGN TABLE js (id jsonb, name jsonb, x jsonb) SERVER oss OPTIONS (object 'jsonl/a.jsonl', format 'jsonl');
SELECT id, name, jsonb_typeof(name) AS type, left(x::text, 5) AS x FROM js;
ALTER FOREIGN TABLE js ALTER name TYPE json;
SELECT name, json_typeof(name) AS type FROM js;
-- the rest
CREATE FOREIGN TABLE rest (id int, name text, rest jsonb OPTIONS (field '*')) SERVER oss OPTIONS (object 'jsonl/a.jsonl', format 'jsonl');
SELECT id, rest - 'x' AS rest FROM rest;
SELECT rest - 'x' AS rest FROM rest;
-- other names
CREATE FOREIGN TABLE names (k int OPTIONS (field 'id'), "Name" text OPTIONS (field 'name')) SERVER oss OPTIONS (object 'jsonl/a.jsonl', format 'jsonl');
SELECT * FROM names LIMIT 2;
-- policies
ALTER FOREIGN TABLE names OPTIONS (ADD unknown_columns 'error');
SELECT * FROM names;
ALTER FOREIGN TABLE names OPTIONS (SET unknown_columns 'ignore', ADD missing_columns 'error');
SELECT * FROM names;
SELECT k FROM names LIMIT 3;
-- malformed records
\set VERBOSITY default
\! printf '%s\n' '{"id": 1}' '[1, 2]' '{"id": 2' '{"id": 3} x' '{"id": "x"}' '{"id": [7]}' '{"id": 4, "name": "\u0000"}' '{"id": 5, "name": "\ud800"}' '{"id": 6}' | oss put demo/jsonl/bad.jsonl
CREATE FOREIGN TABLE bad (id int, name text) SERVER oss OPTIONS (object 'jsonl/bad.jsonl', format 'jsonl');
SELECT * FROM bad;
SET mc_fdw.on_error = 'reject';
SELECT * FROM bad;
SELECT part, position_in_source, column_name, sqlstate, reason FROM mc.last_rejects();
SET mc_fdw.on_error = 'set_null';
SELECT * FROM bad;
RESET mc_fdw.on_error;

-- arrays and composite values: what is written is read back
\pset null '<null>'
CREATE TYPE pair AS (n int, t text);
CREATE DOMAIN small AS int[] CHECK (cardinality(VALUE) < 4);
CREATE TABLE shapes (id int, a int[], t text[], p pair, ps pair[], d small, tz timestamptz[], j jsonb[], v varchar(3)[]);
INSERT INTO shapes VALUES
	(1, '{1,NULL,3}', E'{a,"b \\"c\\"",NULL,"NULL","","{x}","\\\\",中}', '(1,"a ""b"",c")', ARRAY['(1,x)', NULL, '(,"")']::pair[], '{1,2}',
	 '{"2024-01-02 03:04:05.678+08"}', ARRAY['{"k": [1, "x"]}', NULL, '"s"']::jsonb[], '{abc,d}'),
	(2, '{}', '{}', '(,)', '{}', '{}', '{}', '{}', NULL), (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(4, '{{1,2},{3,4}}', '{{a,NULL},{"",b}}', '(5,)', ARRAY[ARRAY['(1,a)', '(2,b)']]::pair[], NULL, NULL, NULL, NULL);
CREATE FOREIGN TABLE shapes_file (id int, a int[], t text[], p pair, ps pair[], d small, tz timestamptz[], j jsonb[], v varchar(3)[])
	SERVER oss OPTIONS (object 'jsonl/shapes.jsonl', format 'jsonl', write_mode 'overwrite');
INSERT INTO shapes_file SELECT * FROM shapes;
\! oss get demo/jsonl/shapes.jsonl
SELECT * FROM shapes_file;
SELECT count(*) AS same FROM shapes s JOIN shapes_file f ON s::text = f::text;
-- PostgreSQL's own text in a string does as well; bad ones are bad values
\! printf '%s\n' '{"id": 1, "a": "{1,2}", "p": "(1,x)"}' '{"id": 2, "a": [1, "x"]}' '{"id": 3, "a": [[1], 2]}' '{"id": 4, "a": {"b": 1}}' '{"id": 5, "p": [1]}' '{"id": 6, "d": [1, 2, 3, 4]}' '{"id": 7, "v": ["abcd"]}' '{"id": 8, "p": {"n": 1, "more": 2}}' '{"id": 9, "a": [], "p": {}}' | oss put demo/jsonl/shapes2.jsonl
CREATE FOREIGN TABLE shapes2 (id int, a int[], p pair, d small, v varchar(3)[]) SERVER oss OPTIONS (object 'jsonl/shapes2.jsonl', format 'jsonl');
SELECT * FROM shapes2;
SET mc_fdw.on_error = 'reject';
SELECT * FROM shapes2;
SELECT position_in_source, column_name, sqlstate, reason FROM mc.last_rejects();
SET mc_fdw.on_error = 'set_null';
SELECT id, a, d FROM shapes2 WHERE id IN (2, 6);
RESET mc_fdw.on_error;
