# SPDX-License-Identifier: MIT
# What the suites in shell share: sourced with $TOP and $SUITE set. A test prints one line,
# "ok SUITE: NAME" or "not ok SUITE: NAME: WHY", and works in the temporary directory $work.
RUN=$TOP/build/hosted/tools/mmkit-run
TREE=$TOP/build/root
GUEST=$TOP/build/arm64/tests/guest # arm64 programs

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
cd "$work" || exit 1

good() {
	echo "ok $SUITE: $1"
}

bad() {
	echo "not ok $SUITE: $1: $2"
}

# same NAME GOT WANTED
same() {
	if [ "$2" = "$3" ]; then good "$1"; else bad "$1" "\"$2\", not \"$3\""; fi
}
