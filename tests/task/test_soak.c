/* SPDX-License-Identifier: MIT
 * A soak of a server: many connections at once that talk, end, are reset and come again, and at the
 * end nothing is left of them.
 *
 * SOAK_CONNECTIONS says how many there are at once (300), SOAK_SEED repeats a run that was printed.
 * Both ends are in this process, so each connection takes two descriptors; where the hard limit
 * allows fewer the run is made with what it allows, and then counts as skipped. */
#include "tests/task/net.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNECTIONS = 300,
    LIVES = 4,       /* of each client: so often it connects */
    STEPS = 6,       /* messages in one of them, at most */
    ADDRESSES = 16,  /* of this host, as one has ports for 28,000 connections */
    LARGEST = 12000, /* bytes of a message */
    SPARE = 64,      /* descriptors beside those of the connections */
};

#define DIE '!' /* a message that begins so has the server reset the connection */

enum how { GOES_ON, ABORTS, LINGERS, LEAVES_BYTES, IS_RESET, HOWS = 40 };

static char text[2 * LARGEST]; /* messages are parts of it */
static weft_server *server;
static weft_event all_there;
static int wanted, there, allowed;
static uint64_t seed, messages, bytes, lives, resets;

WEFT_ASYNC(echo, (weft_stream *, peer), (void *, user))
{
    char buffer[1024];
    ssize_t n;

    (void)user;
    while ((n = weft_stream_read(peer, buffer, sizeof buffer)) > 0) {
        ssize_t r;

        if (buffer[0] == DIE) {
            return weft_stream_abort(weft_stream_ref(peer));
        }
        r = weft_stream_write(peer, buffer, (size_t)n);
        if (r < 0) {
            return (int)r;
        }
    }
    return (int)n;
}

/* Reads a message back, and compares it byte for byte. */
static ssize_t hear(weft_stream *stream, const char *message, size_t size)
{
    char buffer[1024];
    size_t got = 0;

    while (got < size) {
        size_t most = size - got < sizeof buffer ? size - got : sizeof buffer;
        ssize_t n = weft_stream_read(stream, buffer, most);

        if (n <= 0) {
            return n < 0 ? n : -ENODATA;
        }
        if (memcmp(buffer, message + got, (size_t)n) != 0) {
            return -EBADMSG;
        }
        got += (size_t)n;
    }
    return (ssize_t)got;
}

static void say_and_hear(weft_stream *stream, uint64_t *state)
{
    bool is_long = weft_unit_random(state) % 8 == 0;
    size_t size = 1 + weft_unit_random(state) % (is_long ? LARGEST : 300);
    const char *message = text + weft_unit_random(state) % LARGEST;
    ssize_t r = weft_stream_write(stream, message, size);

    if (r == (ssize_t)size) {
        r = hear(stream, message, size);
    }
    EQUAL(r, size);
    messages++;
    bytes += size;
}

/* Ends a connection in one of the ways that leave no time for manners. */
static void reset(weft_stream *stream, enum how how)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };
    char c = DIE;

    resets++;
    if (how == IS_RESET) {
        EQUAL(weft_stream_write(stream, &c, 1), 1);
        EQUAL(weft_stream_read(stream, &c, 1), -ECONNRESET);
        EQUAL(weft_stream_close(stream), 0);
        return;
    }
    if (how == LEAVES_BYTES) { /* that the other end is about to answer */
        EQUAL(weft_stream_write(stream, text, LARGEST), LARGEST);
    }
    if (how == LINGERS) {
        int fd = weft_stream_fd(stream);

        EQUAL(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
        EQUAL(weft_stream_close(stream), 0);
    } else {
        EQUAL(weft_stream_abort(stream), 0);
    }
}

static void live(weft_stream *stream, uint64_t *state)
{
    int steps = (int)(weft_unit_random(state) % STEPS);

    lives++;
    for (int i = 0; i < steps; i++) {
        enum how how = weft_unit_random(state) % HOWS;

        if (how != GOES_ON && how <= IS_RESET) {
            reset(stream, how);
            return;
        }
        say_and_hear(stream, state);
    }
    EQUAL(weft_stream_close(stream), 0);
}

WEFT_ASYNC(client, (int, index))
{
    uint64_t state = seed * 1000003 + (uint64_t)index + 1;

    for (int i = 0; i < LIVES; i++) {
        weft_stream *stream;
        char host[16];

        snprintf(host, sizeof host, "127.0.0.%d", 1 + (index + i) % ADDRESSES);
        if (!EQUAL(weft_open_connection(host, weft_server_port(server), NULL, &stream), 0)) {
            return -EIO;
        }
        say_and_hear(stream, &state); /* so it was accepted */
        if (i == 0) {
            if (++there == wanted) {
                EQUAL(weft_server_clients(server), wanted);
                weft_event_set(&all_there);
            }
            EQUAL(weft_event_wait(&all_there), 0);
        }
        live(stream, &state);
    }
    return 0;
}

/* How many there are to be, and how many there can be. */
static void set_limits(void)
{
    const char *said = getenv("SOAK_CONNECTIONS"), *old = getenv("SOAK_SEED");
    struct rlimit limit;

    wanted = many(said ? atoi(said) : CONNECTIONS);
    if (strcmp(backend_name(), "poll") == 0 || strcmp(backend(), "glib:direct") == 0) {
        wanted = wanted < 1000 ? wanted : 1000; /* each look is at all of them */
    } else if (strcmp(backend(), "uv:direct") == 0) {
        wanted = wanted < 3000 ? wanted : 3000; /* libuv looks 48 times before it lets us work */
    }
    seed = old ? strtoull(old, NULL, 10) : (uint64_t)time(NULL) * 1000 + (uint64_t)getpid() % 1000;
    EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < (rlim_t)(2 * wanted + SPARE)) {
        rlim_t enough = (rlim_t)(2 * wanted + SPARE);

        limit.rlim_cur = enough < limit.rlim_max ? enough : limit.rlim_max;
        EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    allowed = wanted;
    if (limit.rlim_cur < (rlim_t)(2 * wanted + SPARE)) {
        allowed = (int)(limit.rlim_cur - SPARE) / 2;
        fprintf(stderr,
                "SKIPPED: %d connections take %d descriptors and the hard limit is %llu; "
                "it is done with %d\n",
                wanted, 2 * wanted + SPARE, (unsigned long long)limit.rlim_max, allowed);
    }
}

static void tell(double seconds)
{
    struct rusage usage;

    EQUAL(getrusage(RUSAGE_SELF, &usage), 0);
    printf("%s: SOAK_SEED=%llu: %d at once, %llu connections, %llu of them reset, %llu messages, "
           "%llu bytes each way, %.1f s, %ld MiB at the most\n",
           backend(), (unsigned long long)seed, wanted, (unsigned long long)lives,
           (unsigned long long)resets, (unsigned long long)messages, (unsigned long long)bytes,
           seconds, usage.ru_maxrss / 1024);
}

ON_REAL(clients_that_come_and_go_and_break_leave_nothing)
{
    weft_server_options options = { .backlog = 4096 };
    weft_task_group group;
    double began = weft_loop_time(NULL);
    int descriptors = open_descriptors(), asked;
    int64_t tasks = weft_all_tasks(NULL, NULL, 0);
    uint64_t state;

    set_limits();
    asked = wanted;
    wanted = allowed;
    state = seed;
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)('a' + weft_unit_random(&state) % 26);
    }
    there = 0;
    messages = bytes = lives = resets = 0;
    all_there = (weft_event)WEFT_EVENT_INIT;
    EQUAL(weft_start_server(echo, NULL, "0.0.0.0", 0, &options, &server), 0);
    EQUAL(weft_task_group_enter(&group), 0);
    for (int i = 0; i < wanted; i++) {
        weft_task_group_create_task(&group, client(i), NULL);
    }
    EQUAL(weft_task_group_exit(&group, 0), 0);
    EQUAL(weft_server_drain(server, INFINITY), 0);
    EQUAL(weft_server_clients(server), 0);
    EQUAL(weft_server_close(server), 0);
    EQUAL(weft_event_destroy(&all_there), 0);
    EQUAL(weft_all_tasks(NULL, NULL, 0), tasks);
    EQUAL(open_descriptors(), descriptors);
    EQUAL(lives, (uint64_t)LIVES * (uint64_t)wanted);
    CHECK(resets > 0);
    tell(weft_loop_time(NULL) - began);
    wanted = asked;
}

static CU_TestInfo tests[] = {
    TEST(clients_that_come_and_go_and_break_leave_nothing), /* blocks are counted after it */
    CU_TEST_INFO_NULL,
};

int main(int argc, char **argv)
{
    int r = task_main("soak", tests, argc, argv);

    return r == 0 && allowed < wanted ? 77 : r; /* which meson calls skipped */
}
