#!/bin/bash
# make demo: a throw-away PostgreSQL and the emulator, a million access-log rows, one
# INSERT that syncs a time window into a partitioned MaxCompute table, one that makes
# some seconds of it rows of Tablestore, to be looked up by key, and one that writes the
# window to OSS as gzip csv, a directory per minute, read back by directory.  At the end
# the INSERT becomes a job, whose server crashes and which repairs that.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
rows=${ROWS:-1000000}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { "$PG_BIN/psql" -X -v ON_ERROR_STOP=1 "$@"; }

say "building the extension and the emulator, starting a throw-away PostgreSQL"
mc_init
mc_cluster
mc_emulator
echo "PostgreSQL in $MC_DIR, Log Service on port $MC_LOGHUB_PORT, MaxCompute on port $MC_MAXCOMPUTE_PORT, Tablestore on port $MC_TABLESTORE_PORT, OSS on port $MC_OSS_PORT"

say "$rows access-log rows arrive in logstore web/access-log, table demo.ods_access_log is created"
mc_emu '{"service":"loghub","op":"create_project","project":"web"}' >/dev/null
mc_emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"access-log","shards":4,"ttl":3650}' >/dev/null
mc_emu '{"service":"loghub","op":"generate","project":"web","logstore":"access-log","profile":"access_log","rows":'"$rows"',"from":"2018-01-11T01:30:00+08:00","to":"2018-01-11T01:40:00+08:00"}' >/dev/null
mc_emu '{"service":"maxcompute","op":"create_project","project":"demo"}' >/dev/null
columns="at DATETIME, ip STRING, method STRING, status BIGINT, cost DOUBLE"
mc_emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE demo.ods_access_log ('"$columns"') PARTITIONED BY (pt STRING)"}' >/dev/null
mc_emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE demo.access_by_minute ('"$columns"') PARTITIONED BY (pt STRING, hm STRING)"}' >/dev/null
mc_emu '{"service":"tablestore","op":"create_table","table":"requests","keys":[{"name":"user_id","type":"STRING"},{"name":"at","type":"INTEGER"},{"name":"request_id","type":"STRING"}]}' >/dev/null
mc_emu '{"service":"oss","op":"create_bucket","bucket":"lake"}' >/dev/null

say "one INSERT syncs five minutes"
export PGOPTIONS="-c timezone=Asia/Shanghai"
run -q <<SQL
CREATE EXTENSION mc_fdw;
CREATE SERVER sls FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://localhost:$MC_LOGHUB_PORT', project 'web');
CREATE SERVER odps FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint 'http://127.0.0.1:$MC_MAXCOMPUTE_PORT/api', project 'demo');
CREATE SERVER ots FOREIGN DATA WRAPPER tablestore_fdw OPTIONS (endpoint 'http://127.0.0.1:$MC_TABLESTORE_PORT', instance 'demo');
CREATE SERVER oss FOREIGN DATA WRAPPER oss_fdw OPTIONS (endpoint 'http://127.0.0.1:$MC_OSS_PORT', bucket 'lake', url_style 'path');
CREATE USER MAPPING FOR CURRENT_USER SERVER oss OPTIONS (access_key_id '$MC_KEY_ID', access_key_secret '$MC_KEY_SECRET');
CREATE USER MAPPING FOR CURRENT_USER SERVER ots OPTIONS (access_key_id '$MC_KEY_ID', access_key_secret '$MC_KEY_SECRET');
CREATE USER MAPPING FOR CURRENT_USER SERVER sls OPTIONS (access_key_id '$MC_KEY_ID', access_key_secret '$MC_KEY_SECRET');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (access_key_id '$MC_KEY_ID', access_key_secret '$MC_KEY_SECRET');
CREATE FOREIGN TABLE access_log (
  __receive_time__ timestamptz, __time__ timestamptz, __topic__ text, __source__ text,
  ip text, method text, status int, cost float8 OPTIONS (field 'request_time'), user_id text, request_id text
) SERVER sls OPTIONS (logstore 'access-log');
CREATE FOREIGN TABLE ods_access_log (
  at timestamptz(3), ip text, method text, status bigint, cost float8, pt text
) SERVER odps OPTIONS (table 'ods_access_log');
CREATE FOREIGN TABLE access_by_minute (
  at timestamptz(3), ip text, method text, status bigint, cost float8, pt text, hm text
) SERVER odps OPTIONS (write_mode 'overwrite');
CREATE FOREIGN TABLE requests (
  user_id text OPTIONS (key '1') COLLATE "C" NOT NULL, at bigint OPTIONS (key '2') NOT NULL,
  request_id text OPTIONS (key '3') COLLATE "C" NOT NULL, method text, status int, cost float8
) SERVER ots;
CREATE FOREIGN TABLE access_csv (
  at timestamptz, ip text, method text, status int, cost float8, dt date, hm text
) SERVER oss OPTIONS (prefix 'logs/dt={dt}/hm={hm}/', format 'csv', header 'true', compression 'gzip');
SQL
cat >"$MC_DIR/job.sql" <<'SQL'
INSERT INTO ods_access_log
SELECT __time__, ip, method, status, cost, to_char(__receive_time__, 'YYYYMMDD')
  FROM access_log
 WHERE __receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < '2018-01-11 01:35:00+08';
SQL
cat "$MC_DIR/job.sql"
start=$(date +%s.%N)
run -f "$MC_DIR/job.sql"
seconds=$(awk "BEGIN {print $(date +%s.%N) - $start}")

say "rows on both sides"
source=$(run -Atc "SELECT count(*) FROM access_log WHERE __receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < '2018-01-11 01:35:00+08'")
target=$(run -Atc "SELECT count(*) FROM ods_access_log")
echo "LogHub window: $source rows, MaxCompute: $target rows"
mc_emu '{"service":"maxcompute","op":"checksum","project":"demo","table":"ods_access_log"}'
awk "BEGIN {printf \"%d rows in %.2f s: %d rows/s\\n\", $target, $seconds, $target / $seconds}"
run -c "SELECT * FROM ods_access_log WHERE pt = '20180111' LIMIT 5"
[ "$source" = "$target" ] && [ "$target" -gt 0 ] || { echo "the counts differ" >&2; exit 1; }

say "ten seconds of it as rows of Tablestore"
cat >"$MC_DIR/requests.sql" <<'SQL'
INSERT INTO requests
SELECT user_id, extract(epoch FROM date_trunc('milliseconds', __time__)) * 1000, request_id, method, status, cost
  FROM access_log
 WHERE __receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < '2018-01-11 01:30:10+08';
SQL
cat "$MC_DIR/requests.sql"
run -f "$MC_DIR/requests.sql"
window="__receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < '2018-01-11 01:30:10+08'"
logs=$(run -Atc "SELECT count(*) FROM access_log WHERE $window")
rows=$(run -Atc "SELECT count(*) FROM requests")
echo "LogHub window: $logs rows, Tablestore: $rows rows"
user=$(run -Atc "SELECT min(user_id) FROM requests")
run -c "SELECT * FROM requests WHERE user_id = '$user' ORDER BY at" -c "EXPLAIN (COSTS OFF) SELECT * FROM requests WHERE user_id = '$user' ORDER BY at"
[ "$logs" = "$rows" ] && [ "$rows" -gt 0 ] || { echo "the counts differ" >&2; exit 1; }

say "the window as gzip csv in OSS, a directory per minute"
cat >"$MC_DIR/csv.sql" <<'SQL'
INSERT INTO access_csv
SELECT __time__, ip, method, status, cost, __time__::date, to_char(__time__, 'HH24MI')
  FROM access_log
 WHERE __receive_time__ >= '2018-01-11 01:30:00+08' AND __receive_time__ < '2018-01-11 01:35:00+08';
SQL
cat "$MC_DIR/csv.sql"
start=$(date +%s.%N)
run -f "$MC_DIR/csv.sql"
seconds=$(awk "BEGIN {print $(date +%s.%N) - $start}")
run -c "SELECT * FROM mc.objects('access_csv')" \
	-c "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT status, count(*) FROM access_csv WHERE dt = '2018-01-11' AND hm = '0131' GROUP BY status"
rows=$(run -Atc "SELECT count(*) FROM access_csv")
awk "BEGIN {printf \"LogHub window: $source rows, OSS: $rows rows, written in %.2f s\\n\", $seconds}"
[ "$source" = "$rows" ] || { echo "the counts differ" >&2; exit 1; }
say "the INSERT as a job: a window of a minute, a partition for each"
cat >"$MC_DIR/create_job.sql" <<'SQL'
SELECT mc.create_job('access_by_minute', $$
  INSERT INTO access_by_minute
  SELECT __time__, ip, method, status, cost, mc.bizdate($1), to_char($1, 'HH24MI')
    FROM access_log WHERE __receive_time__ >= $1 AND __receive_time__ < $2 $$,
  every => '1 minute', start => '2018-01-11 01:30+08');
CALL mc.run_job('access_by_minute', max_windows => 3);
SQL
cat "$MC_DIR/create_job.sql"
run -f "$MC_DIR/create_job.sql"
status="SELECT job, published_until, state, open_entries, gaps FROM mc.status"
run -c "$status"

say "the fourth window: the server crashes when its partition is published and nobody has noted it"
echo "SET mc_fdw.fail_at = 'published:kill';"
echo "CALL mc.run_job('access_by_minute', max_windows => 1);"
if run -q -c "SET mc_fdw.fail_at = 'published:kill'" -c "CALL mc.run_job('access_by_minute', max_windows => 1)"; then
	echo "the server should have crashed" >&2
	exit 1
fi
for _ in $(seq 100); do run -Atqc "SELECT 1" >/dev/null 2>&1 && break; sleep 0.1; done
run -c "$status"

say "the next call asks MaxCompute what became of it, and goes on"
echo "CALL mc.run_job('access_by_minute', max_windows => 1);"
run -c "CALL mc.run_job('access_by_minute', max_windows => 1)" -c "$status" \
	-c "SELECT seq, attempt, state, window_begin, rows_out FROM mc.run ORDER BY run_id"
target=$(run -Atc "SELECT count(*) FROM access_by_minute WHERE pt = '20180111'")
echo "LogHub, five minutes: $source rows, MaxCompute, five partitions: $target rows"
[ "$source" = "$target" ] || { echo "the counts differ" >&2; exit 1; }
say "done; everything is removed again"
