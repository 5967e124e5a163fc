-- run_column: a column that only jobs write; wrong options.  What jobs do with it is in test/t.
\i sql/setup.psql
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE rc (id BIGINT, mc_run STRING, name STRING) PARTITIONED BY (dt STRING)"}' >/dev/null
\! emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE rc_not_null (id BIGINT, mc_run STRING NOT NULL)"}' >/dev/null

-- the table alone has it, and it is not empty
ALTER SERVER odps OPTIONS (ADD run_column 'mc_run');
CREATE FOREIGN TABLE rc_bad (id bigint, dt text) SERVER odps OPTIONS (table 'rc', run_column '');
CREATE FOREIGN TABLE rc_sls (id bigint) SERVER sls OPTIONS (logstore 'x', run_column 'mc_run');

-- it must be there, a STRING, and no partition key; a SELECT does not mind
CREATE FOREIGN TABLE rc_missing (id bigint, dt text) SERVER odps OPTIONS (table 'rc', run_column 'missing');
INSERT INTO rc_missing VALUES (1, 'a');
SELECT count(*) FROM rc_missing;
CREATE FOREIGN TABLE rc_type (name text, dt text) SERVER odps OPTIONS (table 'rc', run_column 'id');
INSERT INTO rc_type VALUES ('x', 'a');
CREATE FOREIGN TABLE rc_key (id bigint, dt text) SERVER odps OPTIONS (table 'rc', run_column 'dt');
INSERT INTO rc_key VALUES (1, 'a');
COPY rc_key FROM STDIN;
1	a
\.

-- nobody writes it; names have no case
CREATE FOREIGN TABLE rc (id bigint, run text OPTIONS (field 'mc_run'), name text, dt text) SERVER odps OPTIONS (table 'rc', run_column 'MC_RUN');
INSERT INTO rc VALUES (1, 'mine', 'x', 'a');
INSERT INTO rc (id, run, dt) SELECT 1, 'mine', 'a';
SET mc_fdw.on_error = 'reject';
INSERT INTO rc (id, run, dt) SELECT 1, 'mine', 'a';
RESET mc_fdw.on_error;
COPY rc (id, run, dt) FROM STDIN;
1	mine	a
\.

-- outside of jobs it is NULL, declared or not
INSERT INTO rc (id, name, dt) VALUES (1, 'x', 'a');
INSERT INTO rc VALUES (2, NULL, 'y', 'a');
CREATE FOREIGN TABLE rc_short (name text, id bigint, dt text) SERVER odps OPTIONS (table 'rc', run_column 'mc_run');
INSERT INTO rc_short VALUES ('z', 3, 'b');
SELECT * FROM rc ORDER BY id;
EXPLAIN (COSTS OFF) INSERT INTO rc_short VALUES ('z', 3, 'b');

-- nothing else to write
CREATE FOREIGN TABLE rc_only (mc_run text, dt text) SERVER odps OPTIONS (table 'rc', run_column 'mc_run');
INSERT INTO rc_only (dt) VALUES ('a');

-- not null: for jobs alone
CREATE FOREIGN TABLE rc_not_null (id bigint, mc_run text) SERVER odps OPTIONS (run_column 'mc_run');
INSERT INTO rc_not_null (id) VALUES (1);
CREATE FOREIGN TABLE rc_not_null_short (id bigint) SERVER odps OPTIONS (table 'rc_not_null', run_column 'mc_run');
INSERT INTO rc_not_null_short (id) VALUES (1);
