/* SPDX-License-Identifier: MIT
 * An echo server and timers, written on libev alone: what a backend is held against.
 *
 *     bench-host-ev echo                    prints its port, serves until it is killed
 *     bench-host-ev timers COUNT MS ROUNDS  COUNT timers of MS to 2 MS milliseconds, ROUNDS each */
#include <arpa/inet.h>
#include <ev.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char bytes[65536];

static void echo(struct ev_loop *loop, ev_io *io, int events)
{
    ssize_t n = recv(io->fd, bytes, sizeof bytes, 0);

    (void)events;
    if (n <= 0 || send(io->fd, bytes, (size_t)n, MSG_NOSIGNAL) != n) {
        ev_io_stop(loop, io); /* the load never lets it queue */
        close(io->fd);
        free(io);
    }
}

static void accept_one(struct ev_loop *loop, ev_io *server, int events)
{
    int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    ev_io *io = malloc(sizeof *io);

    (void)events;
    if (fd < 0 || !io) {
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    ev_io_init(io, echo, fd, EV_READ);
    ev_io_start(loop, io);
}

static int serve(struct ev_loop *loop)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ev_io server;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    ev_io_init(&server, accept_one, fd, EV_READ);
    ev_io_start(loop, &server);
    return ev_run(loop, 0);
}

struct one {
    ev_timer timer;
    double delay;
    int left;
};

static void tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct one *one = (struct one *)timer;

    (void)events;
    if (--one->left > 0) {
        ev_timer_set(timer, one->delay, 0.);
        ev_timer_start(loop, timer);
    }
}

static int keep_time(struct ev_loop *loop, int count, int milliseconds, int rounds)
{
    struct one *all = calloc((size_t)count, sizeof *all);

    for (int i = 0; all && i < count; i++) {
        all[i].delay = (milliseconds + i % (milliseconds + 1)) / 1e3;
        all[i].left = rounds;
        ev_timer_init(&all[i].timer, tick, all[i].delay, 0.);
        ev_timer_start(loop, &all[i].timer);
    }
    ev_run(loop, 0);
    free(all);
    return 0;
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);

    if (argc == 2 && strcmp(argv[1], "echo") == 0) {
        return serve(loop);
    }
    if (argc == 5) {
        return keep_time(loop, atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
    }
    return 2;
}
