/* SPDX-License-Identifier: MIT
 * A TCP proxy: who connects to it talks to another host, and does not notice.
 *
 *     proxy PORT HOST PORT    hands on what comes to the first port, until Ctrl-C
 *     proxy                   stands between a client and a server of its own, and says:
 *
 *         client: 300000 bytes, and that is all
 *         server: the end, after 300000 bytes
 *         client: got "300000 bytes, thank you"
 *         nobody there: the end
 *
 * Each connection has two tasks, one for each direction.  When one end has said all, the other is
 * told, and may still answer; when one fails, both connections are reset. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

struct target {
    const char *host;
    int port;
};

/* Hands on all that comes, then the end.  As fast as `to` takes it: nothing piles up. */
WEFT_ASYNC(pump, (weft_stream *, from), (weft_stream *, to))
{
    char buffer[8192];
    ssize_t n;

    while ((n = weft_stream_read(from, buffer, sizeof buffer)) > 0) {
        n = weft_stream_write(to, buffer, (size_t)n);
        if (n < 0)
            break;
    }
    return n < 0 ? (int)n : weft_stream_write_eof(to);
}

WEFT_ASYNC(carry, (weft_stream *, client), (void *, user))
{
    const struct target *target = user;
    weft_stream *server;
    int r = weft_open_connection(target->host, target->port, NULL, &server);

    if (r == -ECANCELED)
        return r;
    if (r < 0) {
        fprintf(stderr, "proxy: %s port %d: %s\n", target->host, target->port, weft_strerror(r));
        return 0; /* and the client sees the end */
    }
    r = weft_gather(NULL, pump(client, server), pump(server, client));
    if (r == 0)
        return weft_stream_close(server);
    weft_stream_abort(server); /* a part must not look like the whole, at neither end */
    weft_stream_abort(weft_stream_ref(client));
    return r;
}

WEFT_ASYNC(serve, (int, port), (struct target *, target))
{
    weft_server *proxy;
    int r = weft_start_server(carry, target, NULL, port, NULL, &proxy);

    if (r < 0)
        return r;
    r = weft_server_serve_forever(proxy);
    weft_server_close(proxy);
    return r;
}

/* ---- the demonstration: client - proxy - server ---- */

#define MANY 300000

/* A server that answers when its client has said all: it depends on the half-close. */
WEFT_ASYNC(count, (weft_stream *, peer), (void *, unused))
{
    char buffer[8192];
    size_t got = 0;
    ssize_t n;
    int size;

    (void)unused;
    while ((n = weft_stream_read(peer, buffer, sizeof buffer)) > 0)
        got += (size_t)n;
    if (n < 0)
        return (int)n;
    printf("server: the end, after %zu bytes\n", got);
    size = snprintf(buffer, sizeof buffer, "%zu bytes, thank you", got);
    n = weft_stream_write(peer, buffer, (size_t)size);
    return n < 0 ? (int)n : 0;
}

static int talk(weft_stream *s)
{
    static const char bytes[MANY];
    weft_buffer answer = { 0 };
    ssize_t n = weft_stream_write(s, bytes, sizeof bytes);
    int r;

    if (n < 0)
        return (int)n;
    printf("client: %zd bytes, and that is all\n", n);
    r = weft_stream_write_eof(s);
    r = r < 0 ? r : weft_stream_read_all(s, 100, &answer);
    if (r == 0)
        printf("client: got \"%s\"\n", answer.len > 0 ? answer.data : "");
    if (r == 0 && (answer.len == 0 || strcmp(answer.data, "300000 bytes, thank you") != 0))
        r = -EBADMSG;
    weft_buffer_clear(&answer);
    return r;
}

static int talk_to_nobody(weft_stream *s)
{
    char byte;
    ssize_t n = weft_stream_read(s, &byte, 1);

    if (n == 0)
        printf("nobody there: the end\n");
    return n > 0 ? -EBADMSG : (int)n;
}

static int connect_and(int (*then)(weft_stream *), int port)
{
    weft_stream *s;
    int r = weft_open_connection("127.0.0.1", port, NULL, &s);

    if (r < 0)
        return r;
    r = then(s);
    weft_stream_close(s);
    return r;
}

WEFT_ASYNC(demonstrate)
{
    weft_server *server, *proxy = NULL;
    struct target target = { "127.0.0.1", 0 };
    int r = weft_start_server(count, NULL, "127.0.0.1", 0, NULL, &server);

    if (r < 0)
        return r;
    target.port = weft_server_port(server);
    r = weft_start_server(carry, &target, "127.0.0.1", 0, NULL, &proxy);
    r = r < 0 ? r : connect_and(talk, weft_server_port(proxy));
    weft_server_close(server); /* from now on nobody is there */
    r = r < 0 ? r : connect_and(talk_to_nobody, weft_server_port(proxy));
    weft_server_close(proxy);
    return r;
}

int main(int argc, char **argv)
{
    struct target target = { argc == 4 ? argv[2] : NULL, argc == 4 ? atoi(argv[3]) : 0 };

    if (argc != 1 && argc != 4) {
        fprintf(stderr, "usage: proxy [PORT HOST PORT]\n");
        return 2;
    }
    return weft_main(argc == 4 ? serve(atoi(argv[1]), &target) : demonstrate(), NULL);
}
