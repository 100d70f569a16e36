/* A server on all cores: each thread has a loop, a listening socket at the same port, and the
 * connections that the kernel gives it.  It speaks a protocol of lines, made of callbacks:
 *
 *     hello        is answered with the thread's number and the line
 *     quit         ends the connection
 *
 *     all_cores PORT [THREADS]     serves until SIGINT or SIGTERM
 *     all_cores                    serves itself some clients and stops: what the tests run */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/weft.h>

#define CLIENTS 20

static atomic_int port_in_use, ready;

/* ---- the protocol: one struct for each connection ---- */

struct talk {
    weft_worker *worker;
    char line[256];
    size_t size;
};

static int talk_new(void *worker, void **ret_self)
{
    struct talk *talk = calloc(1, sizeof *talk);

    if (!talk)
        return -ENOMEM;
    talk->worker = worker;
    *ret_self = talk;
    return 0;
}

static void answer(struct talk *talk, weft_transport *transport)
{
    char text[300];
    int n = snprintf(text, sizeof text, "%u: %.*s\n", weft_worker_index(talk->worker),
                     (int)talk->size, talk->line);

    if (talk->size == 4 && memcmp(talk->line, "quit", 4) == 0)
        weft_transport_close(transport);
    else
        weft_transport_write(transport, text, (size_t)n);
    talk->size = 0;
}

static void talk_data(weft_transport *transport, const void *data, size_t size, void *self)
{
    struct talk *talk = self;
    const char *text = data;

    for (size_t i = 0; i < size && !weft_transport_is_closing(transport); i++) {
        if (text[i] == '\n')
            answer(talk, transport);
        else if (talk->size < sizeof talk->line)
            talk->line[talk->size++] = text[i];
        else
            weft_transport_abort(transport); /* a line without an end */
    }
}

/* A client that does not read gets no more answers than fit into the marks. */
static void talk_pause(weft_transport *transport, void *self)
{
    (void)self;
    weft_transport_pause_reading(transport);
}

static void talk_resume(weft_transport *transport, void *self)
{
    (void)self;
    weft_transport_resume_reading(transport);
}

static void talk_lost(weft_transport *transport, int error, void *self)
{
    (void)transport, (void)error;
    free(self);
}

static const weft_protocol talks = {
    .size = sizeof talks,
    .factory = talk_new,
    .data_received = talk_data,
    .pause_writing = talk_pause,
    .resume_writing = talk_resume,
    .connection_lost = talk_lost,
};

/* ---- a thread ---- */

WEFT_ASYNC(serve, (weft_worker *, worker))
{
    int fd, r = weft_worker_listen(worker, "127.0.0.1", *(int *)weft_worker_arg(worker), NULL, &fd);
    weft_listener *listener;

    if (r < 0)
        return r;
    r = weft_loop_create_server_from_fd(NULL, &talks, worker, fd, NULL, &listener);
    if (r < 0) {
        close(fd);
        return r;
    }
    atomic_store(&port_in_use, weft_listener_port(listener));
    atomic_fetch_add(&ready, 1);
    r = weft_listener_serve_forever(listener); /* when it is cancelled clients are closed, too */
    weft_listener_free(listener);
    return r;
}

/* ---- the demonstration: blocking clients in a thread ---- */

static int ask(void *unused)
{
    int answered = 0;
    weft_address to;

    (void)unused;
    weft_address_parse("127.0.0.1", atomic_load(&port_in_use), &to);
    for (int i = 0; i < CLIENTS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        char text[64];

        if (connect(fd, &to.sockaddr, to.length) == 0 && write(fd, "hello\n", 6) == 6 &&
            read(fd, text, sizeof text) > 0)
            answered += strncmp(text + 1, ": hello\n", 8) == 0;
        close(fd);
    }
    return answered;
}

WEFT_ASYNC(demonstrate, (weft_worker *, worker))
{
    int answered;

    if (weft_worker_index(worker) > 0)
        return weft_await(serve(worker));
    while (atomic_load(&ready) < (int)weft_worker_count(worker) - 1)
        weft_sleep(0.001);
    answered = weft_to_thread(ask, NULL);
    printf("%d of %d clients were answered\n", answered, CLIENTS);
    weft_worker_stop(worker);
    return 0;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
    int r = argc > 1 ? weft_serve_threads(threads, serve, &port, NULL) :
                       weft_serve_threads(3, demonstrate, &port, NULL);

    if (r < 0 && r != -EINTR)
        fprintf(stderr, "all_cores: %s\n", weft_strerror(r));
    return r < 0 && r != -EINTR;
}
