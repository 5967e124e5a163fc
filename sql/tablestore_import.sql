-- IMPORT FOREIGN SCHEMA
\i sql/setup.psql
CREATE SCHEMA ts_import;
SET search_path = ts_import, public;
\! emu '{"service":"tablestore","op":"create_instance","instance":"imp"}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","replace":true,"instance":"imp","table":"orders","stream_hours":24,"keys":[{"name":"Customer","type":"STRING"},{"name":"id","type":"INTEGER"},{"name":"raw","type":"BINARY"}],"defined":[{"name":"amount","type":"DOUBLE"},{"name":"never seen","type":"BOOLEAN"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"put","instance":"imp","table":"orders","rows":[{"key":["a",1,{"bytes":"01"}],"columns":{"amount":1.5,"note":"x","mixed":1,"ctid":5,"__type__":"t","select":true}},{"key":["b",2,{"bytes":""}],"columns":{"mixed":"two","bin":{"bytes":"ff"},"längere Spalte mit einem Namen, der nicht in 63 Bytes passt, eins":1,"längere Spalte mit einem Namen, der nicht in 63 Bytes passt, zwei":2}}]}' | grep .
\! emu '{"service":"tablestore","op":"create_table","replace":true,"instance":"imp","table":"empty","keys":[{"name":"k","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","replace":true,"instance":"imp","table":"a_table_with_a_very_long_name_that_really_does_not_fit_into_63_bytes_1","keys":[{"name":"k","type":"INTEGER"}]}' >/dev/null
\! emu '{"service":"tablestore","op":"create_table","replace":true,"instance":"imp","table":"a_table_with_a_very_long_name_that_really_does_not_fit_into_63_bytes_2","keys":[{"name":"k","type":"INTEGER"}]}' >/dev/null
CREATE SERVER ts_imp FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint :'tablestore_endpoint', instance 'imp');
\set ECHO none
CREATE USER MAPPING FOR CURRENT_USER SERVER ts_imp OPTIONS (access_key_id :'key_id', access_key_secret :'key_secret');
\set ECHO all
CREATE SCHEMA ts_one;
IMPORT FOREIGN SCHEMA imp FROM SERVER ts_imp INTO ts_one;
\d ts_one.*
SELECT * FROM ts_one.orders ORDER BY id;
CREATE SCHEMA ts_two;
IMPORT FOREIGN SCHEMA "default" LIMIT TO (orders, orders_stream) FROM SERVER ts_imp INTO ts_two OPTIONS (stream 'true', sample_rows '1', rest 'false');
\d ts_two.*
CREATE SCHEMA ts_three;
IMPORT FOREIGN SCHEMA imp EXCEPT (orders) FROM SERVER ts_imp INTO ts_three OPTIONS (sample_rows '0');
SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'ts_three' ORDER BY 1;
-- errors
IMPORT FOREIGN SCHEMA other FROM SERVER ts_imp INTO ts_three;
IMPORT FOREIGN SCHEMA imp FROM SERVER ts_imp INTO ts_three OPTIONS (sample_rows 'x');
IMPORT FOREIGN SCHEMA imp FROM SERVER ts_imp INTO ts_three OPTIONS (sample_rows '100001');
IMPORT FOREIGN SCHEMA imp FROM SERVER ts_imp INTO ts_three OPTIONS (nonsense '1');
