#!/bin/sh
# run.sh <build directory> <seconds> <target>...
# Replay each target's corpus (test/fuzz/corpus/<name>), then explore for that
# many seconds.  New inputs are kept in <build directory>/found/<name>, inputs
# that crash in <build directory>/crash-*.

build=$1
seconds=$2
shift 2
passed=0
failed=0

for target in "$@"
do
	name=$(basename "$target")
	name=${name#fuzz_}
	corpus=test/fuzz/corpus/$name
	found=$build/found/$name
	log=$build/$name.log
	mkdir -p "$found"
	if [ -n "$(ls "$corpus" 2>/dev/null)" ] &&
		"./$target" -runs=0 "$corpus" >"$log" 2>&1 &&
		"./$target" -max_total_time="$seconds" -artifact_prefix="$build/crash-$name-" \
			-timeout=20 -rss_limit_mb=2048 -print_final_stats=1 "$found" "$corpus" >>"$log" 2>&1
	then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
		echo "fuzz_$name: ok, $(ls "$corpus" | wc -l) kept inputs, $runs runs"
		passed=$((passed + 1))
	else
		echo "fuzz_$name: failed, or it has no corpus"
		tail -n 40 "$log"
		failed=$((failed + 1))
	fi
done

echo "fuzz: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
