#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "abi": every behaviour on the reference kernel, in one boot, against what Linux printed.
#	run.sh TOP	prints "ok NAME" and "not ok NAME: WHY"
set -u
TOP=$1
SUITE=abi
. "$TOP/tests/lib.sh"
. "$TOP/tests/abi/records.sh"
PATIENCE=1800

boot() {
	mkdir programs && (cd programs && cp "$TOP/build/arm64/tests/abi/suite" . &&
		for family in $(abi_families); do cp "$TOP/build/arm64/tests/abi/$family" . || exit 1; done &&
		timeout --preserve-status $PATIENCE "$RUN" --kernel "$TOP/build/arm64/kernel/Image" --tree "$TREE" \
			--mem 1G -- ./suite $(abi_families | sed 's,^,./,')) >out 2>err </dev/null
}

is_explained() {
	grep -qx -e "$1 $2" explained
}

# judge FAMILY NAME VERDICT...: both witnesses in one line.
judge() {
	linux="Linux $(echo "$kernel" | cut -d ' ' -f 2 | cut -d + -f 1): recorded"
	name="abi: $1: $2"
	shift 2
	case $1 in
	same | differs)
		if is_explained "$family" "${name##* }"; then listed=yes; else listed=no; fi
		;;
	esac
	case $1:${listed-} in
	same:no) printf 'ok %-70s mmkit: same      %s\n' "$name" "$linux" ;;
	differs:yes) printf 'ok %-70s mmkit: differs, as docs/LINUX-COMPAT.md explains   %s\n' "$name" "$linux" ;;
	same:yes) echo "not ok $name: tests/abi/differences.md lists it, but mmkit does as Linux" ;;
	new:*) echo "not ok $name: not recorded on Linux: ./mmkit oracle --record $family" ;;
	gone:*) echo "not ok $name: recorded on Linux, but not run" ;;
	*) echo "not ok $name: $*" ;;
	esac
}

judge_family() {
	record=$ABI/$1.linux
	[ -e "$record" ] || record=empty
	kernel=$(kernel_of "$record")
	part "$1" out >got
	compare "$record" got >verdicts
	while read -r behaviour verdict; do
		judge "$1" "$behaviour" $verdict
	done <verdicts
}

boot
explained >explained
: >empty
for family in $(abi_families); do
	if ! grep -qx "## end $family" out; then
		bad "$family: ran to its end" "$(grep "^## $family failed" out) $(tail -n 3 err | tr '\n' '|')"
	fi
	judge_family "$family"
done
sh "$ABI/compat.sh" "$TOP" >LINUX-COMPAT.md
if cmp -s LINUX-COMPAT.md "$TOP/docs/LINUX-COMPAT.md"; then
	good "docs/LINUX-COMPAT.md is what the behaviours say"
else
	bad "docs/LINUX-COMPAT.md is what the behaviours say" "stale; sh tests/abi/compat.sh . --write"
fi
explained | while read -r family name; do
	grep -qxs -e "== $name" "$ABI/$family.linux" ||
		bad "$family: $name" "tests/abi/differences.md lists it, but there is no such behaviour"
done
