/* SPDX-License-Identifier: MIT
 * What a weft_notify is: a tree of watches, requests to watch more, and events that nobody has got.
 *
 * Each directory that is watched is a node, known by its watch descriptor; its path is put together
 * on the way up, so that a rename costs nothing below it.  Watching more directories waits for a
 * disk and is done by a job (io/notify_scan.c); events are taken in and told by the task that waits
 * (io/notify.c).  A lock keeps the two apart. */
#ifndef WEFT_CORE_NOTIFY_H
#define WEFT_CORE_NOTIFY_H

#include "core/base/list.h"

#include <weft/buffer.h>
#include <weft/lock.h>
#include <weft/notify.h>

#define WEFT__NOTIFY_RAW 16384 /* bytes of inotify's events that are read at once */

struct weft__notify_node {
    int wd;        /* inotify's watch descriptor */
    int id;        /* of the watch that it belongs to */
    unsigned what; /* is told */
    bool recursive;
    struct weft__notify_node *parent; /* NULL: it is what the user watches */
    struct weft__list link;           /* among the parent's children */
    struct weft__list children;
    char *name; /* in its parent; the path of what the user watches */
};

/* An event to be told, with its texts. */
struct weft__notify_told {
    struct weft__list link;
    weft_notify_event event;
    char texts[];
};

/* A directory to be watched, or, with no name, to be looked through. */
struct weft__notify_request {
    struct weft__list link;
    int wd;     /* of the node that it is in, or is */
    bool tells; /* what is in it is new */
    char name[];
};

struct weft_notify {
    int fd;
    unsigned users;     /* calls that are under way */
    bool freed;         /* the last of them frees it */
    bool waiting;       /* a task waits for an event */
    weft_lock lock;     /* for all below */
    struct {
        int wd;
        struct weft__notify_node *node; /* NULL: it is gone */
    } *table;           /* by rising wd, as the kernel gives them */
    size_t count, capacity, gone;
    int last_id;
    struct weft__list requests, told;
    struct weft__notify_told *given; /* the event that the user has; or NULL */
    int scan_error;                  /* of the watch that is being added, if it cannot go on */
    int adding;                      /* its id; 0: none is */
    size_t raw_at, raw_len;
    _Alignas(8) char raw[WEFT__NOTIFY_RAW];
};

/* In io/notify_scan.c. */

struct weft__notify_node *weft__notify_node_of(const weft_notify *notify, int wd);

/* Makes a node; 0, -ENOMEM. */
int weft__notify_node_new(weft_notify *notify, int wd, struct weft__notify_node *parent,
                          const char *name, struct weft__notify_node **ret_node);

/* The child of a node by its name; NULL. */
struct weft__notify_node *weft__notify_child(const struct weft__notify_node *node,
                                             const char *name);

/* Gives a node another place; 0, -ENOMEM. */
int weft__notify_move(struct weft__notify_node *node, struct weft__notify_node *parent,
                      const char *name);

/* Forgets a node and all below it; `unwatches` where the kernel still watches them. */
void weft__notify_drop(weft_notify *notify, struct weft__notify_node *node, bool unwatches);

/* What the kernel is asked for. */
uint32_t weft__notify_mask(const struct weft__notify_node *node);

/* The path of `name` in a node ("": of the node itself) at the end of a buffer, with a NUL. */
int weft__notify_path(const struct weft__notify_node *node, const char *name, weft_buffer *path);

/* Has something told: `name` in a node, which was `old_name` in `old_node` (or NULL). */
struct weft__notify_news {
    const struct weft__notify_node *node; /* NULL: everything */
    const char *name;
    const struct weft__notify_node *old_node;
    const char *old_name;
    unsigned what;
    bool is_dir;
    int error;
};
int weft__notify_tell(weft_notify *notify, const struct weft__notify_news *news);

int weft__notify_request(weft_notify *notify, const struct weft__notify_node *node,
                         const char *name, bool tells);

/* Fulfils requests; a job. */
int weft__notify_scan(void *notify);

#endif
