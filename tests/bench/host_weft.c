/* SPDX-License-Identifier: MIT
 * What a backend costs: the same program on each of them, by WEFT_BACKEND, against one that is
 * written on the library alone (host_uv.c).
 *
 *     bench-host-weft echo                    prints its port, serves until it is killed
 *     bench-host-weft callbacks               the same without tasks
 *     bench-host-weft timers COUNT MS ROUNDS  COUNT tasks that sleep MS to 2 MS, ROUNDS times each
 *     bench-host-weft ticks COUNT MS ROUNDS   the same by callbacks, without tasks
 *
 * Each connection is a task, which reads, writes, and waits for a future that its reader sets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <weft/weft.h>

static char bytes[65536];
static bool by_callbacks;

static int64_t cpu_time(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/* What a timer has cost of this process's time. */
static void print_cost(int64_t began, int count, int rounds)
{
    printf("%.0f ns\n", (double)(cpu_time() - began) / count / rounds);
}

struct readable {
    int fd;
    weft_future *future; /* who waits for it; NULL: nobody */
};

static void set_readable(void *arg)
{
    struct readable *readable = arg;
    weft_future *future = readable->future;

    readable->future = NULL;
    if (future) {
        weft_future_set_result(future, NULL);
    }
}

static int wait_readable(struct readable *readable)
{
    weft_future *future;
    int r = weft_future_new(NULL, &future);

    readable->future = future;
    return r < 0 ? r : weft_await(future);
}

WEFT_ASYNC(echoes, (int, fd))
{
    struct readable readable = { .fd = fd };
    ssize_t n = 1;

    weft_loop_add_reader(NULL, fd, set_readable, &readable);
    while (n != 0 && wait_readable(&readable) >= 0) {
        n = recv(fd, bytes, sizeof bytes, 0);
        if (n < 0 ? errno != EAGAIN : send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) {
            break; /* the load never lets it queue */
        }
    }
    weft_loop_remove_reader(NULL, fd);
    close(fd);
    return 0;
}

/* The same by callbacks alone, as on libuv. */
static void echo(void *arg)
{
    struct readable *readable = arg;
    ssize_t n = recv(readable->fd, bytes, sizeof bytes, 0);

    if (n < 0 ? errno != EAGAIN :
                n == 0 || send(readable->fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) {
        weft_loop_remove_reader(NULL, readable->fd);
        close(readable->fd);
        free(readable);
    }
}

static void serve(int fd)
{
    struct readable *readable = malloc(sizeof *readable);

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    if (!by_callbacks) {
        free(readable);
        weft_task_detach(weft_create_task(echoes(fd), NULL));
    } else if (readable) {
        readable->fd = fd;
        weft_loop_add_reader(NULL, fd, echo, readable);
    }
}

WEFT_ASYNC(accepts, (int, fd))
{
    struct readable readable = { .fd = fd };

    weft_loop_add_reader(NULL, fd, set_readable, &readable);
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (client >= 0) {
            serve(client);
        } else if (errno != EAGAIN || wait_readable(&readable) < 0) {
            return -1;
        }
    }
}

static weft_coro *server(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        exit(1);
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return accepts(fd);
}

/* A timer that sets itself again, without a task. */
struct ticker {
    double delay;
    int left;
    int *running;
};

static void tick(void *arg)
{
    struct ticker *ticker = arg;

    if (--ticker->left > 0) {
        weft_loop_call_later(NULL, ticker->delay, tick, ticker, NULL);
    } else if (--*ticker->running == 0) {
        weft_loop_stop(NULL);
    }
}

static int keep_ticking(int count, int milliseconds, int rounds)
{
    struct ticker *all = calloc((size_t)count, sizeof *all);
    int64_t began = cpu_time();
    weft_loop *loop;
    int running = count, r = weft_loop_new(NULL, &loop);

    for (int i = 0; all && r == 0 && i < count; i++) {
        all[i] = (struct ticker){ (milliseconds + i % (milliseconds + 1)) / 1e3, rounds, &running };
        r = weft_loop_call_later(loop, all[i].delay, tick, &all[i], NULL);
    }
    r = r < 0 ? r : weft_loop_run_forever(loop);
    print_cost(began, count, rounds);
    return r < 0 ? 1 : weft_loop_close(loop);
}

WEFT_ASYNC(sleeps, (double, delay), (int, rounds))
{
    while (rounds-- > 0) {
        weft_sleep(delay);
    }
    return 0;
}

WEFT_ASYNC(keeps_time, (int, count), (int, milliseconds), (int, rounds))
{
    weft_task_group group;
    int64_t began = cpu_time();
    int r;

    weft_task_group_enter(&group);
    for (int i = 0; i < count; i++) {
        int delay = milliseconds + i % (milliseconds + 1);

        weft_task_group_create_task(&group, sleeps(delay / 1e3, rounds), NULL);
    }
    r = weft_task_group_exit(&group, 0);
    print_cost(began, count, rounds);
    return r;
}

int main(int argc, char **argv)
{
    by_callbacks = argc == 2 && strcmp(argv[1], "callbacks") == 0;
    if (by_callbacks || (argc == 2 && strcmp(argv[1], "echo") == 0)) {
        return weft_main(server(), NULL);
    }
    if (argc == 5 && strcmp(argv[1], "ticks") == 0) {
        return keep_ticking(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
    }
    if (argc == 5) {
        return weft_main(keeps_time(atoi(argv[2]), atoi(argv[3]), atoi(argv[4])), NULL);
    }
    return 2;
}
