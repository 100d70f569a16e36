/* SPDX-License-Identifier: MIT
 * An echo server: whatever comes goes back.
 *
 *     echo PORT    serves that port until Ctrl-C
 *     echo         serves itself on a free port, and says:
 *
 *         a line came back: warp and weft
 *         10000000 bytes came back
 *
 * echo() holds a few kilobytes for each client, however much that sends: while a client does not
 * read, the write waits; while the write waits nothing is read; and so, in the end, the client's
 * own writes wait. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

#define MANY 10000000 /* bytes; far more than weft keeps anywhere */

WEFT_ASYNC(echo, (weft_stream *, peer), (void *, unused))
{
    char buffer[8192];
    ssize_t n;

    (void)unused;
    while ((n = weft_stream_read(peer, buffer, sizeof buffer)) > 0) {
        n = weft_stream_write(peer, buffer, (size_t)n);
        if (n < 0)
            break;
    }
    return (int)n; /* 0: the client has said all; weft closes the stream */
}

WEFT_ASYNC(serve, (int, port))
{
    weft_server *server;
    int r = weft_start_server(echo, NULL, NULL, port, NULL, &server);

    if (r < 0)
        return r;
    r = weft_server_serve_forever(server);
    weft_server_close(server);
    return r;
}

/* ---- the demonstration ---- */

/* The bytes that are sent; a piece that were lost, or came twice, would show. */
static char nth(size_t i)
{
    return (char)(i % 251);
}

WEFT_ASYNC(sends, (weft_stream *, s))
{
    char buffer[5000];
    ssize_t n = 0;

    for (size_t sent = 0; n >= 0 && sent < MANY; sent += sizeof buffer) {
        for (size_t i = 0; i < sizeof buffer; i++)
            buffer[i] = nth(sent + i);
        n = weft_stream_write(s, buffer, sizeof buffer);
    }
    return n < 0 ? (int)n : weft_stream_write_eof(s);
}

WEFT_ASYNC(checks, (weft_stream *, s))
{
    char buffer[3000];
    size_t got = 0;
    ssize_t n;

    while ((n = weft_stream_read(s, buffer, sizeof buffer)) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (buffer[i] != nth(got++))
                return -EBADMSG;
    printf("%zu bytes came back\n", got);
    return n < 0 ? (int)n : got == MANY ? 0 : -ENODATA;
}

static int talk(weft_stream *s)
{
    static const char said[] = "warp and weft\n";
    char line[64];
    ssize_t n = weft_stream_write(s, said, strlen(said));

    n = n < 0 ? n : weft_stream_readline(s, line, sizeof line);
    if (n < 0)
        return (int)n;
    printf("a line came back: %.*s", (int)n, line);
    if ((size_t)n != strlen(said) || memcmp(line, said, (size_t)n) != 0)
        return -EBADMSG;
    /* One task that first sent it all and then read could wait for ever, see above. */
    return weft_gather(NULL, sends(s), checks(s));
}

WEFT_ASYNC(demonstrate)
{
    weft_server *server;
    weft_stream *s;
    int r = weft_start_server(echo, NULL, "127.0.0.1", 0, NULL, &server);

    if (r < 0)
        return r;
    r = weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &s);
    if (r == 0) {
        r = talk(s);
        weft_stream_close(s);
    }
    weft_server_close(server);
    return r;
}

int main(int argc, char **argv)
{
    return weft_main(argc > 1 ? serve(atoi(argv[1])) : demonstrate(), NULL);
}
