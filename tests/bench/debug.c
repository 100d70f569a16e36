/* SPDX-License-Identifier: MIT
 * What debug mode costs.  The plain side of these is weft, too: the same work with debug mode off.
 */
#include "bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/weft.h>

static weft_run_options with_words(const char *words)
{
    return (weft_run_options){ .debug_words = words };
}

/* ---- turns, tasks ---- */

WEFT_ASYNC(debug_turns, (uint32_t, count))
{
    for (uint32_t i = 0; i < count; i++) {
        weft_sleep(0);
    }
    return 0;
}

WEFT_ASYNC(debug_nothing)
{
    return 0;
}

static int await_each(uint32_t count)
{
    int r = 0;

    for (uint32_t i = 0; i < count && r >= 0; i++) {
        r = weft_await(weft_create_task(debug_nothing(), NULL));
    }
    return r;
}

WEFT_ASYNC(debug_main, (struct bench_run *, run))
{
    weft_task *first = weft_create_task(debug_turns(run->count), NULL);
    weft_task *second = weft_create_task(debug_turns(run->count), NULL);
    int64_t start = bench_worked();
    int r = weft_await(first), s = weft_await(second);

    run->results[0] = bench_each(start, 2.0 * run->count);
    start = bench_worked();
    s = r < 0 || s < 0 ? s : await_each(run->count / 20);
    run->results[1] = bench_each(start, run->count / 20);
    return r < 0 ? r : s;
}

static int turns_and_tasks(struct bench_run *run, const char *words)
{
    weft_run_options options = with_words(words);

    return weft_run(debug_main(run), &options);
}

static int none(struct bench_run *run)
{
    return turns_and_tasks(run, "0");
}

static int all_usual(struct bench_run *run)
{
    return turns_and_tasks(run, "1");
}

static int metrics(struct bench_run *run)
{
    return turns_and_tasks(run, "metrics");
}

static int timed(struct bench_run *run)
{
    return turns_and_tasks(run, "turns");
}

static int record(struct bench_run *run)
{
    return turns_and_tasks(run, "record");
}

#define TURNS_AND_TASKS(word, side, ...)                                     \
    {                                                                        \
        .name = "debug_" word,                                               \
        .about = "turns and tasks with WEFT_DEBUG=" word "; plain: without", \
        .figures = { { "a turn, WEFT_DEBUG=" word, "ns", __VA_ARGS__ },      \
                     { "  make a task and await it", "ns", { 0 } } },        \
        .count = 300000, .count_quick = 2000, .weft = side, .plain = none,  \
    }

const struct bench_workload bench_debug = TURNS_AND_TASKS("1", all_usual, { .times = 2 });
const struct bench_workload bench_debug_metrics =
    TURNS_AND_TASKS("metrics", metrics, { .over = 3 });
const struct bench_workload bench_debug_turns = TURNS_AND_TASKS("turns", timed, { 0 });
const struct bench_workload bench_debug_record = TURNS_AND_TASKS("record", record, { .over = 10 });

/* ---- an echo server ---- */

enum { CLIENTS = 16, BYTES = 64 };

static int listen_here(struct sockaddr_in *ret_address)
{
    socklen_t length = sizeof *ret_address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *ret_address = (struct sockaddr_in){ .sin_family = AF_INET,
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, sizeof *ret_address) < 0 ||
        listen(fd, CLIENTS) < 0 || getsockname(fd, (struct sockaddr *)ret_address, &length) < 0) {
        return -errno;
    }
    return fd;
}

/* Each client has one request on its way; `count` in all. */
static void be_clients(const struct sockaddr_in *address, uint32_t count)
{
    char block[BYTES] = { 0 };
    int fds[CLIENTS];

    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fds[i], (const struct sockaddr *)address, sizeof *address) < 0) {
            _exit(1);
        }
    }
    for (uint32_t n = 0; n < count; n += CLIENTS) {
        for (int i = 0; i < CLIENTS; i++) {
            if (write(fds[i], block, sizeof block) < 0) {
                _exit(1);
            }
        }
        for (int i = 0; i < CLIENTS; i++) {
            if (recv(fds[i], block, sizeof block, MSG_WAITALL) != sizeof block) {
                _exit(1);
            }
        }
    }
    _exit(0);
}

static int left;

WEFT_ASYNC(debug_echo, (weft_stream *, peer), (void *, user))
{
    char block[4096];
    ssize_t n;

    (void)user;
    while ((n = weft_stream_read(peer, block, sizeof block)) > 0) {
        ssize_t r = weft_stream_write(peer, block, (size_t)n);

        n = r < 0 ? r : n;
    }
    left++;
    return (int)n;
}

WEFT_ASYNC(debug_server, (int, fd), (struct bench_run *, run))
{
    weft_server *server;
    int r = weft_start_server_fd(debug_echo, NULL, fd, NULL, &server);
    int64_t start = bench_worked();

    if (r < 0) {
        return r;
    }
    while (left < CLIENTS) {
        weft_sleep(0.01);
    }
    run->results[0] = bench_each(start, run->count);
    return weft_server_close(server);
}

static int echo(struct bench_run *run, const char *words)
{
    struct sockaddr_in address;
    int fd = listen_here(&address), r, status;
    weft_run_options options = with_words(words);
    pid_t pid = fd < 0 ? -1 : fork();

    if (pid < 0) {
        return fd < 0 ? fd : -errno;
    }
    if (pid == 0) {
        (void)bench_pin(run->other_cpu);
        be_clients(&address, run->count);
    }
    r = weft_run(debug_server(fd, run), &options);
    (void)waitpid(pid, &status, 0);
    return r < 0 ? r : status == 0 ? 0 : -EPROTO;
}

static int echo_debug(struct bench_run *run)
{
    return echo(run, "1");
}

static int echo_plain(struct bench_run *run)
{
    return echo(run, "0");
}

const struct bench_workload bench_debug_echo = {
    .name = "debug_echo",
    .about = "an echo server with WEFT_DEBUG=1 and 16 clients; plain: without",
    .figures = { { "a request, WEFT_DEBUG=1", "ns", { .times = 1.1 } } },
    .count = 32000,
    .count_quick = 160,
    .two_cpus = true,
    .weft = echo_debug,
    .plain = echo_plain,
};
