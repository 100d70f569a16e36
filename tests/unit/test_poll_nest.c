/* SPDX-License-Identifier: MIT
 * Hosts under the core: a library's loop that watches our poller (guest mode), and one that watches
 * each descriptor and reports by core->ready() (direct mode).
 *
 * The library is made up: poll(2) on what it was told to watch, with deadlines in milliseconds. */
#include "core/poll/poll.h"
#include "core/sched/loop.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weft/weft.h>

#define SLOTS 8

struct host {
    const weft_backend_core *core;
    void *loop;
    bool direct;
    struct pollfd fds[SLOTS]; /* [0]: the guest descriptor or the wake */
    uint64_t tokens[SLOTS];
};

static int opened, iterations, refusal; /* of all hosts; how the next guest() shall fail */

static int host_open(const weft_backend_core *core, const weft_backend_request *request, void **ret)
{
    struct host *host = core->alloc(NULL, sizeof *host);

    if (!host) {
        return -ENOMEM;
    }
    CU_ASSERT_EQUAL(request->size, sizeof *request);
    CU_ASSERT_STRING_EQUAL(request->options, "");
    CU_ASSERT_PTR_NULL(request->adopt);
    *host = (struct host){
        .core = core,
        .loop = request->loop,
        .direct = request->mode == WEFT_BACKEND_MODE_DIRECT,
    };
    for (int i = 0; i < SLOTS; i++) {
        host->fds[i].fd = -1;
    }
    if (host->direct) {
        host->fds[0] = (struct pollfd){ .fd = eventfd(0, EFD_CLOEXEC), .events = POLLIN };
    }
    opened++;
    *ret = host;
    return 0;
}

static int host_close(void *be)
{
    struct host *host = be;

    if (host->fds[0].fd >= 0) {
        close(host->fds[0].fd); /* the wake: guest() took the other back */
    }
    opened--;
    host->core->alloc(host, 0);
    return 0;
}

static int host_guest(void *be, int fd)
{
    if (refusal < 0) {
        return refusal;
    }
    ((struct host *)be)->fds[0] = (struct pollfd){ .fd = fd, .events = POLLIN };
    return 0;
}

static int host_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    struct host *host = be;

    for (int i = 1; i < SLOTS; i++) {
        if (host->fds[i].fd < 0) {
            host->fds[i].fd = fd;
            host->fds[i].events = (short)((events & WEFT_READABLE ? POLLIN : 0) |
                                          (events & WEFT_WRITABLE ? POLLOUT : 0));
            host->tokens[i] = token;
            *(int *)watch = i;
            return 0;
        }
    }
    return -ENOSPC;
}

static int host_rewatch(void *be, void *watch, uint32_t events)
{
    ((struct host *)be)->fds[*(int *)watch].events =
        (short)((events & WEFT_READABLE ? POLLIN : 0) | (events & WEFT_WRITABLE ? POLLOUT : 0));
    return 0;
}

static int host_unwatch(void *be, void *watch)
{
    ((struct host *)be)->fds[*(int *)watch].fd = -1;
    return 0;
}

static int host_wake(void *be)
{
    return eventfd_write(((struct host *)be)->fds[0].fd, 1) < 0 ? -errno : 0;
}

static int host_arm(void *be, int64_t deadline)
{
    (void)be, (void)deadline;
    return 0;
}

static int host_run(void *be, int64_t deadline)
{
    struct host *host = be;
    int64_t left = deadline == INT64_MIN ? 0 : deadline - host->core->now();

    iterations++;
    left = left < 0 ? 0 : left / 1000000 + 1;
    if (poll(host->fds, SLOTS, left > 100000 ? -1 : (int)left) <= 0) {
        return 0;
    }
    if (host->fds[0].revents && host->direct) {
        eventfd_t value;

        (void)eventfd_read(host->fds[0].fd, &value);
    }
    for (int i = 1; i < SLOTS; i++) {
        weft_backend_event event = { .token = host->tokens[i] };

        event.ready = (host->fds[i].revents & POLLIN ? WEFT_READABLE : 0u) |
                      (host->fds[i].revents & POLLOUT ? WEFT_WRITABLE : 0u);
        if (host->fds[i].fd >= 0 && event.ready) {
            host->core->ready(host->loop, &event);
        }
    }
    host->core->pump(host->loop);
    return 0;
}

static void *host_native(void *be)
{
    return be;
}

static const weft_backend_ops host_ops = {
    .size = sizeof(weft_backend_ops),
    .caps = WEFT_BACKEND_DIRECT | WEFT_BACKEND_GUEST,
    .watch_size = sizeof(int),
    .open = host_open,
    .close = host_close,
    .watch = host_watch,
    .rewatch = host_rewatch,
    .unwatch = host_unwatch,
    .wake = host_wake,
    .run = host_run,
    .arm = host_arm,
    .guest = host_guest,
    .native = host_native,
};

static const weft_backend host_backend = {
    .magic = WEFT_BACKEND_MAGIC,
    .abi = WEFT_BACKEND_ABI,
    .size = sizeof(weft_backend),
    .name = "made_up",
    .summary = "",
    .needs = "",
    .ops = &host_ops,
};

/* What outlives a loop on purpose. */
static void forget(void)
{
    weft__loop_depot_clear();
    weft__stacks_depot_clear();
}

static int fds[2];
static char seen[16];

static void readable(void *arg)
{
    CU_ASSERT_EQUAL(read(fds[0], seen, sizeof seen), 2);
    CU_ASSERT_EQUAL(weft_loop_stop(arg), 0);
}

static void *write_later(void *unused)
{
    (void)nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    CU_ASSERT_EQUAL(write(fds[1], "hi", 2), 2);
    return unused;
}

static void stop(void *arg)
{
    CU_ASSERT_EQUAL(weft_loop_stop(arg), 0);
}

static void *stop_later(void *arg)
{
    (void)nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    (void)weft_loop_call_soon_threadsafe(arg, stop, arg, NULL);
    weft_error_clear();
    return NULL;
}

static void lives_in(uint32_t mode, const char *name)
{
    weft_backend_request request = { .mode = mode, .options = "" };
    struct weft__loop *loop = NULL;
    weft_loop *handle;
    pthread_t thread;
    double before;

    CU_ASSERT_EQUAL_FATAL(weft__loop_open(&host_backend, &request, &loop), 0);
    handle = weft__loop_handle(loop);
    CU_ASSERT_STRING_EQUAL(weft_loop_backend_name(handle), "made_up");
    CU_ASSERT_STRING_EQUAL(weft_loop_backend_mode(handle), name);
    iterations = 0;
    before = weft_loop_time(handle);
    CU_ASSERT_EQUAL(weft_loop_call_later(handle, 0.02, stop, handle, NULL), 0);
    CU_ASSERT_EQUAL(weft_loop_run_forever(handle), 0);
    CU_ASSERT(weft_loop_time(handle) - before >= 0.02);
    CU_ASSERT(iterations > 0 && iterations < 100);

    CU_ASSERT_EQUAL(pipe(fds), 0);
    CU_ASSERT_EQUAL(weft_loop_add_reader(handle, fds[0], readable, handle), 0);
    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, write_later, NULL), 0);
    CU_ASSERT_EQUAL(weft_loop_run_forever(handle), 0);
    (void)pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(weft_loop_remove_reader(handle, fds[0]), 1);
    close(fds[0]);
    close(fds[1]);
    CU_ASSERT(memcmp(seen, "hi", 2) == 0);

    CU_ASSERT_EQUAL(pthread_create(&thread, NULL, stop_later, handle), 0);
    CU_ASSERT_EQUAL(weft_loop_run_forever(handle), 0);
    (void)pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(weft_loop_close(handle), 0);
    CU_ASSERT_EQUAL(opened, 0);
    forget();
}

static void a_host_watches_our_poller(void)
{
    lives_in(WEFT_BACKEND_MODE_GUEST, "guest");
}

static void a_host_watches_each_descriptor(void)
{
    lives_in(WEFT_BACKEND_MODE_DIRECT, "direct");
}

static void a_host_that_refuses_leaves_nothing(void)
{
    weft_backend_request request = { .mode = WEFT_BACKEND_MODE_GUEST, .options = "" };
    struct weft__loop *loop = NULL;

    refusal = -ENOSPC;
    CU_ASSERT_EQUAL(weft__loop_open(&host_backend, &request, &loop), -ENOSPC);
    refusal = 0;
    CU_ASSERT_EQUAL(opened, 0);
    for (long n = 0; n < 100; n++) {
        long left;
        int r;

        weft__fault_arm(n, -EMFILE);
        r = weft__loop_open(&host_backend, &request, &loop);
        left = weft__fault_arm(-1, 0);
        if (r == 0) {
            CU_ASSERT(left >= 0);
            CU_ASSERT_EQUAL(weft_loop_close(weft__loop_handle(loop)), 0);
            break;
        }
        CU_ASSERT(r == -EMFILE || r == -ENOMEM);
        CU_ASSERT_EQUAL(opened, 0);
    }
    forget();
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(a_host_watches_our_poller),
    WEFT_UNIT_TEST(a_host_watches_each_descriptor),
    WEFT_UNIT_TEST(a_host_that_refuses_leaves_nothing),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(poll_nest, tests)
