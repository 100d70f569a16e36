/* SPDX-License-Identifier: MIT
 * A service from its start to its end: the socket it was given or made, "ready" for systemd, a task
 * for each client, and on SIGTERM: no new ones, time for those that are there, then the end.
 *
 *     service            serves the time of day on a free port until SIGTERM
 *     service --demo     is its own client, and sends itself SIGTERM
 *
 * A unit file for it needs no more than Type=notify and ExecStart=; with a socket unit beside it
 * systemd hands over the listening socket.  Neither takes a library: both are a few lines below. */
#include <fcntl.h>
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

    if (n < 2 || n >= sizeof to.sun_path)
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* an abstract name */
    fd = socket(AF_UNIX, SOCK_DGRAM, 0);
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

    if (!pid || !fds || atoi(pid) != getpid() || atoi(fds) < 1)
        return -1;
    fcntl(3, F_SETFD, FD_CLOEXEC);
    return 3;
}

/* ---- the service ---- */

static int served;

/* Tells the time once for each line. */
WEFT_ASYNC(tell_time, (weft_stream *, client), (void *, unused))
{
    char line[128], text[32];
    ssize_t n;

    (void)unused;
    while ((n = weft_stream_readline(client, line, sizeof line)) > 0) {
        time_t now = time(NULL);

        ctime_r(&now, text);
        n = weft_stream_write(client, text, strlen(text));
        if (n < 0)
            break;
        served++;
    }
    return (int)n;
}

static int start(weft_server **ret_server)
{
    int fd = given_socket();

    return fd >= 0 ? weft_start_server_fd(tell_time, NULL, fd, NULL, ret_server) :
                     weft_start_server(tell_time, NULL, "127.0.0.1", 0, NULL, ret_server);
}

/* Ready, until SIGTERM; then those who are there may finish. */
static int serve(weft_server *server, weft_signal_receiver *signals)
{
    int r;

    notify("READY=1");
    r = weft_signal_receive(signals);
    weft_signal_receiver_close(signals); /* from here on SIGTERM ends the process at once */
    if (r < 0)
        return r;
    notify("STOPPING=1");
    printf("SIGTERM: no new clients, %g seconds for those that are there\n", DRAIN);
    r = weft_server_drain(server, DRAIN);
    if (r == -ETIMEDOUT)
        printf("some clients did not finish\n");
    printf("served %d\n", served);
    return r == -ETIMEDOUT ? 0 : r;
}

/* ---- the demonstration's client: a slow one ---- */

WEFT_ASYNC(be_client, (int, port))
{
    weft_stream *service;
    char line[64];
    ssize_t n = weft_open_connection("127.0.0.1", port, NULL, &service);

    if (n < 0)
        return (int)n;
    for (int i = 0; i < 3 && n >= 0; i++) {
        if (i == 2)
            kill(getpid(), SIGTERM); /* it is still served until it hangs up */
        weft_sleep(0.1);
        n = weft_stream_write(service, "time?\n", 6);
        if (n > 0)
            n = weft_stream_readline(service, line, sizeof line);
        if (n == 0)
            n = -ENODATA; /* cut off */
    }
    weft_stream_close(service);
    return n < 0 ? (int)n : 0;
}

WEFT_ASYNC(amain, (bool, demo))
{
    weft_signal_receiver *signals;
    weft_server *server;
    weft_task *client = NULL;
    int r = weft_signal_receiver_open(WEFT_SIGNALS(SIGTERM), &signals);

    if (r < 0)
        return r;
    r = start(&server);
    if (r < 0)
        return r; /* the receiver is closed with the loop */
    if (demo)
        client = weft_create_task(be_client(weft_server_port(server)), NULL);
    else
        printf("the time of day on port %d\n", weft_server_port(server));
    r = serve(server, signals);
    weft_server_close(server);
    return r < 0 || !client ? r : weft_await(client);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    return weft_main(amain(argc > 1 && strcmp(argv[1], "--demo") == 0), NULL);
}
