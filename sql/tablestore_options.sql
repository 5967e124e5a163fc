-- Options of servers, tables and columns, and declarations that make no sense by themselves.
\i sql/setup.psql
CREATE SCHEMA ts_options;
SET search_path = ts_options, public;
CREATE SERVER ts_o FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'https://x.example.com');
CREATE SERVER ts_o FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'https://x.example.com/api', instance 'x');
CREATE SERVER ts_o FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'x.example.com', instance 'x');
CREATE SERVER ts_o FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'https://x.example.com', instance 'a b');
CREATE SERVER ts_o FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'https://x.example.com', instance 'x', project 'y');
CREATE SERVER ts_o FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'https://x.example.com', instance 'x', unknown_columns 'maybe');
CREATE SERVER ts_o FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'https://x.example.com', instance 'x', split_size '-1');
CREATE SERVER ts_o FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'https://x.example.com', instance 'x', region 'cn-hangzhou', split_size '1GB', unknown_columns 'error', verify_content 'on', batch_size '100', write_buffer '8MB', write_mode 'update', cell_timestamp 'server', updatable 'false', expired_window 'clamp', unsettled_window 'error');
CREATE FOREIGN TABLE t (k bigint OPTIONS (key '0')) SERVER ts_o;
CREATE FOREIGN TABLE t (k bigint OPTIONS (key '5')) SERVER ts_o;
CREATE FOREIGN TABLE t (k bigint OPTIONS (key '1', type 'float')) SERVER ts_o;
CREATE FOREIGN TABLE t (k bigint OPTIONS (key '1')) SERVER ts_o OPTIONS (mode 'tables');
CREATE FOREIGN TABLE t (k bigint OPTIONS (key '1')) SERVER ts_o OPTIONS (max_versions '0');

-- each of these is a matter of the table as a whole: told when it is used
CREATE FUNCTION declared(columns text, options text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text;
BEGIN
  EXECUTE format('CREATE FOREIGN TABLE d (%s) SERVER ts_o %s', columns, options);
  EXECUTE 'EXPLAIN SELECT * FROM d';
  DROP FOREIGN TABLE d;
  RETURN 'fine';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(E'\n', SQLSTATE || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT declared('v bigint');
SELECT declared('k bigint OPTIONS (key ''2'')');
SELECT declared('k bigint OPTIONS (key ''1''), l bigint OPTIONS (key ''3'')');
SELECT declared('k bigint OPTIONS (key ''1''), l bigint OPTIONS (key ''1'')');
SELECT declared('k bigint OPTIONS (key ''1''), a text OPTIONS (field ''x''), b text OPTIONS (field ''x'')');
SELECT declared('k bigint OPTIONS (key ''1''), a text OPTIONS (field ''k'')');
SELECT declared('k bigint OPTIONS (key ''1''), rest text OPTIONS (field ''*'')');
SELECT declared('k jsonb OPTIONS (key ''1'', field ''*'')');
SELECT declared('k bigint OPTIONS (key ''1'', type ''double'')');
SELECT declared('k bigint OPTIONS (key ''1'', type ''any'')');
SELECT declared('k bigint OPTIONS (key ''1'', type ''string'')');
SELECT declared('k text OPTIONS (key ''1'', type ''binary'')');
SELECT declared('k bigint OPTIONS (key ''1''), v bytea OPTIONS (type ''string'')');
SELECT declared('k bigint OPTIONS (key ''1''), v timestamptz OPTIONS (type ''integer'')');
SELECT declared('k bigint OPTIONS (key ''1''), v integer OPTIONS (type ''double'')');
SELECT declared('k bigint OPTIONS (key ''1''), __version__ text');
SELECT declared('k bigint OPTIONS (key ''1''), __type__ text');
SELECT declared('k bigint OPTIONS (key ''1''), __shard__ text');
SELECT declared('k bigint OPTIONS (key ''1''), v text OPTIONS (field ' || quote_literal(repeat('x', 256)) || ')');
SELECT declared('k bigint OPTIONS (key ''1'')', 'OPTIONS (max_versions ''2'')');
SELECT declared('k bigint OPTIONS (key ''1'')', 'OPTIONS (shape ''cell'', max_versions ''2'')');
SELECT declared('k bigint OPTIONS (key ''1''), gone boolean', 'OPTIONS (delete_column ''gone'')');
SELECT declared('k bigint OPTIONS (key ''1''), gone boolean', 'OPTIONS (guard_column ''g'', delete_column ''gone'')');
SELECT declared('a text OPTIONS (key ''1''), b bytea OPTIONS (key ''3''), c int2 OPTIONS (key ''2''), d uuid OPTIONS (key ''4''), v numeric OPTIONS (type ''double''), w text OPTIONS (type ''integer''), x char(3) OPTIONS (type ''any''), r jsonb OPTIONS (field ''*'')');
