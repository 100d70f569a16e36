/* SPDX-License-Identifier: MIT
 * poll(2) once more, sound when BREAK is 0 and else wrong in what group BREAK of weft-backend-test
 * looks at.  Its members are those of core/poll/poll.c, each with a chance to go wrong. */
#include <weft/backend.h>

#undef WEFT_BACKEND
#define WEFT_BACKEND(id) static const weft_backend sound_##id
#include "core/poll/poll.c"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)

#if BREAK == 17
WEFT_API extern int somebody_elses_name;
int somebody_elses_name = 1;
#endif

/* Operations that complete: tried again at each wait until they do. */
#define PENDING 16

typedef struct completer {
    poll_poller *inner; /* NULL: unused */
    const weft_backend_core *core;
    void *loop;
    weft_backend_op *pending[PENDING];
} completer;

static completer completers[8]; /* by poller, for the few that a test opens at once */

static completer *completer_of(const void *be)
{
    for (int i = 0; i < 8; i++) {
        if (completers[i].inner == be) {
            return &completers[i];
        }
    }
    return NULL;
}

#if BREAK == 2 || BREAK == 15
/* A descriptor that nobody closes. */
static void leak(void)
{
    int fd = dup(0);

    (void)fd;
}
#endif

static int my_open(const weft_backend_core *core, const weft_backend_request *request, void **ret)
{
    int r = poller_open(core, request, ret);
    completer *unused = completer_of(NULL);

#if BREAK == 13
    signal(SIGUSR2, SIG_IGN);
#endif
#if BREAK == 15
    if (r == -ENOMEM && core->fault() == 0) { /* what it had is forgotten */
        leak();
    }
#endif
    if (r == 0 && unused) {
        *unused = (completer){ .inner = *ret, .core = core, .loop = request->loop };
    }
    return r;
}

static int my_close(void *be)
{
    completer *mine = completer_of(be);

#if BREAK == 2
    leak();
#endif
    if (mine) {
        mine->inner = NULL;
    }
    return poller_close(be);
}

static int my_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
#if BREAK == 5
    struct stat status;

    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        return -EIO;
    }
#endif
#if BREAK == 6
    if (fd >= 1024) {
        return -EBADF;
    }
#endif
    return poller_watch(be, watch, fd, events, token);
}

static int my_rewatch(void *be, void *watch, uint32_t events)
{
#if BREAK == 3
    (void)be, (void)watch, (void)events;
    return 0;
#else
    return poller_rewatch(be, watch, events);
#endif
}

static int my_unwatch(void *be, void *watch)
{
#if BREAK == 7
    (void)be, (void)watch;
    return 0;
#else
    return poller_unwatch(be, watch);
#endif
}

/* What one operation gives; -EAGAIN: nothing yet. */
static int64_t attempt(const weft_backend_op *op)
{
    void *memory = (void *)(uintptr_t)op->address;
    bool at = op->offset != UINT64_MAX && lseek(op->fd, 0, SEEK_CUR) >= 0;
    struct pollfd ready = { .fd = op->fd };
    ssize_t n;

    ready.events = op->opcode == WEFT_OP_READ || op->opcode == WEFT_OP_RECEIVE ? POLLIN : POLLOUT;
    if (op->fd >= 0 && poll(&ready, 1, 0) == 0) {
        return -EAGAIN;
    }
    if (ready.events == POLLIN) {
        n = at ? pread(op->fd, memory, op->length, (off_t)op->offset) :
                 read(op->fd, memory, op->length);
    } else {
        n = at ? pwrite(op->fd, memory, op->length, (off_t)op->offset) :
                 write(op->fd, memory, op->length);
    }
    return n < 0 ? -errno : n;
}

static bool carry_on(completer *mine)
{
    bool any = false;

    for (int i = 0; mine && i < PENDING; i++) {
        weft_backend_op *op = mine->pending[i];
        int64_t result = !op ? -EAGAIN : op->own[0] ? -ECANCELED : attempt(op);

        if (result != -EAGAIN) {
            mine->pending[i] = NULL;
            op->result = result;
#if BREAK == 16
            op->result = result > 0 ? result - 1 : result;
#endif
            mine->core->complete(mine->loop, op);
        }
        any |= mine->pending[i] != NULL;
    }
    return any;
}

static int my_submit(void *be, weft_backend_op *op)
{
    completer *mine = completer_of(be);

    if (op->opcode < WEFT_OP_READ || op->opcode > WEFT_OP_SEND || op->opcode == WEFT_OP_READV ||
        op->opcode == WEFT_OP_WRITEV) {
        return -EOPNOTSUPP;
    }
    for (int i = 0; mine && i < PENDING; i++) {
        if (!mine->pending[i]) {
            op->own[0] = 0;
            mine->pending[i] = op;
            return 0;
        }
    }
    return -EAGAIN;
}

static int my_cancel(void *be, weft_backend_op *op)
{
    (void)be;
    op->own[0] = 1;
    return 0;
}

static const uint8_t support[] = {
    [WEFT_OP_READ] = 1,
    [WEFT_OP_WRITE] = 1,
    [WEFT_OP_RECEIVE] = 1,
    [WEFT_OP_SEND] = 1,
};

static const weft_backend_completions completions = {
    .size = sizeof completions,
    .opcodes = sizeof support,
    .support = support,
    .submit = my_submit,
    .cancel = my_cancel,
};

static int my_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    int r;

#if BREAK == 8
    if (deadline > 0 && deadline != WEFT_BACKEND_NEVER) {
        deadline += 5000000;
    }
#endif
    if (carry_on(completer_of(be)) && deadline > 0) {
        int64_t soon = ((poll_poller *)be)->core->now() + 1000000;

        deadline = deadline < soon ? deadline : soon;
    }
    r = poller_wait(be, deadline, ret_events, max);
#if BREAK == 10
    if (r == 0 && deadline > ((poll_poller *)be)->core->now()) {
        return -EINTR; /* whatever it was that ended the wait */
    }
#endif
#if BREAK == 4
    for (int i = 0; i < r; i++) { /* tells each state once, as an edge */
        static uint64_t told[16];

        for (int j = 0; j < 16; j++) {
            if (told[j] == ret_events[i].token) {
                return 0;
            }
        }
        told[ret_events[i].token % 16] = ret_events[i].token;
    }
#endif
    return r;
}

static int my_wake(void *be)
{
#if BREAK == 9
    static int count;

    if (++count % 7 == 1) {
        return 0;
    }
#endif
    return poller_wake(be);
}

static int my_fork_child(void *be)
{
#if BREAK == 11
    poll_poller *poller = be; /* the parent's wake is used on */

    poller->count = poller->next = 1;
    return 0;
#else
    return poller_fork_child(be);
#endif
}

static const weft_backend_ops my_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = CAPS | WEFT_BACKEND_COMPLETES,
    .watch_size = sizeof(poll_watch),
    .open = my_open,
    .close = my_close,
    .watch = my_watch,
    .rewatch = my_rewatch,
    .unwatch = my_unwatch,
    .wait = my_wait,
    .wake = my_wake,
    .fork_child = my_fork_child,
    .completions = &completions,
};

#undef WEFT_BACKEND
#define WEFT_BACKEND(id)                                         \
    WEFT_API extern const weft_backend PASTE(weft_backend_, id); \
    const weft_backend PASTE(weft_backend_, id)

WEFT_BACKEND(SYMBOL)
= {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = TEXT(SYMBOL),
    .summary = BREAK == 1 ? "two\nlines" : "poll(2) with completions, for the tests",
    .needs = "",
    .ops = &my_ops,
    .probe = poller_probe,
};
