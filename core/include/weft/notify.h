/* SPDX-License-Identifier: MIT
 * Notifications: what changes in a directory, or in a whole tree, as events to await.
 *
 *     weft_notify *notify;
 *     const weft_notify_event *event;
 *
 *     r = weft_notify_new(&notify);
 *     r = weft_notify_add(notify, "src", &(weft_notify_options){ .recursive = true });
 *     while ((r = weft_notify_next(notify, &event)) >= 0) { puts(event->path); }
 *     weft_notify_free(notify);
 *
 * The two halves of a rename are told as one event.  With `.recursive` a directory that is made, or
 * moved here, is watched from then on, and what is in it already is told as created; what is
 * made in it in that very moment may be told twice.
 *
 * A file that others replace by another, as editors do, is better watched in its directory: what is
 * watched is the file, not the name.  One that somebody has open is not gone before it is closed.
 *
 * The system keeps a limited number of events (fs.inotify.max_queued_events).  When a program is
 * too slow some are lost, which WEFT_NOTIFY_LOST tells: it should look at everything again.  What
 * other machines do to a network file system is not told.
 *
 * What <weft/file.h> says of cancels, and of errors that every call may return, holds here.  Linux
 * (inotify(7)), on a backend with descriptors; elsewhere -EOPNOTSUPP. */
#ifndef WEFT_NOTIFY_H
#define WEFT_NOTIFY_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** Watches, and the events that have come.  A plain pointer: not to be used once freed. */
typedef struct weft_notify weft_notify;

/** What has happened; an event may be several of them. */
typedef enum weft_notify_what {
    WEFT_NOTIFY_CREATED = 1 << 0,    /* it was made; with MOVED: moved here from elsewhere */
    WEFT_NOTIFY_DELETED = 1 << 1,    /* it is gone; with MOVED: moved to elsewhere */
    WEFT_NOTIFY_MODIFIED = 1 << 2,   /* something was written to it, or it was truncated */
    WEFT_NOTIFY_WRITTEN = 1 << 3,    /* it was open for writing, and was closed */
    WEFT_NOTIFY_ATTRIBUTES = 1 << 4, /* mode, owner, times, number of links */
    WEFT_NOTIFY_MOVED = 1 << 5,      /* alone: renamed, within what is watched */
    WEFT_NOTIFY_ALL = (1 << 6) - 1,

    /* Told in any case. */
    WEFT_NOTIFY_GONE = 1 << 8, /* what was watched was deleted or moved, and the watch has ended */
    WEFT_NOTIFY_LOST = 1 << 9, /* `error` says why events were, or will be, lost */
} weft_notify_what;

/** An event; valid until the next call with its weft_notify. */
typedef struct weft_notify_event {
    unsigned what;    /* of weft_notify_what */
    int watch;        /* what weft_notify_add() returned; 0 with LOST: all of them */
    const char *path; /* the path that is watched, and the way from there; "" with LOST: all */
    const char *from; /* with MOVED alone: the path before; else NULL */
    bool is_dir;      /* it is a directory */
    int error;        /* with LOST: -EOVERFLOW too slow; -ENOSPC, -EACCES ... a directory cannot be
                       * watched; else 0 */
    void *reserved[2];
} weft_notify_event;

/** What to watch for; all zero, or a NULL pointer to one, for what is usual. */
typedef struct weft_notify_options {
    unsigned what;     /* of weft_notify_what, those to be told; 0: all */
    bool recursive;    /* and below it, see above.  Links are not followed */
    void *reserved[4]; /* zero */
} weft_notify_options;

/** Makes a weft_notify, which watches nothing yet.
 *
 *  ret_notify  to be given back with weft_notify_free(); untouched on error.
 *
 *  Returns 0; -EMFILE the process has no descriptor left, or the user no instance
 *  (fs.inotify.max_user_instances), -ENOMEM, -EOPNOTSUPP.  Not a cancellation point.
 *  Source: inotify_init1(2). */
WEFT_API WEFT_MUST_USE int weft_notify_new(weft_notify **ret_notify);

/** Begins to watch a file, or a directory and what is in it.
 *
 *  path     borrowed during the call; links are followed.
 *  options  borrowed during the call; may be NULL.
 *
 *  Returns its number, above 0; -ENOENT, -EACCES; -ENOSPC the user watches no more
 *  (fs.inotify.max_user_watches); -EEXIST it is watched already.  After an error, or a cancel, it
 *  is not watched.  A cancellation point.  Cost: one watch, with `.recursive` one for each
 *  directory.  Source: inotify_add_watch(2). */
WEFT_API int weft_notify_add(weft_notify *notify, const char *path,
                             const weft_notify_options *options);

/** Ends a watch.  What has come is still told.
 *
 *  Returns 0; -ENOENT there is none.  A cancellation point where another task is just using it. */
WEFT_API int weft_notify_remove(weft_notify *notify, int watch);

/** Waits for the next event.
 *
 *  ret_event  borrowed, until the next call; untouched on error.
 *
 *  Returns 0; -ECANCELED and none is lost; -EBUSY another task waits already; -EBADF it was freed
 *  meanwhile; -ENOMEM, and nothing is lost; -EOPNOTSUPP a backend without descriptors.  A
 *  cancellation point. */
WEFT_API int weft_notify_next(weft_notify *notify, const weft_notify_event **ret_event);

/** Ends all watches and frees it; a task that waits for an event gets -EBADF.
 *
 *  notify  taken; NULL is allowed.
 *
 *  Returns NULL.  Not a cancellation point. */
WEFT_API weft_notify *weft_notify_free(weft_notify *notify);

WEFT_END_DECLS

#endif
