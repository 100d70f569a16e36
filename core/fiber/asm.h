/* SPDX-License-Identifier: MIT
 * For the .S files of machines that have ELF and Mach-O (macOS): what only one of them knows. */
#ifdef __APPLE__
    .macro  function name
    .globl  _\name
    .private_extern _\name
    .p2align 6
_\name:
    .endm

    .macro  end_function name
    .endm
#else
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
