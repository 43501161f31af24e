#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "model": the same calls on mmkit and on Linux (model.h).
#	run.sh TOP	prints "ok NAME" and "not ok NAME: WHY"
# By itself, against what Linux 6.12 was seen to do: the named tests, every sequence of up to three calls,
# and 100,000 random steps. MMKIT_STEPS, MMKIT_SEED, MMKIT_MINUTES: random steps beside a Linux that runs;
# MMKIT_HOST: this machine's own, which takes root and 6.11.
#	run.sh TOP --record	makes the records
#	run.sh TOP --oracle	do they still hold?
set -u
TOP=$1
HERE=$TOP/tests/model
HOSTED=$TOP/build/hosted/tests/model
RECORDS=$HERE/linux-6.12.records
STEPS=100000 # of the records

linux="exec sh '$TOP/tests/model/linux.sh' '$TOP'"
# Where other Linuxes are known to do otherwise than 6.12 on arm64: heap and mmap's memory merge where the
# heap is not marked for tags (x86-64); from 6.16 on whom a mapping's pages were forked from counts
# less when it merges; and mremap goes over several mappings (6.17).
[ -z "${MMKIT_HOST-}" ] ||
	echo "mmkit: Linux $(uname -r) $(uname -m): what differs here need not be wrong, see tests/model/run.sh" >&2
[ -z "${MMKIT_HOST-}" ] || linux="exec '$HOSTED/model-linux'"

compare() {
	"$HOSTED/compare" --mmkit "exec '$HOSTED/model-mmkit'" --linux "$linux" "$@"
}

# record FILE NAMED-TEST...
record() {
	file=$1
	shift
	compare --record "$file" --exhaustive --steps $STEPS "$@"
}

oracle() {
	work=$(mktemp -d) || exit 125
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	cp -r "$HERE/named" "$work/named"
	record "$work/records" "$work"/named/* >"$work/said" || cat "$work/said"
	held=0
	for file in records named; do
		name=$file
		[ $file = named ] || name=${RECORDS##*/}
		if diff -r "$HERE/$name" "$work/$file" >"$work/diff"; then
			echo "ok model: $name holds"
		else
			echo "not ok model: $name: Linux does otherwise"
			head -n 40 "$work/diff"
			held=1
		fi
	done
	return $held
}

case ${2-} in
--record) record "$RECORDS" "$HERE"/named/* ;;
--oracle) oracle ;;
*)
	if [ -n "${MMKIT_STEPS-}${MMKIT_SEED-}${MMKIT_MINUTES-}${MMKIT_HOST-}" ]; then
		[ -n "${MMKIT_MINUTES-}" ] || MMKIT_STEPS=${MMKIT_STEPS:-$STEPS}
		compare --steps "${MMKIT_STEPS:-0}" --seed "${MMKIT_SEED:-1}" --minutes "${MMKIT_MINUTES:-0}"
	else
		compare --records "$RECORDS" --exhaustive --steps $STEPS "$HERE"/named/*
		for how in 1 2 3; do # failures: tests/model/model.h, enum inject
			compare --records "$RECORDS" --inject $how --steps $STEPS
		done
	fi
	[ "${MMKIT_LONG-0}" = 0 ] || [ -n "${MMKIT_MINUTES-}" ] ||
		compare --seed "$(date +%s)" --minutes 10
	;;
esac
