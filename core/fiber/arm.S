/* SPDX-License-Identifier: MIT
 * The context switch for ARM, 32 bits, AAPCS, with VFP or without (fiber/fiber.h).
 *
 * A saved context, from sp upwards:
 *
 *      0  fpscr, 4 unused
 *      8  d8 ... d15
 *     72  4 unused, r4 ... r11
 *    108  lr (the return address)
 *
 * and without VFP what stands from 72 on.  Of fpscr only the control bits are a fiber's own, and
 * they are written only where they differ: that waits for all floating-point work.
 *
 * There are two tables for unwinding: .ARM.exidx, which the runtime reads and which has one
 * description for each function, so that the beginning of a fiber is a function of its own; and
 * .debug_frame for debuggers. */

#define SP  0 /* struct weft__fiber; fiber.h asserts both */
#define TOP 4

#ifdef __ARM_FP
#define VFP 72                  /* bytes of the context that belong to it */
#else
#define VFP 0
#endif
#define FRAME (VFP + 40)

/* What is not control in fpscr: the condition and saturation flags, and what exceptions raised. */
#define FLAGS_HIGH 0xf8000000
#define FLAGS_LOW  0x9f

    .syntax unified
    .arm
    .cfi_sections .debug_frame
    .text

/* void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
 *                       weft__fiber_entry *entry); */
    .globl  weft__fiber_swap
    .hidden weft__fiber_swap
    .type   weft__fiber_swap, %function
    .p2align 6
weft__fiber_swap:
    .fnstart
    .cfi_startproc
    ldr     ip, [r1, #SP]
    push    {r3-r11, lr}        /* r3 for the alignment */
    .save   {r4-r11, lr}
    .pad    #4
    .cfi_adjust_cfa_offset 40
    .cfi_rel_offset r4, 4
    .cfi_rel_offset r5, 8
    .cfi_rel_offset r6, 12
    .cfi_rel_offset r7, 16
    .cfi_rel_offset r8, 20
    .cfi_rel_offset r9, 24
    .cfi_rel_offset r10, 28
    .cfi_rel_offset r11, 32
    .cfi_rel_offset lr, 36
#ifdef __ARM_FP
    vpush   {d8-d15}
    .vsave  {d8-d15}
    .cfi_adjust_cfa_offset 64
    .cfi_rel_offset d8, 0
    .cfi_rel_offset d9, 8
    .cfi_rel_offset d10, 16
    .cfi_rel_offset d11, 24
    .cfi_rel_offset d12, 32
    .cfi_rel_offset d13, 40
    .cfi_rel_offset d14, 48
    .cfi_rel_offset d15, 56
    vmrs    r3, fpscr
    str     r3, [sp, #-8]!
    .pad    #8
    .cfi_adjust_cfa_offset 8
#endif
    str     sp, [r0, #SP]
    cmp     ip, #0
    beq     .Lnew

    /* ip: the context; r3: fpscr now.  Until sp changes, the CFI describes whatever is saved at
     * sp, which is complete; from there on the fiber that goes on. */
.Lresume:
#ifdef __ARM_FP
    ldr     r2, [ip], #8
    vldmia  ip!, {d8-d15}
    eor     r2, r2, r3
    bic     r2, r2, #FLAGS_HIGH
    bics    r2, r2, #FLAGS_LOW  /* the control bits that differ */
    bne     .Lcontrol
#endif
.Lleave:
    add     ip, ip, #40
    ldmdb   ip, {r4-r11, lr}
    .cfi_remember_state
    mov     sp, ip
    .cfi_def_cfa sp, 0
    .cfi_same_value r4
    .cfi_same_value r5
    .cfi_same_value r6
    .cfi_same_value r7
    .cfi_same_value r8
    .cfi_same_value r9
    .cfi_same_value r10
    .cfi_same_value r11
    .cfi_same_value lr
#ifdef __ARM_FP
    .cfi_same_value d8
    .cfi_same_value d9
    .cfi_same_value d10
    .cfi_same_value d11
    .cfi_same_value d12
    .cfi_same_value d13
    .cfi_same_value d14
    .cfi_same_value d15
#endif
    bx      lr
    .cfi_restore_state
#ifdef __ARM_FP
.Lcontrol:
    eor     r3, r3, r2
    vmsr    fpscr, r3
    b       .Lleave
#endif
    .cfi_endproc
    .fnend
    .size   weft__fiber_swap, . - weft__fiber_swap

/* The beginning of the fiber in r1, whose context in ip is none.  Nobody called what follows:
 * unwinding ends here. */
    .type   weft__fiber_begin, %function
weft__fiber_begin:
    .fnstart
    .cantunwind
    .cfi_startproc
    .cfi_undefined lr
.Lnew:
    mov     r4, r2              /* survives entry: the fiber that it returns may be new, too */
    mov     r0, r1
.Lbegin:
    ldr     ip, [r0, #TOP]
    mov     sp, ip
    mov     r11, #0             /* walks along frame pointers end here, too, */
    mov     r7, #0              /* and those of Thumb code */
#ifdef __ARM_FP
    mov     ip, #0
    vmsr    fpscr, ip           /* what a process begins with */
#endif
    blx     r4
    ldr     ip, [r0, #SP]
    cmp     ip, #0
    beq     .Lbegin
    mov     sp, ip
#ifdef __ARM_FP
    vmrs    r3, fpscr
#endif
    b       .Lresume
    .cfi_endproc
    .fnend
    .size   weft__fiber_begin, . - weft__fiber_begin

    .section .note.GNU-stack, "", %progbits
