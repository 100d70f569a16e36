/* SPDX-License-Identifier: MIT
 * The memory of a process that has ended, as the file says that it left behind. */
#ifndef WEFT_TOOLS_CORE_H
#define WEFT_TOOLS_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct core;

/* A file that was mapped, from its beginning or from further on. */
struct core_file {
    uint64_t start, end, offset; /* where in memory; from where in the file, bytes */
    const char *path;
};

/* NULL, and why in errno: EBADMSG it is no core file of this byte order. */
struct core *core_open(const char *path);
void core_close(struct core *core);

/* Copies memory: from the core file, or where that has left it out because it is a file's, from
 * that file.  False: it is in neither. */
bool core_read(struct core *core, uint64_t from, void *to, size_t size);

/* The files that were mapped; how many. */
size_t core_files(const struct core *core, const struct core_file **ret_files);

/* The process's number, and its command. */
pid_t core_pid(const struct core *core);
const char *core_command(const struct core *core);

/* The core file itself. */
int core_descriptor(const struct core *core);

#endif
