/* SPDX-License-Identifier: MIT
 * A backend for weft of one's own: select(2).  Nobody needs it; it shows what has to be written.
 *
 *     cc -shared -fPIC $(pkg-config --cflags weft) select.c -o weft-backend-select.so
 *     WEFT_BACKEND_PATH=$PWD WEFT_BACKEND=select ./program
 *
 * or, for everybody, the file goes to $(pkg-config --variable=plugindir weft).  The header alone is
 * used; nothing is linked. */
#include <weft/backend.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/select.h>
#include <unistd.h>

typedef struct poller {
    const weft_backend_core *core;
    int wake[2];                 /* a pipe: its read end is watched, too */
    int next;                    /* the descriptor after the one reported last */
    fd_set asked[3];             /* for reading, writing, out-of-band data */
    uint64_t tokens[FD_SETSIZE]; /* by descriptor; UINT64_MAX: not watched */
} poller;

static const uint32_t kinds[] = { WEFT_READABLE, WEFT_WRITABLE, WEFT_PRIORITY };

static void close_wake(poller *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->wake[i] >= 0) {
            close(p->wake[i]);
        }
        p->wake[i] = -1;
    }
}

/* Everything as it is after open(): nothing is watched. */
static int begin(poller *p)
{
    int r = p->core->fault();
    if (r == 0 && pipe2(p->wake, O_CLOEXEC | O_NONBLOCK) < 0) {
        r = -errno;
    }
    if (r == 0 && p->wake[1] >= FD_SETSIZE) {
        close_wake(p);
        r = -EMFILE;
    }
    for (int i = 0; i < 3; i++) {
        FD_ZERO(&p->asked[i]);
    }
    for (int fd = 0; fd < FD_SETSIZE; fd++) {
        p->tokens[fd] = UINT64_MAX;
    }
    return r;
}

static int select_open(const weft_backend_core *core, const weft_backend_request *request,
                       void **ret_be)
{
    if (*request->options != '\0') {
        core->detail("select takes no options, not '%s'", request->options);
        return -EINVAL;
    }
    poller *p = core->alloc(NULL, sizeof(*p));
    if (p == NULL) {
        return -ENOMEM;
    }
    p->core = core;
    p->next = 0;
    p->wake[0] = p->wake[1] = -1;
    int r = begin(p);
    if (r < 0) {
        core->alloc(p, 0);
        return r;
    }
    *ret_be = p;
    return 0;
}

static int select_close(void *be)
{
    poller *p = be;
    close_wake(p);
    p->core->alloc(p, 0);
    return 0;
}

static int select_rewatch(void *be, void *watch, uint32_t events)
{
    poller *p = be;
    int fd = *(int *)watch;
    if (events & ~(uint32_t)(WEFT_READABLE | WEFT_WRITABLE | WEFT_PRIORITY)) {
        return -EINVAL;
    }
    for (int i = 0; i < 3; i++) {
        /* select(2) has no word for a hang-up: who asks for nothing hears of it as readable. */
        if (events & kinds[i]) {
            FD_SET(fd, &p->asked[i]);
        } else {
            FD_CLR(fd, &p->asked[i]);
        }
    }
    return 0;
}

static int select_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    poller *p = be;
    int r = p->core->fault();
    if (r < 0) {
        return r;
    }
    if (fcntl(fd, F_GETFD) < 0) {
        return -errno;
    }
    if (fd >= FD_SETSIZE) {
        p->core->detail("select(2) ends at descriptor %d", FD_SETSIZE - 1);
        return -ENOSPC;
    }
    *(int *)watch = fd;
    r = select_rewatch(be, watch, events);
    if (r == 0) {
        p->tokens[fd] = token;
    }
    return r;
}

static int select_unwatch(void *be, void *watch)
{
    ((poller *)be)->tokens[*(int *)watch] = UINT64_MAX;
    return select_rewatch(be, watch, 0);
}

/* Somebody closed a descriptor that is watched, against the rules: its owner is told. */
static int find_closed(poller *p, weft_backend_event *ret_event)
{
    for (int fd = 0; fd < FD_SETSIZE; fd++) {
        if (p->tokens[fd] != UINT64_MAX && fcntl(fd, F_GETFD) < 0) {
            *ret_event = (weft_backend_event){ p->tokens[fd], WEFT_ERROR, -EBADF };
            return 1;
        }
    }
    return -EBADF; /* ours, then */
}

static int harvest(poller *p, const fd_set *ready, weft_backend_event *ret_events, int max)
{
    int count = 0;
    for (int seen = 0; seen < FD_SETSIZE && count < max; seen++) {
        int fd = p->next++ % FD_SETSIZE;
        uint32_t events = 0;
        for (int i = 0; i < 3; i++) {
            events |= FD_ISSET(fd, &ready[i]) ? kinds[i] : 0;
        }
        if (events != 0 && p->tokens[fd] != UINT64_MAX) {
            ret_events[count++] = (weft_backend_event){ p->tokens[fd], events, 0 };
        }
        p->next %= FD_SETSIZE;
    }
    return count;
}

static int select_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    poller *p = be;
    fd_set ready[3] = { p->asked[0], p->asked[1], p->asked[2] };
    int64_t left = deadline > 0 ? deadline - p->core->now() : 0;
    left = left > 0 ? left : 0;
    struct timespec timeout = { .tv_sec = (time_t)(left / 1000000000),
                                .tv_nsec = (long)(left % 1000000000) };
    int r = p->core->fault();
    if (r < 0 || p->wake[0] < 0) {
        return r < 0 ? r : -EBADF; /* fork_child() failed */
    }
    FD_SET(p->wake[0], &ready[0]);
    r = pselect(FD_SETSIZE, &ready[0], &ready[1], &ready[2],
                deadline == WEFT_BACKEND_NEVER ? NULL : &timeout, NULL);
    if (r < 0) {
        return errno == EINTR ? 0 : errno == EBADF ? find_closed(p, ret_events) : -errno;
    }
    if (r > 0 && FD_ISSET(p->wake[0], &ready[0])) {
        char bytes[64];
        while (read(p->wake[0], bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes)) {}
    }
    return r > 0 ? harvest(p, ready, ret_events, max) : 0;
}

static int select_wake(void *be)
{
    int saved = errno;
    int r = write(((poller *)be)->wake[1], "", 1) < 0 && errno != EAGAIN ? -errno : 0;
    errno = saved;
    return r;
}

static int select_fork_child(void *be)
{
    close_wake(be); /* the parent's */
    return begin(be);
}

static int select_probe(char *why, size_t size)
{
    (void)why, (void)size;
    return 0;
}

static const weft_backend_ops select_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = WEFT_BACKEND_ANY_FD | WEFT_BACKEND_NANOSECONDS,
    .watch_size = sizeof(int),
    .open = select_open,
    .close = select_close,
    .watch = select_watch,
    .rewatch = select_rewatch,
    .unwatch = select_unwatch,
    .wait = select_wait,
    .wake = select_wake,
    .fork_child = select_fork_child,
};

WEFT_BACKEND(select) = {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = "select",
    .summary = "select(2): an example, for descriptors below 1024",
    .needs = "",
    .ops = &select_ops,
    .probe = select_probe,
    .version = "1.0",
};
