#!/bin/bash
# pg_regress against the emulator in a throw-away cluster.
#   test/regress.sh [name ...]     default: every sql/*.sql
# Tests see MC_LOGHUB_PORT, MC_MAXCOMPUTE_PORT, MC_KEY_ID, MC_KEY_SECRET in the
# environment (\getenv), start with \i sql/setup.psql, and reach the emulator's
# control paths with \! emu ...
set -euo pipefail
. "$(dirname "$0")/lib.sh"
mc_init
# what is used after it was freed shows
export MALLOC_PERTURB_=165
mc_cluster
mc_emulator

work=$MC_DIR/regress
mkdir -p "$work/results" "$work/bin"
cp -r "$MC_ROOT/sql" "$MC_ROOT/expected" "$work/"
cp "$MC_ROOT/test/emu" "$MC_ROOT/test/odps-load" "$MC_ROOT/test/oss" "$work/bin/"
[ "$(id -u)" = 0 ] && chown -R postgres "$work"
chmod -R a+rX "$work"

if [ $# -gt 0 ]; then
	names=("$@")
else
	names=()
	for f in "$MC_ROOT"/sql/*.sql; do names+=("$(basename "$f" .sql)"); done
fi

pgxs=$(cd "$(dirname "$($PG_CONFIG --pgxs)")/.." && pwd)
cd "$work"
status=0
mc_as env PATH="$work/bin:$PG_BIN:$PATH" "$pgxs/test/regress/pg_regress" \
	--bindir="$PG_BIN" --inputdir="$work" --outputdir="$work" --host="$PGHOST" --port="$PGPORT" \
	--user=postgres --dbname=mc_regress --load-extension=mc_fdw "${names[@]}" >"$work/log" 2>&1 || status=$?
cat "$work/log"
if [ -e "$work/regression.diffs" ]; then
	cat "$work/regression.diffs"
	mkdir -p "$MC_ROOT/build/regress"
	cp -r "$work/results" "$work/regression.diffs" "$MC_ROOT/build/regress/"
fi
# from 16 on pg_regress writes TAP
passed=$(grep -cE '\.\.\. ok|^ok [0-9]' "$work/log" || true)
failed=$(grep -cE '\.\.\. FAILED|^not ok [0-9]' "$work/log" || true)
[ "$status" = 0 ] || [ "$failed" != 0 ] || failed=1
if grep -qE "$MC_KEY_SECRET|sts-secret|sts-token" "$MC_DIR/server.log"; then
	echo "a secret is in the server log"
	failed=$((failed + 1))
fi
# Debian's server is stripped and writes uninitialised padding itself: what counts is our own frames,
# which have the file they come from, or the library if it has no debug information
if [ -n "${MC_VALGRIND:-}" ]; then
	ours='/src/(wire|net|service|fdw|sync)/[a-z0-9_]+\.[ch]:|mc_fdw\.so'
	logs=("$MC_DIR"/valgrind.*.log)
	if [ ! -e "${logs[0]}" ]; then
		echo "the server did not run under valgrind"
		failed=$((failed + 1))
	elif grep -qE "$ours" "${logs[@]}"; then
		grep -hE -B12 -A12 "$ours" "${logs[@]}" | sed -n 1,200p
		failed=$((failed + 1))
	fi
fi
echo "regress: $passed passed, $failed failed"
[ "$failed" = 0 ]
