#!/bin/sh
# SPDX-License-Identifier: MIT
# embed.sh NM STRIPPED-VDSO VDSO: the assembler source that brings the linked vDSO into the kernel.
set -eu
at=$("$1" "$3" | sed -n 's/^\([0-9a-f]*\) T __kernel_rt_sigreturn.*/\1/p')
[ -n "$at" ] || exit 1
cat <<END
	.section .rodata
	.balign	8
	.globl	vdso_start, vdso_end, vdso_sigreturn_offset
vdso_start:
	.incbin	"$(realpath "$2")"
vdso_end:
	.balign	4
vdso_sigreturn_offset:
	.word	0x$at
END
