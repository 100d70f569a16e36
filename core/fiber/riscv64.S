/* SPDX-License-Identifier: MIT
 * The context switch for RISC-V, 64 bits (fiber/fiber.h).
 *
 * A saved context, from sp upwards:
 *
 *      0  ra (the return address)
 *      8  s0 ... s11
 *    104  fs0 ... fs11
 *    200  the rounding mode, frm
 *
 * frm is written only where it differs: that waits for all floating-point work.  What the
 * exceptions have raised (fflags) stays the thread's.  A machine without doubles leaves the second
 * half unused. */

#define SP  0 /* struct weft__fiber; fiber.h asserts both */
#define TOP 8
#define FRAME 208

#if defined(__riscv_flen) && __riscv_flen >= 64
#define HAS_DOUBLES 1
#endif

    .text

/* void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
 *                       weft__fiber_entry *entry); */
    .globl  weft__fiber_swap
    .hidden weft__fiber_swap
    .type   weft__fiber_swap, @function
    .p2align 6
weft__fiber_swap:
    .cfi_startproc
    ld      t0, SP(a1)
    addi    sp, sp, -FRAME
    .cfi_adjust_cfa_offset FRAME
    sd      ra, 0(sp)
    .cfi_rel_offset ra, 0
    sd      s0, 8(sp)
    .cfi_rel_offset s0, 8
    sd      s1, 16(sp)
    .cfi_rel_offset s1, 16
    sd      s2, 24(sp)
    .cfi_rel_offset s2, 24
    sd      s3, 32(sp)
    .cfi_rel_offset s3, 32
    sd      s4, 40(sp)
    .cfi_rel_offset s4, 40
    sd      s5, 48(sp)
    .cfi_rel_offset s5, 48
    sd      s6, 56(sp)
    .cfi_rel_offset s6, 56
    sd      s7, 64(sp)
    .cfi_rel_offset s7, 64
    sd      s8, 72(sp)
    .cfi_rel_offset s8, 72
    sd      s9, 80(sp)
    .cfi_rel_offset s9, 80
    sd      s10, 88(sp)
    .cfi_rel_offset s10, 88
    sd      s11, 96(sp)
    .cfi_rel_offset s11, 96
#ifdef HAS_DOUBLES
    fsd     fs0, 104(sp)
    .cfi_rel_offset fs0, 104
    fsd     fs1, 112(sp)
    .cfi_rel_offset fs1, 112
    fsd     fs2, 120(sp)
    .cfi_rel_offset fs2, 120
    fsd     fs3, 128(sp)
    .cfi_rel_offset fs3, 128
    fsd     fs4, 136(sp)
    .cfi_rel_offset fs4, 136
    fsd     fs5, 144(sp)
    .cfi_rel_offset fs5, 144
    fsd     fs6, 152(sp)
    .cfi_rel_offset fs6, 152
    fsd     fs7, 160(sp)
    .cfi_rel_offset fs7, 160
    fsd     fs8, 168(sp)
    .cfi_rel_offset fs8, 168
    fsd     fs9, 176(sp)
    .cfi_rel_offset fs9, 176
    fsd     fs10, 184(sp)
    .cfi_rel_offset fs10, 184
    fsd     fs11, 192(sp)
    .cfi_rel_offset fs11, 192
    frrm    t1
    sd      t1, 200(sp)
#endif
    sd      sp, SP(a0)
    beqz    t0, .Lnew

    /* t0: the context; t1: the rounding mode now.  Until sp changes, the CFI describes whatever is
     * saved at sp, which is complete; from there on the fiber that goes on. */
.Lresume:
    ld      ra, 0(t0)
    ld      s0, 8(t0)
    ld      s1, 16(t0)
    ld      s2, 24(t0)
    ld      s3, 32(t0)
    ld      s4, 40(t0)
    ld      s5, 48(t0)
    ld      s6, 56(t0)
    ld      s7, 64(t0)
    ld      s8, 72(t0)
    ld      s9, 80(t0)
    ld      s10, 88(t0)
    ld      s11, 96(t0)
#ifdef HAS_DOUBLES
    fld     fs0, 104(t0)
    fld     fs1, 112(t0)
    fld     fs2, 120(t0)
    fld     fs3, 128(t0)
    fld     fs4, 136(t0)
    fld     fs5, 144(t0)
    fld     fs6, 152(t0)
    fld     fs7, 160(t0)
    fld     fs8, 168(t0)
    fld     fs9, 176(t0)
    fld     fs10, 184(t0)
    fld     fs11, 192(t0)
    ld      t2, 200(t0)
    bne     t1, t2, .Lmode
#endif
.Lleave:
    .cfi_remember_state
    addi    sp, t0, FRAME
    .cfi_def_cfa sp, 0
    .cfi_same_value ra
    .cfi_same_value s0
    .cfi_same_value s1
    .cfi_same_value s2
    .cfi_same_value s3
    .cfi_same_value s4
    .cfi_same_value s5
    .cfi_same_value s6
    .cfi_same_value s7
    .cfi_same_value s8
    .cfi_same_value s9
    .cfi_same_value s10
    .cfi_same_value s11
#ifdef HAS_DOUBLES
    .cfi_same_value fs0
    .cfi_same_value fs1
    .cfi_same_value fs2
    .cfi_same_value fs3
    .cfi_same_value fs4
    .cfi_same_value fs5
    .cfi_same_value fs6
    .cfi_same_value fs7
    .cfi_same_value fs8
    .cfi_same_value fs9
    .cfi_same_value fs10
    .cfi_same_value fs11
#endif
    ret
    .cfi_restore_state
#ifdef HAS_DOUBLES
.Lmode:
    fsrm    t2
    j       .Lleave
#endif

.Lnew:
    mv      s1, a2              /* survives entry: the fiber that it returns may be new, too */
    mv      a0, a1
.Lbegin:
    .cfi_remember_state
    .cfi_undefined ra           /* nobody called what follows: unwinding ends here, */
    ld      sp, TOP(a0)
    .cfi_def_cfa sp, 0
    mv      s0, zero            /* and so do walks along frame pointers */
#ifdef HAS_DOUBLES
    fsrm    zero                /* what a process begins with: to nearest */
#endif
    jalr    s1
    ld      t0, SP(a0)
    beqz    t0, .Lbegin
    mv      sp, t0
    .cfi_restore_state
#ifdef HAS_DOUBLES
    frrm    t1
#endif
    j       .Lresume
    .cfi_endproc
    .size   weft__fiber_swap, . - weft__fiber_swap

    .section .note.GNU-stack, "", @progbits
