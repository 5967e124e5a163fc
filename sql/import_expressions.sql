-- Job documents: what they are written in, scheduling expressions, conditions.  Nothing here asks a service.
\i sql/setup.psql
\set SHOW_CONTEXT never
SET intervalstyle = 'postgres';
SELECT mc.bizdate('2026-01-02 03:04:05+08', 'Asia/Shanghai'), mc.bizdate('2026-01-02 03:04:05+08', 'UTC');
SET TimeZone = 'Asia/Shanghai';
SELECT mc.bizdate('2026-01-01 16:00+00');

-- comments, trailing commas, strings that look like comments
SELECT mc._import_json(E'{ // one\n "a": "http://x#y", # two\n /* three */ "b": [1, {"c": "\\"//" , }, ], }');
SELECT mc._import_json('{"a": "}, ]"}');
SELECT mc._import_json(E'{"a": 1,\n "secret": "s3cr3t"\n "b": 2}');
SELECT mc._import_json('[1]');
SELECT mc._import_json('no JSON');
SELECT mc._import_json('');
SELECT mc._import_json('{"a": {"b": 1, "c": [{"d": 1}, {"d": 1, "d": 2}]}}');
SELECT mc._import_fill('{"a": "x${p}y${ q }${r}$p ${open", "b": ["${p}", 1, null]}', '{"p": "P${q}", "q": "Q"}');

-- expressions
SELECT x, t.format, t.months, t.seconds, t.unit FROM unnest(ARRAY['$bizdate', '$cyctime', '$gmtdate', '$[yyyymmdd]', '$[yyyymmdd-1]', '$[yyyymmdd-7*2]', '$[yyyymmddhh24miss-10/24/60]', '$[hh24-1/24]',
	'$[yyyy-mm-dd]', '$[yyyy-mm-dd-1]', '$[hh24:mi:ss]', '$[add_months(yyyymmdd,-1)]', '$[add_months(yyyymm, 12*1)]', '${yyyymmdd}', '${yyyymmdd-1}', '${yyyymm-1}', '${yyyy-1}']) x, mc._import_token(x) t;
SELECT mc._import_token('$[nonsense]');
SELECT mc._import_token('$[yyyymmdd-1');

-- schedules: from the window, from the rest, from neither
CREATE FUNCTION imp_schedule(a text, b text, VARIADIC texts text[] DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT mc._import_schedule(CASE WHEN a IS NULL AND b IS NULL THEN '{}' ELSE jsonb_build_object('from', a, 'to', b) END, texts, NULL, NULL)::text $$;
SELECT imp_schedule('$[yyyymmddhh24miss-10/24/60]', '$[yyyymmddhh24miss-5/24/60]');
SELECT imp_schedule('$[yyyymmddhh24miss-1/24]', '$[yyyymmddhh24miss]', '$bizdate');
SELECT imp_schedule('$[yyyymmdd-1]', '$[yyyymmdd]');
SELECT imp_schedule('$bizdate' || '000000', '$bizdate' || '235959');
SELECT imp_schedule('$[yyyymmdd-3]', '$[yyyymmdd-2]');
SELECT imp_schedule(NULL, NULL, 'dt=$bizdate');
SELECT imp_schedule(NULL, NULL, 'dt=$[yyyymmdd],hh=$[hh24-1/24]');
SELECT imp_schedule(NULL, NULL, 'no expression') IS NULL;
SELECT imp_schedule('20260101', '20260102') IS NULL;
SELECT imp_schedule(NULL, NULL, '$[yyyymmddhh24mi]');
SELECT imp_schedule('20260101', '20260102', '$bizdate');
SELECT imp_schedule('$[yyyymmdd-1]', '20260102');
SELECT imp_schedule('$[yyyymmddhh24miss-5/24/60]', '$[yyyymmddhh24miss-10/24/60]');
SELECT imp_schedule('$[yyyymmddhh24miss]', '$[yyyymmddhh24miss+5/24/60]');
SELECT imp_schedule('$[add_months(yyyymmdd,-1)]', '$[yyyymmdd]');
SELECT imp_schedule('x$bizdate', '$[yyyymmdd]');
SELECT mc._import_schedule('{"from": "$[yyyymmdd-1]", "to": "$[yyyymmdd]"}', '{}', '1 hour', NULL);

-- their SQL, and its value in a job that runs at 2026-03-01 00:05 in Shanghai for the day before
CREATE FUNCTION imp_value(e text, s text, lo timestamptz, hi timestamptz, OUT sql text, OUT value text) LANGUAGE plpgsql AS $$
BEGIN
	sql := mc._import_text_sql(e, s::jsonb);
	EXECUTE 'SELECT ' || sql INTO value USING lo, hi;
END $$;
SELECT e, v.* FROM unnest(ARRAY['dt=$bizdate', '$[yyyymmdd]', '$[yyyymmdd-1]/x', '$[add_months(yyyymmdd,-1)]', '$[yyyy-mm-dd-2]', '${yyyymmdd-1}', '${yyyymm-1}', '$[yyyymmddhh24miss]', '$cyctime', 'it''s', '']) e,
	imp_value(e, imp_schedule('$[yyyymmdd-1]', '$[yyyymmdd]'), '2026-02-28 00:00+08', '2026-03-01 00:00+08') v;
-- every five minutes at 00:05: the window is that of 23:55, the business day the day before
SELECT e, v.* FROM unnest(ARRAY['$bizdate', '$[yyyymmddhh24miss-10/24/60]', '$[yyyymmddhh24miss-5/24/60]', '$[yyyymmddhh24mi]']) e,
	imp_value(e, imp_schedule('$[yyyymmddhh24miss-10/24/60]', '$[yyyymmddhh24miss-5/24/60]'), '2026-02-28 23:55+08', '2026-03-01 00:00+08') v;

-- times
SELECT mc._import_time_sql(mc._import_time(x, z, 'it'), z) FROM (VALUES ('20260111013000', 'Asia/Shanghai'), ('20260111', 'America/St_Johns'), ('202607110130', 'UTC'), ('1768066200000', 'UTC'),
	('1768066200', 'UTC'), ('2026-01-11 01:30:00', 'Asia/Kolkata'), ('1768066200123', 'UTC')) v (x, z);
SELECT mc._import_time('20261301', 'UTC', 'the begin');
SELECT mc._import_time('yesterday', 'UTC', 'the begin');

-- conditions and partitions
SELECT mc._import_condition('`a b` = ''$bizdate'' AND n > $[yyyymmdd-1] AND t = ''it''''s $5''', imp_schedule(NULL, NULL, '$bizdate')::jsonb);
SELECT mc._import_condition('a = ''x', NULL);
SELECT mc._import_condition('a = 1; DROP TABLE x', NULL);
SELECT p, mc._import_partition_condition(p, imp_schedule(NULL, NULL, '$bizdate')::jsonb) FROM unnest(ARRAY['dt=20260101', 'dt=202601*', 'dt=2026_1?', 'dt=$bizdate,hh=*', 'pt=*', 'pt=1, ds=''hang*''', '/*query*/ dt > ''2026''', 'DT=$[yyyymm]*']) p;
SELECT mc._import_partition_condition('20260101', NULL);
SELECT b, mc._import_range(b::jsonb, false), mc._import_range(b::jsonb, true) FROM unnest(ARRAY['[]', '[{"type":"INF_MIN"},{"type":"INT","value":"1"}]', '[{"type":"STRING","value":"it''s"}]',
	'[{"type":"STRING","value":"a"},{"type":"INF_MAX"}]', '[{"type":"string","value":"a"},{"type":"INT","value":5},{"type":"INF_MIN"}]', '[{"type":"BINARY","value":"AP8="}]']) b;
SELECT mc._import_range('[{"type":"INT","value":"x"}]', false);
SELECT mc._import_range('[{"type":"DATE","value":"x"}]', false);
SELECT mc._import_objects(o::jsonb) FROM unnest(ARRAY['"/a/b.csv"', '["a/*"]', '["a/x*[1].csv"]', '["a/1.csv", "b/?"]', '"a*b/*"']) o;
SELECT mc._import_objects('[]');
SELECT x, mc._import_date_format(x) FROM unnest(ARRAY['yyyy-MM-dd HH:mm:ss', 'yyyyMMdd''T''HHmmss.SSS', 'dd/MM/yy']) x;
SELECT mc._import_date_format('EEE, d MMM');
SELECT mc._import_encoding(x) FROM unnest(ARRAY['UTF-8', 'utf8', 'GBK', 'GB2312', 'gb18030', 'ISO-8859-1', NULL]) x;
SELECT mc._import_encoding('EBCDIC');
SELECT mc._import_format('{"fileFormat": "csv", "fieldDelimiter": "\\t", "compress": "gzip", "nullFormat": ""}', true), mc._import_format('{"fileFormat": "text"}', false);
SELECT mc._import_format('{"fileFormat": "orc"}', true);
SELECT mc._import_format('{"fieldDelimiter": "##"}', true);
SELECT mc._import_format('{"compress": "zip"}', true);
SELECT mc._import_dollar('x'), mc._import_dollar('$job$'), mc._import_dollar('$job $job1 $job2 $job3');
-- a session that reads backslashes in strings its own way
SET TimeZone = 'UTC';
SELECT $d${ "type": "job", // a comment
"configuration": { "reader": { "plugin": "loghub", "parameter": { "endpoint": "https://h.log.example.com", "accessId": "a", "accessKey": "b\\c",
	"project": "p", "logstore": "l", "beginDateTime": "20260111013000", "endDateTime": "20260111013010", "column": ["a", "'it''s'"] } },
"writer": { "plugin": "oss", "parameter": { "endpoint": "https://oss.example.com", "accessId": "a", "accessKey": "b", "bucket": "b", "object": "o",
	"fileFormat": "csv", "writeMode": "truncate", "lineDelimiter": "\\n", "fieldDelimiter": "\t" } } } }$d$ AS doc,
	$d${"access_key_id": "a", "access_key_secret": "b", "loghub": {"endpoint": "https://p.log.example.com", "logstore": "l", "consumer_group": "g"},
	"tablestore": {"endpoint": "https://i.ots.example.com", "instance": "i", "target_table": "t"}, "transform": {"k": "(->int 16 \"f\\\\\\\"f\")"}}$d$ AS config \gset
SELECT md5(string_agg(d::text, ';')) AS here FROM mc.import_datax_job(:'doc', timezone => 'UTC') d \gset
SELECT md5(string_agg(d::text, ';')) AS shipper FROM mc.import_shipper_config(:'config', timezone => 'UTC', start => '2026-01-01Z') d \gset
\c -
SET TimeZone = 'UTC';
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT md5(string_agg(d::text, ';')) = :'here' AS same FROM mc.import_datax_job(:'doc', timezone => 'UTC') d;
SELECT md5(string_agg(d::text, ';')) = :'shipper' AS same FROM mc.import_shipper_config(:'config', timezone => 'UTC', start => '2026-01-01Z') d;
RESET standard_conforming_strings;
DROP FUNCTION imp_schedule, imp_value;
