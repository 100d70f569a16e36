/* SPDX-License-Identifier: MIT
 * For the .S files of machines that have ELF and Mach-O (macOS): what only one of them knows. */
#ifdef __APPLE__
/* A label that no symbol comes of: one in the middle of a function would cut it in two there. */
#define LOCAL(name) L##name

    .macro  function name
    .globl  _\name
    .private_extern _\name
    .p2align 6
_\name:
    .endm

    .macro  end_function name
    .endm
#else
#define LOCAL(name) .L##name

    .macro  function name
    .globl  \name
    .hidden \name
    .type   \name, %function
    .p2align 6
\name:
    .endm

    .macro  end_function name
    .size   \name, . - \name
    .endm
#endif
