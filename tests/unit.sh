#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "unit": every test program that meson knows in the hosted build, each of its cases counted.
#	unit.sh BUILD	prints "ok NAME" and "not ok NAME: WHY"
set -u
BUILD=$1
log=$BUILD/meson-logs/testlog.txt

rm -f "$log" "$BUILD/meson-logs/testlog.json"
CMOCKA_MESSAGE_OUTPUT=TAP
export CMOCKA_MESSAGE_OUTPUT
meson test -C "$BUILD" --no-rebuild --timeout-multiplier 10 >"$BUILD/meson-logs/run.txt" 2>&1
if [ ! -e "$log" ]; then
	cat "$BUILD/meson-logs/run.txt"
	exit 1
fi

# A program's cases are its TAP lines; a program that has none is one case. One that failed beyond its
# cases (a sanitizer's report, a crash, a time-out) is a failed case more, shown with its output.
awk '
function finish() {
	if (name == "")
		return
	if (result == "exit status 0") {
		if (!cases)
			print "ok " name
	} else if (!bad) {
		print "not ok " name ": " result
		printf "%s", text
	}
	name = ""
}
/^=+ [0-9]+\/[0-9]+ =+$/ { finish(); head = 1; cases = bad = 0; text = ""; next }
head && /^test: / { sub(/^test: +/, ""); name = $0; next }
head && /^result: / { sub(/^result: +/, ""); result = $0; head = 0; next }
head || name == "" { next }
/^Summary of Failures:/ { finish(); next }
/^not ok [0-9]+ # SKIP/ { cases++; next }
/^ok [0-9]+ - / { cases++; sub(/^ok [0-9]+ - /, ""); print "ok " name ": " $0; next }
/^not ok [0-9]+ - / { cases++; bad++; sub(/^not ok [0-9]+ - /, ""); print "not ok " name ": " $0; next }
{ text = text $0 "\n" }
bad && /^# / { print "	" $0 }
END { finish() }
' "$log"
