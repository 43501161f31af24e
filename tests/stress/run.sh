#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "stress": Debian's stress-ng, each of its stressors of memory and all at once, on one CPU and on four; and a
# machine that is left under load, whose frames are counted before and after. That stress-ng ends with status 0 is no
# proof, so its operations are counted too, and what it says it has skipped or found wrong.
# The short form asks for a number of operations, whatever time they take; the long one gives each ten seconds, also on
# Debian's arm64 Linux, and prints what each has done.
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

NO_USERFAULTFD='userfaultfd:_stressor_will_be_skipped,_userfaultfd()_not_supported|'

# excused COMPLAINTS: without those that say nothing of mmkit where all run at once. The one call that it does not have;
# and what those of resources, mlockmany and bigheap leave no memory for: a worker of vm-segv that has not made its first
# child in its time, one of shm-sysv whose child has been killed. Alone each of them is judged.
excused() {
	echo "$1" | sed "s/^$NO_USERFAULTFD//; s/vm-segv:_no_SIGSEGV_signals_detected|//g; s/shm-sysv:_zero_bytes_read|//g"
}

# what_is_wrong NAME STATUS OPERATIONS COMPLAINTS: nothing, if nothing is
what_is_wrong() {
	case $2:$3:$4 in
	0:0:*) echo "no operation: $4" ;;
	0:*:) ;;
	*) echo "status $2: $4" ;;
	esac
}

# judge_line KERNEL CPUS NAME STATUS OPERATIONS SECONDS COMPLAINTS: what Linux did is for the table only
judge_line() {
	at=$(place "$1" "$2") skipped=
	case $3:$7 in
	"userfaultfd:$NO_USERFAULTFD"*) skipped=skipped ;;
	"together:"*) set -- "$1" "$2" "$3" "$4" "$5" "$6" "$(excused "$7")" ;;
	esac
	wrong=$(what_is_wrong "$3" "$4" "$5" "$7")
	[ -z "$skipped" ] || wrong=
	case $skipped:$wrong in
	skipped:) echo "$3|$at|skipped" ;;
	:) echo "$3|$at|ok, $5 in $6 s" ;;
	*) echo "$3|$at|FAILED, $5 in $6 s" ;;
	esac >>cells
	case $1:$wrong in
	mmkit:) good "$3${skipped:+, skipped}, $at" ;;
	mmkit:*) bad "$3, $at" "$wrong" ;;
	linux:?*) say "$3, $at: $wrong" ;;
	esac
}

# each KERNEL CPUS WORKERS FORM [NAME...]
each() {
	kernel=$1 number=$2
	shift 2
	run_case "$kernel" "$number" each "$*"
	each_status=$?
	shift 2
	while read -r name status operations time complaints; do
		[ "$name" = status ] ||
			judge_line "$kernel" "$number" "$name" "$status" "$operations" "$time" "$complaints"
	done <out
	at=$(place "$kernel" "$number")
	same "the machine, $at" "$each_status $(sed -n 's/^status [0-9]*: *//p' out)" "0 "
	same "all came, $at" "$(for name in ${*:-vm resources together}; do grep -c "^$name " out; done | sort -u)" 1
	[ "$kernel" != mmkit ] || missing_calls | sort -u >>missing
}

left() {
	MEMORY=256M
	run_case mmkit 4 left "$1"
	same "left for $1 seconds, 4 CPUs, 256 MiB: no frame is lost" "$? $(tr '\n' '|' <out)" \
		"0 status 0|text ok|data ok|memory ok|"
}

long_form() {
	for kernel in linux mmkit; do
		for number in 1 4; do
			each $kernel $number $number 10
		done
	done
	left 600
	say 'each stressor for ten seconds: verdict, operations'
	print_table cells stressor
}

: >cells
: >missing
if [ "${MMKIT_LONG:-0}" = 1 ]; then
	long_form
else
	each mmkit 1 1 ops $SOME
	each mmkit 4 2 ops
	left 20
fi
tell_missing missing
