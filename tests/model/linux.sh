#!/bin/sh
# SPDX-License-Identifier: MIT
# The model's Linux: Debian's arm64 kernel 6.12 under QEMU, with tests/model/linux.c as all there is.
#	linux.sh TOP	talks on standard input and output
set -u
TOP=$1
image=$(sh "$TOP/tools/linux-kernel.sh" "$TOP/build/linux" </dev/null) || exit 125
cpio=$TOP/build/arm64/tests/model/linux.cpio
work=$(mktemp -d) || exit 125
cp "$TOP/build/arm64/tests/model/model-linux" "$work/init" &&
	(cd "$work" && echo init | cpio -o -H newc --quiet) >"$cpio.$$" && mv "$cpio.$$" "$cpio" || exit 125
rm -rf "$work"
exec "${MMKIT_QEMU:-qemu-system-aarch64}" -M virt -cpu cortex-a72 -m 512M -nographic -nic none -no-reboot \
	-kernel "$image" -initrd "$cpio" \
	-append "console=ttyAMA0 quiet panic=-1 mitigations=off nokaslr"
