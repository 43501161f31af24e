#!/bin/sh
# SPDX-License-Identifier: MIT
# libmmkit.a defines no global symbol but the mmk_ ones that mmkit.h declares, and needs none but the
# four functions of memory that every C compiler may call.
#	symbols.sh libmmkit.a mmkit.h
set -eu
nm=${NM:-nm}
status=0

# What the sanitizers and the stack protector of this build bring along is not the library's.
foreign='^(__asan_|__ubsan_|__tsan_|__sanitizer_|__odr_asan|__stack_chk_|_GLOBAL_OFFSET_TABLE_$|__gcov|asan\.|___asan_|__start_asan|__stop_asan)'

check() { # NAME WHAT
	if [ -n "$2" ]; then
		echo "$1: $2" | tr '\n' ' '
		echo
		status=1
	fi
}

defined=$($nm -g --defined-only "$1" | awk 'NF == 3 { print $3 }' | grep -Ev "$foreign" || true)
check "defined, and not mmk_" "$(echo "$defined" | grep -v '^mmk_' || true)"
for symbol in $defined; do
	grep -qw "$symbol" "$2" || check "defined, and not declared in $2" "$symbol"
done
[ -n "$defined" ] || check "defined" "nothing at all"

needed=$($nm -g --undefined-only "$1" | awk 'NF == 2 { print $2 }' | grep -Ev "$foreign" || true)
check "needed, and no part of a freestanding C" \
	"$(echo "$needed" | grep -Evx 'memcpy|memmove|memset|memcmp' || true)"
exit $status
