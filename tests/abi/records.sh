# SPDX-License-Identifier: MIT
# Records and verdicts of behaviours: sourced with $TOP set, by the suite and by the oracle.
ABI=$TOP/tests/abi

# Names of all families.
abi_families() {
	sed -n "/^abi_families/,/^]/s/^ *'\(.*\)',\$/\1/p" "$ABI/meson.build" | LC_ALL=C sort -u
}

# The CPU that a family wants; most do with the one that ./mmkit run has.
abi_cpu() {
	sed -n 's/^#define ABI_CPU "\([^"]*\)".*/\1/p' "$ABI/$1.c" | grep . || echo cortex-a72
}

# families_on CPU FAMILY...: those of the families that want it
families_on() {
	wanted_cpu=$1
	shift
	for family in "$@"; do
		[ "$(abi_cpu "$family")" != "$wanted_cpu" ] || echo "$family"
	done
}
CPUS="cortex-a72 max"

# part FAMILY FILE: the blocks of a family in what a suite printed; the last pass, if several.
part() {
	tr -d '\r' <"$2" | awk -v family="$1" '
		$0 == "## " family { text = ""; inside = 1; next }
		/^## / { inside = 0 }
		inside { text = text $0 "\n" }
		END { printf "%s", text }'
}

# The kernel that printed FILE: "Linux 6.12.95+deb12-arm64 aarch64".
kernel_of() {
	tr -d '\r' <"$1" | sed -n 's/^# \(Linux [^ ]* [^ ]*\)$/\1/p' | head -n 1
}

# compare WANTED GOT: for each behaviour a line "NAME same", "NAME new" (not in WANTED), "NAME gone" (not
# in GOT), "NAME skipped" (GOT says that it was not tried), or "NAME differs WHY".
compare() {
	awk '
		function line_of(text, n, lines) {
			return n <= split(text, lines, "\n") - 1 ? "\"" lines[n] "\"" : "nothing more"
		}
		function verdict(want, got, n) {
			if (want == got)
				return "same"
			if (got == "not on a machine in use\n")
				return "skipped"
			for (n = 1; line_of(want, n) == line_of(got, n); n++)
				;
			return "differs line " n ": Linux " line_of(want, n) ", here " line_of(got, n)
		}
		/^#/ { next }
		/^== / {
			name = $2
			if (FILENAME == ARGV[1])
				recorded[name] = 1
			else
				seen[name] = 1
			if (!(name in known))
				order[++count] = name
			known[name] = 1
			next
		}
		FILENAME == ARGV[1] { wanted[name] = wanted[name] $0 "\n"; next }
		{ got[name] = got[name] $0 "\n" }
		END {
			for (i = 1; i <= count; i++) {
				name = order[i]
				if (!(name in recorded))
					print name, "new"
				else if (!(name in seen))
					print name, "gone"
				else
					print name, verdict(wanted[name], got[name])
			}
		}' "$1" "$2"
}

# "FAMILY NAME" of each difference that is explained.
explained() {
	sed -n 's/^### \([^ :]*\): \([^ ]*\)$/\1 \2/p' "$ABI/differences.md"
}

# pick NAMES FILE: the blocks of FILE that the lines of NAMES name, without comments.
pick() {
	awk 'FILENAME == ARGV[1] { wanted[$1] = 1; next }
		/^#/ { next }
		/^== / { inside = $2 in wanted }
		inside' "$1" "$2"
}
