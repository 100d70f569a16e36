/* SPDX-License-Identifier: MIT
 * What is known of descriptors. */
#ifndef WEFT_CORE_DEBUG_FDS_H
#define WEFT_CORE_DEBUG_FDS_H

#include "core/debug/observe.h"
#include "core/sched/watch.h"

#include <sys/types.h>

enum weft__fd_state {
    WEFT__FD_IS_UNKNOWN,
    WEFT__FD_IS_WATCHED, /* `device` and `inode` are the file's */
    WEFT__FD_IS_CLOSED,  /* by weft_close() or what does as it does */
};

/* The innermost are our own: from a call to the hook it is up to seven. */
#define WEFT__FD_MADE_MAX 12

/* Of a number; it stays with the observer. */
struct weft__fd_note {
    struct weft__map_entry entry; /* the number, as key_of() makes it */
    enum weft__fd_state state;
    dev_t device;
    ino_t inode;
    char by[WEFT__TASK_NAME_MAX]; /* who watched or closed it; "": a callback, or outside */
    uint32_t made_count;
    const void *made[WEFT__FD_MADE_MAX]; /* and where */
};

/* The hook. */
void weft__fds_see(struct weft__loop *loop, int fd, enum weft__fd_event event);

void weft__fds_fini(struct weft__observer *observer);

#endif
