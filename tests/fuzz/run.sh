#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "fuzz": the corpus once more; with MMKIT_MINUTES or MMKIT_LONG, libFuzzer beyond it.
#	run.sh TOP	prints "ok NAME" and "not ok NAME: WHY"
set -u
TOP=$1
HERE=$TOP/tests/fuzz
BUILD=$TOP/build/fuzz

replay() {
	"$TOP/build/hosted/tests/fuzz/replay" "$@" 2>"$work/said" && return
	echo "not ok fuzz: $(grep -v '^[ =#]' "$work/said" | head -n 1)"
	tail -n 60 "$work/said"
}

build() {
	mkdir -p "$BUILD" && cd "$TOP" && clang -std=gnu11 -g -O1 -fno-strict-aliasing \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -I. -Iinclude \
		tests/fuzz/fuzz.c tests/model/steps.c tests/model/run.c tests/model/hosted.c \
		tests/model/inject.c port/hosted/*.c mm/*.c arch/arm64/*.c -lpthread -o "$BUILD/fuzz"
}

# What is found stays in build/fuzz; a broken input is printed in hexadecimal, to be kept.
fuzz() {
	build || return 1
	mkdir -p "$BUILD/corpus" "$BUILD/broken"
	"$BUILD/fuzz" -max_total_time=$((60 * $1)) -max_len=1024 -detect_leaks=0 -entropic=0 -artifact_prefix="$BUILD/broken/" -timeout=120 \
		-print_final_stats=1 "$BUILD/corpus" "$HERE/corpus" >"$work/said" 2>&1
	status=$?
	grep -e '^#.*DONE' -e '^stat::number' "$work/said" | sed 's/^/# /'
	if [ $status = 0 ]; then
		echo "ok fuzz: $1 minutes"
	else
		echo "not ok fuzz: $(grep -m 1 -e ERROR -e broken -e 'runtime error' "$work/said")"
		tail -n 60 "$work/said"
	fi
}

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
replay "$HERE"/corpus/*
minutes=${MMKIT_MINUTES:-}
[ "${MMKIT_LONG-0}" = 0 ] || minutes=${minutes:-10}
[ -z "$minutes" ] || fuzz "$minutes"
