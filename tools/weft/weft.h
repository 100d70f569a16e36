/* SPDX-License-Identifier: MIT
 * The `weft` command: what its subcommands share. */
#ifndef WEFT_TOOLS_WEFT_H
#define WEFT_TOOLS_WEFT_H

/* Each takes its own arguments, argv[0] being "weft NAME", and returns an exit status. */
int command_backends(int argc, char **argv);
int command_ps(int argc, char **argv);
int command_pstree(int argc, char **argv);


#endif
