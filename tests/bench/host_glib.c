/* SPDX-License-Identifier: MIT
 * An echo server and timers, written on GLib alone: what a backend is held against.
 *
 *     bench-host-glib echo                    prints its port, serves until it is killed
 *     bench-host-glib timers COUNT MS ROUNDS  COUNT timers of MS to 2 MS ms, ROUNDS times each */
#include <arpa/inet.h>
#include <glib-unix.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char bytes[65536];

static gboolean echo(gint fd, GIOCondition condition, gpointer unused)
{
    ssize_t n = recv(fd, bytes, sizeof bytes, 0);

    (void)condition, (void)unused;
    if (n > 0 && send(fd, bytes, (size_t)n, MSG_NOSIGNAL) == n) {
        return G_SOURCE_CONTINUE;
    }
    close(fd); /* the load never lets it queue */
    return G_SOURCE_REMOVE;
}

static gboolean accept_one(gint server, GIOCondition condition, gpointer unused)
{
    int fd = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)condition, (void)unused;
    if (fd < 0) {
        exit(1);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    g_unix_fd_add(fd, G_IO_IN, echo, NULL);
    return G_SOURCE_CONTINUE;
}

static int serve(GMainLoop *loop)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 4096) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        return 1;
    }
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    g_unix_fd_add(fd, G_IO_IN, accept_one, NULL);
    g_main_loop_run(loop);
    return 0;
}

struct one {
    guint delay;
    int left;
};

static GMainLoop *loop;
static int running;

static gboolean tick(gpointer data)
{
    struct one *one = data;

    if (--one->left > 0) {
        return G_SOURCE_CONTINUE;
    }
    if (--running == 0) {
        g_main_loop_quit(loop);
    }
    return G_SOURCE_REMOVE;
}

static int keep_time(int count, int milliseconds, int rounds)
{
    struct one *all = calloc((size_t)count, sizeof *all);

    for (int i = 0; all && i < count; i++) {
        all[i].delay = (guint)(milliseconds + i % (milliseconds + 1));
        all[i].left = rounds;
        running++;
        g_timeout_add(all[i].delay, tick, &all[i]);
    }
    g_main_loop_run(loop);
    free(all);
    return 0;
}

int main(int argc, char **argv)
{
    loop = g_main_loop_new(NULL, FALSE);
    if (argc == 2 && strcmp(argv[1], "echo") == 0) {
        return serve(loop);
    }
    if (argc == 5) {
        return keep_time(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
    }
    return 2;
}
