/* SPDX-License-Identifier: MIT
 * A service from its start to its end: the socket it was given or made, "ready" for systemd,
 * clients in a group, and on SIGTERM: no new ones, time for those that are there, then the end.
 *
 *     service            serves the time of day on a free port until SIGTERM
 *     service --demo     is its own client, and sends itself SIGTERM
 *
 * A unit file for it needs no more than Type=notify and ExecStart=; with a socket unit beside it
 * systemd hands over the listening socket.  Neither takes a library: both are a few lines below. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <weft/weft.h>

#define DRAIN 5.0 /* seconds that clients have to finish after SIGTERM */

/* ---- what systemd wants to hear, and to give ---- */

/* sd_notify(3): a datagram to the socket in NOTIFY_SOCKET; without systemd, nothing. */
static void notify(const char *state)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    const char *path = getenv("NOTIFY_SOCKET");
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n < 2 || n >= sizeof to.sun_path) {
        return;
    }
    memcpy(to.sun_path, path, n);
    if (path[0] == '@') {
        to.sun_path[0] = '\0'; /* an abstract name */
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
        close(fd);
    }
}

/* sd_listen_fds(3): sockets come as descriptors from 3 on, if they are for this process. */
static int given_socket(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");

    if (!pid || !fds || atoi(pid) != getpid() || atoi(fds) < 1) {
        return -1;
    }
    fcntl(3, F_SETFD, FD_CLOEXEC);
    fcntl(3, F_SETFL, fcntl(3, F_GETFL) | O_NONBLOCK);
    return 3;
}

static int own_socket(void)
{
    struct sockaddr_in any = { .sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) < 0 || listen(fd, 100) < 0) {
        return -errno;
    }
    return fd;
}

/* ---- a descriptor as something to await ---- */

struct readable {
    int fd;
    weft_future *ready;
};

static void on_readable(void *arg)
{
    struct readable *readable = arg;

    weft_loop_remove_reader(NULL, readable->fd);
    weft_future_set_result(readable->ready, NULL);
}

static int wait_readable(int fd)
{
    struct readable readable = { .fd = fd };
    int r = weft_future_new(NULL, &readable.ready);

    if (r < 0) {
        return r;
    }
    r = weft_loop_add_reader(NULL, fd, on_readable, &readable);
    if (r < 0) {
        weft_future_set_exception(readable.ready, r); /* told by the await */
    }
    r = weft_await(readable.ready);
    if (weft_loop_remove_reader(NULL, fd) == 1) { /* cancelled before it was readable */
        weft_future_set_result(readable.ready, NULL); /* spends the setter's hold */
    }
    return r;
}

/* ---- the service ---- */

static int served;

/* Tells the time once for each line. */
WEFT_ASYNC(serve_client, (int, fd))
{
    char line[128];
    ssize_t n;
    int r = 0;

    while (r >= 0) {
        n = read(fd, line, sizeof line);
        if (n < 0 && errno == EAGAIN) {
            r = wait_readable(fd);
        } else if (n > 0) {
            time_t now = time(NULL);
            char text[32];

            ctime_r(&now, text);
            r = send(fd, text, strlen(text), MSG_NOSIGNAL) < 0 ? -errno : weft_sleep(0);
            served++; /* and then others have a turn, also while this one never pauses */
        } else {
            break;
        }
    }
    close(fd);
    return r == -ECANCELED ? r : 0; /* one client's trouble is not the service's */
}

WEFT_ASYNC(accept_clients, (int, listener), (weft_task_group *, clients))
{
    int r = 0;

    while (r >= 0) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            weft_task_group_create_task(clients, serve_client(fd), NULL);
            r = weft_sleep(0);
        } else if (errno == EAGAIN) {
            r = wait_readable(listener);
        } else {
            r = weft_sleep(0.1); /* no descriptors, no memory: others may give some back */
        }
    }
    close(listener);
    return r;
}

WEFT_ASYNC(serve, (int, listener))
{
    weft_signal_receiver *signals;
    weft_task_group clients;
    weft_timeout drain;
    weft_task *acceptor;
    int r = weft_signal_receiver_open(WEFT_SIGNALS(SIGTERM), &signals);

    if (r < 0) {
        return r;
    }
    weft_timeout_enter(&drain, INFINITY);
    weft_task_group_enter(&clients);
    acceptor = weft_task_group_create_task(&clients, accept_clients(listener, &clients), NULL);

    notify("READY=1");
    r = weft_signal_receive(signals);
    if (r > 0) {
        notify("STOPPING=1");
        printf("SIGTERM: no new clients, %g seconds for those that are there\n", DRAIN);
        weft_task_cancel(acceptor);
        weft_timeout_reschedule(&drain, weft_loop_time(NULL) + DRAIN);
    }
    r = weft_task_group_exit(&clients, r < 0 ? r : 0);
    r = weft_timeout_exit(&drain, r);
    weft_signal_receiver_close(signals);
    if (r == -ETIMEDOUT) {
        printf("some clients did not finish\n");
        r = 0;
    }
    printf("served %d\n", served);
    return r;
}

/* ---- the demonstration's client ---- */

static struct sockaddr_in address;

static void *be_client(void *unused)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[64];

    (void)unused;
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        for (int i = 0; i < 3; i++) {
            if (i == 2) {
                kill(getpid(), SIGTERM); /* it is still served until it hangs up */
            }
            if (write(fd, "time?\n", 6) < 0 || read(fd, text, sizeof text) <= 0) {
                break;
            }
        }
    }
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    bool demo = argc > 1 && strcmp(argv[1], "--demo") == 0;
    int listener = given_socket();
    socklen_t size = sizeof address;
    pthread_t client;
    int status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    listener = listener >= 0 ? listener : own_socket();
    if (listener < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        fprintf(stderr, "service: no socket: %s\n", strerror(listener < 0 ? -listener : errno));
        return 1;
    }
    if (demo) {
        pthread_create(&client, NULL, be_client, NULL);
    } else {
        printf("the time of day on 127.0.0.1:%d\n", ntohs(address.sin_port));
    }
    status = weft_main(serve(listener), NULL);
    if (demo) {
        pthread_join(client, NULL);
    }
    return status;
}
