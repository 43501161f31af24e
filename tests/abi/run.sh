#!/bin/sh
# SPDX-License-Identifier: MIT
# Suite "abi": every behaviour on the reference kernel, in one boot, against what Linux printed. Those
# that are about files run once more with their files in a directory of the host, on 9p, and all that
# is there on every CPU once more on four of the newest.
# What differs from Linux on purpose has to be what FAMILY.mmkit says.
#	run.sh TOP		prints "ok NAME" and "not ok NAME: WHY"
#	run.sh TOP --record	writes FAMILY.mmkit
set -uf # no names of files out of what was printed
TOP=$1
RECORD=${2-}
SUITE=abi
. "$TOP/tests/lib.sh"
. "$TOP/tests/abi/records.sh"
PATIENCE=1800
ON_9P="mmap_flags mmap_kinds mmap_merge mmap_refuse mprotect msync_mincore munmap"

# ---- running ---------------------------------------------------------------------------------

# boot CPU SCRIPT [OPTION...]: what it printed goes to "both".
boot() {
	boot_cpu=$1 script=$2
	shift 2
	(cd programs && timeout --preserve-status $PATIENCE "$RUN" --kernel "$TOP/build/arm64/kernel/Image" \
		--tree "$TREE" --mem 1G --cpu "$boot_cpu" "$@" -- sh "$script") >>both 2>>err </dev/null
}

copy_programs() {
	mkdir programs programs/files
	for family in suite $(abi_families); do
		cp "$TOP/build/arm64/tests/abi/$family" programs/ || exit 1
	done
}

copy_programs
: >both
: >err
for cpu in $CPUS; do
	here=$(families_on "$cpu" $(abi_families) | sed 's,^,./,' | tr '\n' ' ')
	[ -n "$here" ] || continue
	echo "./suite $here" >"programs/$cpu.sh"
	boot "$cpu" "$cpu.sh"
done
mv both out
echo "TMPDIR=/host/files ./suite $(printf './%s ' $ON_9P)" >programs/9p.sh
: >both
boot cortex-a72 9p.sh
mv both out.9p
: >both
EVERYWHERE=$(families_on cortex-a72 $(abi_families) | grep -vx absent)
echo "./suite $(echo "$EVERYWHERE" | sed 's,^,./,' | tr '\n' ' ')" >programs/everywhere.sh
boot max everywhere.sh --smp 4
mv both out.smp

# ---- verdicts --------------------------------------------------------------------------------

# verdicts FAMILY WHERE LINUX: one line for each of compare's, with both witnesses.
verdicts() {
	awk -v family="$1" -v where="$2" -v linux="$3" '
		function good(name, what) {
			printf "ok %-70s mmkit: %-9s Linux %s: recorded\n", name, what, linux
		}
		BEGIN {
			while ((getline line <"explained") > 0)
				explained[line] = 1
		}
		{
			name = "abi: " family (where == "" ? "" : " on " where) ": " $1
			verdict = $2
			here = (family (where == "" ? "" : "/" where) " " $1) in explained
			# what is explained for all places need not be repeated for one
			any = here || (family " " $1) in explained
		}
		verdict == "same" && !here { good(name, "same"); next }
		verdict == "differs" && any { good(name, "differs, as docs/LINUX-COMPAT.md explains;"); next }
		verdict == "same" { why = "tests/abi/differences.md lists it, but mmkit does as Linux" }
		verdict == "new" { why = "not recorded on Linux: ./mmkit oracle --record " family }
		verdict == "gone" { why = "recorded on Linux, but not run" }
		verdict == "differs" { why = $0; sub(/^[^ ]* /, "", why) }
		{ print "not ok " name ": " why }'
}

# hold FAMILY KEY FILE NAME: the behaviours of the family in "got" that are explained under KEY print what FILE has.
hold() {
	awk -v key="$2" '$1 == key { print $2 }' explained >names
	pick names got >here
	if [ -n "$RECORD" ]; then
		rm -f "$ABI/$3"
		[ ! -s here ] || cp here "$ABI/$3"
	fi
	if [ ! -s names ]; then
		[ ! -e "$ABI/$3" ] || bad "$4: what differs is as recorded" "tests/abi/$3, but nothing differs"
	elif diff -u "$ABI/$3" here >change 2>&1; then
		good "$4: what differs is as recorded"
	else
		bad "$4: what differs is as recorded" "$(sed -n '3,$s/^[-+]/&/p' change | head -n 4 | tr '\n' '|')"
	fi
}

# judge_family FAMILY OUTPUT [WHERE]
judge_family() {
	if ! grep -qx "## end $1" "$2"; then
		bad "$1${3:+ on $3}: ran to its end" "$(grep "^## $1 failed" "$2") $(tail -n 3 err | tr '\n' '|')"
	fi
	record=$ABI/$1.linux
	[ -e "$record" ] || record=empty
	part "$1" "$2" >got
	compare "$record" got |
		verdicts "$1" "${3-}" "$(kernel_of "$record" | cut -d ' ' -f 2 | cut -d + -f 1)"
	if [ "${3-}" = 9p ]; then
		hold "$1" "$1/9p" "$1.9p.mmkit" "$1 on 9p"
	elif [ -z "$RECORD" ] || [ -z "${3-}" ]; then
		hold "$1" "$1" "$1.mmkit" "$1${3:+ on $3}"
	fi
}

explained >explained
: >empty
for family in $(abi_families); do
	judge_family "$family" out
done
for family in $ON_9P; do
	judge_family "$family" out.9p 9p
done
for family in $EVERYWHERE; do
	judge_family "$family" out.smp "four CPUs"
done

# ---- the document ----------------------------------------------------------------------------

sh "$ABI/compat.sh" "$TOP" >LINUX-COMPAT.md
if cmp -s LINUX-COMPAT.md "$TOP/docs/LINUX-COMPAT.md"; then
	good "docs/LINUX-COMPAT.md is what the behaviours say"
else
	bad "docs/LINUX-COMPAT.md is what the behaviours say" "stale; sh tests/abi/compat.sh . --write"
fi
(cd "$ABI" && find . -name '*.c' ! -path '*/harness/*' | sed 's,^./,,; s,\.c$,,') | while read -r family; do
	abi_families | grep -qx "$family" || bad "$family" "tests/abi/meson.build does not list it"
done
explained | while read -r family name; do
	grep -qxs -e "== $name" "$ABI/${family%/9p}.linux" ||
		bad "$family: $name" "tests/abi/differences.md lists it, but there is no such behaviour"
done
