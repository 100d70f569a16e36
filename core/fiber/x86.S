/* SPDX-License-Identifier: MIT
 * The context switch for i386, System V ABI (fiber/fiber.h).
 *
 * A saved context, from sp upwards:
 *
 *      0  mxcsr; x87 control word (2 bytes), 2 unused
 *      8  edi      12  esi      16  ebx      20  ebp
 *     24  return address
 *
 * mxcsr only where the compiler may use SSE: older processors have none. */

#define SP  0 /* struct weft__fiber; fiber.h asserts both */
#define TOP 4
#define FRAME 24

    .text

/* void weft__fiber_swap(struct weft__fiber *from, struct weft__fiber *to,
 *                       weft__fiber_entry *entry); */
    .globl  weft__fiber_swap
    .hidden weft__fiber_swap
    .type   weft__fiber_swap, @function
    .p2align 6
weft__fiber_swap:
    .cfi_startproc
    endbr32
    movl    8(%esp), %eax
    movl    12(%esp), %edx
    pushl   %ebp
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %ebp, 0
    pushl   %ebx
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %ebx, 0
    pushl   %esi
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %esi, 0
    pushl   %edi
    .cfi_adjust_cfa_offset 4
    .cfi_rel_offset %edi, 0
    subl    $8, %esp
    .cfi_adjust_cfa_offset 8
#ifdef __SSE__
    stmxcsr (%esp)
#endif
    fnstcw  4(%esp)
    movl    FRAME + 4(%esp), %ecx
    movl    %esp, SP(%ecx)
    movzwl  4(%esp), %ecx
    movl    %eax, %ebx
    movl    SP(%eax), %eax
    testl   %eax, %eax
    jz      .Lnew

    /* eax: the context; cx: the x87 control word now.  Until esp changes, the CFI describes
     * whatever is saved at esp, which is complete; from there on the fiber that goes on. */
.Lresume:
    movl    20(%eax), %ebp
    movl    16(%eax), %ebx
    movl    12(%eax), %esi
    movl    8(%eax), %edi
#ifdef __SSE__
    ldmxcsr (%eax)
#endif
    cmpw    4(%eax), %cx
    jne     .Lx87
.Lleave:
    .cfi_remember_state
    leal    FRAME(%eax), %esp
    .cfi_adjust_cfa_offset -FRAME
    .cfi_same_value %ebp
    .cfi_same_value %ebx
    .cfi_same_value %esi
    .cfi_same_value %edi
    ret
    .cfi_restore_state
.Lx87:
    fldcw   4(%eax)
    jmp     .Lleave

.Lnew:
    movl    %ebx, %eax
    movl    %edx, %ebx          /* survives entry: the fiber that it returns may be new, too */
.Lbegin:
    .cfi_remember_state
    .cfi_undefined %eip         /* nobody called what follows: unwinding ends here, */
    movl    TOP(%eax), %esp
    .cfi_def_cfa %esp, 0
    xorl    %ebp, %ebp          /* and so do walks along frame pointers */
    subl    $16, %esp
    .cfi_adjust_cfa_offset 16
    /* What a process begins with: all exceptions masked, round to nearest; x87 with 64 bits. */
#ifdef __SSE__
    movl    $0x1f80, (%esp)
    ldmxcsr (%esp)
#endif
    movl    $0x37f, (%esp)
    fldcw   (%esp)
    movl    %eax, (%esp)
    call    *%ebx
    movl    SP(%eax), %ecx
    testl   %ecx, %ecx
    jz      .Lbegin
    fnstcw  (%esp)
    movl    %ecx, %eax
    movzwl  (%esp), %ecx
    movl    %eax, %esp
    .cfi_restore_state
    jmp     .Lresume
    .cfi_endproc
    .size   weft__fiber_swap, . - weft__fiber_swap

    .section .note.GNU-stack, "", @progbits

/* CET: indirect branches (bit 0) are marked; shadow stacks (bit 1) would have to be switched. */
    .section .note.gnu.property, "a"
    .p2align 2
    .long   4                   /* bytes of the name */
    .long   12                  /* bytes of the properties */
    .long   5                   /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz  "GNU"
    .long   0xc0000002          /* GNU_PROPERTY_X86_FEATURE_1_AND */
    .long   4
    .long   1
