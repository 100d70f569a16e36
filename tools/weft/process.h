/* SPDX-License-Identifier: MIT
 * The memory of another process, read without its help and without stopping it. */
#ifndef WEFT_TOOLS_PROCESS_H
#define WEFT_TOOLS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_ROOTS 16 /* weft may be in a process several times: linked in, and in a plugin */

struct process {
    pid_t pid;
    struct core *core; /* what it left behind; NULL: it lives */
    char command[32];
    int memory;      /* /proc/PID/mem, where process_vm_readv(2) is forbidden; -1: not needed */
    int error;       /* the last errno of a read that failed */
    unsigned images; /* files that were looked into */
    size_t roots_count;
    uint64_t roots[PROCESS_ROOTS]; /* addresses of struct weft__inspect_root */
    unsigned pointer_size;         /* of the image with the last of them, */
    unsigned machine;              /* and what it is for: EM_X86_64 ... */
};

/* Finds the process and the copies of weft in it.  0 (there may be none); or a negative errno and
 * words for people in `why`. */
int process_open(struct process *process, pid_t pid, char *why, size_t size);

/* The same for one that has ended, by its core file. */
int process_open_core(struct process *process, const char *path, char *why, size_t size);
void process_close(struct process *process);

/* Copies memory; false: it is not there, or may not be read. */
bool process_read(struct process *process, uint64_t from, void *to, size_t size);

/* Copies `count` pieces of `size` bytes each, which begin every `stride` bytes; how many. */
size_t process_read_many(struct process *process, uint64_t from, uint64_t stride, size_t count,
                         void *to, size_t size);

/* Copies text for people: cut to fit, what a terminal would obey is replaced by '?'.  False, and ""
 * in `to`: it is not there. */
bool process_text(struct process *process, uint64_t from, char *to, size_t size);

/* Replaces by '?' what a terminal would obey, and what is no UTF-8. */
void process_tame(char *text);

/* A number of 1, 2, 4 or 8 bytes of a copy. */
uint64_t number_at(const void *bytes, size_t size);

#endif
