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

# where KERNEL CPUS: in words
where() {
	[ "$1" = mmkit ] || printf 'Linux, '
	case $2 in
	1) echo '1 CPU' ;;
	*) echo "$2 CPUs" ;;
	esac
}

# judge CASE KERNEL CPUS SIZE WANTED: what it prints there is what the file has.
judge() {
	run_case "$2" "$3" "$1" "$4"
	echo "$1|$2|$3|$seconds" >>times
	diff "$5" out >change
	same "$1, $(where "$2" "$3")" "$(grep '^[<>]' change | head -n 6 | tr '\n' '|')" ""
	[ "$2" != mmkit ] || missing_calls >>missing
}

# Linux judges: what it prints with one CPU has to end well, and is what all others are held against.
ask_linux() {
	run_case linux 1 "$1" "$2"
	same "$1, Linux, 1 CPU: exit status" "$? $(grep '^status' out)" "0 "
	echo "$1|linux|1|$seconds" >>times
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

: >times
: >missing
if [ "${MMKIT_LONG:-0}" = 1 ]; then
	long_form
	say 'seconds          mmkit, 1 CPU  mmkit, 4 CPUs  Linux, 1 CPU  Linux, 4 CPUs'
	awk -F'|' '{ time[$1 $2 $3] = $4; if (!($1 in seen)) order[++n] = $1; seen[$1] = 1 }
		END {
			for (i = 1; i <= n; i++) {
				c = order[i]
				printf "mmkit: %-16s %12s %14s %13s %14s\n", c, time[c "mmkit1"], time[c "mmkit4"], \
					time[c "linux1"], time[c "linux4"]
			}
		}' times >&2
else
	short_form
fi
sort -u missing | sed 's/^/mmkit: asked for and not there: /' >&2
