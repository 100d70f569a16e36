/* SPDX-License-Identifier: MIT
 * Transports: writing, the marks, the end of writing, and tasks that wait for both. */
#include "tests/task/transport.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char pattern[3000000];

static void make_pattern(void)
{
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = (char)(i * 2654435761u >> 13);
    }
}

/* Reads at the other end until the transport has nothing kept; all must be as it was written. */
static void drink_all(int fd, weft_transport *transport, size_t total)
{
    static char room[sizeof pattern];
    size_t count = 0;
    bool end = false;

    for (int i = 0; i < 20000 && count < total && !end; i++) {
        count += drink(fd, room + count, sizeof room - count, &end);
        weft_sleep(0);
    }
    EQUAL(count, total);
    CHECK(memcmp(room, pattern, total) == 0);
    EQUAL(weft_transport_get_write_buffer_size(transport), 0);
}

ON_PAIRS(what_fits_is_sent_at_once)
{
    struct seen seen = { .quiet = true };
    const struct iovec pieces[] = { { (void *)"one ", 4 }, { NULL, 0 }, { (void *)"two", 3 } };
    char room[16] = "";
    weft_transport *transport;
    bool end;
    int fds[2];

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_write(transport, "hello", 5), 0);
    EQUAL(weft_transport_write(transport, NULL, 0), 0);
    EQUAL(weft_transport_get_write_buffer_size(transport), 0);
    EQUAL(drink(fds[1], room, sizeof room, &end), 5); /* without a turn of the loop */
    EQUAL(weft_transport_writelines(transport, pieces, 3), 0);
    EQUAL(weft_transport_writelines(transport, NULL, 0), 0);
    EQUAL(drink(fds[1], room, sizeof room, &end), 7);
    EQUAL(memcmp(room, "one two", 7), 0);
    EQUAL(weft_transport_writelines(transport, pieces, -1), -EINVAL);
    EQUAL(weft_transport_writelines(transport, NULL, 1), -EINVAL);
    EQUAL(weft_transport_writelines(transport, pieces, IOV_MAX + 1), -EINVAL);
    EQUAL(weft_transport_write(transport, NULL, 1), -EINVAL);
    EQUAL(weft_transport_close(transport), 0);
    UNTIL(seen.lost, 1);
    close(fds[1]);
}

ON_PAIRS(what_does_not_fit_is_kept_and_comes_in_order)
{
    struct seen seen = { .quiet = false };
    weft_transport *transport;
    int fds[2];
    size_t kept, third = sizeof pattern / 3;
    struct iovec pieces[2] = { { pattern + third, third }, { pattern + 2 * third, third } };

    make_pattern();
    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    for (int times = 0; times < 3; times++) {
        EQUAL(weft_transport_write(transport, pattern, third), 0);
        kept = weft_transport_get_write_buffer_size(transport);
        CHECK(kept > 0 && kept < third);
        EQUAL(seen.pauses, times + 1); /* from within the write */
        EQUAL(weft_transport_writelines(transport, pieces, 2), 0);
        EQUAL(weft_transport_get_write_buffer_size(transport), kept + 2 * third);
        drink_all(fds[1], transport, sizeof pattern);
        EQUAL(seen.pauses, times + 1);
        EQUAL(seen.resumes, times + 1);
    }
    EQUAL(weft_transport_close(transport), 0);
    UNTIL(seen.lost, 1);
    HAPPENED("made pause resume pause resume pause resume lost");
    close(fds[1]);
}

ON_PAIRS(a_close_writes_what_is_kept)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    int fds[2];

    make_pattern();
    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_write(transport, pattern, sizeof pattern), 0);
    EQUAL(weft_transport_close(transport), 0);
    EQUAL(weft_transport_is_reading(transport), false);
    EQUAL(write(fds[1], "x", 1), 1); /* is not read any more */
    weft_sleep(0.001);
    EQUAL(seen.lost, 0);
    EQUAL(weft_transport_write(transport, "x", 1), -EPIPE);
    drink_all(fds[1], weft_transport_ref(transport), sizeof pattern);
    UNTIL(seen.lost, 1);
    EQUAL(seen.error, 0);
    EQUAL(seen.count, 0);
    EQUAL(weft_transport_write(transport, "x", 1), -EPIPE); /* by its hold */
    weft_transport_unref(transport);
    EQUAL(weft_transport_write(transport, "x", 1), -ESRCH);
    close(fds[1]);
}

ON_PAIRS(an_abort_drops_what_is_kept)
{
    for (int closes_before = 0; closes_before < 2; closes_before++) {
        struct seen seen = { .quiet = true };
        weft_transport *transport;
        int fds[2];

        open_pair(kind, fds);
        transport = transport_for(fds[0], &seen);
        EQUAL(weft_transport_write(transport, pattern, sizeof pattern), 0);
        if (closes_before) {
            EQUAL(weft_transport_close(transport), 0);
        }
        EQUAL(weft_transport_abort(transport), 0);
        EQUAL(weft_transport_get_write_buffer_size(transport), 0);
        EQUAL(weft_transport_write(transport, "x", 1), -EPIPE);
        EQUAL(seen.lost, 0);
        give_way(1);
        EQUAL(seen.lost, 1);
        EQUAL(seen.error, 0);
        close(fds[1]);
    }
}

ON_PAIRS(the_end_of_writing_is_told_when_all_is_written)
{
    struct seen seen = { .quiet = true };
    static char room[sizeof pattern];
    weft_transport *transport;
    int fds[2];
    size_t count = 0;
    bool end = false;

    make_pattern();
    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_can_write_eof(transport), true);
    EQUAL(weft_transport_write(transport, pattern, sizeof pattern), 0);
    EQUAL(weft_transport_write_eof(transport), 0);
    EQUAL(weft_transport_write_eof(transport), 0);
    EQUAL(weft_transport_write(transport, "x", 1), -EPIPE);
    while (!end && count <= sizeof pattern) {
        count += drink(fds[1], room + count, sizeof room - count, &end);
        weft_sleep(0);
    }
    EQUAL(count, sizeof pattern);
    CHECK(memcmp(room, pattern, sizeof pattern) == 0);
    EQUAL(seen.lost, 0);
    EQUAL(write(fds[1], "answer", 6), 6); /* reading goes on */
    while (seen.count < 6) {
        weft_sleep(0);
    }
    close(fds[1]);
    UNTIL(seen.lost, 1);
    EQUAL(seen.error, 0);
}

ON_PAIRS(writing_to_one_that_left_is_the_end)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    int fds[2];

    open_pair(kind, fds);
    transport = weft_transport_ref(transport_for(fds[0], &seen));
    EQUAL(weft_transport_pause_reading(transport), 0);
    EQUAL(write(fds[1], "x", 1), 1);
    EQUAL(weft_transport_write(transport, "unread", 6), 0);
    close(fds[1]); /* TCP resets: it has not read all */
    for (int i = 0; i < 1000 && !weft_transport_is_closing(transport); i++) {
        EQUAL(weft_transport_write(transport, "x", 1), 0);
        weft_sleep(0.0001);
    }
    EQUAL(weft_transport_write(transport, "x", 1), -EPIPE);
    UNTIL(seen.lost, 1);
    CHECK(seen.error == -EPIPE || seen.error == -ECONNRESET);
    EQUAL(weft_transport_wait_closed(transport), seen.error);
    EQUAL(weft_transport_drain(transport), seen.error);
    weft_transport_unref(transport);
}

/* The marks. */

static void look_at_limits(weft_transport *transport, ssize_t high, ssize_t low, size_t want_high,
                           size_t want_low)
{
    size_t got_high = 0, got_low = 0;

    EQUAL(weft_transport_set_write_buffer_limits(transport, high, low), 0);
    EQUAL(weft_transport_get_write_buffer_limits(transport, &got_low, &got_high), 0);
    EQUAL(got_high, want_high);
    EQUAL(got_low, want_low);
}

ON_PAIRS(the_marks_follow_asyncios_rules)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    size_t high = 0, low = 0;
    int fds[2];

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_get_write_buffer_limits(transport, &low, &high), 0);
    EQUAL(high, 65536);
    EQUAL(low, 16384);
    look_at_limits(transport, 100, -1, 100, 25);
    look_at_limits(transport, -1, 100, 400, 100);
    look_at_limits(transport, 0, -1, 0, 0);
    look_at_limits(transport, 5, 5, 5, 5);
    look_at_limits(transport, -1, SSIZE_MAX, SSIZE_MAX, SSIZE_MAX);
    look_at_limits(transport, -1, -1, 65536, 16384);
    EQUAL(weft_transport_set_write_buffer_limits(transport, 10, 11), -EINVAL);
    EQUAL(weft_transport_set_write_buffer_limits(transport, 10, -2), -EINVAL);
    EQUAL(weft_transport_set_write_buffer_limits(transport, -2, 0), -EINVAL);
    EQUAL(weft_transport_get_write_buffer_limits(transport, &low, NULL), 0);
    EQUAL(low, 16384);
    EQUAL(weft_transport_abort(transport), 0);
    UNTIL(seen.lost, 1);
    close(fds[1]);
}

ON_PAIRS(lower_marks_pause_what_is_kept_already)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    int fds[2];

    make_pattern();
    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_set_write_buffer_limits(transport, SSIZE_MAX, 0), 0);
    EQUAL(weft_transport_write(transport, pattern, sizeof pattern), 0);
    EQUAL(seen.pauses, 0);
    EQUAL(weft_transport_set_write_buffer_limits(transport, 0, 0), 0);
    EQUAL(seen.pauses, 1);
    drink_all(fds[1], transport, sizeof pattern);
    EQUAL(seen.resumes, 1);
    EQUAL(weft_transport_abort(transport), 0);
    UNTIL(seen.lost, 1);
    close(fds[1]);
}

/* Tasks. */

WEFT_ASYNC(drains, (weft_transport *, transport), (const char *, word))
{
    int r = weft_transport_drain(transport);

    note(word);
    return r;
}

ON_PAIRS(tasks_wait_until_it_is_drained)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    weft_task *tasks[3];
    int fds[2];

    make_pattern();
    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_drain(transport), 0);
    EQUAL(weft_transport_write(transport, pattern, sizeof pattern), 0);
    tasks[0] = weft_create_task(drains(transport, "first"), NULL);
    tasks[1] = weft_create_task(drains(transport, "never"), NULL);
    tasks[2] = weft_create_task(drains(transport, "last"), NULL);
    weft_sleep(0.001);
    HAPPENED("");
    EQUAL(weft_task_cancel(tasks[1]), 0);
    EQUAL(weft_await(tasks[1]), -ECANCELED);
    HAPPENED("never");
    drink_all(fds[1], transport, sizeof pattern);
    EQUAL(weft_await(tasks[0]), 0);
    EQUAL(weft_await(tasks[2]), 0);
    HAPPENED("first last");
    EQUAL(weft_transport_write(transport, pattern, sizeof pattern), 0);
    tasks[0] = weft_create_task(drains(transport, "lost"), NULL);
    weft_sleep(0);
    EQUAL(weft_transport_abort(transport), 0);
    EQUAL(weft_await(tasks[0]), -EPIPE);
    HAPPENED("lost");
    close(fds[1]);
}

WEFT_ASYNC(waits_for_the_end, (weft_transport *, transport))
{
    return weft_transport_wait_closed(transport);
}

ON_PAIRS(tasks_wait_for_the_end)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    weft_task *tasks[2];
    int fds[2];

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    for (int i = 0; i < 2; i++) {
        tasks[i] = weft_create_task(waits_for_the_end(transport), NULL);
    }
    weft_sleep(0.001);
    EQUAL(weft_task_cancel(tasks[0]), 0);
    EQUAL(weft_await(tasks[0]), -ECANCELED);
    EQUAL(weft_transport_is_closing(transport), false); /* it is left as it is */
    EQUAL(weft_transport_close(transport), 0);
    EQUAL(weft_await(tasks[1]), 0);
    EQUAL(seen.lost, 1);
    EQUAL(weft_transport_wait_closed(transport), -ESRCH);
    close(fds[1]);
}

static void ask_in_callback(void *transport)
{
    EQUAL(weft_transport_drain(transport), -EPERM);
    EQUAL(weft_transport_wait_closed(transport), -EPERM);
}

ON_PAIRS(only_tasks_wait)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    int fds[2];

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_loop_call_soon(NULL, ask_in_callback, transport, NULL), 0);
    weft_sleep(0);
    EQUAL(weft_transport_abort(transport), 0);
    UNTIL(seen.lost, 1);
    close(fds[1]);
}

/* Both ways at once: what comes is sent back. */

static void echo(weft_transport *transport, const void *data, size_t size, void *self)
{
    (void)self;
    EQUAL(weft_transport_write(transport, data, size), 0);
}

static void stop_reading(weft_transport *transport, void *self)
{
    ++*(int *)self;
    EQUAL(weft_transport_pause_reading(transport), 0);
}

static void read_again(weft_transport *transport, void *self)
{
    (void)self;
    EQUAL(weft_transport_resume_reading(transport), 0);
}

static const weft_protocol echoes = { .size = sizeof echoes,
                                      .data_received = echo,
                                      .pause_writing = stop_reading,
                                      .resume_writing = read_again };

ON_PAIRS(megabytes_come_back_while_memory_stays_bounded)
{
    static char room[sizeof pattern];
    weft_transport *transport = NULL;
    size_t sent = 0, count = 0, most = 0;
    int fds[2], pauses = 0;
    bool end = false;

    make_pattern();
    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &echoes, &pauses, fds[0], &transport), 0);
    for (int i = 0; i < 100000 && count < sizeof pattern && !end; i++) {
        ssize_t n = send(fds[1], pattern + sent, sizeof pattern - sent, MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        if (i % 8 == 7) { /* a slow reader */
            count += drink(fds[1], room + count, sizeof room - count, &end);
        }
        most = weft_transport_get_write_buffer_size(transport) > most ?
                   weft_transport_get_write_buffer_size(transport) :
                   most;
        weft_sleep(0);
    }
    EQUAL(count, sizeof pattern);
    CHECK(memcmp(room, pattern, sizeof pattern) == 0);
    CHECK(most <= 65536 + 256 * 1024); /* the mark, and one read */
    close(fds[1]);
    weft_sleep(0.001);
}

static CU_TestInfo tests[] = {
    TEST(what_fits_is_sent_at_once),
    TEST(what_does_not_fit_is_kept_and_comes_in_order),
    TEST(a_close_writes_what_is_kept),
    TEST(an_abort_drops_what_is_kept),
    TEST(the_end_of_writing_is_told_when_all_is_written),
    TEST(writing_to_one_that_left_is_the_end),
    TEST(the_marks_follow_asyncios_rules),
    TEST(lower_marks_pause_what_is_kept_already),
    TEST(tasks_wait_until_it_is_drained),
    TEST(tasks_wait_for_the_end),
    TEST(only_tasks_wait),
    TEST(megabytes_come_back_while_memory_stays_bounded),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(transport_write, tests)
