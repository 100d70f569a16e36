/* SPDX-License-Identifier: MIT
 * The context switch for AArch64, AAPCS64 (fiber/fiber.h).
 *
 * A saved context, from sp upwards:
 *
 *      0  x29, x30 (the return address)
 *     16  x19 ... x28
 *     96  d8 ... d15
 *    160  fpcr, 8 unused
 *
 * fpcr is loaded only where it differs: writing it waits for all floating-point work.  The return
 * address is not signed (no PAC); branch targets are marked (BTI). */

#include "core/fiber/asm.h"

#define SP  0 /* struct weft__fiber; fiber.h asserts both */
#define TOP 8
#define FRAME 176

    .text

/* void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
 *                       weft__fiber_entry *entry); */
    function weft__fiber_swap
    .cfi_startproc
    hint    #34                 /* bti c */
    ldr     x9, [x1, #SP]
    stp     x29, x30, [sp, #-FRAME]!
    .cfi_adjust_cfa_offset FRAME
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    stp     x19, x20, [sp, #16]
    .cfi_rel_offset x19, 16
    .cfi_rel_offset x20, 24
    stp     x21, x22, [sp, #32]
    .cfi_rel_offset x21, 32
    .cfi_rel_offset x22, 40
    stp     x23, x24, [sp, #48]
    .cfi_rel_offset x23, 48
    .cfi_rel_offset x24, 56
    stp     x25, x26, [sp, #64]
    .cfi_rel_offset x25, 64
    .cfi_rel_offset x26, 72
    stp     x27, x28, [sp, #80]
    .cfi_rel_offset x27, 80
    .cfi_rel_offset x28, 88
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    .cfi_rel_offset d8, 96
    .cfi_rel_offset d9, 104
    .cfi_rel_offset d10, 112
    .cfi_rel_offset d11, 120
    .cfi_rel_offset d12, 128
    .cfi_rel_offset d13, 136
    .cfi_rel_offset d14, 144
    .cfi_rel_offset d15, 152
    mrs     x10, fpcr
    str     x10, [sp, #160]
    mov     x11, sp
    str     x11, [x0, #SP]
    cbz     x9, LOCAL(new)

    /* x9: the context; x10: fpcr now.  Until sp changes, the CFI describes whatever is saved at sp,
     * which is complete; from there on the fiber that goes on. */
LOCAL(resume):
    ldp     x29, x30, [x9]
    ldp     x19, x20, [x9, #16]
    ldp     x21, x22, [x9, #32]
    ldp     x23, x24, [x9, #48]
    ldp     x25, x26, [x9, #64]
    ldp     x27, x28, [x9, #80]
    ldp     d8, d9, [x9, #96]
    ldp     d10, d11, [x9, #112]
    ldp     d12, d13, [x9, #128]
    ldp     d14, d15, [x9, #144]
    ldr     x11, [x9, #160]
    cmp     x10, x11
    b.ne    LOCAL(fpcr)
LOCAL(leave):
    .cfi_remember_state
    add     sp, x9, #FRAME
    .cfi_def_cfa sp, 0
    .cfi_same_value x29
    .cfi_same_value x30
    .cfi_same_value x19
    .cfi_same_value x20
    .cfi_same_value x21
    .cfi_same_value x22
    .cfi_same_value x23
    .cfi_same_value x24
    .cfi_same_value x25
    .cfi_same_value x26
    .cfi_same_value x27
    .cfi_same_value x28
    .cfi_same_value d8
    .cfi_same_value d9
    .cfi_same_value d10
    .cfi_same_value d11
    .cfi_same_value d12
    .cfi_same_value d13
    .cfi_same_value d14
    .cfi_same_value d15
    ret
    .cfi_restore_state
LOCAL(fpcr):
    msr     fpcr, x11
    b       LOCAL(leave)

LOCAL(new):
    mov     x19, x2             /* survives entry: the fiber that it returns may be new, too */
    mov     x0, x1
LOCAL(begin):
    .cfi_remember_state
    .cfi_undefined x30          /* nobody called what follows: unwinding ends here, */
    ldr     x9, [x0, #TOP]
    mov     sp, x9
    .cfi_def_cfa sp, 0
    mov     x29, #0             /* and so do walks along frame pointers */
    msr     fpcr, xzr           /* what a process begins with */
    blr     x19
    ldr     x9, [x0, #SP]
    cbz     x9, LOCAL(begin)
    mov     sp, x9
    .cfi_restore_state
    mrs     x10, fpcr
    b       LOCAL(resume)
    .cfi_endproc
    end_function weft__fiber_swap

#ifdef __ELF__
    .section .note.GNU-stack, "", %progbits

/* BTI (bit 0); neither PAC (bit 1) nor GCS (bit 2): a shadow stack would have to be switched. */
    .section .note.gnu.property, "a"
    .p2align 3
    .word   4                   /* bytes of the name */
    .word   16                  /* bytes of the properties */
    .word   5                   /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz  "GNU"
    .word   0xc0000000          /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
    .word   4
    .word   1
    .word   0
#endif
