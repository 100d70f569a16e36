/* SPDX-License-Identifier: MIT
 * The context switch for 64-bit POWER, ELFv2 ABI (fiber/fiber.h).
 *
 * A saved context, from sp (r1) upwards:
 *
 *      0  back chain
 *     24  r2 (the table of contents)
 *     32  fpscr, 8 unused
 *     48  v20 ... v31
 *    240  r14 ... r31
 *    384  f14 ... f31
 *    528  the caller's frame, which has room for what is ours:
 *    536  condition register, 4 unused
 *    544  lr (the return address)
 *
 * Of fpscr only the control bits (the exceptions that trap, both rounding modes) are a fiber's
 * own, and they are written only where they differ: that waits for all floating-point work. */

#define SP  0 /* struct weft__fiber; fiber.h asserts both */
#define TOP 8

#define HEADER 32               /* what each frame begins with */
#define TOC 24
#define FPSCR 32
#define VECTORS 48
#define GENERAL 240
#define DOUBLES 384
#define FRAME 528
#define CR 8                    /* in the caller's frame */
#define LR 16
#define CONDITION 70             /* the number that the condition register has in the CFI */

    .abiversion 2
    .machine power8
    .text

/* r14 ... r31 and f14 ... f31, eighteen each, at `base`; and v20 ... v31, for which the offset
 * takes a register. */
    .macro  each instruction, prefix, place, base
    .irp    n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    \instruction \prefix\n, \place + (\n - 14) * 8(\base)
    .endr
    .endm

    .macro  each_vector instruction, base
    .irp    n, 20,21,22,23,24,25,26,27,28,29,30,31
    li      %r9, VECTORS + (\n - 20) * 16
    \instruction %v\n, %r9, \base
    .endr
    .endm

/* Says of all that is saved where it lies, from sp on; or that it is in its place again. */
    .macro  saved_at_sp
    .irp    n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .cfi_rel_offset r\n, GENERAL + (\n - 14) * 8
    .cfi_rel_offset f\n, DOUBLES + (\n - 14) * 8
    .endr
    .irp    n, 20,21,22,23,24,25,26,27,28,29,30,31
    .cfi_rel_offset v\n, VECTORS + (\n - 20) * 16
    .endr
    .endm

    .macro  in_place
    .irp    n, 14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    .cfi_same_value r\n
    .cfi_same_value f\n
    .endr
    .irp    n, 20,21,22,23,24,25,26,27,28,29,30,31
    .cfi_same_value v\n
    .endr
    .cfi_same_value CONDITION
    .cfi_same_value lr
    .endm

/* void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
 *                       weft__fiber_entry *entry); */
    .globl  weft__fiber_swap
    .hidden weft__fiber_swap
    .type   weft__fiber_swap, @function
    .p2align 6
weft__fiber_swap:
    .cfi_startproc
    ld      %r10, SP(%r4)
    mflr    %r0
    mfcr    %r11
    std     %r0, LR(%r1)
    stw     %r11, CR(%r1)
    stdu    %r1, -FRAME(%r1)
    .cfi_adjust_cfa_offset FRAME
    .cfi_rel_offset lr, FRAME + LR
    .cfi_rel_offset CONDITION, FRAME + CR
    std     %r2, TOC(%r1)
    mffs    %f0
    stfd    %f0, FPSCR(%r1)
    each    std, %r, GENERAL, %r1
    each    stfd, %f, DOUBLES, %r1
    each_vector stvx, %r1
    saved_at_sp
    ld      %r8, FPSCR(%r1)
    std     %r1, SP(%r3)
    cmpdi   %r10, 0
    beq     .Lnew

    /* r10: the context; r8: fpscr now.  Until sp changes, the CFI describes whatever is saved at
     * sp, which is complete; from there on the fiber that goes on. */
.Lresume:
    ld      %r0, FRAME + LR(%r10)
    lwz     %r11, FRAME + CR(%r10)
    mtlr    %r0
    mtocrf  0x20, %r11
    mtocrf  0x10, %r11
    mtocrf  0x08, %r11
    ld      %r2, TOC(%r10)
    ld      %r7, FPSCR(%r10)
    each    ld, %r, GENERAL, %r10
    each    lfd, %f, DOUBLES, %r10
    each_vector lvx, %r10
    xor     %r7, %r7, %r8
    rldicl  %r8, %r7, 0, 56     /* the lowest 8 bits: traps, rounding; */
    rldicl  %r7, %r7, 32, 61    /* 32 to 34: rounding of decimals */
    or.     %r7, %r7, %r8
    bne     .Lcontrol
.Lleave:
    .cfi_remember_state
    addi    %r1, %r10, FRAME
    .cfi_def_cfa r1, 0
    in_place
    blr
    .cfi_restore_state
.Lcontrol:
    lfd     %f0, FPSCR(%r10)
    mtfsf   0x03, %f0
    mtfsf   0x01, %f0, 0, 1
    b       .Lleave

.Lnew:
    mr      %r14, %r5           /* survives entry: the fiber that it returns may be new, too */
    mr      %r3, %r4
.Lbegin:
    .cfi_remember_state
    .cfi_undefined lr           /* nobody called what follows: unwinding ends here, */
    ld      %r1, TOP(%r3)
    .cfi_def_cfa r1, 0
    li      %r0, 0
    stdu    %r0, -HEADER(%r1)   /* and so do walks along the back chain */
    .cfi_adjust_cfa_offset HEADER
    std     %r0, TOC(%r1)
    lfd     %f0, TOC(%r1)
    mtfsf   0xff, %f0, 1, 0     /* what a process begins with */
    std     %r2, TOC(%r1)
    mr      %r12, %r14
    mtctr   %r12
    bctrl
    ld      %r2, TOC(%r1)
    ld      %r10, SP(%r3)
    cmpdi   %r10, 0
    beq     .Lbegin
    mffs    %f0
    stfd    %f0, CR(%r1)
    ld      %r8, CR(%r1)
    mr      %r1, %r10
    .cfi_restore_state
    b       .Lresume
    .cfi_endproc
    .size   weft__fiber_swap, . - weft__fiber_swap

    .section .note.GNU-stack, "", @progbits
