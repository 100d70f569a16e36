/* SPDX-License-Identifier: MIT
 * Descriptors in a select. */
#include "tests/task/task.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int pair[2];
static weft_queue *queue;

static void open_all(void)
{
    EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    EQUAL(weft_queue_new(0, &queue), 0);
}

static void close_all(void)
{
    close(pair[0]);
    close(pair[1]);
    EQUAL(weft_queue_free(queue), 0);
}

static void say(void *unused)
{
    (void)unused;
    EQUAL(write(pair[1], "x", 1), 1);
}

static void hear(void)
{
    char byte;

    EQUAL(read(pair[0], &byte, 1), 1);
}

/* In the main task, where there are descriptors. */
#define WITH_DESCRIPTORS(name)      \
    static void name##__body(void); \
    IN_TASK(name)                   \
    {                               \
        if (!is_virtual()) {        \
            open_all();             \
            name##__body();         \
            close_all();            \
        }                           \
    }                               \
    static void name##__body(void)

WITH_DESCRIPTORS(something_to_read_is_waited_for)
{
    void *item;
    int r = 9;

    EQUAL(weft_loop_call_later(NULL, 0.001, say, NULL, NULL), 0);
    EQUAL(weft_select(&r, 5, WEFT_ON_GET(queue, &item), WEFT_ON_READABLE(pair[0])), 1);
    EQUAL(r, 0);
    hear();
    EQUAL(weft_select(&r, 0.002, WEFT_ON_READABLE(pair[0]), WEFT_ON_GET(queue, &item)), -ETIMEDOUT);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_READABLE(pair[0]), WEFT_ON_WRITABLE(pair[0])), 1);
    close(pair[1]);
    EQUAL(weft_select(&r, INFINITY, WEFT_ON_GET(queue, &item), WEFT_ON_READABLE(pair[0])), 1);
    EQUAL(r, 0); /* the end is something to read */
    pair[1] = dup(pair[0]);
}

WITH_DESCRIPTORS(a_descriptor_is_looked_at_without_waiting)
{
    EQUAL(weft_select(NULL, 0, WEFT_ON_READABLE(pair[0])), -ETIMEDOUT);
    say(NULL);
    EQUAL(weft_select(NULL, 0, WEFT_ON_READABLE(pair[0])), 0);
    EQUAL(weft_select(NULL, 0, WEFT_ON_READABLE(pair[0])), 0);
    hear();
    EQUAL(weft_select(NULL, 0, WEFT_ON_READABLE(pair[0])), -ETIMEDOUT);
}

WITH_DESCRIPTORS(a_descriptor_has_its_share_beside_a_full_queue)
{
    int counts[2] = { 0 };
    void *item;

    say(NULL);
    for (int i = 0; i < 100; i++) {
        EQUAL(weft_queue_put_nowait(queue, NULL), 0);
        counts[weft_select(NULL, INFINITY, WEFT_ON_GET(queue, &item), WEFT_ON_READABLE(pair[0])) &
               1]++;
    }
    CHECK(counts[0] > 40 && counts[1] > 40);
}

static void get_ready(void *unused)
{
    (void)unused;
    EQUAL(weft_queue_put_nowait(queue, NULL), 0);
}

WITH_DESCRIPTORS(what_did_not_happen_leaves_the_descriptor_alone)
{
    void *item;

    EQUAL(weft_loop_call_later(NULL, 0.001, get_ready, NULL, NULL), 0);
    EQUAL(weft_select(NULL, 5, WEFT_ON_READABLE(pair[0]), WEFT_ON_GET(queue, &item)), 1);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 0); /* nobody watches it */
    say(NULL);
    EQUAL(weft_sleep(0.001), 0);
    EQUAL(weft_select(NULL, 5, WEFT_ON_READABLE(pair[0]), WEFT_ON_GET(queue, &item)), 0);
}

WITH_DESCRIPTORS(a_callback_for_the_same_is_called_beside)
{
    int calls = 0;

    EQUAL(weft_loop_add_reader(NULL, pair[0], count_up, &calls), 0);
    EQUAL(weft_select(NULL, 5, WEFT_ON_WRITABLE(pair[0])), 0); /* the other direction */
    EQUAL(weft_loop_call_later(NULL, 0.001, say, NULL, NULL), 0);
    EQUAL(weft_select(NULL, 5, WEFT_ON_READABLE(pair[0])), 0);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 1);
    EQUAL(weft_select(NULL, 5, WEFT_ON_READABLE(pair[0])), 0);
    hear();
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 0);
    CHECK(calls > 0);
}

WITH_DESCRIPTORS(two_clauses_about_the_same_are_one_too_many_but_no_harm)
{
    int index;

    EQUAL(weft_loop_call_later(NULL, 0.001, say, NULL, NULL), 0);
    index = weft_select(NULL, 5, WEFT_ON_READABLE(pair[0]), WEFT_ON_READABLE(pair[0]));
    CHECK(index == 0 || index == 1);
}

static void close_it(void *unused)
{
    (void)unused;
    EQUAL(weft_close(pair[0]), 0);
}

WITH_DESCRIPTORS(closing_a_descriptor_ends_the_select)
{
    int r = 0;
    void *item;

    EQUAL(weft_loop_call_soon(NULL, close_it, NULL, NULL), 0);
    EQUAL(weft_select(&r, 5, WEFT_ON_GET(queue, &item), WEFT_ON_READABLE(pair[0])), 1);
    EQUAL(r, -EBADF);
    pair[0] = dup(pair[1]);
}

WITH_DESCRIPTORS(a_regular_file_is_always_ready)
{
    FILE *file = tmpfile();
    void *item;

    EQUAL(weft_select(NULL, 5, WEFT_ON_GET(queue, &item), WEFT_ON_READABLE(fileno(file))), 1);
    fclose(file);
}

WEFT_ASYNC(selects_readable)
{
    void *item;

    return weft_select(NULL, 5, WEFT_ON_GET(queue, &item), WEFT_ON_READABLE(pair[0]));
}

WITH_DESCRIPTORS(of_an_item_and_a_descriptor_that_come_together_one_happens)
{
    weft_task *task = weft_create_task(selects_readable(), NULL);
    intptr_t got = 0;
    void *item = NULL;

    weft_sleep(0);
    say(NULL);
    get_ready(NULL);
    got = weft_await(task);
    EQUAL(got, 0);
    EQUAL(weft_queue_get_nowait(queue, &item), -EAGAIN);
    EQUAL(weft_await(selects_readable()), 1);
}

WITH_DESCRIPTORS(a_cancelled_select_watches_no_more)
{
    weft_task *task = weft_create_task(selects_readable(), NULL);

    weft_sleep(0);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_loop_remove_reader(NULL, pair[0]), 0);
}

WITH_DESCRIPTORS(what_is_no_descriptor_is_an_error)
{
    int fd = dup(pair[0]);
    void *item;

    close(fd);
    EQUAL(weft_select(NULL, 0, WEFT_ON_READABLE(fd)), -EBADF);
    EQUAL(weft_select(NULL, 5, WEFT_ON_GET(queue, &item), WEFT_ON_WRITABLE(fd)), -EBADF);
    EQUAL(weft_queue_put_nowait(queue, NULL), 0);
    EQUAL(weft_queue_get_nowait(queue, &item), 0);
}

IN_TASK(virtual_time_has_no_descriptors)
{
    if (is_virtual()) {
        open_all();
        EQUAL(weft_select(NULL, 5, WEFT_ON_READABLE(pair[0])), -EOPNOTSUPP);
        close_all();
    }
}

WEFT_ASYNC(selects_it)
{
    return weft_select(NULL, 5, WEFT_ON_READABLE(pair[0]));
}

WITH_DESCRIPTORS(several_selects_wait_for_the_same)
{
    weft_task *tasks[3];

    for (int i = 0; i < 3; i++) {
        tasks[i] = weft_create_task(selects_it(), NULL);
    }
    weft_sleep(0);
    say(NULL);
    for (int i = 0; i < 3; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
}

static CU_TestInfo tests[] = {
    TEST(something_to_read_is_waited_for),
    TEST(a_descriptor_is_looked_at_without_waiting),
    TEST(a_descriptor_has_its_share_beside_a_full_queue),
    TEST(what_did_not_happen_leaves_the_descriptor_alone),
    TEST(a_callback_for_the_same_is_called_beside),
    TEST(two_clauses_about_the_same_are_one_too_many_but_no_harm),
    TEST(closing_a_descriptor_ends_the_select),
    TEST(a_regular_file_is_always_ready),
    TEST(of_an_item_and_a_descriptor_that_come_together_one_happens),
    TEST(a_cancelled_select_watches_no_more),
    TEST(what_is_no_descriptor_is_an_error),
    TEST(virtual_time_has_no_descriptors),
    TEST(several_selects_wait_for_the_same),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(select_fd, tests)
