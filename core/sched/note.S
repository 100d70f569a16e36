/* SPDX-License-Identifier: MIT
 * The note by which a tool finds the root (sched/inspect.h) in a stripped, static or relocated
 * image. */
#ifdef __APPLE__ /* Mach-O has neither notes nor such differences: an address in a section */
        .section __DATA, __weft_note
        .balign 8
        .globl  _weft__inspect_note
        .private_extern _weft__inspect_note
_weft__inspect_note:
        .quad   _weft__inspect_root
#else
        .section .note.weft, "a", %note
        .balign 4
        .globl  weft__inspect_note      /* the root points back: static links take this along */
        .hidden weft__inspect_note
        .type   weft__inspect_note, %object
weft__inspect_note:
        .long   2f - 1f         /* bytes of the owner's name */
        .long   4f - 3f         /* bytes of the description */
        .long   1               /* type: the way to the root */
1:      .asciz  "weft"
2:      .balign 4
3:      .long   weft__inspect_root - .
4:      .balign 4
        .size   weft__inspect_note, . - weft__inspect_note

        .section .note.GNU-stack, "", %progbits
#endif
