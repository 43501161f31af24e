#!/bin/sh
# SPDX-License-Identifier: MIT
# ./mmkit bench: boots bench/bench as /init under QEMU's instruction counter, and makes tables.
#	run.sh TOP [--vs-linux[=6.12|6.1|all]] [--save FILE] [--against FILE] [--footprint]
#		[--conflicts] [ROW...]
# Everything that could vary is fixed: CPU, memory, seed, clock. So a run repeats exactly.
set -u
TOP=$1
shift
ARM64=$TOP/build/arm64
LEAN="mitigations=off kpti=off nokaslr init_on_alloc=0 cgroup_disable=memory randomize_kstack_offset=off"
MEM=1G

die() {
	status=$1
	shift
	echo "mmkit: $*" >&2
	exit "$status"
}

work=$(mktemp -d) || die 125 "no temporary directory"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

make_initramfs() {
	mkdir "$work/root" && cp "$ARM64/bench/bench" "$work/root/init" &&
		(cd "$work/root" && echo init | cpio -o -H newc --quiet >"$work/bench.cpio") ||
		die 125 "cannot make the initramfs"
}

# boot IMAGE WORDS OUT [ARG...]: what the program printed into OUT, or the end of it all.
boot() {
	boot_image=$1 boot_words=$2 boot_out=$3
	shift 3
	timeout 1800 "${MMKIT_QEMU:-qemu-system-aarch64}" -M virt -cpu cortex-a72 -m $MEM -nodefaults \
		-display none -serial stdio -no-reboot -icount shift=0,sleep=off -seed 42 \
		-rtc base=2020-01-01T00:00:00,clock=vm -kernel "$boot_image" -initrd "$work/bench.cpio" \
		-append "console=ttyAMA0 quiet rdinit=/init $boot_words -- $*" \
		</dev/null >"$work/console" 2>"$work/errors"
	tr -d '\r' <"$work/console" >"$boot_out"
	grep -q '^bench ended$' "$boot_out" && return
	tail -n 5 "$boot_out" "$work/errors" >&2
	die 125 "the benchmark did not run to its end on $boot_image"
}

# rows FILE: NAME TAB THOUSANDTHS [TAB EVENTS]
rows() {
	sed -n 's/^row //p' "$1"
}

count_events() {
	boot "$ARM64/kernel/Image-counting" "" "$work/counted" ${only:-}
	rows "$work/counted" >"$work/events"
}

# The figures of mmkit: instructions from the one kernel, events from the one that counts them.
measure_mmkit() {
	boot "$ARM64/kernel/Image" "" "$work/plain" ${only:-}
	: >"$work/events"
	[ -n "$against" ] || count_events
	rows "$work/plain" | awk -F '\t' -v OFS='\t' -v events="$work/events" '
		BEGIN { while ((getline line <events) > 0) { split(line, f, "\t"); event[f[1]] = f[3] } }
		{ print $1, $2, event[$1] }' >"$work/figures"
	[ -s "$work/figures" ] || die 2 "no row has such a name"
}

# Thousandths as people read them: whole, with commas, one decimal below 10.
HUMAN='
	function human(v,   s, out) {
		if (v < 9950)
			return sprintf("%.1f", v / 1000)
		s = sprintf("%.0f", v / 1000)
		while (length(s) > 3) {
			out = "," substr(s, length(s) - 2) out
			s = substr(s, 1, length(s) - 3)
		}
		return s out
	}
	function event(v) { return v % 1000 ? sprintf("%.2f", v / 1000) : v / 1000 }'

print_figures() {
	awk -F '\t' "$HUMAN"'
		BEGIN {
			printf "%-56s %12s %8s %8s %8s %8s %8s\n", "operation", "instructions", "TLBI",
			       "barriers", "PTEs", "allocs", "locks"
		}
		{
			split($3, e, " ")
			printf "%-56s %12s", $1, human($2)
			for (i = 1; i <= 5; i++)
				printf " %8s", event(e[i])
			print ""
		}' "$work/figures"
}

# ---- Linux -----------------------------------------------------------------------------------

# linux SERIES: lean and default figures into $work/SERIES.lean and .default
measure_linux() {
	image=${MMKIT_LINUX_IMAGE:-$(sh "$TOP/tools/linux-kernel.sh" "$TOP/build/linux" "$1")} || exit 125
	boot "$image" "$LEAN" "$work/out" ${only:-}
	rows "$work/out" >"$work/$1.lean"
	boot "$image" "" "$work/out" ${only:-}
	rows "$work/out" >"$work/$1.default"
}

# The ratio takes the best that Linux does: every series that was run, lean.
print_against_linux() {
	awk -F '\t' -v dir="$work" -v series="$*" "$HUMAN"'
		function read(file, into,   line, f) {
			while ((getline line <file) > 0) {
				split(line, f, "\t")
				into[f[1]] = f[2]
			}
		}
		BEGIN {
			n = split(series, s, " ")
			printf "%-56s %12s", "operation", "mmkit"
			for (i = 1; i <= n; i++) {
				read(dir "/" s[i] ".lean", lean)
				for (k in lean) { l[i, k] = lean[k]; delete lean[k] }
				read(dir "/" s[i] ".default", dflt)
				for (k in dflt) { d[i, k] = dflt[k]; delete dflt[k] }
				printf " %14s %14s", s[i] " lean", s[i] " default"
			}
			printf " %8s\n", "ratio"
		}
		{
			printf "%-56s %12s", $1, human($2)
			best = 0
			for (i = 1; i <= n; i++) {
				printf " %14s %14s", human(l[i, $1]), human(d[i, $1])
				if (!best || l[i, $1] < best)
					best = l[i, $1]
			}
			ratio[NR] = best / $2
			printf " %8.2f\n", ratio[NR]
		}
		END {
			for (i = 1; i <= NR; i++)
				for (j = i + 1; j <= NR; j++)
					if (ratio[j] < ratio[i]) { t = ratio[i]; ratio[i] = ratio[j]; ratio[j] = t }
			m = NR % 2 ? ratio[(NR + 1) / 2] : (ratio[NR / 2] + ratio[NR / 2 + 1]) / 2
			printf "median ratio %.2f\n", m
		}' "$work/figures"
}

# ---- against figures that were saved ---------------------------------------------------------

# One line for each row; the status tells whether one has become more than a tenth worse.
compare() {
	awk -F '\t' -v saved="$1" "$HUMAN"'
		BEGIN { while ((getline line <saved) > 0) { split(line, f, "\t"); was[f[1]] = f[2] } }
		!($1 in was) { printf "new   %s: %s\n", $1, human($2); next }
		{
			word = $2 > was[$1] * 1.1 ? "worse" : $2 < was[$1] / 1.1 ? "better" : "same"
			if (word == "worse")
				bad = 1
			printf "%-6s %s: %s, was %s\n", word, $1, human($2), human(was[$1])
		}
		END { exit bad }' "$work/figures"
}

# ---- footprint -------------------------------------------------------------------------------

value() {
	sed -n "s/^footprint $1	//p" "$2"
}

# Bytes of the machine that no program gets, per frame: from two machines of different size.
per_frame() {
	MEM=2G
	boot "$ARM64/kernel/Image" "" "$work/large" footprint
	awk -v a="$(value 'free memory at the start' "$work/small")" \
		-v b="$(value 'free memory at the start' "$work/large")" \
		'BEGIN { printf "%.1f\n", (1073741824 - (b - a)) / 262144 }'
}

text_of_core() {
	size -t "$ARM64/kernel/libmmkit.a" | awk 'END { print $1 }'
}

print_footprint() {
	boot "$ARM64/kernel/Image" "" "$work/small" footprint
	{
		sed -n 's/^footprint \(bytes .*\)/\1/p' "$work/small"
		printf 'bytes per frame\t%s\n' "$(per_frame)"
		printf 'bytes of text of the core library\t%s\n' "$(text_of_core)"
		printf 'bytes of the kernel image\t%s\n' "$(wc -c <"$ARM64/kernel/Image")"
		printf 'instructions from reset to PID 1\t%s\n' "$(sed -n 's/^boot //p' "$work/small")"
	} | awk -F '\t' "$HUMAN"'{ printf "%-56s %12s\n", $1, human($2 * 1000) }'
}

# ---- the call --------------------------------------------------------------------------------

series= save= against= footprint= conflicts= only=
while [ $# != 0 ]; do
	case $1 in
	--vs-linux | --vs-linux=6.12) series=6.12 ;;
	--vs-linux=6.1) series=6.1 ;;
	--vs-linux=all) series="6.1 6.12" ;;
	--save | --against)
		[ $# -ge 2 ] || die 2 "$1 needs a file"
		if [ "$1" = --save ]; then save=$2; else against=$2; fi
		shift
		;;
	--footprint) footprint=1 ;;
	--conflicts) conflicts=1 ;;
	-*) die 2 "$1: bench has no such option; ./mmkit help lists them" ;;
	*) only="$only $1" ;;
	esac
	shift
done
[ -z "$against" ] || [ -r "$against" ] || die 2 "$against: no such file; ./mmkit bench --save makes one"
if [ -n "$conflicts" ]; then
	[ -z "$series$save$against$footprint$only" ] || die 2 "--conflicts stands alone"
	exec "$TOP/build/hosted/bench/conflicts/conflicts"
fi
make_initramfs
if [ -n "$footprint" ]; then
	[ -z "$series$save$against$only" ] || die 2 "--footprint stands alone"
	print_footprint
	exit
fi
measure_mmkit
[ -z "$save" ] || cp "$work/figures" "$save" || die 2 "$save: cannot be written"
if [ -n "$against" ]; then
	compare "$against"
	exit
fi
if [ -z "$series" ]; then
	print_figures
	exit
fi
for s in $series; do
	measure_linux "$s"
done
print_against_linux $series
