/* SPDX-License-Identifier: MIT
 * Context variables: three requests at once, and each line of the log knows whose it is.
 *
 * Nothing is passed down to say(): each request is a task, a task has a context of its own, and
 * what it begins, tasks and callbacks, gets a copy. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/weft.h>

static const weft_context_var request = { .name = "request", .release = free }; /* on the heap */
static const weft_context_var user = { .name = "user", .default_value = (void *)"nobody" };

static void say(const char *what)
{
    const int *number = weft_context_var_get(&request);

    printf("[%d %s] %s\n", number ? *number : 0, (const char *)weft_context_var_get(&user), what);
}

static void too_long(void *unused)
{
    (void)unused;
    say("takes long"); /* a callback knows, too: it carries the context of who has set the timer */
}

/* A library's function, far from whoever knows the request. */
WEFT_ASYNC(query, (double, seconds))
{
    weft_handle *warning = NULL;
    int r = weft_loop_call_later(NULL, 0.03, too_long, NULL, &warning);

    if (r < 0)
        return r;
    say("query");
    r = weft_sleep(seconds);
    weft_handle_cancel(warning);
    weft_handle_unref(warning);
    return r;
}

WEFT_ASYNC(audit)
{
    WEFT_CONTEXT_VAR_SCOPE(&user, (void *)"root"); /* for this block, and what it calls */
    say("audit");
    return weft_await(query(0.001));
}

WEFT_ASYNC(serve, (int, number), (const char *, name), (double, seconds))
{
    int *mine = malloc(sizeof *mine);

    if (!mine)
        return -ENOMEM;
    *mine = number;
    int r = weft_context_var_set(&request, mine, NULL); /* the context's now: it will be freed */
    if (r == 0)
        r = weft_context_var_set(&user, (void *)name, NULL);
    if (r < 0)
        return r;
    r = weft_gather(NULL, query(seconds), audit());
    say("done");
    return r;
}

WEFT_ASYNC(server)
{
    int r = weft_await(weft_create_task(serve(1, "ada", 0.01), NULL));
    if (r < 0)
        return r;
    r = weft_gather(NULL, serve(2, "bob", 0.05), serve(3, "cyd", 0.02));
    say("closed");
    return r;
}

int main(void)
{
    return weft_main(server(), NULL);
}
