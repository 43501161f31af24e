#!/bin/sh
# SPDX-License-Identifier: MIT
# Run an example in a directory of its own; its words, and the file it leaves, must be as expected.
#	check.sh PROGRAM EXPECTED
set -eu
program=$(realpath "$1") expected=$(realpath "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
"$program" >output
diff "$expected" output
[ "$(cat embed.txt)" = "Jello, page" ]
