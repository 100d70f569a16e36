/* SPDX-License-Identifier: MIT
 * Breakfast: tasks on one thread, a column each, written top to bottom.
 *
 *   demo [GUESTS]
 *
 * The kettle and the egg sleep.  The toaster is a device that knows only callbacks, and a future
 * makes it something to await.  The cook starts all three and takes what they hand over.  Then come
 * the guests, a task each.  With WEFT_BACKEND=sim the clock jumps from one event to the next. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

enum { COLUMNS = 4, WIDTH = 17, GUESTS = 10000 };
static const char *const columns[COLUMNS] = { "cook", "kettle", "toast", "egg" };
static char tea[] = "tea", slice[] = "toast", egg[] = "an egg"; /* what the tasks hand over */
static double started;
static int tasks = 1; /* the main one */

/* One line of the timeline, in the column of the task that runs. */
static void says(const char *what)
{
    const char *me = weft_task_get_name(weft_current_task());
    int i = 0;

    while (i < COLUMNS - 1 && strcmp(columns[i], me) != 0)
        i++;
    printf("%6.0f  %*s%s\n", 1000 * (weft_loop_time(NULL) - started), i * WIDTH, "", what);
}

static weft_task *start(weft_coro *coro, const char *name)
{
    tasks++;
    return weft_create_task(coro, &(weft_task_options){ .name = name });
}

WEFT_ASYNC(boil, (double, seconds))
{
    says("water on");
    int r = weft_sleep(seconds);
    says("whistles");
    return r < 0 ? r : weft_return(tea);
}

static void pop(void *arg) /* the toaster calls this; it knows nothing of tasks */
{
    weft_future_set_result(arg, slice);
}

WEFT_ASYNC(toast, (double, seconds))
{
    weft_future *done;
    void *result;

    int r = weft_future_new(NULL, &done);
    if (r < 0)
        return r;
    weft_loop_call_later(NULL, seconds, pop, done, NULL);
    says("goes down");
    r = weft_await_value(done, &result);
    says("pops up");
    return r < 0 ? r : weft_return(result);
}

WEFT_ASYNC(simmer, (int, minutes))
{
    static const char *const minute[] = { "minute one", "minute two", "minute three" };
    int r = 0;

    says("into the water");
    for (int i = 0; r >= 0 && i < minutes; i++) {
        r = weft_sleep(0.3); /* short minutes, this is a demo */
        says(minute[i]);
    }
    return r < 0 ? r : weft_return(egg);
}

WEFT_ASYNC(cook)
{
    weft_task *dishes[] = { start(boil(0.7), "kettle"), start(toast(0.45), "toast"),
                            start(simmer(3), "egg") };

    says("waits for all");
    for (int i = 0; i < 3; i++) {
        void *dish;
        if (weft_await_value(dishes[i], &dish) >= 0)
            says(dish);
    }
    return 0;
}

WEFT_ASYNC(guest)
{
    return weft_sleep(0.5);
}

WEFT_ASYNC(breakfast, (int, count))
{
    static weft_task *guests[GUESTS];

    printf("%6s  %-17s%-17s%-17s%s\n", "ms", columns[0], columns[1], columns[2], columns[3]);
    started = weft_loop_time(NULL);
    weft_await(start(cook(), "cook"));

    double come = weft_loop_time(NULL);
    for (int i = 0; i < count; i++)
        guests[i] = start(guest(), NULL);
    for (int i = 0; i < count; i++)
        weft_await(guests[i]);
    double took = weft_loop_time(NULL) - come;

    printf("\n%d guests, a task each, waited 500 ms: all in %.0f ms.\n", count, 1000 * took);
    printf("%d tasks ran on the %s backend, in one thread.\n", tasks, weft_loop_backend_name(NULL));
    return 0;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : GUESTS;

    return weft_main(breakfast(count >= 0 && count < GUESTS ? count : GUESTS), NULL);
}
