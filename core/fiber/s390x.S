/* SPDX-License-Identifier: MIT
 * The context switch for s390x, 64 bits, big-endian (fiber/fiber.h).
 *
 * A saved context, from sp (r15) upwards:
 *
 *      0  f8 ... f15
 *     64  fpc, 4 unused
 *     72  the caller's frame, which has room for what is ours:
 *    120  r6 ... r13
 *    184  r14 (the return address), r15 (sp)
 *
 * Of fpc only the control bits (the exceptions that trap, both rounding modes) are a fiber's own,
 * and they are written only where they differ. */

#define SP  0 /* struct weft__fiber; fiber.h asserts both */
#define TOP 8

#define FRAME 72
#define CALLER 160              /* what each frame leaves for those that it calls */
#define CONTROL 0xff000077

    .text

/* void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
 *                       weft__fiber_entry *entry); */
    .globl  weft__fiber_swap
    .hidden weft__fiber_swap
    .type   weft__fiber_swap, @function
    .p2align 6
weft__fiber_swap:
    .cfi_startproc
    lg      %r1, SP(%r3)
    stmg    %r6, %r15, 48(%r15)
    .cfi_rel_offset %r6, 48
    .cfi_rel_offset %r7, 56
    .cfi_rel_offset %r8, 64
    .cfi_rel_offset %r9, 72
    .cfi_rel_offset %r10, 80
    .cfi_rel_offset %r11, 88
    .cfi_rel_offset %r12, 96
    .cfi_rel_offset %r13, 104
    .cfi_rel_offset %r14, 112
    .cfi_rel_offset %r15, 120
    aghi    %r15, -FRAME
    .cfi_adjust_cfa_offset FRAME
    std     %f8, 0(%r15)
    .cfi_rel_offset %f8, 0
    std     %f9, 8(%r15)
    .cfi_rel_offset %f9, 8
    std     %f10, 16(%r15)
    .cfi_rel_offset %f10, 16
    std     %f11, 24(%r15)
    .cfi_rel_offset %f11, 24
    std     %f12, 32(%r15)
    .cfi_rel_offset %f12, 32
    std     %f13, 40(%r15)
    .cfi_rel_offset %f13, 40
    std     %f14, 48(%r15)
    .cfi_rel_offset %f14, 48
    std     %f15, 56(%r15)
    .cfi_rel_offset %f15, 56
    efpc    %r5
    st      %r5, 64(%r15)
    stg     %r15, SP(%r2)
    ltgr    %r1, %r1
    jz      .Lnew

    /* r1: the context; r5: fpc now.  Until sp changes, the CFI describes whatever is saved at sp,
     * which is complete; from there on the fiber that goes on. */
.Lresume:
    ld      %f8, 0(%r1)
    ld      %f9, 8(%r1)
    ld      %f10, 16(%r1)
    ld      %f11, 24(%r1)
    ld      %f12, 32(%r1)
    ld      %f13, 40(%r1)
    ld      %f14, 48(%r1)
    ld      %f15, 56(%r1)
    l       %r0, 64(%r1)
    xr      %r0, %r5
    nilf    %r0, CONTROL        /* the control bits that differ */
    jnz     .Lcontrol
.Lleave:
    .cfi_remember_state
    lmg     %r6, %r15, FRAME + 48(%r1)
    .cfi_def_cfa %r15, CALLER
    .cfi_same_value %r6
    .cfi_same_value %r7
    .cfi_same_value %r8
    .cfi_same_value %r9
    .cfi_same_value %r10
    .cfi_same_value %r11
    .cfi_same_value %r12
    .cfi_same_value %r13
    .cfi_same_value %r14
    .cfi_restore %r15
    .cfi_same_value %f8
    .cfi_same_value %f9
    .cfi_same_value %f10
    .cfi_same_value %f11
    .cfi_same_value %f12
    .cfi_same_value %f13
    .cfi_same_value %f14
    .cfi_same_value %f15
    br      %r14
    .cfi_restore_state
.Lcontrol:
    xr      %r5, %r0
    sfpc    %r5
    j       .Lleave

.Lnew:
    lgr     %r6, %r4            /* survives entry: the fiber that it returns may be new, too */
    lgr     %r2, %r3
.Lbegin:
    .cfi_remember_state
    .cfi_undefined %r14         /* nobody called what follows: unwinding ends here, */
    lg      %r15, TOP(%r2)
    .cfi_def_cfa %r15, 0
    aghi    %r15, -CALLER
    .cfi_adjust_cfa_offset CALLER
    xc      0(8, %r15), 0(%r15) /* and so do walks along the back chain */
    lghi    %r0, 0
    sfpc    %r0                 /* what a process begins with */
    basr    %r14, %r6
    lg      %r1, SP(%r2)
    ltgr    %r1, %r1
    jz      .Lbegin
    lgr     %r15, %r1
    .cfi_restore_state
    efpc    %r5
    j       .Lresume
    .cfi_endproc
    .size   weft__fiber_swap, . - weft__fiber_swap

    .section .note.GNU-stack, "", @progbits
