/* SPDX-License-Identifier: MIT
 * Transports: the order of their callbacks, reading, and the end. */
#include "tests/task/transport.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ON_PAIRS(callbacks_come_in_asyncios_order)
{
    struct seen seen = { .quiet = false };
    int fds[2];

    open_pair(kind, fds);
    transport_for(fds[0], &seen);
    EQUAL(write(fds[1], "hello", 5), 5);
    while (seen.count < 5) {
        weft_sleep(0);
    }
    close(fds[1]);
    UNTIL(seen.lost, 1);
    HAPPENED("made data eof lost");
    EQUAL(memcmp(seen.got, "hello", 5), 0);
    EQUAL(seen.error, 0);
}

ON_PAIRS(in_a_task_the_connection_is_made_when_the_call_returns)
{
    struct seen seen = { .quiet = false };
    weft_transport *transport;
    int fds[2];

    open_pair(kind, fds);
    EQUAL(weft_loop_call_soon(NULL, NOTED("before"), NULL), 0);
    transport = transport_for(fds[0], &seen);
    HAPPENED("before made");
    CHECK(seen.transport == transport);
    EQUAL(weft_transport_abort(transport), 0);
    UNTIL(seen.lost, 1);
    HAPPENED("lost");
    close(fds[1]);
}

struct opening {
    int fd;
    struct seen seen;
};

static void open_in_callback(void *arg)
{
    struct opening *opening = arg;
    int fd = -7;

    EQUAL(weft_loop_call_soon(NULL, NOTED("before"), NULL), 0);
    EQUAL(weft_transport_detach(transport_for(opening->fd, &opening->seen), &fd), -EAGAIN);
    EQUAL(fd, -7);
    EQUAL(opening->seen.made, 0);
    EQUAL(weft_loop_call_soon(NULL, NOTED("after"), NULL), 0);
}

ON_PAIRS(elsewhere_it_is_made_in_its_turn)
{
    struct opening opening = { .fd = -1 };
    int fds[2];

    open_pair(kind, fds);
    opening.fd = fds[0];
    EQUAL(weft_loop_call_soon(NULL, open_in_callback, &opening, NULL), 0);
    UNTIL(opening.seen.made, 1);
    give_way(2);
    HAPPENED("before made after");
    close(fds[1]);
    UNTIL(opening.seen.lost, 1);
    HAPPENED("eof lost");
}

ON_PAIRS(the_loss_comes_once_and_in_its_turn)
{
    struct seen seen = { .quiet = false };
    weft_transport *transport;
    int fds[2];

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_is_closing(transport), false);
    EQUAL(weft_loop_call_soon(NULL, NOTED("before"), NULL), 0);
    EQUAL(weft_transport_close(transport), 0);
    EQUAL(weft_loop_call_soon(NULL, NOTED("after"), NULL), 0);
    EQUAL(weft_transport_close(transport), 0);
    EQUAL(weft_transport_abort(transport), 0);
    EQUAL(weft_transport_is_closing(transport), true);
    HAPPENED("made");
    give_way(3);
    HAPPENED("before lost after");
    EQUAL(seen.error, 0);
    EQUAL(weft_transport_close(transport), -ESRCH);
    close(fds[1]);
}

ON_PAIRS(an_end_of_the_peer_keeps_it_open_for_writing_if_the_protocol_says_so)
{
    struct seen seen = { .stays = true };
    char room[8];
    weft_transport *transport;
    size_t count = 0;
    bool end;
    int fds[2];

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(write(fds[1], "ab", 2), 2);
    shutdown(fds[1], SHUT_WR);
    UNTIL(seen.eofs, 1);
    EQUAL(seen.count, 2);
    EQUAL(weft_transport_is_closing(transport), false);
    EQUAL(weft_transport_write(transport, "answer", 6), 0);
    while (count < 6) {
        count += drink(fds[1], room, sizeof room, &end);
        EQUAL(end, false);
        weft_sleep(0);
    }
    EQUAL(weft_transport_close(transport), 0);
    UNTIL(seen.lost, 1);
    EQUAL(drink(fds[1], room, sizeof room, &end), 0);
    EQUAL(end, true);
    EQUAL(seen.eofs, 1);
    HAPPENED("made data eof lost");
    close(fds[1]);
}

/* Reading. */

ON_PAIRS(what_comes_while_reading_is_paused_waits)
{
    struct seen seen = { .quiet = true };
    weft_transport *transport;
    int fds[2];

    open_pair(kind, fds);
    transport = transport_for(fds[0], &seen);
    EQUAL(weft_transport_is_reading(transport), true);
    for (int i = 1; i <= 3; i++) {
        EQUAL(weft_transport_pause_reading(transport), 0);
        EQUAL(weft_transport_pause_reading(transport), 0);
        EQUAL(weft_transport_is_reading(transport), false);
        EQUAL(write(fds[1], "xy", 2), 2);
        weft_sleep(0.001);
        EQUAL(seen.count, 2 * (i - 1));
        EQUAL(weft_transport_resume_reading(transport), 0);
        EQUAL(weft_transport_resume_reading(transport), 0);
        weft_sleep(0.001);
        EQUAL(seen.count, 2 * i);
    }
    EQUAL(weft_transport_pause_reading(transport), 0);
    close(fds[1]); /* a hang-up waits, too, and does not keep the loop busy */
    weft_sleep(0.001);
    EQUAL(seen.eofs, 0);
    EQUAL(weft_transport_resume_reading(transport), 0);
    UNTIL(seen.lost, 1);
    EQUAL(seen.eofs, 1);
}

static void pause_at_once(weft_transport *transport, const void *data, size_t size, void *self)
{
    (void)data, (void)size;
    ++*(int *)self;
    EQUAL(weft_transport_pause_reading(transport), 0);
}

static const weft_protocol pausing = { .size = sizeof pausing, .data_received = pause_at_once };

ON_PAIRS(pausing_from_within_stops_at_once)
{
    static char much[400000];
    weft_transport *transport = NULL;
    int fds[2], calls = 0;

    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &pausing, &calls, fds[0], &transport), 0);
    CHECK(write(fds[1], much, sizeof much) > 0);
    weft_sleep(0.002);
    EQUAL(calls, 1);
    EQUAL(weft_transport_resume_reading(transport), 0);
    weft_sleep(0.002);
    CHECK(calls <= 2);
    EQUAL(weft_transport_abort(transport), 0);
    give_way(2);
    close(fds[1]);
}

/* A protocol that gives the memory to read into. */

struct window {
    char bytes[7];
    size_t size; /* how much of them it gives */
    bool none;
    char all[100];
    int count, lost, error;
};

static void *get_buffer(weft_transport *transport, size_t *ret_size, void *self)
{
    struct window *window = self;

    (void)transport;
    *ret_size = window->size;
    return window->none ? NULL : window->bytes;
}

static void buffer_updated(weft_transport *transport, size_t size, void *self)
{
    struct window *window = self;

    (void)transport;
    CHECK(size > 0 && size <= window->size);
    memcpy(window->all + window->count, window->bytes, size);
    window->count += (int)size;
}

static void window_lost(weft_transport *transport, int error, void *self)
{
    struct window *window = self;

    (void)transport;
    window->lost++;
    window->error = error;
}

static const weft_protocol buffered = { .size = sizeof buffered,
                                        .get_buffer = get_buffer,
                                        .buffer_updated = buffer_updated,
                                        .connection_lost = window_lost };

ON_PAIRS(a_buffered_protocol_gives_the_memory)
{
    static const char words[] = "a text of more than seven bytes";
    struct window window = { .size = 7 };
    int fds[2];

    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &buffered, &window, fds[0], NULL), 0);
    EQUAL(write(fds[1], words, sizeof words), sizeof words);
    close(fds[1]);
    UNTIL(window.lost, 1);
    EQUAL(window.error, 0);
    EQUAL(window.count, sizeof words);
    SAME(window.all, words);
}

/* What is read into the memory that a protocol gave is that one's, also when it hands over while it
 * gives it. */

struct handing {
    struct window window;
    struct seen seen;
};

static void *hand_over(weft_transport *transport, size_t *ret_size, void *self)
{
    struct handing *handing = self;

    EQUAL(weft_transport_set_protocol(transport, &noting, &handing->seen), 0);
    return get_buffer(transport, ret_size, &handing->window);
}

static const weft_protocol handing_over = { .size = sizeof handing_over,
                                            .get_buffer = hand_over,
                                            .buffer_updated = buffer_updated };

ON_PAIRS(whoever_gave_the_memory_is_told_what_is_in_it)
{
    struct handing handing = { .window.size = 7, .seen = { .quiet = true, .made = 1 } };
    weft_transport *transport;
    int fds[2];

    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &handing_over, &handing, fds[0], &transport), 0);
    EQUAL(write(fds[1], "one", 3), 3);
    UNTIL(handing.window.count, 3);
    EQUAL(memcmp(handing.window.all, "one", 3), 0);
    EQUAL(write(fds[1], "two", 3), 3);
    for (int i = 0; i < 5000 && handing.seen.count < 3; i++) {
        weft_sleep(0.001);
    }
    EQUAL(memcmp(handing.seen.got, "two", 3), 0);
    close(fds[1]);
    UNTIL(handing.seen.lost, 1);
}

ON_PAIRS(no_memory_to_read_into_is_the_end)
{
    for (int none = 0; none < 2; none++) {
        struct window window = { .none = none, .size = none ? 7 : 0 };
        int fds[2];

        open_pair(kind, fds);
        EQUAL(weft_loop_connect_accepted_socket(NULL, &buffered, &window, fds[0], NULL), 0);
        EQUAL(write(fds[1], "x", 1), 1);
        UNTIL(window.lost, 1);
        EQUAL(window.error, -ENOBUFS);
        close(fds[1]);
    }
}

struct change {
    struct window window;
    struct seen seen;
};

static void change_over(weft_transport *transport, const void *data, size_t size, void *self)
{
    struct change *change = self;
    void *own = NULL;

    (void)data, (void)size;
    change->window.size = 7;
    CHECK(weft_transport_get_protocol(transport, &own)->data_received == change_over);
    CHECK(own == self);
    EQUAL(weft_transport_set_protocol(transport, NULL, self), -EINVAL);
    EQUAL(weft_transport_set_protocol(transport, &buffered, &change->window), 0);
}

static const weft_protocol changing = { .size = sizeof changing, .data_received = change_over };

ON_PAIRS(a_protocol_may_hand_over_to_another)
{
    struct change change = { .seen.quiet = true };
    weft_transport *transport = NULL;
    int fds[2];

    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &changing, &change, fds[0], &transport), 0);
    EQUAL(write(fds[1], "one", 3), 3);
    while (change.window.size == 0) {
        weft_sleep(0);
    }
    EQUAL(write(fds[1], "two", 3), 3);
    UNTIL(change.window.count, 3);
    EQUAL(memcmp(change.window.all, "two", 3), 0);
    change.seen.made = 1;
    EQUAL(weft_transport_set_protocol(transport, &noting, &change.seen), 0); /* and back to plain */
    EQUAL(write(fds[1], "three", 5), 5);
    while (change.seen.count < 5) {
        weft_sleep(0);
    }
    close(fds[1]);
    UNTIL(change.seen.lost, 1);
    EQUAL(change.window.lost, 0);
}

/* Ends. */

static void reset(int fd)
{
    struct linger linger = { .l_onoff = 1 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

IN_TASK(a_reset_is_told_as_what_it_is)
{
    struct seen seen = { .quiet = false };
    int fds[2];

    if (!watches()) {
        return;
    }
    open_pair(PAIR_TCP, fds);
    transport_for(fds[0], &seen);
    reset(fds[1]);
    UNTIL(seen.lost, 1);
    EQUAL(seen.error, -ECONNRESET);
    HAPPENED("made lost");
}

static void close_at_once(weft_transport *transport, void *self)
{
    (void)self;
    EQUAL(weft_transport_write(transport, "bye", 3), 0);
    EQUAL(weft_transport_close(transport), 0);
}

static void abort_at_data(weft_transport *transport, const void *data, size_t size, void *self)
{
    (void)data, (void)size, (void)self;
    EQUAL(weft_transport_abort(transport), 0);
}

static void count_loss(weft_transport *transport, int error, void *self)
{
    (void)transport;
    EQUAL(error, 0);
    ++*(int *)self;
    EQUAL(weft_transport_abort(transport), 0); /* too late, and harmless */
}

static const weft_protocol brief = { .size = sizeof brief,
                                     .connection_made = close_at_once,
                                     .connection_lost = count_loss };
static const weft_protocol rude = { .size = sizeof rude,
                                    .data_received = abort_at_data,
                                    .connection_lost = count_loss };

ON_PAIRS(it_may_be_closed_from_within_each_callback)
{
    char room[8];
    int fds[2], losses = 0;
    bool end;

    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &brief, &losses, fds[0], NULL), 0);
    UNTIL(losses, 1);
    EQUAL(drink(fds[1], room, sizeof room, &end), 3);
    EQUAL(end, true);
    close(fds[1]);
    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &rude, &losses, fds[0], NULL), 0);
    EQUAL(write(fds[1], "x", 1), 1);
    UNTIL(losses, 2);
    give_way(3);
    EQUAL(losses, 2);
    close(fds[1]);
}

static const weft_protocol silent = { .size = sizeof silent };

ON_PAIRS(a_protocol_without_functions_reads_and_closes_at_the_end)
{
    weft_transport *transport = NULL;
    int fds[2];

    open_pair(kind, fds);
    EQUAL(weft_loop_connect_accepted_socket(NULL, &silent, NULL, fds[0], &transport), 0);
    EQUAL(write(fds[1], "x", 1), 1);
    close(fds[1]);
    for (int i = 0; i < 5000 && !weft_transport_is_closing(transport); i++) {
        weft_sleep(0.0001);
    }
    give_way(2);
    EQUAL(weft_transport_close(transport), -ESRCH);
}

static void close_transports(enum pair_kind kind)
{
    struct seen seen[3] = { { .quiet = true }, { .quiet = true }, { .quiet = true } };
    weft_transport *transport[3];
    int fds[3][2];

    loop = open_loop();
    for (int i = 0; i < 3; i++) {
        open_pair(kind, fds[i]);
        EQUAL(weft_loop_connect_accepted_socket(loop, &noting, &seen[i], fds[i][0], &transport[i]),
              0);
    }
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(write(fds[1][1], "x", 1), 1); /* this one has something to read, */
    EQUAL(weft_transport_close(transport[2]), 0); /* and this one is about to go */
    CHECK(weft_transport_ref(transport[0]) == transport[0]);
    EQUAL(weft_loop_close(loop), 0);
    for (int i = 0; i < 3; i++) {
        EQUAL(seen[i].lost, 1);
        EQUAL(seen[i].error, -ECANCELED);
        EQUAL(weft_transport_close(transport[i]), -ESRCH);
        close(fds[i][1]);
    }
    loop = NULL;
}

ALONE(each_is_lost_when_its_loop_closes)
{
    for (int k = 0; watches() && k < PAIR_KINDS; k++) {
        close_transports((enum pair_kind)k);
    }
}

static CU_TestInfo tests[] = {
    TEST(callbacks_come_in_asyncios_order),
    TEST(in_a_task_the_connection_is_made_when_the_call_returns),
    TEST(elsewhere_it_is_made_in_its_turn),
    TEST(the_loss_comes_once_and_in_its_turn),
    TEST(an_end_of_the_peer_keeps_it_open_for_writing_if_the_protocol_says_so),
    TEST(what_comes_while_reading_is_paused_waits),
    TEST(pausing_from_within_stops_at_once),
    TEST(a_buffered_protocol_gives_the_memory),
    TEST(whoever_gave_the_memory_is_told_what_is_in_it),
    TEST(no_memory_to_read_into_is_the_end),
    TEST(a_protocol_may_hand_over_to_another),
    TEST(a_reset_is_told_as_what_it_is),
    TEST(it_may_be_closed_from_within_each_callback),
    TEST(a_protocol_without_functions_reads_and_closes_at_the_end),
    TEST(each_is_lost_when_its_loop_closes),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(transport, tests)
