/* SPDX-License-Identifier: MIT
 * The context switch for x86-64, System V ABI (fiber/fiber.h).
 *
 * A saved context, from sp upwards:
 *
 *      0  mxcsr (4 bytes), x87 control word (2 bytes), 2 unused
 *      8  r15      16  r14      24  r13      32  r12      40  rbx      48  rbp
 *     56  return address
 *
 * The control words are callee-saved state: a rounding mode is a fiber's own.  Half of a switch's
 * time goes into stmxcsr, and nothing reads that register faster.  Looking whether mxcsr differs
 * was slower than to load it always; looking whether the x87 word does is faster (measured on AMD
 * Zen).
 *
 * One function makes all switches and is left by `ret`: a fiber is mostly continued from the call
 * site at which it was left, and then the processor knows where `ret` goes. */

#include "core/fiber/asm.h"

#define SP  0 /* struct weft__fiber; fiber.h asserts both */
#define TOP 8

    .text

/* void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
 *                       weft__fiber_entry *entry); */
    function weft__fiber_swap
    .cfi_startproc
    endbr64
    movq    SP(%rsi), %rax      /* first, for stmxcsr makes it wait */
    subq    $56, %rsp
    .cfi_adjust_cfa_offset 56
    stmxcsr (%rsp)
    fnstcw  4(%rsp)
    movq    %rbp, 48(%rsp)
    .cfi_rel_offset %rbp, 48
    movq    %rbx, 40(%rsp)
    .cfi_rel_offset %rbx, 40
    movq    %r12, 32(%rsp)
    .cfi_rel_offset %r12, 32
    movq    %r13, 24(%rsp)
    .cfi_rel_offset %r13, 24
    movq    %r14, 16(%rsp)
    .cfi_rel_offset %r14, 16
    movq    %r15, 8(%rsp)
    .cfi_rel_offset %r15, 8
    movq    %rsp, SP(%rdi)
    testq   %rax, %rax
    jz      LOCAL(new)
    movzwl  4(%rsp), %ecx

    /* rax: the context; cx: the x87 control word now.  Until rsp changes, the CFI describes
     * whatever is saved at rsp, which is complete; from there on the fiber that goes on. */
LOCAL(resume):
    movq    48(%rax), %rbp
    movq    40(%rax), %rbx
    movq    32(%rax), %r12
    movq    24(%rax), %r13
    movq    16(%rax), %r14
    movq    8(%rax), %r15
    ldmxcsr (%rax)
    cmpw    4(%rax), %cx
    jne     LOCAL(x87)
LOCAL(leave):
    .cfi_remember_state
    leaq    56(%rax), %rsp
    .cfi_adjust_cfa_offset -56
    .cfi_same_value %rbp
    .cfi_same_value %rbx
    .cfi_same_value %r12
    .cfi_same_value %r13
    .cfi_same_value %r14
    .cfi_same_value %r15
    ret
    .cfi_restore_state
LOCAL(x87):
    fldcw   4(%rax)
    jmp     LOCAL(leave)

LOCAL(new):
    movq    %rdx, %rbx          /* survives entry: the fiber that it returns may be new, too */
    movq    %rsi, %rdi
LOCAL(begin):
    .cfi_remember_state
    .cfi_undefined %rip         /* nobody called what follows: unwinding ends here, */
    movq    TOP(%rdi), %rsp
    .cfi_def_cfa %rsp, 0
    xorl    %ebp, %ebp          /* and so do walks along frame pointers */
    ldmxcsr LOCAL(control)(%rip)
    fldcw   LOCAL(control) + 4(%rip)
    call    *%rbx
    movq    %rax, %rdi
    movq    SP(%rdi), %rax
    testq   %rax, %rax
    jz      LOCAL(begin)
    movq    %rax, %rsp
    .cfi_restore_state
    fldcw   4(%rax)
    movzwl  4(%rax), %ecx
    jmp     LOCAL(resume)
    .cfi_endproc
    end_function weft__fiber_swap

/* What a process begins with: all exceptions masked, round to nearest; x87 with 64 bits. */
#ifdef __APPLE__
    .section __TEXT, __const
#else
    .section .rodata.cst8, "aM", @progbits, 8
#endif
    .p2align 3
LOCAL(control):
    .long   0x1f80
    .long   0x37f

#ifdef __ELF__
    .section .note.GNU-stack, "", @progbits

/* CET: indirect branches (bit 0) are marked; shadow stacks (bit 1) would have to be switched. */
    .section .note.gnu.property, "a"
    .p2align 3
    .long   4                   /* bytes of the name */
    .long   16                  /* bytes of the properties */
    .long   5                   /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz  "GNU"
    .long   0xc0000002          /* GNU_PROPERTY_X86_FEATURE_1_AND */
    .long   4
    .long   1
    .long   0
#endif
