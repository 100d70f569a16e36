/* SPDX-License-Identifier: MIT
 * A TCP echo server and a client, through streams.  The server's handler is a coroutine per
 * connection.
 * Prints "echo: hello, weft". */
#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

WEFT_ASYNC(echo, (weft_stream *, peer), (void *, user))
{
    char buf[4096];
    ssize_t n;

    (void)user;
    while ((n = weft_stream_read(peer, buf, sizeof buf)) > 0) {
        ssize_t r = weft_stream_write(peer, buf, (size_t)n); /* waits while the peer is slow */
        if (r < 0)
            return (int)r;
    }
    /* The stream is closed when the handler ends; weft_stream_ref() keeps one longer. */
    return (int)n;
}

WEFT_ASYNC(amain)
{
    weft_server *server;
    weft_stream *s;
    char line[64];

    int r = weft_start_server(echo, NULL, "127.0.0.1", 0, NULL, &server);
    if (r < 0)
        return r;
    r = weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &s);
    if (r == 0) {
        weft_stream_write(s, "hello, weft\n", 12);
        ssize_t n = weft_stream_readline(s, line, sizeof line); /* newline included */
        if (n > 0)
            printf("echo: %.*s", (int)n, line);
        weft_stream_close(s);
        r = n > 0 ? 0 : n < 0 ? (int)n : -EPIPE;
    }
    weft_server_close(server); /* stops accepting, cancels the handlers, waits for them, frees */
    return r;
}

int main(void)
{
    return weft_main(amain(), NULL);
}
