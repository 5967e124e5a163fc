-- mc.import_datax_job: what is refused, what is listed, and one document as a whole.  Nothing here asks a service.
\i sql/setup.psql
\set SHOW_CONTEXT never
SET TimeZone = 'Asia/Shanghai';
CREATE FUNCTION imp_kinds(document text, parameters jsonb DEFAULT '{}', datasources jsonb DEFAULT '{}') RETURNS TABLE (k text, r text) LANGUAGE sql AS $$
	SELECT kind, remark FROM mc.import_datax_job(document, parameters => parameters, datasources => datasources) WHERE statement IS NULL AND kind NOT IN ('server', 'user mapping') ORDER BY ordinal $$;
CREATE FUNCTION imp_doc(reader text, rp text, writer text, wp text, setting text DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT format('{"type": "job", "version": "1.0", "configuration": {"reader": {"plugin": %s, "parameter": %s}, "writer": {"plugin": %s, "parameter": %s}, "setting": %s}}',
		to_json(reader), rp, to_json(writer), wp, setting) $$;
CREATE FUNCTION imp_odps(more text DEFAULT '') RETURNS text LANGUAGE sql AS $$ SELECT '{"datasource": "imp_mc", "table": "t", "column": ["a", "b"]' || more || '}' $$;
CREATE FUNCTION imp_loghub(more text DEFAULT '') RETURNS text LANGUAGE sql AS $$ SELECT '{"datasource": "imp_sls", "logstore": "l", "column": ["a", "b"]' || more || '}' $$;

-- one document as a whole
SELECT ordinal, kind, statement, remark FROM mc.import_datax_job(imp_doc('loghub', imp_loghub(', "beginDateTime": "${a}", "endDateTime": "${b}", "batchSize": "5000"'), 'odps', imp_odps(', "partition": "dt=${bizdate},hh=$[hh24-10/24/60]", "truncate": "true"'),
	'{"speed": {"mbps": "2", "concurrent": "3"}, "errorLimit": {"record": "7"}}'), 'imp_first', '{"a": "$[yyyymmddhh24miss-70/24/60]", "b": "$[yyyymmddhh24miss-10/24/60]", "key": "K", "secret": "S''"}',
	'{"imp_sls": {"endpoint": "https://cn-hangzhou.log.aliyuncs.com", "project": "p", "accessId": "${key}", "accessKey": "${secret}"}}', start => '2026-01-01 00:00+08') \gx
-- psql runs them
SELECT statement FROM mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'oss', '{"datasource": "imp_oss", "object": "x"}'), 'imp_run', '{}',
	'{"imp_sls": {"endpoint": "https://cn-hangzhou.log.aliyuncs.com", "project": "p", "accessId": "i", "accessKey": "k"}, "imp_oss": {"endpoint": "https://oss-cn-hangzhou.aliyuncs.com", "bucket": "bucket"}}') WHERE kind IN ('server', 'schema', 'foreign table') AND statement IS NOT NULL \gexec
\d imp_run.*
-- what is there is used
SELECT kind, statement, remark FROM mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'oss', '{"datasource": "imp_oss", "object": "x"}'), 'imp_run') WHERE kind IN ('server', 'user mapping');
SELECT mc.import_datax_job(imp_doc('loghub', replace(imp_loghub(), 'imp_sls', 'imp_oss'), 'odps', imp_odps()));

-- listed, never ignored
SELECT * FROM imp_kinds('{"job": {"content": [{"reader": {"name": "loghubreader", "x": 1, "parameter": ' || imp_loghub(', "nonsense": 1') || '}, "writer": {"name": "odpswriter", "parameter": ' || imp_odps(', "column ": []')
	|| '}, "y": 1}], "setting": {"speed": {"warp": 9, "record": 5}, "z": {}}}, "core": {}, "u": 1}', '{"unused": "1"}');
SELECT * FROM imp_kinds('{"type": "job", "version": "2.0", "order": {}, "other": 1, "steps": [{"stepType": "odps", "category": "writer", "name": "W", "parameter": ' || imp_odps() || ', "note": ""}, {"stepType": "loghub", "category": "reader", "parameter": ' || imp_loghub(', "envType": 1') || '}]}');
SELECT * FROM imp_kinds(imp_doc('ots', '{"datasource": "imp_ots", "table": "t", "column": [{"name": "a", "flavour": 1}, "b"]}', 'odps', imp_odps()));
SELECT r FROM imp_kinds(imp_doc('loghub', imp_loghub(', "beginDateTime": "$[yyyymmddhh24miss-10/24/60]", "endDateTime": "$[yyyymmddhh24miss-5/24/60]"'), 'odps', imp_odps(', "truncate": true, "partition": "dt=$bizdate"'))) WHERE k = 'warning';

-- what is wrong
SELECT mc.import_datax_job('{"a": }');
SELECT mc.import_datax_job('{"a": 1}');
SELECT mc.import_datax_job(NULL);
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(', "beginDateTime": "${from}"'), 'odps', imp_odps()), parameters => '{"from": null}');
SELECT mc.import_datax_job('{"loghub": {}, "tablestore": {}}');
SELECT mc.import_datax_job(imp_doc('hdfs', '{}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'stream', '{}'));
SELECT mc.import_datax_job('{"configuration": {"reader": {"plugin": "loghub"}}}');
SELECT mc.import_datax_job('{"steps": [{"category": "processor"}]}');
SELECT mc.import_datax_job('{"steps": [{"category": "reader"}, {"category": "reader"}]}');
SELECT mc.import_datax_job('{"job": {"content": []}}');
SELECT mc.import_datax_job(imp_doc('loghub', '{"datasource": "s", "column": ["a"]}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'odps', '{"datasource": "s", "column": ["a", "b"]}'));
SELECT mc.import_datax_job(imp_doc('loghub', '{"logstore": "l", "column": ["a"]}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'odps', replace(imp_odps(), '"b"', '"b", "c"')));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(', "beginDateTime": "${from}", "endDateTime": "${to}"'), 'odps', imp_odps(', "partition": "dt=${day}"')));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(', "batchSize": "many"'), 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(', "beginDateTime": "soon"'), 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('loghub', '{"datasource": "s", "logstore": "l", "column": "a,b"}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('loghub', '{"datasource": "s", "logstore": "l", "column": [{}]}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('ots', '{"datasource": "s", "table": "t", "column": ["a", "b"], "mode": "multiVersion"}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('ots', '{"datasource": "s", "table": "t", "column": ["a", "b"], "range": {"start": []}}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('otsstream', '{"datasource": "s", "dataTable": "t", "date": "20260101", "startTimestampMillis": 1}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('otsstream', '{"datasource": "s", "dataTable": "t", "mode": "odd", "date": "20260101"}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('oss', '{"datasource": "s", "object": "o", "fileFormat": "parquet"}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('oss', '{"datasource": "s", "object": "o", "column": ["a", "b"]}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('httpfile', '{"datasource": "s", "fileName": "/a${bizdate}", "column": [{"index": 0}, {"index": 1}]}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('mysql', '{"datasource": "s", "table": ["t1", "t2"], "column": ["a", "b"]}', 'odps', imp_odps()), datasources => '{"s": {"database": "d"}}');
SELECT mc.import_datax_job(imp_doc('mysql', '{"datasource": "s", "table": "t", "column": ["a", "b"]}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('mysql', '{"connection": [{"jdbcUrl": ["jdbc:oracle:x"], "table": ["t"]}], "column": ["a", "b"]}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('mysql', '{"connection": [{"jdbcUrl": ["jdbc:mysql://h/d"], "querySql": ["SELECT 1"]}], "column": ["a", "b"]}', 'odps', imp_odps()));
SELECT mc.import_datax_job(imp_doc('odps', imp_odps(', "partition": ["20260101"]'), 'mysql', '{"datasource": "s", "table": "t", "column": ["*"]}'), datasources => '{"s": {"database": "d"}}');
SELECT mc.import_datax_job(imp_doc('odps', imp_odps(), 'mysql', '{"datasource": "s", "table": "t", "column": ["*"], "preSql": ["drop table t"]}'), datasources => '{"s": {"database": "d"}}');
SELECT mc.import_datax_job(imp_doc('odps', imp_odps(), 'mysql', '{"datasource": "s", "table": "t", "column": ["*"], "postSql": ["x"]}'), datasources => '{"s": {"database": "d"}}');
SELECT mc.import_datax_job(imp_doc('odps', imp_odps(), 'ots', '{"datasource": "s", "table": "t", "column": []}'));
SELECT mc.import_datax_job(imp_doc('odps', imp_odps(), 'ots', '{"datasource": "s", "table": "t", "primaryKey": [{"name": "a", "type": "double"}], "column": [{"name": "b"}]}'));
SELECT mc.import_datax_job(imp_doc('odps', imp_odps(), 'ots', '{"datasource": "s", "table": "t", "primaryKey": [{"name": "a"}], "column": [{"name": "b"}], "writeMode": "DeleteRow"}'));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'oss', '{"datasource": "s", "object": "o", "writeMode": "sometimes"}'));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'oss', '{"datasource": "s", "object": "o", "header": ["a"]}'));
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'odps', imp_odps()), 'a name');
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'odps', imp_odps()), timezone => 'Mars/North');
SELECT mc.import_datax_job(imp_doc('loghub', imp_loghub(), 'odps', imp_odps(), '{"speed": {"mbps": "fast"}}'));

-- transformers of DataX
SELECT statement FROM mc.import_datax_job('{"job": {"content": [{"reader": {"name": "loghubreader", "parameter": ' || imp_loghub() || '}, "writer": {"name": "odpswriter", "parameter": ' || imp_odps()
	|| '}, "transformer": [{"name": "dx_substr", "parameter": {"columnIndex": 1, "paras": ["2", "3"]}}, {"name": "dx_pad", "parameter": {"columnIndex": 0, "paras": ["l", "5", "*"]}}, {"name": "dx_replace", "parameter": {"columnIndex": 0, "paras": ["1", "2", "''"]}}, {"name": "dx_filter", "parameter": {"columnIndex": 1, "paras": ["like", "x.*"]}}]}]}}') WHERE kind = 'statement';
SELECT mc.import_datax_job('{"job": {"content": [{"reader": {"name": "loghubreader", "parameter": ' || imp_loghub() || '}, "writer": {"name": "odpswriter", "parameter": ' || imp_odps() || '}, "transformer": [{"name": "dx_groovy", "parameter": {}}]}]}}');
DROP FUNCTION imp_kinds, imp_doc, imp_odps, imp_loghub;
DROP SCHEMA imp_run CASCADE;
DROP SERVER imp_sls CASCADE;
DROP SERVER imp_oss CASCADE;
