#!/bin/sh
# SPDX-License-Identifier: MIT
# The tests with several threads under the thread sanitizer, in a build of their own: `ninja tsan`.
#	tsan.sh SOURCE BUILD
set -eu
source=$1 build=$2/tsan

[ -e "$build/build.ninja" ] || meson setup "$build" "$source" -Db_sanitize=thread -Db_lundef=false
meson configure "$build" -Dc_args=-Wno-tsan # the sanitizer does not know fences; the compiler does
export TSAN_OPTIONS="suppressions=$source/tests/unit/tsan.supp history_size=7"
ninja -C "$build"
meson test -C "$build" --no-rebuild threads share families locks contract writeback
