/* SPDX-License-Identifier: MIT
 * Calls in a thread, and items that go from a thread to a loop.
 *
 * Plain: a queue of jobs with a lock and a condition, a list of what is done, an eventfd and
 * epoll_wait(2); a ring with a lock, where the thread waits on a condition and the loop, again, on
 * an eventfd.  The least that a program writes that does this by hand. */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weft/weft.h>

enum { RING = 1024, BATCH = 64 };

/* An eventfd in an epoll set: how the plain loop is woken. */
struct waker {
    int epoll, event;
};

static int open_waker(struct waker *waker)
{
    struct epoll_event event = { .events = EPOLLIN };

    waker->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    waker->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (waker->event < 0 || waker->epoll < 0 ||
        epoll_ctl(waker->epoll, EPOLL_CTL_ADD, waker->event, &event) < 0) {
        return -errno;
    }
    return 0;
}

static void wake(struct waker *waker)
{
    uint64_t one = 1;

    while (write(waker->event, &one, sizeof one) < 0) {
        continue;
    }
}

static void sleep_until_woken(struct waker *waker)
{
    struct epoll_event event;
    uint64_t count;

    while (epoll_wait(waker->epoll, &event, 1, -1) != 1 ||
           read(waker->event, &count, sizeof count) < 0) {
        continue;
    }
}

/* ---- a call in a thread ---- */

static int pin_thread(void *run)
{
    return bench_pin(((struct bench_run *)run)->other_cpu);
}

static int nothing(void *count)
{
    return (int)++*(uint32_t *)count;
}

WEFT_ASYNC(calls_main, (struct bench_run *, run))
{
    uint32_t calls = 0;
    int r = weft_to_thread(pin_thread, run);
    int64_t start = bench_now();

    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = weft_to_thread(nothing, &calls);
    }
    run->results[0] = (double)(bench_now() - start) / run->count / 1000;
    return r < 0 ? r : calls == run->count ? 0 : -EIO;
}

static int weft_calls(struct bench_run *run)
{
    return weft_run(calls_main(run), NULL);
}

struct job {
    struct job *next;
    int (*call)(void *arg);
    void *arg;
    int status;
};

/* What the plain loop and its thread share. */
struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *jobs, *done;
    bool end;
    struct waker waker;
};

static struct job *next_job(struct pool *pool)
{
    struct job *job;

    pthread_mutex_lock(&pool->lock);
    while (!pool->jobs && !pool->end) {
        pthread_cond_wait(&pool->more, &pool->lock);
    }
    job = pool->jobs;
    pool->jobs = job ? job->next : NULL;
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *plain_worker(void *arg)
{
    struct pool *pool = arg;
    struct job *job;

    while ((job = next_job(pool))) {
        job->status = job->call(job->arg);
        pthread_mutex_lock(&pool->lock);
        job->next = pool->done;
        pool->done = job;
        pthread_mutex_unlock(&pool->lock);
        wake(&pool->waker);
    }
    return NULL;
}

/* One job at a time: queued, waited for, taken off the list of those that are done. */
static int plain_call(struct pool *pool, int (*call)(void *), void *arg)
{
    struct job job = { .call = call, .arg = arg }, *done;

    pthread_mutex_lock(&pool->lock);
    job.next = pool->jobs;
    pool->jobs = &job;
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_signal(&pool->more);
    do {
        sleep_until_woken(&pool->waker);
        pthread_mutex_lock(&pool->lock);
        done = pool->done;
        pool->done = NULL;
        pthread_mutex_unlock(&pool->lock);
    } while (!done);
    return done->status;
}

static int plain_calls(struct bench_run *run)
{
    struct pool pool = { .lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER };
    uint32_t calls = 0;
    pthread_t thread;
    int64_t start;
    int r = open_waker(&pool.waker);

    r = r < 0 ? r : -pthread_create(&thread, NULL, plain_worker, &pool);
    if (r < 0) {
        return r;
    }
    r = plain_call(&pool, pin_thread, run);
    start = bench_now();
    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = plain_call(&pool, nothing, &calls);
    }
    run->results[0] = (double)(bench_now() - start) / run->count / 1000;
    pthread_mutex_lock(&pool.lock);
    pool.end = true;
    pthread_mutex_unlock(&pool.lock);
    pthread_cond_signal(&pool.more);
    pthread_join(thread, NULL);
    return r < 0 ? r : calls == run->count ? 0 : -EIO;
}

const struct bench_workload bench_thread_1cpu = {
    .name = "thread_1cpu",
    .about = "call an empty function in a thread and wait for it, on one CPU; plain: by hand",
    .figures = { { "call in a thread, same CPU", "us", { .times = 1.05 } } },
    .count = 20000,
    .count_quick = 100,
    .weft = weft_calls,
    .plain = plain_calls,
};

const struct bench_workload bench_thread_2cpu = {
    .name = "thread_2cpu",
    .about = "the same with the thread on another CPU",
    .figures = { { "call in a thread, another CPU", "us", { 0 } } },
    .count = 4000,
    .count_quick = 100,
    .two_cpus = true,
    .weft = weft_calls,
    .plain = plain_calls,
};

/* ---- items from a thread to a loop ---- */

struct stream {
    struct bench_run *run;
    weft_thread_queue *queue;
    int error;
};

static void fill(void **items, uint32_t first, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        items[i] = (void *)(uintptr_t)(first + i);
    }
}

static uint32_t batch_of(uint32_t left)
{
    return left < BATCH ? left : BATCH;
}

static int writes(void *arg)
{
    struct stream *stream = arg;
    void *items[BATCH];
    int r = bench_pin(stream->run->other_cpu);

    for (uint32_t i = 0, n; i < stream->run->count && r >= 0; i += n) {
        n = batch_of(stream->run->count - i);
        fill(items, i, n);
        r = weft_thread_queue_put_many(stream->queue, items, n, INFINITY) == n ? 0 : -EIO;
    }
    return r;
}

WEFT_ASYNC(runs_writer, (struct stream *, stream))
{
    return weft_to_thread(writes, stream);
}

WEFT_ASYNC(stream_main, (struct bench_run *, run))
{
    struct stream stream = { .run = run };
    void *items[BATCH];
    uint32_t next = 0;
    weft_task *writer;
    int64_t start, n = 1;
    int r = weft_thread_queue_new(RING, NULL, &stream.queue);

    if (r < 0) {
        return r;
    }
    writer = weft_create_task(runs_writer(&stream), NULL);
    start = bench_now();
    while (next < run->count && n > 0) {
        n = weft_thread_queue_get_many(stream.queue, items, BATCH, INFINITY);
        for (int64_t i = 0; i < n; i++) {
            next += (uintptr_t)items[i] == next;
        }
    }
    run->results[0] = (double)(bench_now() - start) / run->count;
    r = weft_await(writer);
    weft_thread_queue_free(stream.queue);
    return r < 0 ? r : next == run->count ? 0 : -EIO;
}

static int stream_of_weft(struct bench_run *run)
{
    return weft_run(stream_main(run), NULL);
}

/* The plain ring. */
struct ring {
    pthread_mutex_t lock;
    pthread_cond_t room;
    void *items[RING];
    uint32_t first, count;
    bool reader_sleeps, writer_sleeps;
    struct waker waker;
    struct bench_run *run;
};

static void *plain_writer(void *arg)
{
    struct ring *ring = arg;
    uint32_t total = ring->run->count;
    void *items[BATCH];
    bool sleeps;

    bench_pin(ring->run->other_cpu);
    for (uint32_t at = 0, n; at < total; at += n) {
        n = batch_of(total - at);
        fill(items, at, n);
        pthread_mutex_lock(&ring->lock);
        while (RING - ring->count < n) {
            ring->writer_sleeps = true;
            pthread_cond_wait(&ring->room, &ring->lock);
        }
        for (uint32_t i = 0; i < n; i++) {
            ring->items[(ring->first + ring->count + i) % RING] = items[i];
        }
        ring->count += n;
        sleeps = ring->reader_sleeps;
        ring->reader_sleeps = false;
        pthread_mutex_unlock(&ring->lock);
        if (sleeps) {
            wake(&ring->waker);
        }
    }
    return NULL;
}

static uint32_t plain_get(struct ring *ring, void **items)
{
    uint32_t n;
    bool sleeps;

    pthread_mutex_lock(&ring->lock);
    while (ring->count == 0) {
        ring->reader_sleeps = true;
        pthread_mutex_unlock(&ring->lock);
        sleep_until_woken(&ring->waker);
        pthread_mutex_lock(&ring->lock);
    }
    n = batch_of(ring->count);
    for (uint32_t i = 0; i < n; i++) {
        items[i] = ring->items[(ring->first + i) % RING];
    }
    ring->first = (ring->first + n) % RING;
    ring->count -= n;
    sleeps = ring->writer_sleeps;
    ring->writer_sleeps = false;
    pthread_mutex_unlock(&ring->lock);
    if (sleeps) {
        pthread_cond_signal(&ring->room);
    }
    return n;
}

static int plain_stream(struct bench_run *run)
{
    static struct ring ring = { .lock = PTHREAD_MUTEX_INITIALIZER,
                                .room = PTHREAD_COND_INITIALIZER };
    void *items[BATCH];
    uint32_t next = 0;
    pthread_t thread;
    int64_t start;
    int r = open_waker(&ring.waker);

    ring.run = run;
    start = bench_now();
    r = r < 0 ? r : -pthread_create(&thread, NULL, plain_writer, &ring);
    if (r < 0) {
        return r;
    }
    while (next < run->count) {
        uint32_t n = plain_get(&ring, items);

        for (uint32_t i = 0; i < n; i++) {
            next += (uintptr_t)items[i] == next;
        }
    }
    run->results[0] = (double)(bench_now() - start) / run->count;
    pthread_join(thread, NULL);
    return 0;
}

const struct bench_workload bench_queue_1cpu = {
    .name = "queue_1cpu",
    .about = "items from a thread to a task, in batches of 64, on one CPU; plain: a ring by hand",
    .figures = { { "item in a queue, same CPU", "ns", { .most = 200 } } },
    .count = 2000000,
    .count_quick = 10000,
    .weft = stream_of_weft,
    .plain = plain_stream,
};

const struct bench_workload bench_queue_2cpu = {
    .name = "queue_2cpu",
    .about = "the same with the thread on another CPU",
    .figures = { { "item in a queue, another CPU", "ns", { .most = 200 } } },
    .count = 2000000,
    .count_quick = 10000,
    .two_cpus = true,
    .weft = stream_of_weft,
    .plain = plain_stream,
};
