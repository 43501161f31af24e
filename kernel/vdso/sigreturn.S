/* SPDX-License-Identifier: MIT */
/*
 * Signal handlers return to here. Unwinders look at pc - 4, so an instruction precedes it, and know
 * the frame by these two (or by the S in the augmentation, which says that it is a signal's).
 */
#define NR_rt_sigreturn 139

	.text
	.cfi_sections .eh_frame
	.cfi_startproc
	.cfi_signal_frame
	.cfi_def_cfa	x29, 0
	.cfi_offset	x29, 0
	.cfi_offset	x30, 8
	nop
	.globl	__kernel_rt_sigreturn
	.type	__kernel_rt_sigreturn, %function
__kernel_rt_sigreturn:
	mov	x8, #NR_rt_sigreturn
	svc	#0
	.cfi_endproc
	.size	__kernel_rt_sigreturn, . - __kernel_rt_sigreturn
