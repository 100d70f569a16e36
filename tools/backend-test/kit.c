/* SPDX-License-Identifier: MIT
 * The kit's own core, and the few things that every case does. */
#include "tools/backend-test/kit.h"

#include <dirent.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>

struct kit kit = { .fault_at = -1, .options = "" };

static weft_backend_event collected[WATCHES]; /* what a host reported in one run() */
static int collected_count;

int64_t kit_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

int64_t kit_now(void)
{
    return kit.ops->now ? kit.ops->now(kit.be) : kit_clock();
}

static int core_fault(void)
{
    return kit.asked++ == kit.fault_at ? kit.fault_error : 0;
}

static void *core_alloc(void *old, size_t size)
{
    void *memory;

    if (size == 0) {
        kit.blocks -= old != NULL;
        free(old);
        return NULL;
    }
    if (core_fault() < 0) {
        return NULL;
    }
    memory = realloc(old, size);
    kit.blocks += memory && !old;
    return memory;
}

static void core_detail(const char *format, ...) WEFT_PRINTF(1, 2);

static void core_detail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(kit.detail, sizeof kit.detail, format, arguments);
    va_end(arguments);
}

static void core_ready(void *loop, const weft_backend_event *event)
{
    if (loop != &kit) {
        kit_check(false, "ready() gets the loop of the request", __FILE__, __LINE__);
    }
    if (collected_count < WATCHES) {
        collected[collected_count++] = *event;
    }
    if (kit.on_ready) {
        kit.on_ready(event->token, event->ready);
    }
}

static void core_pump(void *loop)
{
    if (loop != &kit) {
        kit_check(false, "pump() gets the loop of the request", __FILE__, __LINE__);
    }
    kit.pumps++;
    if (kit.on_pump) {
        kit.on_pump();
    }
}

static void core_closed(void *loop)
{
    (void)loop;
    kit.closed++;
}

static void core_complete(void *loop, weft_backend_op *op)
{
    (void)loop;
    if (kit.on_complete) {
        kit.on_complete(op);
    }
}

const weft_backend_core kit_core = {
    .size = sizeof kit_core,
    .abi = WEFT_BACKEND_ABI,
    .now = kit_clock,
    .alloc = core_alloc,
    .detail = core_detail,
    .fault = core_fault,
    .ready = core_ready,
    .pump = core_pump,
    .closed = core_closed,
    .complete = core_complete,
};

int kit_open(void)
{
    const weft_backend_request request = {
        .size = sizeof request,
        .mode = kit.mode,
        .options = kit.options,
        .loop = &kit,
        .adopt = kit.adopt,
    };
    void *be = NULL;
    int r = kit.ops->open(&kit_core, &request, &be);

    if (r >= 0) {
        kit.be = be;
    } else {
        CHECK(!be);
    }
    return r;
}

int kit_close(void)
{
    void *be = kit.be;

    kit.be = NULL;
    return kit.ops->close(be);
}

static void *watch_at(int number)
{
    return kit.watches + (size_t)number * WATCH_SIZE_MAX;
}

int kit_watch(int number, int fd, uint32_t events)
{
    memset(watch_at(number), 0, WATCH_SIZE_MAX);
    return kit.ops->watch(kit.be, watch_at(number), fd, events, TOKEN(number));
}

int kit_rewatch(int number, uint32_t events)
{
    return kit.ops->rewatch(kit.be, watch_at(number), events);
}

int kit_unwatch(int number)
{
    int r = kit.ops->unwatch(kit.be, watch_at(number));

    memset(watch_at(number), 0xa5, WATCH_SIZE_MAX); /* they are ours again */
    return r;
}

int kit_wait(int64_t deadline, weft_backend_event *ret_events, int max)
{
    int count = 0, r;

    if (!kit.host) {
        r = kit.ops->wait(kit.be, deadline, ret_events, max);
        CHECK(r <= max);
        return r;
    }
    collected_count = 0;
    r = kit.ops->run(kit.be, deadline);
    for (int i = 0; i < collected_count && count < max; i++) {
        ret_events[count++] = collected[i];
    }
    return r < 0 ? r : count;
}

/* One wait of any length up to `deadline`; what it reports for a watch. */
static uint32_t once(int number, int64_t deadline)
{
    static weft_backend_event events[WATCHES]; /* a host reports all at once */
    uint32_t ready = 0;
    int n = kit_wait(deadline, events, WATCHES);

    CHECK(n >= 0);
    for (int i = 0; i < n; i++) {
        if (events[i].token == TOKEN(number)) {
            ready |= events[i].ready;
        }
    }
    return ready;
}

uint32_t kit_ready(int number)
{
    int64_t end = kit_clock() + SOON;
    uint32_t ready = 0;

    while (!ready && kit_clock() < end) {
        ready = once(number, kit_now() + 20 * MS);
    }
    return ready;
}

bool kit_quiet(int number)
{
    for (int i = 0; i < 3; i++) {
        if (once(number, LOOK)) {
            return false;
        }
    }
    return true;
}

static int entries(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    while (directory && readdir(directory)) {
        count++;
    }
    if (directory) {
        closedir(directory);
    }
    return count;
}

int kit_descriptors(void)
{
    int count = entries("/proc/self/fd");

    for (int fd = 0; count == 0 && fd < 4096; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

int kit_threads(void)
{
    return entries("/proc/self/task");
}

/* One that was joined is listed until the kernel has buried it. */
bool kit_threads_are(int count)
{
    for (int i = 0; i < 1000 && kit_threads() > count; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = MS }, NULL);
    }
    return kit_threads() <= count;
}

static void *nothing(void *unused)
{
    return unused;
}

void kit_first_thread(void)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, nothing, NULL) == 0) {
        pthread_join(thread, NULL);
    }
}

void kit_pair(int fds[2])
{
    if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0)) {
        kit_skip("no sockets");
    }
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    }
}

void kit_put(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

void kit_take(int fd)
{
    char bytes[4096];

    while (read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {}
}

static struct {
    pthread_t thread;
    int ms;
    void (*action)(void *);
    void *arg;
} later;

static void *act(void *unused)
{
    const struct timespec length = { later.ms / 1000, later.ms % 1000 * MS };

    nanosleep(&length, NULL);
    later.action(later.arg);
    return unused;
}

void kit_later(int ms, void (*action)(void *), void *arg)
{
    later.ms = ms;
    later.action = action;
    later.arg = arg;
    CHECK(pthread_create(&later.thread, NULL, act, NULL) == 0);
}

void kit_join(void)
{
    pthread_join(later.thread, NULL);
}
