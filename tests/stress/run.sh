#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "stress": Debian's stress-ng, each of its stressors of memory and all at once, on one CPU and on four; and a
# machine that is left under load, whose frames are counted before and after. That stress-ng ends with status 0 is no
# proof, so its operations are counted too, and what it says it has skipped or found wrong.
# The short form asks for a number of operations, whatever time they take; the long one gives each ten seconds, also on
# Debian's arm64 Linux where its kernel has been fetched, and prints what each has done.
#	run.sh TOP	prints "ok NAME" and "not ok NAME: WHY"
set -u
TOP=$1
SUITE=stress
. "$TOP/tests/lib.sh"
. "$TOP/tests/programs/lib.sh"
CASES=$TOP/tests/stress
trap 'clean_roots; rm -rf "$work"' EXIT

# Where faults, fork and page tables meet most; the four CPUs get all.
SOME="mmap mmapfork mremap munmap mprotect madvise msync stack vm vm-rw vm-segv fault fork sigsegv shm-sysv memthrash"

cpus() {
	case $1 in
	1) echo '1 CPU' ;;
	*) echo "$1 CPUs" ;;
	esac
}

NO_USERFAULTFD='userfaultfd:_stressor_will_be_skipped,_userfaultfd()_not_supported|'

# judge_line WHERE NAME STATUS OPERATIONS SECONDS COMPLAINTS
judge_line() {
	# the one call that mmkit does not have, and says so
	case $2:$6 in
	"userfaultfd:$NO_USERFAULTFD"*) set -- "$1" "$2, skipped" "$3" 1 "$5" "" ;;
	"together:$NO_USERFAULTFD") set -- "$1" "$2" "$3" "$4" "$5" "" ;;
	esac
	case $3:$4:$6 in
	0:0:*) bad "$2, $1" "no operation: $6" ;;
	0:*:) good "$2, $1" ;;
	*) bad "$2, $1" "status $3: $6" ;;
	esac
}

# each KERNEL CPUS WORKERS FORM [NAME...]: the lines go to KERNEL.CPUS
each() {
	lines=$1.$2 where=$(cpus "$2") kernel=$1 number=$2
	shift 2
	run_case "$kernel" "$number" each "$*"
	each_status=$?
	cp out "$lines"
	[ "$kernel" = mmkit ] || return 0
	while read -r name status operations time complaints; do
		[ "$name" = status ] || judge_line "$where" "$name" "$status" "$operations" "$time" "$complaints"
	done <"$lines"
	same "the machine, $where" "$each_status $(sed -n 's/^status [0-9]*: *//p' "$lines")" "0 "
	shift 2
	same "all came, $where" "$(for name in ${*:-vm resources together}; do grep -c "^$name " "$lines"; done | sort -u)" 1
	missing_calls | sort -u >>missing
}

left() {
	MEMORY=256M
	run_case mmkit 4 left "$1"
	same "left for $1 seconds, 4 CPUs, 256 MiB: no frame is lost" "$? $(tr '\n' '|' <out)" \
		"0 status 0|text ok|data ok|memory ok|"
}

# What each has done a second.
table() {
	awk 'FILENAME != last { last = FILENAME; files[++nr] = last }
		!($1 in seen) { seen[$1] = 1; names[++n] = $1 }
		{ rate[$1, FILENAME] = $3 "/" $4 "s" ($5 == "" ? "" : "!") }
		END {
			printf "%-12s", ""
			for (f = 1; f <= nr; f++) printf " %18s", files[f]
			print ""
			for (i = 1; i <= n; i++) {
				printf "%-12s", names[i]
				for (f = 1; f <= nr; f++) printf " %18s", rate[names[i], files[f]]
				print ""
			}
		}' "$@"
}

long_form() {
	for number in 1 4; do
		each mmkit $number $number 10
		[ ! -e "$TOP/build/linux/6.12/Image" ] || each linux $number $number 10
	done
	left 600
	say 'operations/seconds of each stressor (!: it complained)'
	table $(ls mmkit.1 mmkit.4 linux.1 linux.4 2>/dev/null) | sed 's/^/mmkit: /' >&2
}

: >missing
if [ "${MMKIT_LONG:-0}" = 1 ]; then
	long_form
else
	each mmkit 1 1 ops $SOME
	each mmkit 4 2 ops
	left 20
fi
sort -u missing | sed 's/^/mmkit: asked for and not there: /' >&2
