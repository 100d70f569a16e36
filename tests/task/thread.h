/* SPDX-License-Identifier: MIT
 * What the tests of threads share: gates, jobs, and a look at the threads there are. */
#ifndef TESTS_TASK_THREAD_H
#define TESTS_TASK_THREAD_H

#include "tests/task/task.h"

#include <pthread.h>
#include <stdatomic.h>

/* A gate that is closed until somebody opens it; counts who has come to it. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    int came;
};

#define GATE { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0 }
void gate_open(struct gate *gate);
void gate_close(struct gate *gate);      /* and forgets who came */
void gate_await(struct gate *gate);      /* blocks until it is open */
void gate_await_came(struct gate *gate, int count); /* until so many stand there, or stood */

/* Jobs. */
int job_gives(void *status);             /* *(int *)status */
int job_counts(void *counter);           /* one more in an atomic_int, which it returns */
int job_at_gate(void *gate);             /* waits at a gate; 7 */
int job_until_cancelled(void *gate);     /* comes to a gate, then waits to be told to stop; 5 */

/* How many threads the process has, and waiting until there are no more than `count`. */
int threads(void);
void await_threads(int count);

#endif
