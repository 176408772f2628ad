/* vfork.S - vfork, with a mark per thread that the child is in its parent's memory.
 *
 * It must be made here: a C function that calls libc's vfork would return into a frame that the child has
 * overwritten. The child runs with hook_vforked raised; the parent, which resumes when the child has gone,
 * lowers it. As libc does, the return address is kept in a register meanwhile.
 * hook.unusual says that there may be a vforked child, which spares the others the look at the mark; meanwhile calls that
 * such a child makes otherwise do not go the shortest way.
 * Other machines than these do without: there a vforked child's close is taken for the parent's.
 */
#include "interpose/vfork.h"

#if defined(__x86_64__)
	.text
	.globl	vfork, __vfork
	.type	vfork, @function
	.type	__vfork, @function
vfork:
__vfork:
	.cfi_startproc
	endbr64
	movq	hook_vforked@gottpoff(%rip), %rdx
	incl	%fs:(%rdx)
	lock orl	$HOOK_VFORKS, hook+HOOK_UNUSUAL_AT(%rip)
	lock andl	$~HOOK_OWN_IN_VFORK, hook_guard_page+HOOK_GUARD_AT(%rip)
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdi
	movl	$58, %eax		/* SYS_vfork */
	syscall
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rip, 0
	testl	%eax, %eax
	jz	1f
	decl	%fs:(%rdx)
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	hook_vfork_over
	popq	%rax
	.cfi_adjust_cfa_offset -8
	cmpl	$-4095, %eax
	jae	2f
1:	ret
2:	negl	%eax
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	__errno_location@PLT
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	movl	%ecx, (%rax)
	movl	$-1, %eax
	ret
	.cfi_endproc
	.size	vfork, .-vfork
	.size	__vfork, .-__vfork

#elif defined(__aarch64__)
	.text
	.globl	vfork, __vfork
	.type	vfork, %function
	.type	__vfork, %function
vfork:
__vfork:
	.cfi_startproc
	mrs	x9, tpidr_el0
	adrp	x10, :gottprel:hook_vforked
	ldr	x10, [x10, #:gottprel_lo12:hook_vforked]
	add	x9, x9, x10
	ldr	w11, [x9]
	add	w11, w11, #1
	str	w11, [x9]
	adrp	x10, hook+HOOK_UNUSUAL_AT
	add	x10, x10, :lo12:hook+HOOK_UNUSUAL_AT
3:	ldaxr	w11, [x10]
	orr	w11, w11, #HOOK_VFORKS
	stlxr	w12, w11, [x10]
	cbnz	w12, 3b
	adrp	x10, hook_guard_page+HOOK_GUARD_AT
	add	x10, x10, :lo12:hook_guard_page+HOOK_GUARD_AT
	ldr	w13, =HOOK_OWN_IN_VFORK
4:	ldaxr	w11, [x10]
	bic	w11, w11, w13
	stlxr	w12, w11, [x10]
	cbnz	w12, 4b
	mov	x0, #0x4111		/* CLONE_VM | CLONE_VFORK | SIGCHLD */
	mov	x1, xzr
	mov	x8, #220		/* SYS_clone */
	svc	#0
	cbz	w0, 1f
	ldr	w11, [x9]
	sub	w11, w11, #1
	str	w11, [x9]
	stp	x29, x30, [sp, #-32]!
	.cfi_adjust_cfa_offset 32
	.cfi_rel_offset x30, 8
	str	x0, [sp, #16]
	bl	hook_vfork_over
	ldr	x0, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_adjust_cfa_offset -32
	.cfi_restore x30
	cmn	x0, #4095
	b.cs	2f
1:	ret
2:	neg	w0, w0
	stp	x29, x30, [sp, #-32]!
	.cfi_adjust_cfa_offset 32
	.cfi_rel_offset x30, 8
	str	w0, [sp, #16]
	bl	__errno_location
	ldr	w1, [sp, #16]
	str	w1, [x0]
	mov	x0, #-1
	ldp	x29, x30, [sp], #32
	.cfi_adjust_cfa_offset -32
	.cfi_restore x30
	ret
	.cfi_endproc
	.size	vfork, .-vfork
	.size	__vfork, .-__vfork
#endif
	.section .note.GNU-stack, "", %progbits
