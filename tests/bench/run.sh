#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "bench": no operation costs a tenth more instructions than bench/figures says.
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
