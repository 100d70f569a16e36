/* SPDX-License-Identifier: MIT
 * A thread that posts a callback into the loop and waits until it has run.
 *
 * Plain: the thread writes to an eventfd, the loop sleeps in epoll_wait(2) on it.  The answer is a
 * semaphore on both sides.  On one CPU this is the software and a context switch each way; on two,
 * the time that a sleeping CPU needs to wake comes on top, twice. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weft/weft.h>

/* What the two threads share. */
struct pair {
    struct bench_run *run;
    sem_t answer;
    weft_loop *loop;
    weft_future *finished;
    int event; /* the eventfd */
    atomic_bool end;
    int error;
};

/* Starts `body` on the CPU that the run has for it. */
static int start_thread(pthread_t *thread, void *(*body)(void *), struct pair *pair)
{
    int r = sem_init(&pair->answer, 0, 0) < 0 ? -errno : 0;

    return r < 0 ? r : -pthread_create(thread, NULL, body, pair);
}

static void wait_for_answer(struct pair *pair)
{
    while (sem_wait(&pair->answer) < 0) {
        continue; /* a signal */
    }
}

/* Posts once with `post` for each unit of the work. */
static void play(struct pair *pair, int (*post)(struct pair *))
{
    struct bench_run *run = pair->run;
    int r = bench_pin(run->other_cpu);

    r = r < 0 ? r : post(pair);
    if (r >= 0) {
        wait_for_answer(pair); /* both have begun */
    }
    int64_t start = bench_now();

    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = post(pair);
        if (r >= 0) {
            wait_for_answer(pair);
        }
    }
    run->results[0] = (double)(bench_now() - start) / run->count / 1000;
    pair->error = r;
}

static void answer(void *arg)
{
    struct pair *pair = arg;

    sem_post(&pair->answer);
}

static void finish(void *arg)
{
    struct pair *pair = arg;

    weft_future_set_result(pair->finished, NULL);
}

static int post_to_weft(struct pair *pair)
{
    return weft_loop_call_soon_threadsafe(pair->loop, answer, pair, NULL);
}

static void *weft_poster(void *arg)
{
    struct pair *pair = arg;

    play(pair, post_to_weft);
    while (weft_loop_call_soon_threadsafe(pair->loop, finish, pair, NULL) == -ENOMEM) {
        usleep(1000);
    }
    return NULL;
}

WEFT_ASYNC(wakeup_main, (struct bench_run *, run))
{
    struct pair pair = { .run = run, .loop = weft_get_running_loop() };
    pthread_t thread;
    int r = weft_future_new(NULL, &pair.finished);

    r = r < 0 ? r : start_thread(&thread, weft_poster, &pair);
    if (r < 0) {
        return r;
    }
    r = weft_await(pair.finished);
    pthread_join(thread, NULL);
    return r < 0 ? r : pair.error;
}

static int weft_wakeup(struct bench_run *run)
{
    return weft_run(wakeup_main(run), NULL);
}

static int post_to_epoll(struct pair *pair)
{
    uint64_t one = 1;

    return write(pair->event, &one, sizeof one) < 0 ? -errno : 0;
}

static void *plain_poster(void *arg)
{
    struct pair *pair = arg;

    play(pair, post_to_epoll);
    atomic_store(&pair->end, true);
    post_to_epoll(pair);
    return NULL;
}

static int plain_wakeup(struct bench_run *run)
{
    struct pair pair = { .run = run, .event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    struct epoll_event event = { .events = EPOLLIN };
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    pthread_t thread;
    int r;

    if (epoll < 0 || pair.event < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, pair.event, &event) < 0) {
        return -errno;
    }
    r = start_thread(&thread, plain_poster, &pair);
    while (r >= 0 && !atomic_load(&pair.end)) {
        uint64_t count;

        if (epoll_wait(epoll, &event, 1, -1) == 1 && read(pair.event, &count, sizeof count) > 0) {
            answer(&pair);
        }
    }
    if (r >= 0) {
        pthread_join(thread, NULL);
    }
    return r < 0 ? r : pair.error;
}

const struct bench_workload bench_wakeup_1cpu = {
    .name = "wakeup_1cpu",
    .about = "another thread's callback and the answer to it, on one CPU; plain: eventfd and epoll",
    .figures = { { "by a thread on the same CPU", "us", { .times = 1.05 } } },
    .count = 20000,
    .count_quick = 100,
    .weft = weft_wakeup,
    .plain = plain_wakeup,
};

const struct bench_workload bench_wakeup_2cpu = {
    .name = "wakeup_2cpu",
    .about = "the same with the thread on another CPU",
    .figures = { { "by a thread on another CPU", "us", { 0 } } },
    .count = 4000,
    .count_quick = 100,
    .two_cpus = true,
    .weft = weft_wakeup,
    .plain = plain_wakeup,
};
