/* SPDX-License-Identifier: MIT
 * The same coroutine awaited one after another, as tasks, as a task group, and as tasks that nobody
 * waits for.  Prints the elapsed whole seconds: sequential 3, tasks 2, group 2, unwaited 0.
 * In the last case both tasks are cancelled when main returns, and nothing is printed by them. */
#include <stdio.h>
#include <weft/weft.h>

WEFT_ASYNC(say_after, (double, delay), (const char *, what))
{
    int r = weft_sleep(delay);
    if (r < 0)
        return r;
    printf("%s\n", what);
    return 0;
}

WEFT_ASYNC(sequential)
{
    weft_await(say_after(1, "hello"));
    weft_await(say_after(2, "world"));
    return 0;
}

WEFT_ASYNC(tasks)
{
    weft_task *hello = weft_create_task(say_after(1, "hello"), NULL);
    weft_task *world = weft_create_task(say_after(2, "world"), NULL);

    weft_await(hello);
    weft_await(world);
    return 0;
}

WEFT_ASYNC(group)
{
    weft_task_group tg;

    weft_task_group_enter(&tg);
    weft_task_group_create_task(&tg, say_after(1, "hello"), NULL);
    weft_task_group_create_task(&tg, say_after(2, "world"), NULL);
    return weft_task_group_exit(&tg, 0); /* waits for both */
}

WEFT_ASYNC(unwaited)
{
    weft_task_detach(weft_create_task(say_after(1, "hello"), NULL));
    weft_task_detach(weft_create_task(say_after(2, "world"), NULL));
    return 0;
}

WEFT_ASYNC(timed, (const char *, name), (weft_coro *, body))
{
    double started = weft_loop_time(NULL);
    int r = weft_await(body);

    printf("%s %.0f\n", name, weft_loop_time(NULL) - started);
    return r;
}

int main(void)
{
    weft_run(timed("sequential", sequential()), NULL);
    weft_run(timed("tasks", tasks()), NULL);
    weft_run(timed("group", group()), NULL);
    return weft_main(timed("unwaited", unwaited()), NULL);
}
