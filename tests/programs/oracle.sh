#!/bin/sh
# SPDX-License-Identifier: MIT
# Asks Linux: the short form of Debian's programs on Debian's arm64 kernel under QEMU, with 1 and 4 CPUs.
#	oracle.sh TOP [--record] [CASE...]	says where the records do not hold, or makes them anew
set -u
TOP=$1
shift
work=$(mktemp -d) || exit 125
. "$TOP/tests/programs/lib.sh"
trap 'clean_roots; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
record=
wanted=
for word in "$@"; do
	case $word in
	--record) record=1 ;;
	*)
		cases short | grep -qx -e "$word" || {
			say "oracle: $word: no such case; there are: $(echo $(cases short))"
			exit 2
		}
		wanted="$wanted $word"
		;;
	esac
done

# ask CASE CPUS
ask() {
	say "$1 on Linux with $2 CPU(s)"
	run_case linux "$2" "$1" "$(field "$1" short)" || {
		cat "$work/out"
		say "$1: did not end well on Linux"
		exit 125
	}
}

status=0
for case in ${wanted:-$(cases short)}; do
	ask "$case" 1
	{
		echo "# Linux $(cat "$TOP/build/linux/6.12/release") aarch64"
		cat "$work/out"
	} >"$work/recorded"
	[ -z "$record" ] || cp "$work/recorded" "$CASES/$case.linux"
	ask "$case" 4
	grep -v '^#' "$CASES/$case.linux" >"$work/held"
	for got in recorded out; do
		grep -v '^#' "$work/$got" | diff "$work/held" - >"$work/change" && continue
		sed "s/^/$case: /" "$work/change"
		status=1
	done
done
[ $status = 0 ] && echo "Linux $(cat "$TOP/build/linux/6.12/release"): programs as recorded"
exit $status
