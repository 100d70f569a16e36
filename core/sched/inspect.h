/* SPDX-License-Identifier: MIT
 * What a tool outside the process reads: which loops there are, and where in their memory things
 * lie.
 *
 * The library carries an ELF note (section .note.weft, owner "weft", type 1) whose description is
 * the distance from itself to weft__inspect_root: it survives strip(1), static linking and PIE.
 * The root says all the rest in numbers, so a tool needs no type of this version:
 *
 *     note -> root -> loops -> slab lists by stack class -> slots -> descriptors at their ends
 *                 \-> fields: (number, offset, size) of each struct, by enum weft__inspect_field
 *
 * A descriptor lives while its first word has an odd tag (base/tag.h).  Numbers are never reused;
 * fields are only added.  The layout of the root itself changes with `version` alone. */
#ifndef WEFT_CORE_INSPECT_H
#define WEFT_CORE_INSPECT_H

#include "core/sched/task.h"

#define WEFT__INSPECT_VERSION 1u

enum weft__inspect_field {
    WEFT__F_LOOP_NEXT = 1,   /* pointer to the next loop; 0 ends */
    WEFT__F_LOOP_HANDLE,     /* odd tag: open */
    WEFT__F_LOOP_CURRENT,    /* pointer to the running task's descriptor, or 0 */
    WEFT__F_LOOP_BACKEND,    /* pointer to weft_backend */
    WEFT__F_LOOP_CLASSES,    /* array of weft__stack_class */
    WEFT__F_LOOP_RUNNING,    /* bool: somebody is in weft_loop_run_forever() or its like */
    WEFT__F_LOOP_LOOKED,     /* when it last looked at the world, by its clock, ns */
    WEFT__F_CLASS_SLABS = 16, /* pointer to the newest slab */
    WEFT__F_SLAB_NEXT,
    WEFT__F_SLAB_BASE, /* address of the first slot */
    WEFT__F_SLAB_STRIDE,
    WEFT__F_SLAB_CARVED,  /* how many slots have a descriptor */
    WEFT__F_TASK_HANDLE = 32, /* the descriptor's first word */
    WEFT__F_TASK_ID,
    WEFT__F_TASK_NAME,    /* text; "" means Task-<id> */
    WEFT__F_TASK_SP,      /* saved stack pointer; 0: has never run */
    WEFT__F_TASK_LOW,     /* lowest address of its stack */
    WEFT__F_TASK_WAITING, /* pointer to weft__wait; 0: ready, running or done */
    WEFT__F_TASK_TARGET,  /* what it waits for */
    WEFT__F_TASK_FRAME,   /* pointer to the innermost weft__frame */
    WEFT__F_TASK_MAIN,    /* the weft__frame of its coroutine, inside */
    WEFT__F_TASK_DONE,    /* bool */
    WEFT__F_TASK_STATUS,
    WEFT__F_TASK_CANCELLED,
    WEFT__F_TASK_OUTCOME, /* what WEFT__SEES_OUTCOMES points to, inside */
    WEFT__F_TASK_WHEN,    /* its own deadline, ns of the loop's clock, */
    WEFT__F_TASK_TIMER,   /* and whether that is set: not 0 */
    WEFT__F_TASK_SCOPES,  /* pointer to the innermost scope, or 0 */
    WEFT__F_TASK_CHILD,   /* pointer to its part in a group, or 0 */
    WEFT__F_TASK_PARKED,  /* when it began to wait, ns of the loop's clock */
    WEFT__F_FRAME_OUTER = 64,
    WEFT__F_FRAME_DEF, /* pointer to weft_coro_def: name, file, line */
    WEFT__F_WAIT_NAME = 72, /* pointer to text */
    WEFT__F_WAIT_SEES,      /* array of weft__sight: four numbers of 16 bits each */
    WEFT__F_SCOPE_OUTER = 80,
    WEFT__F_SCOPE_KIND,  /* uint8_t: weft__scope_kind */
    WEFT__F_SCOPE_WHEN,  /* its deadline, */
    WEFT__F_SCOPE_TIMER, /* and whether that is set */
    WEFT__F_SCOPE_TASK,  /* pointer to whose it is; a group is one, too */
    WEFT__F_CHILD_GROUP = 88,
};

struct weft__inspect_layout {
    uint16_t field, size;
    uint32_t offset;
};

struct weft__inspect_root {
    char magic[8]; /* "weft\0\0\0\1": also tells the byte order of what follows by `order` */
    uint32_t version;
    uint32_t order; /* 0x01020304 */
    uint32_t pointer_size, task_size, class_size, classes;
    uint32_t fields, field_size;                /* of the table */
    const struct weft__inspect_layout *layout;
    struct weft__loop *loops; /* newest first */
    const char *library; /* its version */
    const void *note;    /* where this was found */
};

extern struct weft__inspect_root weft__inspect_root WEFT__HIDDEN;

void weft__inspect_add(struct weft__loop *loop);
void weft__inspect_remove(struct weft__loop *loop);

#endif
