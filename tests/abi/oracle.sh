#!/bin/sh
# SPDX-License-Identifier: MIT
# Asks Linux: runs the behaviours on Debian's arm64 kernel under QEMU, and says where the records hold no longer.
#	oracle.sh TOP [--record] [--host [--strict]] [FAMILY...]
set -u
TOP=$1
shift
. "$TOP/tests/abi/records.sh"
PATIENCE=3600
PROGRAMS=$TOP/build/arm64/tests/abi
mode=check
strict=

say() {
	echo "mmkit: $*" >&2
}

die() {
	say "$2"
	exit "$1"
}

families=
for word in "$@"; do
	case $word in
	--record) mode=record ;;
	--host) mode=host ;;
	--strict) strict=1 ;;
	-*) die 2 "oracle: $word: no such option; there are --record, --host and --strict" ;;
	*)
		abi_families | grep -qx -e "$word" ||
			die 2 "oracle: $word: no such family; there are: $(echo $(abi_families))"
		families="$families $word"
		;;
	esac
done
families=${families:-$(abi_families)}

work=$(mktemp -d) || exit 125
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# ---- the witnesses ---------------------------------------------------------------------------

# make_initramfs FAMILY...
make_initramfs() {
	rm -rf "$work/root"
	mkdir -p "$work/root/abi"
	cp "$PROGRAMS/suite" "$work/root/init"
	for family in "$@"; do
		cp "$PROGRAMS/$family" "$work/root/abi/" || exit 125
	done
	(cd "$work/root" && find . | cpio -o -H newc --quiet) >"$work/abi.cpio"
}

# boot_on CPU PASSES FAMILY...: huge pages are switched off, as mmkit has none; every other default is Debian's.
boot_on() {
	cpu=$1 passes=$2
	shift 2
	make_initramfs "$@"
	say "booting Linux $(cat "${image%/*}/release") on $cpu"
	timeout $PATIENCE "${MMKIT_QEMU:-qemu-system-aarch64}" -M virt -cpu "$cpu" -m 1G -nographic -nic none -no-reboot \
		-kernel "$image" -initrd "$work/abi.cpio" \
		-append "console=ttyAMA0 quiet loglevel=0 panic=-1 transparent_hugepage=never ABI_PASSES=$passes" \
		>"$work/console" 2>&1 </dev/null
	tr -d '\r' <"$work/console" >>"$work/out"
	tr -d '\r' <"$work/console" | grep -qx '# end' || {
		tail -n 5 "$work/console" >&2
		die 125 "Linux did not come to the end of the behaviours"
	}
}

# boot PASSES
boot() {
	image=$(sh "$TOP/tools/linux-kernel.sh" "$TOP/build/linux") || exit 125
	: >"$work/out"
	for cpu in $CPUS; do
		here=$(families_on "$cpu" $families)
		[ -z "$here" ] || boot_on "$cpu" "$1" $here
	done
}

host() {
	cd /tmp && ABI_HOST=1 "$TOP/build/hosted/tests/abi/suite" \
		$(for family in $families; do echo "$TOP/build/hosted/tests/abi/$family"; done) >"$work/out" 2>&1 </dev/null
}

# ---- records ---------------------------------------------------------------------------------

# What differs from one pass to the next is no record. The first pass is what comes before the last.
check_passes() {
	awk -v family="$1" '
		$0 == "## " family { pass++; inside = 1; next }
		/^## / { inside = 0 }
		inside && pass == 1' "$work/plain" >"$work/first"
	part "$1" "$work/out" >"$work/last"
	compare "$work/first" "$work/last" | grep -v ' same$' | while read -r name why; do
		echo "$1: $name: not the same in every run: $why"
	done
}

record() {
	tr -d '\r' <"$work/out" >"$work/plain"
	for family in $families; do
		check_passes "$family" >"$work/unstable"
		if [ -s "$work/unstable" ]; then
			cat "$work/unstable"
			status=1
			continue
		fi
		{
			echo "# $(kernel_of "$work/out")"
			echo "# -cpu $(abi_cpu "$family")"
			cat "$work/last"
		} >"$ABI/$family.linux.new" && mv "$ABI/$family.linux.new" "$ABI/$family.linux" || exit 125
		say "$family: recorded $(grep -c '^== ' "$ABI/$family.linux") behaviours of $(kernel_of "$work/out")"
	done
}

# Lists where what was printed is not what is recorded, and sums up.
check() {
	: >"$work/all"
	for family in $families; do
		recorded=$ABI/$family.linux
		[ -e "$recorded" ] || recorded=$work/none
		part "$family" "$work/out" >"$work/part"
		compare "$recorded" "$work/part" | sed "s/^/$family: /" >>"$work/all"
	done
	grep -E -v ' (same|skipped|gone)$' "$work/all"
	[ $mode = host ] || grep ' gone$' "$work/all"
	changed=$(grep -E -c '^[^ ]* [^ ]* (differs|new)' "$work/all")
	absent=$(grep -c ' gone$' "$work/all")
	held=$(grep -c ' same$' "$work/all")
	tally="$held behaviours as recorded, $changed differ"
	if [ $mode = host ]; then
		tally="$tally, $absent exist on arm64 only, $(grep -c ' skipped$' "$work/all") want a machine of their own"
		absent=0
	else
		tally="$tally, $absent were not run"
	fi
	echo "$(kernel_of "$work/out"): $tally"
	[ $((changed + absent)) = 0 ]
}

status=0
echo "# none" >"$work/none"
case $mode in
record)
	boot 2
	record
	;;
check)
	boot 1
	check || status=1
	;;
host)
	host
	check || [ -z "$strict" ] || status=1
	;;
esac
exit $status
