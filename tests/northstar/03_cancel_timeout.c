/* SPDX-License-Identifier: MIT
 * Cancellation is a state: once a task is cancelled, every new wait in it returns -ECANCELED until
 * the task ends or acknowledges with weft_task_uncancel().  A timeout is the same state for one
 * scope.
 *
 * Prints:
 *   timeout -ETIMEDOUT
 *   still cancelled
 *   cleanup done
 *   cancelled -ECANCELED
 *   gather 1 2 3
 *   wait_for -ETIMEDOUT
 *   shielded -ETIMEDOUT, then 5
 */
#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

WEFT_ASYNC(number, (int, n))
{
    int r = weft_sleep(0.01 * n);
    return r < 0 ? r : n;
}

WEFT_ASYNC(stubborn)
{
    if (weft_sleep(3600) == -ECANCELED && weft_sleep(3600) == -ECANCELED)
        printf("still cancelled\n");

    weft_shield cleanup; /* awaits inside work again, for at most one second */
    weft_shield_enter(&cleanup, 1.0);
    if (weft_sleep(0.01) == 0)
        printf("cleanup done\n");
    weft_shield_exit(&cleanup, 0);
    return -ECANCELED;
}

WEFT_ASYNC(amain)
{
    weft_timeout limit;
    weft_timeout_enter(&limit, 0.05);
    int r = weft_timeout_exit(&limit, weft_sleep(3600));
    printf("timeout %s\n", weft_err_name(r));

    weft_task *t = weft_create_task(stubborn(), NULL);
    weft_sleep(0); /* let it start */
    weft_task_cancel(t);
    printf("cancelled %s\n", weft_err_name(weft_await(t)));

    int n[3];
    r = weft_gather(n, number(1), number(2), number(3));
    if (r < 0)
        return r;
    printf("gather %d %d %d\n", n[0], n[1], n[2]);

    printf("wait_for %s\n", weft_err_name(weft_wait_for(number(100), 0.02)));

    weft_task *kept = weft_create_task(number(5), NULL);
    weft_timeout_enter(&limit, 0.01);
    r = weft_timeout_exit(&limit, weft_await_shielded(kept)); /* borrows: the task runs on */
    printf("shielded %s, then %d\n", weft_err_name(r), weft_await(kept));
    return 0;
}

int main(void)
{
    return weft_main(amain(), NULL);
}
