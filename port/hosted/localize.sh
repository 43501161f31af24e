#!/bin/sh
# SPDX-License-Identifier: MIT
# Make of a library of objects one object whose hidden symbols are local, so that a program that has a
# kmalloc or a struct page of its own can link it.
#	localize.sh IN.a OUT.a DIRECTORY
set -eu
in=$1 out=$2 dir=$3

mkdir -p "$dir"
"${LD:-ld}" -r --whole-archive "$in" -o "$dir/mmkit.o"
"${OBJCOPY:-objcopy}" --localize-hidden "$dir/mmkit.o"
rm -f "$out"
"${AR:-ar}" rcs "$out" "$dir/mmkit.o"
