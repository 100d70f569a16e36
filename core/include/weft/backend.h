/* SPDX-License-Identifier: MIT
 * How an event loop is built under weft: the only header that a backend includes.
 *
 * A backend is a poller and nothing else: it watches descriptors, waits until a deadline, and
 * can be woken from another thread.  Timers, signals, children and tasks are the core's.  It
 * exports one object, made with WEFT_BACKEND(name), and never calls into the library but through
 * weft_backend_core.
 *
 * Every member returns 0 or more, or a negative errno, and one that fails has changed nothing
 * (save fork_child).  All but wake() are called on the loop's thread, one at a time.  What the
 * core promises in turn:
 *   - one watch for a descriptor: readers and writers are merged into one mask;
 *   - unwatch() before the descriptor is closed;
 *   - an event for a watch that is gone is thrown away (the token has a generation), so a
 *     backend may report late, twice, or too much; the core tries the system call again anyway;
 *   - it looks at the clock itself: wait() may return early.
 *
 * This ABI is a draft until version 1.0 of it is frozen with the first plugin. */
#ifndef WEFT_BACKEND_H
#define WEFT_BACKEND_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

#define WEFT_BACKEND_MAGIC 0x74666577u /* "weft" */
#define WEFT_BACKEND_ABI 0u

/** No deadline: wait for an event or a wake. */
#define WEFT_BACKEND_NEVER INT64_MAX

enum weft_backend_events {
    WEFT_READABLE = 1u << 0, /* asked for and reported */
    WEFT_WRITABLE = 1u << 1,
    WEFT_PRIORITY = 1u << 2, /* out-of-band data, POLLPRI */
    WEFT_ERROR = 1u << 3,    /* reported always, never asked for */
    WEFT_HANGUP = 1u << 4,
    WEFT_EDGE = 1u << 5, /* asked for only where WEFT_BACKEND_EDGE: report changes, not states */

    /* The peer sends no more (EPOLLRDHUP): reported beside WEFT_READABLE where the system
     * tells.  With WEFT_EDGE it matters: data and end may come as one edge, so after a short
     * read there may be an end to be read and no further event. */
    WEFT_READ_CLOSED = 1u << 6,
};

enum weft_backend_caps {
    WEFT_BACKEND_NANOSECONDS = 1u << 0, /* deadlines are kept better than to a millisecond */
    WEFT_BACKEND_EDGE = 1u << 1,        /* watch() takes WEFT_EDGE */
    WEFT_BACKEND_ANY_FD = 1u << 2,      /* regular files can be watched: always ready */
    WEFT_BACKEND_VIRTUAL = 1u << 3,     /* time is not real: now() jumps, nothing can be watched */
};

/** One report: `token` is what watch() was given, `ready` a mask of weft_backend_events. */
typedef struct weft_backend_event {
    uint64_t token;
    uint32_t ready;
    int32_t error; /* 0, or beside WEFT_ERROR the negative errno with which watching it failed */
} weft_backend_event;

/** What the core offers to a backend; members behind `size` do not exist. */
typedef struct weft_backend_core {
    uint32_t size; /* sizeof, as the core was built */
    uint32_t abi;  /* WEFT_BACKEND_ABI, as the core was built */

    /** CLOCK_MONOTONIC in nanoseconds, read now. */
    int64_t (*now)(void);
    /** realloc(3): `size` 0 frees and returns NULL; NULL when there is no memory. */
    void *(*alloc)(void *old, size_t size);
    /** The words for weft_error_detail(), when a member is about to return an error that needs
     *  them. */
    void (*detail)(const char *format, ...) WEFT_PRINTF(1, 2);
    /** To be asked before each system call that may fail: 0, or the negative errno that the call
     *  shall be taken to have returned.  Always 0 but in tests, which so make every call fail
     *  once.  alloc() asks for itself; close(2) is not asked about, nor what wake() does. */
    int (*fault)(void);
} weft_backend_core;

/** What a backend does; members behind `size` read as NULL. */
typedef struct weft_backend_ops {
    uint32_t size;       /* sizeof, as the backend was built */
    uint32_t caps;       /* weft_backend_caps */
    uint32_t watch_size; /* bytes that the core sets aside for each watch, zeroed, aligned to 8 */
    uint32_t reserved;

    /** Opens a poller.  `core` outlives it; `options` is what followed "name:", or "", never NULL.
     *  Stores the backend's own object in *ret_be.  -EINVAL for options that it does not know. */
    int (*open)(const weft_backend_core *core, const char *options, void **ret_be);

    /** Closes it and everything it opened; watches that are left are forgotten. */
    void (*close)(void *be);

    /** Begins to watch `fd` for `events`; 0 asks for error and hang-up alone, which come always.
     *  `watch` is watch_size bytes that stay where they are until unwatch() or fork_child() has
     *  returned; `token` is any number but UINT64_MAX, which a backend may use itself.
     *  -EPERM: this descriptor is always ready and cannot be watched; -EINVAL: `events` has a
     *  bit that cannot be asked for here; -EOPNOTSUPP: this backend watches nothing; -EBADF,
     *  -ENOMEM, -ENOSPC, -ELOOP. */
    int (*watch)(void *be, void *watch, int fd, uint32_t events, uint64_t token);

    /** Changes what is asked for; a state that holds already is reported again, also with
     *  WEFT_EDGE. */
    int (*rewatch)(void *be, void *watch, uint32_t events);

    /** Ends a watch; wait() reports its token no more.  It is no error when the descriptor was
     *  closed before, but then the watch may live on in the kernel as long as a duplicate of it
     *  is open. */
    int (*unwatch)(void *be, void *watch);

    /** Waits until something is ready, wake() was called, or the clock has reached `deadline`
     *  (nanoseconds of now(); one that has passed only looks, and INT64_MIN does without reading
     *  the clock; WEFT_BACKEND_NEVER).  Stores at most `max` (1 or more) events and returns how
     *  many; those that found no room come with the next calls, none of them starves.  0 is no
     *  error and may come early.
     *  -EDEADLK: time is virtual, there is no deadline, and nothing can ever happen. */
    int (*wait)(void *be, int64_t deadline, weft_backend_event *ret_events, int max);

    /** Makes the wait() that is under way, or else the next one, return at once.  Any thread and
     *  any signal handler; calls before a wait() has returned count once.  Keeps errno.  Fails
     *  only when somebody closed the backend's descriptors: -EBADF. */
    int (*wake)(void *be);

    /** In the child after fork(2): makes everything anew without touching what the parent has.  All
     *  watches are forgotten without an unwatch(); the core zeroes their bytes and watches again.
     *  After a failure it may be called again, or close(); nothing else works. */
    int (*fork_child)(void *be);

    /** The loop's clock in nanoseconds; NULL where it is CLOCK_MONOTONIC.  Any thread. */
    int64_t (*now)(void *be);
} weft_backend_ops;

/** A backend, as it is found: by the symbol weft_backend_NAME. */
typedef struct weft_backend {
    uint32_t magic, abi, size;
    uint32_t reserved;
    const char *name;    /* [a-z0-9_]{1,32} */
    const char *summary; /* one line for people: what it is, what it is good for */
    const char *needs;   /* what must be there, for people: "libuv >= 1.44"; "" for nothing */
    const weft_backend_ops *ops;
    /** Tells whether it can work here: 0, or a negative errno and why in `why`.  No side
     *  effects. */
    int (*probe)(char *why, size_t size);
} weft_backend;

#define WEFT_BACKEND(id)                           \
    WEFT_API extern const weft_backend weft_backend_##id; \
    const weft_backend weft_backend_##id

WEFT_END_DECLS

#endif
