#!/bin/sh
# SPDX-License-Identifier: MIT
# The README shows an example whole and as it is: its lines between the first ```c and the next ```.
#	readme.sh README.md EXAMPLE.c
set -eu
sed -n '/^```c$/,/^```$/p' "$1" | sed '/^```/d' | diff "$2" - || {
	echo "README.md does not show $2 as it is"
	exit 1
}
