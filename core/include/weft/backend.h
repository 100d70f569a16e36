/* SPDX-License-Identifier: MIT
 * How an event loop is built under weft: the only header that a backend includes.
 *
 * A backend watches descriptors, waits until a deadline, and can be woken from another thread.
 * Timers, signals, children and tasks are the core's.  It exports one object, made with
 * WEFT_BACKEND(name), and never calls into the library but through weft_backend_core.
 *
 * Two shapes.  A poller (epoll, poll) blocks in wait(), in the core's thread.  A host (libuv,
 * libev, GLib) is a library with a loop of its own.  The core asks for one of two modes:
 *   - direct: the host's loop watches each descriptor, and calls core->ready() for each event;
 *   - guest:  the host's loop watches one descriptor, the core's own poller, given by guest().
 * A host's loop is made by open() and driven by the core, one run() after the other, or it is the
 * program's: open() adopts it, the program runs it, and the host calls core->pump(), in which tasks
 * have their turns.
 *
 *     shape                members that must be there
 *     poller               open close watch rewatch unwatch wait wake fork_child
 *     host, direct         open close watch rewatch unwatch arm wake, run unless it only adopts
 *     host, guest          open close guest arm, run unless it only adopts
 *
 * A host that can do both modes has all of these.  Everything else may be NULL.
 *
 * Every member returns 0 or more, or a negative errno, and one that fails has changed nothing
 * (save fork_child).  All but wake() and now() are called on the loop's thread, one at a time; in a
 * host that was adopted, from within its callbacks or beside them.  What the core promises in turn:
 *   - one watch for a descriptor: readers and writers are merged into one mask;
 *   - unwatch() before the descriptor is closed;
 *   - an event for a watch that is gone is thrown away (the token has a generation), so a
 *     backend may report late, twice, or too much; the core tries the system call again anyway;
 *   - it looks at the clock itself: wait() and run() may return early, pump() may come for nothing;
 *   - after fork(2) it calls nothing but fork_child() and close() in the child.
 *
 * This is version 1, and it is frozen: structs grow at their ends only, and each states its size.
 * What a backend was built without reads as NULL or 0 in the core, and what the core was built
 * without lies beyond weft_backend_core.size. */
#ifndef WEFT_BACKEND_H
#define WEFT_BACKEND_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

#define WEFT_BACKEND_MAGIC 0x74666577u /* "weft" */
#define WEFT_BACKEND_ABI 1u

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

/** What a backend can do; bits that the core does not know are ignored. */
enum weft_backend_caps {
    WEFT_BACKEND_NANOSECONDS = 1u << 0, /* deadlines are kept better than to a millisecond */
    WEFT_BACKEND_EDGE = 1u << 1,        /* watch() takes WEFT_EDGE */
    WEFT_BACKEND_ANY_FD = 1u << 2,      /* regular files can be watched: always ready */
    WEFT_BACKEND_VIRTUAL = 1u << 3,     /* time is not real: now() jumps */
    WEFT_BACKEND_NEST = 1u << 4,        /* nest_fd() gives a descriptor to poll */

    WEFT_BACKEND_DIRECT = 1u << 8,       /* a host that watches each descriptor */
    WEFT_BACKEND_GUEST = 1u << 9,        /* a host that watches the core's poller */
    WEFT_BACKEND_GUEST_FIRST = 1u << 10, /* of these two the second, unless asked otherwise */
    WEFT_BACKEND_ADOPT = 1u << 11,       /* open() takes a loop that runs already */
    WEFT_BACKEND_REENTERS = 1u << 12,    /* its loop may be run again from within a callback */
    WEFT_BACKEND_REAPS = 1u << 13,       /* its loop waits for children that are not its own */

    WEFT_BACKEND_COMPLETES = 1u << 16, /* `completions` is there */
};

/** How the host works for the core; a poller is always WEFT_BACKEND_MODE_DIRECT. */
enum weft_backend_mode {
    WEFT_BACKEND_MODE_DIRECT = 1,
    WEFT_BACKEND_MODE_GUEST = 2,
};

/** One report: `token` is what watch() was given, `ready` a mask of weft_backend_events. */
typedef struct weft_backend_event {
    uint64_t token;
    uint32_t ready;
    int32_t error; /* 0, or beside WEFT_ERROR the negative errno with which watching it failed */
} weft_backend_event;

/** An operation that is carried out whole, for backends that can (io_uring).  It belongs to the
 *  backend from submit() until core->complete(), and so does the memory that it names. */
typedef struct weft_backend_op {
    uint32_t opcode;  /* weft_backend_opcodes */
    uint32_t flags;   /* the system call's own */
    int32_t fd;       /* a descriptor, or AT_FDCWD */
    uint32_t length;  /* bytes at `address`; or how many of what it points to */
    uint64_t address; /* the call's first pointer */
    uint64_t offset;  /* in the file, UINT64_MAX for where it stands; or the second pointer */
    int64_t result;   /* set before complete(): what the call returned, or a negative errno */
    uint64_t token;   /* the core's own */
    uint64_t own[4];  /* the backend's own, while it has the operation */
} weft_backend_op;

enum weft_backend_opcodes {
    WEFT_OP_NOTHING,
    WEFT_OP_READ,     /* pread(2): address, length, offset */
    WEFT_OP_WRITE,    /* pwrite(2) */
    WEFT_OP_READV,    /* preadv(2): address of iovecs, length of them */
    WEFT_OP_WRITEV,   /* pwritev(2) */
    WEFT_OP_RECEIVE,  /* recv(2): address, length, flags */
    WEFT_OP_SEND,     /* send(2) */
    WEFT_OP_RECVMSG,  /* recvmsg(2): address of the msghdr, flags */
    WEFT_OP_SENDMSG,  /* sendmsg(2) */
    WEFT_OP_ACCEPT,   /* accept4(2): address of the sockaddr, offset: that of its length, flags */
    WEFT_OP_CONNECT,  /* connect(2): address of the sockaddr, length */
    WEFT_OP_SHUTDOWN, /* shutdown(2): flags is `how` */
    WEFT_OP_OPEN,     /* openat(2): fd, address of the path, flags, length is the mode */
    WEFT_OP_CLOSE,    /* close(2) */
    WEFT_OP_SYNC,     /* fsync(2); flags 1: fdatasync(2) */
    WEFT_OP_STAT,     /* statx(2): fd, address of the path, flags, length: mask, offset: result */
    WEFT_OP_UNLINK,   /* unlinkat(2): fd, address of the path, flags */
    WEFT_OP_RENAME,   /* renameat2(2): fd, address, length: second fd, offset: second path, flags */
    WEFT_OP_MKDIR,    /* mkdirat(2): fd, address of the path, length is the mode */
    WEFT_OP_COUNT,    /* how many this version knows */
};

/** The table of a backend with WEFT_BACKEND_COMPLETES. */
typedef struct weft_backend_completions {
    uint32_t size;          /* sizeof, as the backend was built */
    uint32_t opcodes;       /* entries of `support`; opcodes beyond are not supported */
    const uint8_t *support; /* for each opcode: 0 no, 1 yes, 2 try: -EOPNOTSUPP may be the result */

    /** Takes an operation; it may wait with it until the next wait() or run().  -EAGAIN: no room
     *  before that; -EOPNOTSUPP. */
    int (*submit)(void *be, weft_backend_op *op);

    /** Asks for it to end early; it completes in any case, with -ECANCELED or its result. */
    int (*cancel)(void *be, weft_backend_op *op);
} weft_backend_completions;

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

    /* The rest is called on the loop's thread with `loop` as open() was given it. */

    /** A host in direct mode: one event.  It only makes tasks ready. */
    void (*ready)(void *loop, const weft_backend_event *event);
    /** A host, once in each of its iterations in which it called ready(), the guest descriptor
     *  was readable, or the deadline of arm() has come: the core looks round and gives turns to
     *  tasks, for a short while.  It may watch, unwatch and arm meanwhile, and iterate the host's
     *  loop again, but not close the backend.  From within run() it returns at once. */
    void (*pump)(void *loop);
    /** Ends a close() that returned -EINPROGRESS: the backend has freed all that it had and is
     *  called no more.  Its last words. */
    void (*closed)(void *loop);
    /** An operation has completed: `op` is the core's again.  From within wait(), run(), or a
     *  host's callbacks.  NULL in a core that submits none. */
    void (*complete)(void *loop, weft_backend_op *op);
} weft_backend_core;

/** What open() shall do; members behind `size` do not exist. */
typedef struct weft_backend_request {
    uint32_t size;       /* sizeof, as the core was built */
    uint32_t mode;       /* weft_backend_mode; one that the backend has said it can do */
    const char *options; /* what followed "name:", without the mode; "" for nothing, never NULL */
    void *loop;          /* for the calls to the core */
    void *adopt;         /* the host's own loop (uv_loop_t *, GMainContext * ...); NULL: make one */
} weft_backend_request;

/** What a backend does; members behind `size` read as NULL. */
typedef struct weft_backend_ops {
    uint32_t size;       /* sizeof, as the backend was built */
    uint32_t caps;       /* weft_backend_caps */
    uint32_t watch_size; /* bytes that the core sets aside for each watch, zeroed, aligned to 8 */
    uint32_t reserved;

    /** Opens a poller or a host.  `core` outlives it, `request` does not.  Stores the backend's own
     *  object in *ret_be.  -EINVAL for options that it does not know; -EBUSY for a loop that cannot
     *  be adopted now. */
    int (*open)(const weft_backend_core *core, const weft_backend_request *request, void **ret_be);

    /** Closes it and everything it opened; watches that are left are forgotten.  A host's loop that
     *  was adopted is then as it was found: no handle, no source, no signal action, no mask.
     *  Returns 0, or -EINPROGRESS where only the program can iterate an adopted loop and libraries
     *  hold on to memory: events have stopped, and core->closed() will follow. */
    int (*close)(void *be);

    /** Begins to watch `fd` for `events`; 0 asks for error and hang-up alone, which come always.
     *  `watch` is watch_size bytes that stay where they are until unwatch() or fork_child() has
     *  returned (what a library keeps for longer must lie elsewhere); `token` is any number but
     *  UINT64_MAX, which a backend may use itself.
     *  -EPERM: this descriptor is always ready and cannot be watched; -EINVAL: `events` has a
     *  bit that cannot be asked for here; -EOPNOTSUPP: this backend watches nothing; -EBADF,
     *  -ENOMEM, -ENOSPC, -ELOOP. */
    int (*watch)(void *be, void *watch, int fd, uint32_t events, uint64_t token);

    /** Changes what is asked for; a state that holds already is reported again, also with
     *  WEFT_EDGE. */
    int (*rewatch)(void *be, void *watch, uint32_t events);

    /** Ends a watch; its token is reported no more, also when it is called from within ready() or
     *  pump().  It is no error when the descriptor was closed before, but then the watch may live
     *  on in the kernel as long as a duplicate of it is open. */
    int (*unwatch)(void *be, void *watch);

    /** A poller: waits until something is ready, wake() was called, or the clock has reached
     *  `deadline` (nanoseconds of now(); one that has passed only looks, and INT64_MIN does without
     *  reading the clock; WEFT_BACKEND_NEVER).  Stores at most `max` (1 or more) events and returns
     *  how many; those that found no room come with the next calls, none of them starves.  0 is no
     *  error and may come early.
     *  -EDEADLK: time is virtual, there is no deadline, and nothing can ever happen. */
    int (*wait)(void *be, int64_t deadline, weft_backend_event *ret_events, int max);

    /** Makes the wait() or run() that is under way, or else the next one, return at once; in a loop
     *  that was adopted, makes it call core->pump().  Any thread and any signal handler; calls
     *  before that count once.  Keeps errno.  Fails only when somebody closed the backend's
     *  descriptors: -EBADF.  Not called in guest mode. */
    int (*wake)(void *be);

    /** In the child after fork(2): makes everything anew without touching what the parent has.  All
     *  watches are forgotten without an unwatch(); the core zeroes their bytes and watches again,
     *  and calls guest() and arm().  An adopted loop cannot be made anew: -EOPNOTSUPP.  After a
     *  failure it may be called again, or close(); nothing else works. */
    int (*fork_child)(void *be);

    /** The loop's clock in nanoseconds; NULL where it is CLOCK_MONOTONIC.  Any thread. */
    int64_t (*now)(void *be);

    /** A descriptor that is readable while wait() would have something to report.  The backend's,
     *  until close() or fork_child(). */
    int (*nest_fd)(void *be);

    /** A host whose loop is our own: one iteration, which blocks until something was ready, wake()
     *  was called, or `deadline` as for wait(), which stands in the place of arm()'s; its
     *  callbacks call ready() and pump(). */
    int (*run)(void *be, int64_t deadline);

    /** A host: pump() shall be called when `deadline` has come, not before and as soon after as the
     *  library can; one that has passed: in the next iteration; WEFT_BACKEND_NEVER: not at all.
     *  There is one deadline; it is spent when it has come. */
    int (*arm)(void *be, int64_t deadline);

    /** A host in guest mode: watches `fd`, level-triggered, for reading; -1 ends that.  Called
     *  once after open(), and before close(). */
    int (*guest)(void *be, int fd);

    /** A host that counts what keeps its loop alive (libuv, libev): whether we do.  At first not: a
     *  loop that was adopted ends when the program's own work has ended.  NULL: it does not
     *  count. */
    int (*hold)(void *be, int on);

    /** The library's own loop object, for programs that use it beside weft; NULL: there is none. */
    void *(*native)(void *be);

    /** Virtual time: which of `count` possible courses the world takes: 0 is the plain one, others
     *  are below `count`.  `what` is one of weft_backend_choices.  `count` 0 asks whether it will
     *  ever choose another than 0. */
    uint32_t (*choose)(void *be, uint32_t what, uint32_t count);

    /** With WEFT_BACKEND_COMPLETES. */
    const weft_backend_completions *completions;

    /** A host whose loop is our own, and which is not in run(): whether something of the program's,
     *  or of a library's, is in it that may call them: a handle, a watcher, a source.  1 also where
     *  it cannot be ruled out.  Asked by debug mode before it says that nothing can ever happen;
     *  NULL: it never says so. */
    int (*others)(void *be);
} weft_backend_ops;

enum weft_backend_choices {
    WEFT_CHOOSE_ORDER, /* which of the `count` that are ready goes first */
    WEFT_CHOOSE_FAULT, /* 0: the call is made; else it fails, with one of `count` - 1 errors */
    WEFT_CHOOSE_SHORT, /* how many of `count` bytes a read or write leaves out */
};

/** A backend, as it is found: by the symbol weft_backend_NAME. */
typedef struct weft_backend {
    uint32_t magic, abi, size; /* WEFT_BACKEND_MAGIC, WEFT_BACKEND_ABI, sizeof */
    uint32_t core_size;  /* bytes of weft_backend_core that it needs; 0: those through `fault` */
    const char *name;    /* [a-z0-9_]{1,32} */
    const char *summary; /* one line for people: what it is, what it is good for */
    const char *needs;   /* what must be there, for people: "libuv >= 1.44"; "" for nothing */
    const weft_backend_ops *ops;
    /** Tells whether it can work here: 0, or a negative errno and why in `why`.  No side
     *  effects; may be called often. */
    int (*probe)(char *why, size_t size);
    const char *version; /* its own; NULL or "" for none */
    /** The version of the library as it runs ("libuv 1.44.2"); NULL: there is no library. */
    const char *(*library)(void);
} weft_backend;

#define WEFT_BACKEND(id)                                  \
    WEFT_API extern const weft_backend weft_backend_##id; \
    const weft_backend weft_backend_##id

/* The layout of version 1, for ever. */
#if !defined(__cplusplus) && UINTPTR_MAX == 0xffffffffffffffffu
#define WEFT_BACKEND_AT(type, member, place) \
    _Static_assert(offsetof(type, member) == (place), #type "." #member " has moved")
_Static_assert(sizeof(weft_backend_event) == 16, "weft_backend_event has grown");
_Static_assert(sizeof(weft_backend_op) == 80, "weft_backend_op has grown");
WEFT_BACKEND_AT(weft_backend_completions, cancel, 24);
WEFT_BACKEND_AT(weft_backend_core, now, 8);
WEFT_BACKEND_AT(weft_backend_core, fault, 32);
WEFT_BACKEND_AT(weft_backend_core, ready, 40);
WEFT_BACKEND_AT(weft_backend_core, complete, 64);
WEFT_BACKEND_AT(weft_backend_request, options, 8);
WEFT_BACKEND_AT(weft_backend_request, adopt, 24);
WEFT_BACKEND_AT(weft_backend_ops, open, 16);
WEFT_BACKEND_AT(weft_backend_ops, wait, 56);
WEFT_BACKEND_AT(weft_backend_ops, fork_child, 72);
WEFT_BACKEND_AT(weft_backend_ops, nest_fd, 88);
WEFT_BACKEND_AT(weft_backend_ops, guest, 112);
WEFT_BACKEND_AT(weft_backend_ops, completions, 144);
WEFT_BACKEND_AT(weft_backend_ops, others, 152);
WEFT_BACKEND_AT(weft_backend, name, 16);
WEFT_BACKEND_AT(weft_backend, probe, 48);
WEFT_BACKEND_AT(weft_backend, library, 64);
#undef WEFT_BACKEND_AT
#endif

WEFT_END_DECLS

#endif
