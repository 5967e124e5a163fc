#!/bin/bash
# make demo: a throw-away PostgreSQL and the emulator, a million access-log rows, one
# INSERT that syncs a time window into a partitioned MaxCompute table.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
rows=${ROWS:-1000000}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { "$PG_BIN/psql" -X -v ON_ERROR_STOP=1 "$@"; }

say "building the extension and the emulator, starting a throw-away PostgreSQL"
mc_init
mc_cluster
mc_emulator
echo "PostgreSQL in $MC_DIR, Log Service on port $MC_LOGHUB_PORT, MaxCompute on port $MC_MAXCOMPUTE_PORT"

say "$rows access-log rows arrive in logstore web/access-log, table demo.ods_access_log is created"
mc_emu '{"service":"loghub","op":"create_project","project":"web"}' >/dev/null
mc_emu '{"service":"loghub","op":"create_logstore","project":"web","logstore":"access-log","shards":4,"ttl":3650}' >/dev/null
mc_emu '{"service":"loghub","op":"generate","project":"web","logstore":"access-log","profile":"access_log","rows":'"$rows"',"from":"2018-01-11T01:30:00+08:00","to":"2018-01-11T01:40:00+08:00"}' >/dev/null
mc_emu '{"service":"maxcompute","op":"create_project","project":"demo"}' >/dev/null
columns="at DATETIME, ip STRING, method STRING, status BIGINT, cost DOUBLE"
mc_emu '{"service":"maxcompute","op":"sql","project":"demo","sql":"CREATE TABLE demo.ods_access_log ('"$columns"') PARTITIONED BY (pt STRING)"}' >/dev/null

say "the job"
export PGOPTIONS="-c timezone=Asia/Shanghai"
run -q <<SQL
CREATE EXTENSION mc_fdw;
CREATE SERVER sls FOREIGN DATA WRAPPER loghub_fdw OPTIONS (endpoint 'http://localhost:$MC_LOGHUB_PORT', project 'web');
CREATE SERVER odps FOREIGN DATA WRAPPER maxcompute_fdw OPTIONS (endpoint 'http://127.0.0.1:$MC_MAXCOMPUTE_PORT/api', project 'demo');
CREATE USER MAPPING FOR CURRENT_USER SERVER sls OPTIONS (access_key_id '$MC_KEY_ID', access_key_secret '$MC_KEY_SECRET');
CREATE USER MAPPING FOR CURRENT_USER SERVER odps OPTIONS (access_key_id '$MC_KEY_ID', access_key_secret '$MC_KEY_SECRET');
CREATE FOREIGN TABLE access_log (
  __receive_time__ timestamptz, __time__ timestamptz, __topic__ text, __source__ text,
  ip text, method text, status int, cost float8 OPTIONS (field 'request_time')
) SERVER sls OPTIONS (logstore 'access-log');
CREATE FOREIGN TABLE ods_access_log (
  at timestamptz(3), ip text, method text, status bigint, cost float8, pt text
) SERVER odps OPTIONS (table 'ods_access_log');
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
say "done; everything is removed again"
