/* SPDX-License-Identifier: MIT
 * Limits: work that is cut short, tidies up all the same, and can tell why.
 *
 * A cancel is a state: as long as it holds, each wait returns -ECANCELED.  Cleanup that has to wait
 * therefore puts a shield around itself, with a limit of its own. */
#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

/* Tells why the running task is cancelled where it is. */
static void tell_why(const char *name)
{
    static const char *const kinds[] = { "?",         "a request", "a scope", "a deadline",
                                         "a sibling", "its awaiter", "the end of the run" };
    weft_cancel_reason why;

    if (weft_task_cancel_reason(NULL, &why) == 0)
        printf("  %-6s stopped by %s%s%s\n", name, kinds[why.kind], why.message ? ": " : "",
               why.message ? why.message : "");
}

/* The job: some work, then cleanup that waits, on every path. */
WEFT_ASYNC(job, (const char *, name), (double, seconds))
{
    weft_shield shield;
    int r = weft_sleep(seconds);

    if (r < 0)
        tell_why(name);
    weft_shield_enter(&shield, 0.5); /* so long may it take, counted from the cancel */
    int tidied = weft_shield_exit(&shield, weft_sleep(0.01));
    printf("  %-6s %s, tidied up: %s\n", name, r < 0 ? "cut short" : "done", weft_err_name(tidied));
    return r; /* its own fate, not that of the cleanup */
}

WEFT_ASYNC(fails)
{
    int r = weft_sleep(0.02);
    return r < 0 ? r : -EIO;
}

static void came_to(const char *what, int status)
{
    printf("%s: %s\n", what, weft_err_name(status));
}

WEFT_ASYNC(limits)
{
    weft_timeout outer, inner;

    came_to("in time", weft_wait_for(job("quick", 0.02), 1));
    came_to("too slow", weft_wait_for(job("slow", 3600), 0.05));

    /* Two limits: the outer one is the shorter.  Only the one that has expired says -ETIMEDOUT. */
    weft_timeout_enter(&outer, 0.05);
    weft_timeout_enter(&inner, 60);
    int r = weft_await(job("nested", 3600));
    r = weft_timeout_exit(&inner, r);
    came_to("inner limit", r);
    came_to("outer limit", weft_timeout_exit(&outer, r));

    weft_task *task = weft_create_task(job("asked", 3600), NULL);
    weft_sleep(0.01); /* it begins */
    weft_task_cancel_because(task, "the user closed the window");
    came_to("cancelled", weft_await(task)); /* returns when it has tidied up */

    /* The first that fails cancels the others; gather returns when all have ended. */
    came_to("gathered", weft_gather(NULL, job("one", 3600), fails(), job("two", 3600)));
    return 0;
}

int main(void)
{
    return weft_main(limits(), NULL);
}
