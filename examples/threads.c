/* SPDX-License-Identifier: MIT
 * Threads: a job counts primes in a thread and sends its findings to a task, through a queue; a
 * second one is given too little time, is told so, and stops by itself. */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <weft/weft.h>

struct search {
    int from, to;             /* where to look */
    weft_thread_queue *found; /* where primes go; NULL: nowhere */
};

static int is_prime(int n)
{
    for (int i = 2; i * i <= n; i++)
        if (n % i == 0)
            return 0;
    return n > 1;
}

/* Runs in a thread: it may take as long as it likes, and looks now and then whether it should. */
static int look_for_primes(void *arg)
{
    struct search *search = arg;
    int count = 0;

    for (int n = search->from; n < search->to; n++) {
        if (weft_job_cancelled())
            return -ECANCELED;
        if (!is_prime(n))
            continue;
        count++;
        if (search->found) {
            int r = weft_thread_queue_put(search->found, (void *)(intptr_t)n, INFINITY);
            if (r < 0)
                return r; /* nobody reads any more */
        }
    }
    if (search->found)
        weft_thread_queue_shutdown(search->found, false);
    return count;
}

/* `search` lies in the caller's frame: this returns when the thread has done with it. */
WEFT_ASYNC(primes, (struct search *, search))
{
    return weft_to_thread(look_for_primes, search);
}

/* Runs in the loop, beside that: the queue keeps the two in step. */
WEFT_ASYNC(add_up, (weft_thread_queue *, found))
{
    void *batch[16];
    int64_t n;
    int sum = 0;

    while ((n = weft_thread_queue_get_many(found, batch, 16, INFINITY)) > 0)
        for (int64_t i = 0; i < n; i++)
            sum += (int)(intptr_t)batch[i];
    weft_thread_queue_shutdown(found, true); /* cancelled? then the thread shall not wait for us */
    return n == -ESHUTDOWN ? sum : (int)n;
}

WEFT_ASYNC(amain)
{
    struct search small = { .from = 0, .to = 1000 }, endless = { .from = 0, .to = INT32_MAX };
    int statuses[2];
    int r = weft_thread_queue_new(8, NULL, &small.found);

    if (r < 0)
        return r;
    r = weft_gather(statuses, primes(&small), add_up(small.found));
    weft_thread_queue_free(small.found);
    if (r < 0)
        return r;
    printf("%d primes below 1000, their sum is %d\n", statuses[0], statuses[1]);

    r = weft_wait_for(primes(&endless), 0.05);
    printf("all of them in 50 ms: %s\n", weft_err_name(r));
    return r == -ETIMEDOUT ? 0 : r;
}

int main(void)
{
    return weft_main(amain(), NULL);
}
