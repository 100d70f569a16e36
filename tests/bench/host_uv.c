/* SPDX-License-Identifier: MIT
 * The other side of host_weft.c: the same two programs written on libuv alone.
 *
 *     bench-host-uv echo                    prints its port, serves until it is killed
 *     bench-host-uv timers COUNT MS ROUNDS  COUNT timers of MS to 2 MS milliseconds, ROUNDS each */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

static char bytes[65536];

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

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret_room)
{
    (void)handle, (void)wanted;
    *ret_room = uv_buf_init(bytes, sizeof bytes);
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void echo(uv_stream_t *stream, ssize_t n, const uv_buf_t *read)
{
    uv_buf_t back = uv_buf_init(read->base, n > 0 ? (unsigned)n : 0);

    if (n < 0 || (n > 0 && uv_try_write(stream, &back, 1) != n)) {
        uv_close((uv_handle_t *)stream, free_handle); /* the load never lets it queue */
    }
}

static void accept_one(uv_stream_t *server, int status)
{
    uv_tcp_t *client = malloc(sizeof *client);

    if (status < 0 || !client) {
        exit(1);
    }
    uv_tcp_init(server->loop, client);
    uv_accept(server, (uv_stream_t *)client);
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, give_room, echo);
}

static int serve(uv_loop_t *loop)
{
    struct sockaddr_in address;
    int size = sizeof address;
    uv_tcp_t server;

    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &server);
    if (uv_tcp_bind(&server, (struct sockaddr *)&address, 0) < 0 ||
        uv_listen((uv_stream_t *)&server, 4096, accept_one) < 0 ||
        uv_tcp_getsockname(&server, (struct sockaddr *)&address, &size) < 0) {
        return 1;
    }
    printf("%d\n", (address.sin_port & 0xff) << 8 | address.sin_port >> 8);
    fflush(stdout);
    return uv_run(loop, UV_RUN_DEFAULT);
}

struct one {
    uv_timer_t timer;
    int delay, left;
};

static void tick(uv_timer_t *timer)
{
    struct one *one = (struct one *)timer;

    if (--one->left > 0) {
        uv_timer_start(timer, tick, (uint64_t)one->delay, 0);
    }
}

static int keep_time(uv_loop_t *loop, int count, int milliseconds, int rounds)
{
    struct one *all = calloc((size_t)count, sizeof *all);
    int64_t began = cpu_time();

    for (int i = 0; all && i < count; i++) {
        all[i].delay = milliseconds + i % (milliseconds + 1);
        all[i].left = rounds;
        uv_timer_init(loop, &all[i].timer);
        uv_timer_start(&all[i].timer, tick, (uint64_t)all[i].delay, 0);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    print_cost(began, count, rounds);
    free(all);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "echo") == 0) {
        return serve(uv_default_loop());
    }
    if (argc == 5) {
        return keep_time(uv_default_loop(), atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
    }
    return 2;
}
