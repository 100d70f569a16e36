/* SPDX-License-Identifier: MIT
 * Work spread over a bounded queue: one producer, three workers, join, then shutdown.
 * Prints "squares 328350" (the sum of i*i for i in 0..99). */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <weft/weft.h>

static long sum;

WEFT_ASYNC(worker, (weft_queue *, q))
{
    void *item;
    int r;

    while ((r = weft_queue_get(q, &item)) == 0) {
        long i = (intptr_t)item;

        weft_sleep(0);
        sum += i * i;
        weft_queue_task_done(q);
    }
    return r == -ESHUTDOWN ? 0 : r;
}

WEFT_ASYNC(amain)
{
    weft_queue *q;
    int r = weft_queue_new(10, &q);
    if (r < 0)
        return r;

    weft_task_group tg;
    weft_task_group_enter(&tg);
    for (int w = 0; w < 3; w++)
        weft_task_group_create_task(&tg, worker(q), NULL);
    for (intptr_t i = 0; i < 100 && r == 0; i++)
        r = weft_queue_put(q, (void *)i);
    if (r == 0)
        r = weft_queue_join(q);
    weft_queue_shutdown(q, false);
    r = weft_task_group_exit(&tg, r);

    weft_queue_free(q);
    printf("squares %ld\n", sum);
    return r;
}

int main(void)
{
    return weft_main(amain(), NULL);
}
