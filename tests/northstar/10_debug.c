/* SPDX-License-Identifier: MIT
 * What debug mode tells.  Run with WEFT_DEBUG=1 it reports on standard error, each with the
 * place in this program: a coroutine that blocked the loop (with the line of the call, when
 * built with -g and the symbol plugin is there; with the place of the definition always), a
 * coroutine that was never awaited, a task that was never awaited, a task's failure that
 * nobody read.  Without it, only the failure is reported.
 * Standard output: "done". */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include <weft/weft.h>

WEFT_ASYNC(blocks_the_loop)
{
    usleep(250000); /* the mistake: a blocking call */
    return 0;
}

WEFT_ASYNC(forgotten)
{
    return 0;
}

WEFT_ASYNC(fails)
{
    return -EIO;
}

WEFT_ASYNC(amain)
{
    weft_await(blocks_the_loop());

    weft_coro *lost = forgotten(); /* created, never awaited */
    (void)lost;

    /* Started, never awaited, never detached. */
    weft_task *orphan = weft_create_task(forgotten(), NULL);
    (void)orphan;

    weft_task_detach(weft_create_task(fails(), NULL));
    weft_sleep(0.01);
    printf("done\n");
    return 0;
}

int main(void)
{
    return weft_main(amain(), NULL);
}
