#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "bench": no operation costs a tenth more instructions than bench/figures says, and calls that
# contend for a cache line are seen to.
#	run.sh TOP	prints "ok NAME" and "not ok NAME: WHY"
# After a change that is meant to cost what it costs: ./mmkit bench --save bench/figures
TOP=$1
SUITE=bench
. "$TOP/tests/lib.sh"

sh "$TOP/bench/run.sh" "$TOP" --against "$TOP/bench/figures" >out 2>err
status=$?
sed -n "s/^\(same\|better\|new\) *\(.*\): .*/ok $SUITE: \2/p; s/^worse *\(.*\): \(.*\)/not ok $SUITE: \1: \2/p" out
if [ $status -gt 1 ] || ! [ -s out ]; then
	bad "the benchmark runs" "$(tail -n 1 err)"
fi

# owners PLACE: those of the lines for which two anonymous write faults contend.
owners() {
	sed -n "s/^$1; fault: write anonymous; fault: write anonymous: //p" pairs
}

"$TOP/mmkit" bench --conflicts >pairs 2>err || bad "conflicts are recorded" "$(tail -n 1 err)"
case $(owners 'same page') in
*'table entries'*) good "two faults of one page conflict in its table entry" ;;
*) bad "two faults of one page conflict in its table entry" "only in: $(owners 'same page')" ;;
esac
sed -n 's/^\(same VMA, 2 MiB apart\|another VMA\|another mm\); \(fault: [^;]*; \(fault: [^:]*\|madvise DONTNEED\|mincore\|\/proc\/PID\/maps\)\): /\1; \2: /p' pairs >faults
same "pairs of a fault and of what changes no mapping, on other pages" "$(wc -l <faults)" 65
same "faults on other pages, below other tables, conflict in nothing" "$(grep -v ': 0$' faults)" ""
