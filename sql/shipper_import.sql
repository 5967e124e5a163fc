-- mc.import_shipper_config: what it prints, its grammar, what is refused; NULL that leaves a cell as it is
\i sql/setup.psql
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
CREATE FUNCTION shp_doc(transform text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('loghub', '{"endpoint": "https://shop.cn-hangzhou.log.aliyuncs.com", "logstore": "clicks"}',
		'tablestore', '{"endpoint": "https://shop.cn-hangzhou.ots.aliyuncs.com", "instance": "shop", "target_table": "hits"}', 'transform', transform) || more $$;
CREATE FUNCTION shp_outputs(transform jsonb) RETURNS TABLE (name text, sql text, type text) LANGUAGE sql AS $$
	SELECT k, x ->> 'sql', x ->> 'type' FROM jsonb_each_text(transform) AS t (k, v),
		mc._shipper_sql(mc._shipper_expression(v), '{"*": "rest", "a": "a", "__time__": "log_time", "a b": "c1"}') AS x ORDER BY k $$;

\pset format unaligned
\pset null '-'
-- everything, for a document with every parameter; servers of that address are not there yet
SELECT ordinal, kind, statement, remark FROM mc.import_shipper_config($${
  "access_key_id": "ak", "access_key_secret": "sk", // comments and commas at the end are allowed
  "loghub": "{\"endpoint\": \"https://shop.cn-hangzhou.log.aliyuncs.com\", \"logstore\": \"orders\", \"consumer_group\": \"ship-orders\"}",
  "tablestore": "{\"endpoint\": \"https://shop.cn-hangzhou.ots.aliyuncs.com\", \"instance\": \"shop\", \"target_table\": \"orders\", \"status_table\": \"ship_status\"}",
  "exclusive_columns": "[\"__source__\", \"__time__\"]",
  "transform": "{\"order_no\": \"raw_no\", \"amount\": \"(->int 10 cents)\", \"paid\": \"(->bool paid)\", \"bucket\": \"(crc32 raw_no)\", \"hex\": \"(->int 16 \\\"ff\\\")\"}",
}$$, name => 'ship_orders', timezone => 'Asia/Shanghai', start => '2026-11-20 00:00+08');
SELECT kind, remark FROM mc.import_shipper_config(shp_doc('{}', '{"shards": 3, "exclusive_columns": ["x"]}')) WHERE kind IN ('parameter', 'unknown');
\pset format aligned
-- the fields that it reads
SELECT statement FROM mc.import_shipper_config(shp_doc('{"p": "__tag__:__path__", "s": "__shard__", "rest": "rest", "it''s": "a\\b"}')) WHERE statement LIKE 'CREATE FOREIGN%' OR statement LIKE '%_shipper_table%';

-- the grammar
SELECT * FROM shp_outputs('{"field": "a", "other": "b", "number": "042", "string": "\"x \\\\ \\\" (y) ''z''\"", "empty": "\"\"", "time": "__time__",
	"int": "(->int 36 a)", "spaces": "  ( ->int\t10\n\"7\" ) ", "bool": "(-> bool a)", "crc": "(crc32 __time__)", "nested": "(->int (->int 10 base) a)", "tag": "__tag__:__path__"}');
SELECT shp_outputs('{"a": ""}');
SELECT shp_outputs('{"a": "(->int 10 a"}');
SELECT shp_outputs('{"a": "a b"}');
SELECT shp_outputs('{"a": ")"}');
SELECT shp_outputs('{"a": "(->int 10)"}');
SELECT shp_outputs('{"a": "(->int 37 a)"}');
SELECT shp_outputs('{"a": "(->int a 10)"}');
SELECT shp_outputs('{"a": "(->bool (->bool a))"}');
SELECT shp_outputs('{"a": "(md5 a)"}');
SELECT shp_outputs('{"a": "(\"crc32\" a)"}');
SELECT shp_outputs('{"a": "\"\\n\""}');
SELECT shp_outputs('{"a": "\"a\"b"}');
SELECT shp_outputs('{"a": "9223372036854775808"}');

-- what is refused
SELECT * FROM mc.import_shipper_config('{}');
SELECT * FROM mc.import_shipper_config('{"loghub": "x"}');
SELECT * FROM mc.import_shipper_config('{"loghub": [], "tablestore": {}}');
SELECT * FROM mc.import_shipper_config(shp_doc('{}', '{"loghub": {"endpoint": "https://10.0.0.1", "logstore": "l"}}'));
SELECT * FROM mc.import_shipper_config(shp_doc('{}', '{"tablestore": {"endpoint": "e", "instance": "i", "target_table": "t", "status_table": "t"}}'));
SELECT * FROM mc.import_shipper_config(shp_doc('{"a": 1}'));
SELECT * FROM mc.import_shipper_config(shp_doc('{"*": "a"}'));
SELECT * FROM mc.import_shipper_config(shp_doc('[]'));
SELECT * FROM mc.import_shipper_config(shp_doc('{}'), name => 'a b');

-- a table that is no status table
CREATE TABLE shp_local (project_logstore text, shard int);
SELECT mc.create_job('shp', 'INSERT INTO shp_local SELECT $1::text, 1 WHERE $2 > $1', '5 min', status_table => 'shp_local');
SELECT mc.create_job('shp', 'INSERT INTO shp_local SELECT $1::text, 1 WHERE $2 > $1', '5 min', status_table => 'nowhere');
-- a local one will do; it is empty, because the job reads no logstore
CREATE TABLE shp_status (project_logstore text, shard bigint, target_table text, "timestamp" bigint, row_count bigint);
SELECT mc.create_job('shp', 'INSERT INTO shp_local SELECT $1::text, 1 WHERE $2 > $1', '5 min', start => '2026-01-01', max_windows => 1, lint => false) > 0 AS made;
SELECT mc.alter_job('shp', status_table => 'shp_status');
SELECT status_table FROM mc.job WHERE name = 'shp';
\set VERBOSITY terse
CALL mc.run_job('shp');
\set VERBOSITY default
SELECT state, (SELECT count(*) FROM shp_status) FROM mc.run JOIN mc.job USING (job_id) WHERE name = 'shp';
SELECT mc.drop_job('shp');

-- update_null
\! emu '{"service":"tablestore","op":"create_table","table":"shp_null","keys":[{"name":"k","type":"STRING"}]}' >/dev/null
CREATE FOREIGN TABLE shp_keep (k text OPTIONS (key '1') NOT NULL, a bigint, b text, rest jsonb OPTIONS (field '*'))
	SERVER ots OPTIONS (table 'shp_null', write_mode 'update', update_null 'keep');
INSERT INTO shp_keep VALUES ('x', 1, 'b', '{"c": 1, "d": 2}');
INSERT INTO shp_keep VALUES ('x', NULL, 'new', '{"c": null, "e": 3}'), ('y', NULL, NULL, NULL), ('x', NULL, NULL, NULL);
SELECT * FROM shp_keep ORDER BY k;
-- UPDATE deletes all the same
UPDATE shp_keep SET a = NULL WHERE k = 'x';
SELECT * FROM shp_keep ORDER BY k;
ALTER FOREIGN TABLE shp_keep OPTIONS (SET update_null 'delete', ADD on_error 'reject');
INSERT INTO shp_keep VALUES ('x', 5, NULL, '{"c": null}'), (NULL, 1, NULL, NULL);
SELECT * FROM shp_keep ORDER BY k;
SELECT column_name, sqlstate, reason FROM mc.last_rejects();
ALTER FOREIGN TABLE shp_keep OPTIONS (SET update_null 'none');
DROP FOREIGN TABLE shp_keep;
