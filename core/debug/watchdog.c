/* SPDX-License-Identifier: MIT
 * The watchdog: one thread for all loops of the process that have `slow`, which sees that a turn
 * does not end, looks where it is, and looks again at twice, four and eight times the limit.
 *
 * A loop publishes the number of its turn, and that is all; the watchdog knows how long it has seen
 * the same one.  The turn that was too long finds `stalled` set when it ends, and tells the rest.
 * */
#include "core/base/clock.h"
#include "core/base/shared.h"
#include "core/debug/more.h"
#include "core/debug/sample.h"
#include "core/debug/stack.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TICKS 5                     /* looks within the shortest limit */
#define TICK_LEAST 1000000          /* ns */
#define STILL_NS WEFT__SECOND       /* a turn that goes on for so long is told before it ends */
#define SITE_TOLD 5                 /* times a place is told, */
#define SITE_NS (60 * WEFT__SECOND) /* within this time */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_cond;
    uint32_t epoch;      /* weft__fork_word of the process whose thread it is */
    unsigned generation; /* another thread's: this one is to end */
    bool runs;
    pthread_t thread;
    struct weft__observer *first;
    int64_t looked; /* when it did last */
} dog = { .lock = PTHREAD_MUTEX_INITIALIZER };
WEFT__OPENS_IN_CHILD(dog.lock)

/* A turn that was not there at the last look. */
static void begin(struct weft__observer *observer, uint64_t serial, int64_t now)
{
    struct weft__stall *stall = &observer->stall;
    int64_t clock = atomic_load_explicit(&observer->clock, memory_order_relaxed);

    stall->serial = serial;
    stall->began = clock > dog.looked ? clock : dog.looked;
    stall->seen = now;
    stall->cpu = weft__thread_cpu_time(&observer->system);
    stall->told = 0;
    stall->count = 0;
}

/* Who it is: its name may be read because it stands still. */
static void find_name(struct weft__observer *observer)
{
    struct weft__stall *stall = &observer->stall;
    struct weft__task *task = NULL;
    char name[WEFT__TASK_NAME_MAX] = "";

    stall->task_id = 0;
    (void)weft__peek(&task, &observer->loop->current, sizeof task);
    if (task && weft__peek(name, task->name, sizeof name) == sizeof name) {
        (void)weft__peek(&stall->task_id, &task->id, sizeof stall->task_id);
    }
    weft__task_format_name(stall->task_name, name, stall->task_id);
}

/* ---- reports ---- */

/* What the report of a stall points to. */
struct told {
    weft_report report;
    weft_report others[WEFT__SAMPLES];
    char what[160];
    char words[WEFT__SAMPLES][64];
};

static void describe_sample(const struct weft__sample *sample, weft_report *report)
{
    report->stack = sample->stack_count ? sample->stack : NULL;
    report->stack_count = sample->stack_count;
    report->exact = sample->exact;
}

/* Whether a later look has found it where it was. */
static bool is_same(const struct weft__sample *a, const struct weft__sample *b)
{
    return a->stack_count == b->stack_count &&
           memcmp(a->stack, b->stack, a->stack_count * sizeof a->stack[0]) == 0;
}

static void describe(const struct weft__stall *stall, struct told *told)
{
    const struct weft__sample *first = &stall->samples[0];
    weft_report *report = &told->report;

    report->size = sizeof *report;
    report->task_name = stall->task_id ? stall->task_name : NULL;
    report->frames = first->chain;
    report->frames_count = first->chain_count;
    if (first->chain_count) {
        report->coro = first->chain[0].name;
        report->file = first->chain[0].file;
        report->line = first->chain[0].line;
    }
    describe_sample(first, report);
    (void)snprintf(told->what, sizeof told->what, "%s%s", first->what[0] ? "it was in " : "",
                   first->what[0] ? first->what : "it was on the CPU");
    report->what = told->what;
    for (uint32_t i = 1; i < stall->count; i++) {
        weft_report *other = &told->others[report->others_count];

        if (is_same(&stall->samples[i - 1], &stall->samples[i])) {
            continue;
        }
        *other = (weft_report){ .size = sizeof *other, .message = told->words[i] };
        (void)snprintf(told->words[i], sizeof told->words[i], "after %.3f s%s%s",
                       (double)stall->samples[i].after / 1e9,
                       stall->samples[i].what[0] ? " in " : "", stall->samples[i].what);
        describe_sample(&stall->samples[i], other);
        report->others = told->others;
        report->others_count++;
    }
}

/* It goes on: the loop's thread cannot tell, so this one does. */
static void tell_still(const struct weft__observer *observer, int64_t elapsed)
{
    const struct weft__loop *loop = observer->loop;
    struct told told = { .report = { .kind = WEFT_REPORT_BLOCKED } };

    if (loop->handler) {
        return;
    }
    describe(&observer->stall, &told);
    told.report.message = observer->stall.task_id ? "blocks its loop, so far for" :
                                                    "a callback blocks its loop, so far for";
    told.report.seconds = (double)elapsed / 1e9;
    weft__hooks.report(&told.report, true);
}

/* How often a place was told by now, 1 for the first time; 0: often enough.  Counts what is left
 * out. */
static uint32_t count_told(struct weft__observer *observer, const void *key, int64_t now,
                           uint32_t *ret_left_out)
{
    struct weft__site *site = &observer->sites[(uintptr_t)key / 16 % WEFT__SITES];

    if (site->key != key || now - site->since > SITE_NS) {
        *ret_left_out = site->key == key ? site->left_out : 0;
        observer->slow_left_out -= *ret_left_out;
        *site = (struct weft__site){ .key = key, .since = now };
    }
    if (site->told == SITE_TOLD) {
        site->left_out++;
        observer->slow_left_out++;
        return 0;
    }
    return ++site->told;
}

static void add_words(char *text, size_t size, const char *words)
{
    size_t n = strlen(text);

    (void)snprintf(text + n, size - n, "%s", words);
}

void weft__stalls_tell(struct weft__observer *observer)
{
    weft_report report = { .kind = WEFT_REPORT_SLOW };
    char message[112];

    if (!(observer->words.checks & WEFT__CHECK_SLOW) || !observer->slow_left_out) {
        return;
    }
    (void)snprintf(message, sizeof message,
                   "%u more turn%s too long, in places that had been told %d times",
                   observer->slow_left_out, observer->slow_left_out == 1 ? " was" : "s were",
                   SITE_TOLD);
    report.message = message;
    weft__report(observer->loop, &report);
}

/* On the loop's thread, after its turn. */
static void tell_end(struct weft__observer *observer, const struct weft__stall *stall, int64_t now)
{
    struct told told = { .report = { .kind = WEFT_REPORT_SLOW } };
    uint32_t left_out = 0, times;
    char words[64];
    const void *key = stall->samples[0].chain_count ? stall->samples[0].chain[0].name :
                                                      stall->samples[0].stack[0];

    times = count_told(observer, key, now, &left_out);
    if (!times) {
        return;
    }
    describe(stall, &told);
    told.report.message = stall->task_id ? "kept its loop from all others for" :
                                           "a callback kept its loop from all others for";
    told.report.seconds = (double)(now - stall->began) / 1e9;
    if (left_out) {
        (void)snprintf(words, sizeof words, "; %u such reports were left out", left_out);
        add_words(told.what, sizeof told.what, words);
    }
    if (times == SITE_TOLD) {
        add_words(told.what, sizeof told.what, "; more from here are counted, not told");
    }
    weft__observe_report(observer->loop, &told.report);
    weft__record_dump("a turn was too long");
}

void weft__stall_ends(struct weft__observer *observer)
{
    struct weft__stall stall;
    int64_t now = weft__clock_now();

    pthread_mutex_lock(&dog.lock);
    stall = observer->stall;
    atomic_store(&observer->stalled, 0);
    observer->stall.serial = 0;
    pthread_mutex_unlock(&dog.lock);
    observer->forgiven_until = now;
    if (stall.serial == atomic_load(&observer->serial)) {
        tell_end(observer, &stall, now);
    }
}

/* ---- looking ---- */

/* Whether the thread has had the CPU for a good part of the time, or as long as the limit; if not,
 * the machine is busy, and the loop is not to blame. */
static bool has_worked(const struct weft__observer *observer, int64_t now)
{
    int64_t seen = now - observer->stall.seen;
    int64_t worked = weft__thread_cpu_time(&observer->system) - observer->stall.cpu;

    return worked * 4 >= seen || worked >= observer->words.slow_ns;
}

static void take_sample(struct weft__observer *observer, int64_t now)
{
    struct weft__stall *stall = &observer->stall;
    struct weft__sample *sample = &stall->samples[stall->count];

    bool late = now - stall->began > 8 * observer->words.slow_ns;

    if (!weft__sample_take(observer, stall->serial, sample) ||
        (!sample->what[0] &&
         (!has_worked(observer, now) || (!sample->stack_count && !late)))) {
        return; /* the next look may tell more */
    }
    sample->after = now - stall->began;
    if (stall->count == 0) {
        find_name(observer);
        if (atomic_load(&observer->serial) != stall->serial) {
            return;
        }
    }
    stall->count++;
    atomic_store(&observer->stalled, stall->serial);
}

static void look(struct weft__observer *observer, int64_t now, bool overslept)
{
    struct weft__stall *stall = &observer->stall;
    uint64_t serial = atomic_load_explicit(&observer->serial, memory_order_acquire);
    int64_t elapsed;

    if (!(serial & 1) || atomic_load(&observer->allowed) || !observer->system.number) {
        stall->serial = 0;
        return;
    }
    if (stall->serial != serial || (overslept && stall->count == 0)) {
        begin(observer, serial, now);
        if (overslept) { /* the whole machine stood still, or this process did */
            stall->began = now;
        }
        return;
    }
    elapsed = now - stall->began;
    if (stall->count < WEFT__SAMPLES && elapsed >= observer->words.slow_ns << stall->count) {
        take_sample(observer, now);
    }
    if (stall->count && elapsed >= STILL_NS && elapsed >= 2 * stall->told) {
        if (!stall->told) {
            weft__record_dump("a turn does not end");
        }
        stall->told = elapsed;
        tell_still(observer, elapsed);
    }
}

static int64_t tick(void)
{
    int64_t least = WEFT__SECOND;

    for (const struct weft__observer *o = dog.first; o; o = o->next) {
        least = o->words.slow_ns < least ? o->words.slow_ns : least;
    }
    return least / TICKS > TICK_LEAST ? least / TICKS : TICK_LEAST;
}

static void *watch(void *arg)
{
    unsigned generation = (unsigned)(uintptr_t)arg;

    pthread_mutex_lock(&dog.lock);
    dog.looked = weft__clock_now();
    while (dog.generation == generation) {
        int64_t planned = dog.looked + tick(), now;

        (void)weft__cond_wait(&dog.changed, &dog.lock, planned);
        now = weft__clock_now();
        if (dog.generation != generation) {
            break;
        }
        for (struct weft__observer *o = dog.first; o; o = o->next) {
            look(o, now, now - planned > o->words.slow_ns / 2);
        }
        dog.looked = now;
    }
    pthread_mutex_unlock(&dog.lock);
    return NULL;
}

/* ---- beginning and ending ---- */

/* In a child of fork(2) the thread and all loops are the parent's. */
static void forget_parent(uint32_t epoch)
{
    if (dog.epoch != epoch) {
        dog.epoch = epoch;
        dog.runs = false;
        dog.first = NULL;
        dog.has_cond = false;
        weft__sample_close();
    }
}

/* Under the lock. */
static int start(void)
{
    sigset_t all, before;
    int r = weft__fault();

    if (r == 0 && !dog.has_cond) {
        r = weft__cond_init(&dog.changed);
        dog.has_cond = r == 0;
    }
    if (r < 0) {
        return r;
    }
    (void)weft__sample_open(); /* without a signal there are samples of system calls only */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    r = -pthread_create(&dog.thread, NULL, watch, (void *)(uintptr_t)++dog.generation);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r < 0) {
        weft__sample_close();
    }
    dog.runs = r == 0;
    return r;
}

int weft__watchdog_add(struct weft__observer *observer)
{
    int r = 0;

    if (observer->watched) {
        return 0;
    }
    pthread_mutex_lock(&dog.lock);
    forget_parent(observer->loop->epoch);
    if (!dog.runs) {
        r = start();
    }
    if (r == 0) {
        observer->next = dog.first;
        dog.first = observer;
        observer->watched = true;
        pthread_cond_signal(&dog.changed);
    }
    pthread_mutex_unlock(&dog.lock);
    return r;
}

void weft__watchdog_remove(struct weft__observer *observer)
{
    struct weft__observer **link;
    bool last;
    pthread_t thread;

    if (observer->alternate_thread == weft__this_thread()) {
        weft__alternate_drop();
    }
    observer->alternate_thread = NULL;
    if (!observer->watched) {
        return;
    }
    pthread_mutex_lock(&dog.lock);
    for (link = &dog.first; *link != observer; link = &(*link)->next) {}
    *link = observer->next;
    observer->watched = false;
    atomic_store(&observer->stalled, 0);
    last = !dog.first;
    thread = dog.thread;
    if (last) {
        dog.generation++;
        dog.runs = false;
        pthread_cond_signal(&dog.changed);
    }
    pthread_mutex_unlock(&dog.lock);
    if (last) {
        pthread_join(thread, NULL);
        pthread_mutex_lock(&dog.lock);
        if (!dog.runs) {
            weft__sample_close();
        }
        pthread_mutex_unlock(&dog.lock);
    }
}

int weft__watchdog_threads(void)
{
    return dog.runs;
}

void weft__watchdog_set(struct weft__observer *observer, const struct weft__debug_words *words)
{
    pthread_mutex_lock(&dog.lock);
    observer->words = *words;
    pthread_mutex_unlock(&dog.lock);
}

void weft__watchdog_thread(struct weft__observer *observer)
{
    pthread_mutex_lock(&dog.lock);
    observer->thread = weft__this_thread();
    weft__thread_here(&observer->system);
    observer->stall.serial = 0;
    if (observer->watched) {
        weft__thread_stack(&observer->stack_low, &observer->stack_end);
    }
    pthread_mutex_unlock(&dog.lock);
    if (observer->watched && !observer->alternate_thread) {
        weft__alternate_use();
        observer->alternate_thread = observer->thread;
    }
}
