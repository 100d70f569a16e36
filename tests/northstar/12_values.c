/* SPDX-License-Identifier: MIT
 * Values: a coroutine that returns a pointer, a task awaited by two, a scope left early.
 * Prints "hello, value", "both 7 7", "scope -EBADMSG", "late -ESRCH". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

WEFT_ASYNC(greeting, (const char *, whom))
{
    char *text = malloc(64);

    if (!text)
        return -ENOMEM;
    snprintf(text, 64, "hello, %s", whom);
    return weft_return(text); /* status 0 and a value */
}

WEFT_ASYNC(seven)
{
    int r = weft_sleep(0.01);
    return r < 0 ? r : 7;
}

WEFT_ASYNC(other, (weft_task *, t))
{
    return weft_await(t);
}

static int early(void)
{
    WEFT_TIMEOUT_SCOPE(1.0); /* left on every path out of this block */

    if (weft_sleep(0.01) == 0)
        return -EBADMSG;
    return 0;
}

WEFT_ASYNC(amain)
{
    void *text = NULL;
    int r = weft_await_value(greeting("value"), &text);
    if (r < 0)
        return r;
    printf("%s\n", (char *)text);
    free(text);

    weft_task *t = weft_create_task(seven(), NULL);
    /* A second hold for the second await. */
    weft_task *second = weft_create_task(other(weft_task_ref(t)), NULL);
    int mine = weft_await(t);
    printf("both %d %d\n", mine, weft_await(second));

    printf("scope %s\n", weft_err_name(early()));
    printf("late %s\n", weft_err_name(weft_await(second))); /* a hold that is already spent */
    return 0;
}

int main(void)
{
    return weft_main(amain(), NULL);
}
