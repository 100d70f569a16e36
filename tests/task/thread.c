/* SPDX-License-Identifier: MIT
 * What the tests of threads share. */
#include "tests/task/thread.h"

#include <sched.h>
#include <unistd.h>

void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void gate_close(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = false;
    gate->came = 0;
    pthread_mutex_unlock(&gate->lock);
}

static void come(struct gate *gate)
{
    gate->came++;
    pthread_cond_broadcast(&gate->changed);
}

void gate_await(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    come(gate);
    while (!gate->open) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

void gate_await_came(struct gate *gate, int count)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->came < count) {
        pthread_cond_wait(&gate->changed, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

int job_gives(void *status)
{
    return *(int *)status;
}

int job_counts(void *counter)
{
    return atomic_fetch_add((atomic_int *)counter, 1) + 1;
}

int job_at_gate(void *gate)
{
    gate_await(gate);
    return 7;
}

int job_until_cancelled(void *gate)
{
    struct gate *here = gate;

    pthread_mutex_lock(&here->lock);
    come(here);
    pthread_mutex_unlock(&here->lock);
    while (!weft_job_cancelled()) {
        usleep(100);
    }
    return 5;
}

int threads(void)
{
    return (int)weft_unit_entries("/proc/self/task") - 2; /* "." and ".." */
}

void await_threads(int count)
{
    for (int i = 0; i < 10000 && threads() > count; i++) {
        usleep(1000);
    }
    CHECK(threads() <= count);
}
