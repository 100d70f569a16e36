/* SPDX-License-Identifier: MIT
 * The flight recorder: the rings of all loops, and the file to which they are written.
 *
 * Writing works from a signal handler, also in a process that is about to die: it allocates nothing
 * and takes no lock.  Rings stand in a list that such a handler may walk at any moment, so one that
 * its loop has given back stays there, empty, for the next loop. */
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/debug/line.h"
#include "core/debug/more.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <weft/error.h>

#define FILES_MAX 8    /* that one process writes */
#define LIVING_MAX 256 /* tasks that are named; of the others only the number is told */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
WEFT__OPENS_IN_CHILD(lock)
static _Atomic(struct weft__ring *) rings;
static atomic_int files, dumping;
static unsigned users; /* rings in use: under the lock */

static const int deadly[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
static struct sigaction before[WEFT__COUNT(deadly)];
static bool taken[WEFT__COUNT(deadly)], taken_usr2;

/* ---- text ---- */

static const char *const names[] = {
    [WEFT__EVENT_MADE] = "made    ",     [WEFT__EVENT_ENDED] = "ended   ",
    [WEFT__EVENT_TURN] = "turn    ",     [WEFT__EVENT_LEAVES] = "leaves  ",
    [WEFT__EVENT_CALLBACK] = "callback", [WEFT__EVENT_WAITS] = "waits   ",
    [WEFT__EVENT_WOKE] = "woke    ",     [WEFT__EVENT_REPORT] = "report  ",
    [WEFT__EVENT_MARK] = "mark    "
};

static void add_def(struct weft__line *line, const weft_coro_def *def)
{
    weft__line_add(line, "  ");
    weft__line_add(line, def->name);
    weft__line_add(line, " (");
    weft__line_add(line, def->file);
    weft__line_add(line, ":");
    weft__line_add_number(line, def->line);
    weft__line_add(line, ")");
}

static void add_about(struct weft__line *line, const struct weft__event *event)
{
    switch (event->kind) {
    case WEFT__EVENT_MADE: add_def(line, event->about); break;
    case WEFT__EVENT_ENDED:
        weft__line_add(line, event->number < 0 ? "  -" : "  ");
        weft__line_add_number(
            line, (uint64_t)(event->number < 0 ? -(int64_t)event->number : event->number));
        break;
    case WEFT__EVENT_LEAVES:
        weft__line_add(line, event->about ? "  to wait for: " : "  for the others");
        weft__line_add(line, event->about ? ((const struct weft__wait *)event->about)->name : "");
        break;
    case WEFT__EVENT_CALLBACK:
        weft__line_add(line, "  ");
        weft__line_add_hex(line, (uintptr_t)event->about);
        break;
    case WEFT__EVENT_REPORT:
    case WEFT__EVENT_MARK:
        weft__line_add(line, "  ");
        weft__line_add(line, event->about);
        break;
    default: break;
    }
}

static void add_event(struct weft__line *line, const struct weft__event *event, double ago)
{
    uint64_t us = (uint64_t)(ago * 1e6 + 0.5);
    char digits[] = "000000";

    for (int i = 5, n = (int)(us % 1000000); i >= 0; i--, n /= 10) {
        digits[i] = (char)('0' + n % 10);
    }
    weft__line_add(line, "-");
    weft__line_add_number(line, us / 1000000);
    weft__line_add(line, ".");
    weft__line_add(line, digits);
    weft__line_add(line, "  ");
    weft__line_add(line, event->kind < WEFT__COUNT(names) && names[event->kind] ?
                             names[event->kind] :
                             "?       ");
    if (event->task) {
        weft__line_add(line, event->kind == WEFT__EVENT_MARK ? "  " : "  task ");
        weft__line_add_number(line, event->task);
    }
    add_about(line, event);
}

/* A turn's event tells also how the one before it ended: that goes into a line of its own.
 * `runner` is whose it was; 0 where that is not known. */
static int add_leaving(struct weft__line *line, const struct weft__event *event, double ago,
                       uint64_t *runner)
{
    struct weft__event leaves = { .kind = WEFT__EVENT_LEAVES,
                                  .task = *runner,
                                  .about = event->about };
    bool left = event->kind == WEFT__EVENT_TURN && event->number && *runner;

    if (left) {
        add_event(line, &leaves, ago);
        weft__line_add(line, "\n");
    }
    *runner = event->kind == WEFT__EVENT_TURN ? event->task : *runner;
    return left;
}

/* The tasks that live, on their way to a file. */
struct living {
    struct weft__line *line;
    int fd;
    int64_t count;
};

static void name_task(struct weft__slot *slot, void *arg)
{
    const struct weft__task *task = (const struct weft__task *)(const void *)slot;
    struct living *living = arg;

    if (task->outcome.done || !task->main.def || living->count++ >= LIVING_MAX) {
        return;
    }
    weft__line_add(living->line, "           lives     task ");
    weft__line_add_number(living->line, task->id);
    if (task->name[0]) {
        weft__line_add(living->line, "  '");
        weft__line_add(living->line, task->name);
        weft__line_add(living->line, "'");
    }
    add_def(living->line, task->main.def);
    weft__line_write(living->line, living->fd);
}

/* Their names, for those whose making was overwritten.  Returns how many lines. */
static int64_t write_living(const struct weft__ring *ring, int fd)
{
    char text[512];
    struct weft__line line = WEFT__LINE(text);
    struct living living = { .line = &line, .fd = fd };

    weft__stacks_each(ring->stacks, name_task, &living);
    if (living.count <= LIVING_MAX) {
        return living.count;
    }
    weft__line_add(&line, "           lives     others: ");
    weft__line_add_number(&line, (uint64_t)living.count - LIVING_MAX);
    weft__line_write(&line, fd);
    return LIVING_MAX + 1;
}

/* Writes the tasks that live and a ring, the oldest event first; the loop may go on meanwhile, and
 * then what it has overwritten is left out.  Returns how many lines. */
static int64_t write_ring(const struct weft__ring *ring, int fd)
{
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    uint64_t first = head > ring->mask + 1 ? head - (ring->mask + 1) : 0;
    double rate = ring->ticks->rate > 0 ? ring->ticks->rate : 1;
    int64_t last = head ? ring->events[(head - 1) & ring->mask].at : 0;
    int64_t count = write_living(ring, fd);
    uint64_t runner = 0;
    char text[8192];
    struct weft__line line = WEFT__LINE(text);

    for (uint64_t i = first; i < head; i++) {
        struct weft__event event = ring->events[i & ring->mask];
        double ago = (double)(last - event.at) * rate / 1e9;

        if (__atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) - i > ring->mask) {
            continue;
        }
        count += 1 + add_leaving(&line, &event, ago, &runner);
        add_event(&line, &event, ago);
        if (line.length > sizeof text - 512 || i + 1 == head) {
            weft__line_write(&line, fd);
        } else {
            weft__line_add(&line, "\n");
        }
    }
    return count;
}

static int new_file(void)
{
    int number = atomic_fetch_add(&files, 1) + 1;
    char path[64];
    struct weft__line line = WEFT__LINE(path);

    if (number > FILES_MAX) {
        return -1;
    }
    weft__line_add(&line, "weft-");
    weft__line_add_number(&line, (uint64_t)getpid());
    weft__line_add(&line, "-");
    weft__line_add_number(&line, (uint64_t)number);
    weft__line_add(&line, ".record");
    path[line.length] = '\0';
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

void weft__record_dump(const char *reason)
{
    char text[256];
    struct weft__line line = WEFT__LINE(text);
    int error = errno, fd;

    if (!atomic_load(&rings) || atomic_exchange(&dumping, 1)) {
        return;
    }
    fd = new_file();
    if (fd >= 0) {
        weft__line_add(&line, "weft record of process ");
        weft__line_add_number(&line, (uint64_t)getpid());
        weft__line_add(&line, ": ");
        weft__line_add(&line, reason);
        weft__line_write(&line, fd);
        for (const struct weft__ring *ring = atomic_load(&rings); ring; ring = ring->next) {
            if (ring->events && ring->head) {
                weft__line_add(&line, "loop");
                weft__line_write(&line, fd);
                (void)write_ring(ring, fd);
            }
        }
        close(fd);
    }
    atomic_store(&dumping, 0);
    errno = error;
}

/* ---- signals ---- */

static void on_deadly(int number)
{
    weft__record_dump(number == SIGABRT ? "SIGABRT" :
                      number == SIGSEGV ? "SIGSEGV" :
                      number == SIGBUS  ? "SIGBUS" :
                                          "a deadly signal");
    for (size_t i = 0; i < WEFT__COUNT(deadly); i++) {
        if (deadly[i] == number) {
            sigaction(number, &before[i], NULL); /* and the instruction faults again */
        }
    }
    if (number == SIGABRT) {
        raise(number);
    }
}

static void on_usr2(int number)
{
    (void)number;
    weft__record_dump("SIGUSR2");
}

static void take_signals(void)
{
    struct sigaction action = { .sa_handler = on_deadly, .sa_flags = SA_ONSTACK };
    struct sigaction now;

    for (size_t i = 0; i < WEFT__COUNT(deadly); i++) {
        taken[i] = sigaction(deadly[i], NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
                   now.sa_handler == SIG_DFL && sigaction(deadly[i], &action, &before[i]) == 0;
    }
    action.sa_handler = on_usr2;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    taken_usr2 = sigaction(SIGUSR2, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
                 now.sa_handler == SIG_DFL && sigaction(SIGUSR2, &action, NULL) == 0;
}

static bool is_still(int number, void (*handler)(int))
{
    struct sigaction now;

    return sigaction(number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
           now.sa_handler == handler;
}

static void give_signals(void)
{
    for (size_t i = 0; i < WEFT__COUNT(deadly); i++) {
        if (taken[i] && is_still(deadly[i], on_deadly)) {
            sigaction(deadly[i], &before[i], NULL);
        }
    }
    if (taken_usr2 && is_still(SIGUSR2, on_usr2)) {
        signal(SIGUSR2, SIG_DFL);
    }
}

/* ---- rings ---- */

/* One that nobody uses, or a new one in the list. */
static struct weft__ring *take_ring(void)
{
    struct weft__ring *ring = atomic_load(&rings);

    while (ring && ring->events) {
        ring = ring->next;
    }
    if (!ring) {
        ring = weft__alloc_zeroed(1, sizeof *ring);
        if (ring) {
            ring->next = atomic_load(&rings);
            atomic_store(&rings, ring);
        }
    }
    return ring;
}

int weft__ring_new(uint64_t bytes, struct weft__ticks *ticks, struct weft__stacks *stacks,
                   struct weft__ring **ret_ring)
{
    uint64_t count = 64;
    struct weft__event *events;
    struct weft__ring *ring;

    while (count * 2 * sizeof *events <= bytes) {
        count *= 2;
    }
    events = weft__alloc_zeroed(count, sizeof *events);
    pthread_mutex_lock(&lock);
    ring = events ? take_ring() : NULL;
    if (!ring) {
        pthread_mutex_unlock(&lock);
        weft__free(events);
        return -ENOMEM;
    }
    (void)weft__ticks_rate(ticks); /* a signal handler cannot find it out */
    ring->mask = count - 1;
    ring->head = 0;
    ring->ticks = ticks;
    ring->stacks = stacks;
    ring->events = events;
    if (users++ == 0) {
        take_signals();
    }
    pthread_mutex_unlock(&lock);
    *ret_ring = ring;
    return 0;
}

void weft__ring_free(struct weft__ring *ring)
{
    struct weft__event *events;

    if (!ring) {
        return;
    }
    pthread_mutex_lock(&lock);
    events = ring->events;
    ring->head = 0;
    ring->events = NULL;
    if (--users == 0) {
        give_signals();
    }
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 1000 && atomic_load(&dumping); i++) {
        (void)usleep(1000); /* another thread writes, and may have seen it */
    }
    weft__free(events);
}

void weft__record_forget(void)
{
    struct weft__ring *ring;

    while (!users && (ring = atomic_load(&rings))) {
        atomic_store(&rings, ring->next);
        weft__free(ring);
    }
}

/* ---- public ---- */

static struct weft__ring *ring_of(const struct weft__loop *loop)
{
    return loop->observer && loop->observer->more ? loop->observer->more->ring : NULL;
}

int64_t weft_record_write(weft_loop *handle, int fd)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(handle, &r);

    if (!loop) {
        return r;
    }
    if (!ring_of(loop)) {
        return -ENODATA;
    }
    if (fcntl(fd, F_GETFD) < 0) {
        return -EBADF;
    }
    (void)weft__ticks_rate(&loop->observer->more->ticks);
    return write_ring(ring_of(loop), fd);
}

int weft_record_mark(const char *what, int64_t value)
{
    struct weft__loop *loop = weft__running;
    struct weft__ring *ring = loop ? ring_of(loop) : NULL;

    if (!ring) {
        return loop ? -ENODATA : -EPERM;
    }
    weft__ring_add(ring, weft__ticks_now(&loop->observer->more->ticks), WEFT__EVENT_MARK,
                   (uint64_t)value, what ? what : "", 0);
    return 0;
}
