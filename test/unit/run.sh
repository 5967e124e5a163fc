#!/bin/sh
# Run unit test programs and add up what they report.  A program that dies
# without its summary line counts as one failure.

passed=0
failed=0

for program in "$@"
do
	output=$("./$program" 2>&1)
	status=$?
	printf '%s\n' "$output"
	summary=$(printf '%s\n' "$output" |
		sed -n 's/^[a-z0-9_]*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' | tail -n 1)
	p=${summary% *}
	f=${summary#* }
	if [ -z "$summary" ] || { [ "$f" -eq 0 ] && [ "$status" -ne 0 ]; }
	then
		echo "$program: ended with status $status"
		p=${p:-0}
		f=1
	fi
	passed=$((passed + p))
	failed=$((failed + f))
done

echo "unit: $passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
