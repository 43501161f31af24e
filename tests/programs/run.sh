#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "programs": Debian's own programs on the reference kernel, with 1 and 4 CPUs, their root and
# their files on 9p. The short form is compared with what Linux printed (CASE.linux, remade by ./mmkit
# oracle --record programs); the long form with what Debian's arm64 Linux prints now, under the same QEMU.
#	run.sh TOP	prints "ok NAME" and "not ok NAME: WHY"
set -u
TOP=$1
SUITE=programs
. "$TOP/tests/lib.sh"
. "$TOP/tests/programs/lib.sh"
trap 'clean_roots; rm -rf "$work"' EXIT

# judge CASE KERNEL CPUS SIZE WANTED: what it prints there is what the file has.
judge() {
	run_case "$2" "$3" "$1" "$4"
	[ "$2:$?" != linux:$NOT_ENDED ] || {
		echo "$1|$(place "$2" "$3")|not ended in $seconds s" >>cells
		say "$1, $(place "$2" "$3"): not ended in $seconds s"
		return
	}
	if diff "$5" out >change; then verdict=ok; else verdict=FAILED; fi
	echo "$1|$(place "$2" "$3")|$verdict, $seconds s" >>cells
	same "$1, $(place "$2" "$3")" "$(grep '^[<>]' change | head -n 6 | tr '\n' '|')" ""
	[ "$2" != mmkit ] || missing_calls >>missing
}

# Linux judges: what it prints with one CPU has to end well, and is what all others are held against.
ask_linux() {
	run_case linux 1 "$1" "$2"
	ended=$?
	same "$1, $(place linux 1): exit status" "$ended $(grep '^status [1-9]' out)" "0 "
	if [ $ended = 0 ]; then verdict=ok; else verdict=FAILED; fi
	echo "$1|$(place linux 1)|$verdict, $seconds s" >>cells
	cp out wanted
	judge "$1" linux 4 "$2" wanted
}

short_form() {
	for case in $(cases short); do
		grep -v '^#' "$CASES/$case.linux" >wanted
		for cpus in 1 4; do
			judge "$case" mmkit $cpus "$(field "$case" short)" wanted
		done
	done
}

long_form() {
	for case in $(cases long); do
		ask_linux "$case" "$(field "$case" long)"
		for cpus in 1 4; do
			judge "$case" mmkit $cpus "$(field "$case" long)" wanted
		done
	done
}

: >cells
: >missing
if [ "${MMKIT_LONG:-0}" = 1 ]; then
	long_form
	print_table cells program
else
	short_form
fi
tell_missing missing
