/* SPDX-License-Identifier: MIT
 * One look at the tasks of another process: copies of what it had there, each found to hold still
 * while it was copied, or marked. */
#ifndef WEFT_TOOLS_LOOK_H
#define WEFT_TOOLS_LOOK_H

#include "tools/weft/note.h"
#include "tools/weft/process.h"

#define NAME_SIZE 33
#define TEXT_SIZE 128
#define CHAIN_MAX 32 /* coroutines of one task */

/* A coroutine function; one for each, kept. */
struct look_def {
    struct look_def *next;
    uint64_t address;
    char name[TEXT_SIZE], file[256];
    unsigned line;
};

/* A kind of wait; one for each, kept. */
struct look_wait {
    struct look_wait *next;
    uint64_t address;
    char name[TEXT_SIZE];
    struct {
        unsigned what, step;
        int via, at;
    } sees[NOTE_SIGHTS];
};

enum look_state { LOOK_NEW, LOOK_READY, LOOK_RUNS, LOOK_WAITS, LOOK_ENDED };

/* Whom a task needs, in order to go on. */
struct look_edge {
    uint64_t address;       /* of a task's descriptor */
    uint64_t handle;        /* that it must have; 0: any */
    int how;                /* look_how */
    struct look_task *task; /* NULL: it is not among those that were seen */
};

enum look_how { LOOK_AWAITS, LOOK_MAY_AWAIT, LOOK_HELD_BY, LOOK_CHILD };

struct look_task {
    struct look_loop *loop;
    uint64_t address, handle, low, id;
    uint64_t sp; /* of one that does not run; 0: it has never run */
    char name[NAME_SIZE];
    enum look_state state;
    int status; /* of one that has ended */
    bool cancelled;
    bool changed; /* it never held still: what is said of its wait may be wrong */
    bool lost;    /* some of it is missing in the core file */
    bool endless; /* its chain is longer than was read */
    const struct look_def *chain[CHAIN_MAX]; /* the innermost first */
    unsigned chain_count;

    const struct look_wait *wait; /* NULL: it does not wait */
    uint32_t shows;               /* bits by note_sight, of what follows */
    uint64_t object, group;
    int fd, pid;
    unsigned events;
    uint64_t held, room;
    char text[TEXT_SIZE];
    uint64_t several, left; /* gather and its like: how many, and how many are not done */

    int64_t due;   /* its deadline, in ns from now; INT64_MAX: none */
    int64_t limit; /* that of the nearest timeout around it; INT64_MAX: none */
    int64_t since; /* ns that it has waited; < 0: that is not known */

    uint64_t parent_group, parent; /* the group that it is a child of, and whose that is; or 0 */
    struct look_edge *needs;
    size_t needs_count, needs_room;

    char where[64];     /* of one that runs: "in nanosleep", "on the CPU"; "": not known */
    unsigned needed_by; /* how many tasks need it */
    unsigned mark;      /* whoever walks the graph */
};

struct look_loop {
    unsigned number;
    char backend[40];
    bool running, virtual_time;
    uint64_t address, current;
    int64_t now;              /* by its clock, ns */
    struct look_task **tasks; /* by their numbers */
    size_t tasks_count, tasks_room;
};

struct look {
    struct process *process;
    struct symbols *symbols; /* NULL: no names are asked for */
    bool stacks;             /* where each task is in the code is to be told */
    unsigned pointer_size;
    uint32_t task_size, class_size, classes;
    struct {
        uint32_t offset, size; /* size 0: it is not told */
    } fields[NOTE_FIELDS];
    char library[TEXT_SIZE];
    struct look_loop **loops; /* the oldest first */
    size_t loops_count, loops_room;
    struct look_task **all; /* by their addresses */
    size_t all_count;
    unsigned changed; /* how many tasks never held still */
    unsigned lost;    /* places in a core file that a record leads to, where nothing is, or zeros */
    struct look_def *defs[256];
    struct look_wait *waits[64];
    bool out_of_memory;
};

/* Looks.  0, or a negative errno and words in `why`. */
int look_take(struct look *look, struct process *process, char *why, size_t size);
void look_free(struct look *look);

/* Only counts: how many tasks and loops there are. */
int look_count(struct look *look, struct process *process, char *why, size_t size);

/* The task with a descriptor at this address, or NULL. */
struct look_task *look_find(const struct look *look, uint64_t address);

/* ---- read.c: fields ---- */

/* Where a field lies in a copy of its struct; NULL: it is not told. */
uint64_t look_field(const struct look *look, const void *copy, enum note_field field);

/* Bytes of a struct as far as fields of it are told. */
size_t look_extent(const struct look *look, enum note_field first, enum note_field last);

/* A pointer, and a field of a struct, in the other's memory; false: it is not there. */
bool look_pointer(struct look *look, uint64_t at, uint64_t *ret);
bool look_peek(struct look *look, uint64_t object, enum note_field field, uint64_t *ret);

/* A record leads to where nothing is.  What lives changes under our hands: only a core file must be
 * whole. */
void look_lose(struct look *look, size_t places);

/* Whether a handle is one of something that lives; the address in a task's handle. */
bool look_lives(const struct look *look, uint64_t handle);
uint64_t look_descriptor(const struct look *look, uint64_t handle);

/* The layout, by a root in the process. */
int look_layout(struct look *look, uint64_t root, uint64_t *ret_loops, char *why, size_t size);

/* ---- task.c ---- */

/* Fills in a task from the copy of its descriptor, which it reads again to be sure.  False: there
 * is none (any more). */
bool look_at_task(struct look *look, struct look_task *task, char *copy);

/* ---- wait.c ---- */

/* Fills in what a task waits for; false: something was not there. */
bool look_at_wait(struct look *look, struct look_task *task, uint64_t wait, uint64_t target);
bool look_needs(struct look *look, struct look_task *task, uint64_t address, uint64_t handle,
                enum look_how how);

/* ---- graph.c ---- */

/* Finds the tasks that others need, children of groups too. */
void look_link(struct look *look);

/* The tasks of the next circle of waits, each of which needs the next and the last the first; how
 * many there are, 0: no more.  Begin with all marks 0. */
size_t look_circle(struct look *look, struct look_task **ret, size_t max);

/* ---- thread.c ---- */

/* Finds out what the threads do that run tasks. */
void look_at_threads(struct look *look);

#endif
