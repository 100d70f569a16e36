/* SPDX-License-Identifier: MIT
 * TLS on both sides: an echo server, and a client that talks to whatever it is told to.
 *
 *     secure serve PORT CERTIFICATE [KEY]     whatever comes goes back; PEM files
 *     secure ask HOST PORT [AUTHORITIES]      sends standard input there, prints what comes
 *
 * Without AUTHORITIES the client trusts whom the system trusts.  To try it, with a certificate that
 * vouches for itself:
 *
 *     openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 \
 *         -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem
 *     ./secure serve 8443 cert.pem key.pem &
 *     echo warp and weft | ./secure ask localhost 8443 cert.pem
 *
 * The plugin tls has to be there (Debian: libweft-plugin-tls).  What goes wrong weft_main() tells,
 * with the words that weft_error_detail() has. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

/* ---- the server: the same as without TLS but for one option ---- */

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
    return (int)n;
}

WEFT_ASYNC(serve, (int, port), (const char *, certificate), (const char *, key))
{
    weft_tls_options files = { .certificate = certificate, .key = key };
    weft_server_options options = { 0 };
    weft_server *server;
    int r = weft_tls_new(&files, &options.tls);

    if (r < 0)
        return r;
    r = weft_start_server(echo, NULL, NULL, port, &options, &server);
    weft_tls_unref(options.tls); /* the server has a hold of its own */
    if (r < 0)
        return r;
    r = weft_server_serve_forever(server);
    weft_server_close(server);
    return r;
}

/* ---- the client ---- */

/* From one stream to another, to its end. */
WEFT_ASYNC(carry, (weft_stream *, from), (weft_stream *, to), (bool, says_end))
{
    char buffer[8192];
    ssize_t n;

    while ((n = weft_stream_read(from, buffer, sizeof buffer)) > 0) {
        n = weft_stream_write(to, buffer, (size_t)n);
        if (n < 0)
            break;
    }
    return n < 0 || !says_end ? (int)n : weft_stream_write_eof(to);
}

static int talk(weft_stream *peer)
{
    weft_stream *input, *output;
    int r = weft_stream_open_stdio(0, &input);

    if (r < 0)
        return r;
    r = weft_stream_open_stdio(1, &output);
    if (r == 0) {
        r = weft_gather(NULL, carry(input, peer, true), carry(peer, output, false));
        weft_stream_close(output);
    }
    weft_stream_close(input);
    return r;
}

WEFT_ASYNC(ask, (const char *, host), (int, port), (const char *, authorities))
{
    weft_tls_options files = { .authorities = authorities };
    weft_connection_options options = { 0 };
    weft_stream *peer;
    char name[256], version[16];
    int r = weft_tls_new(&files, &options.tls);

    if (r < 0)
        return r;
    r = weft_open_connection(host, port, &options, &peer);
    weft_tls_unref(options.tls);
    if (r < 0)
        return r;
    if (weft_stream_tls_info(peer, "peer", name, sizeof name) >= 0 &&
        weft_stream_tls_info(peer, "version", version, sizeof version) >= 0)
        fprintf(stderr, "secure: %s, by %s\n", name, version);
    r = talk(peer);
    weft_stream_close(peer);
    return r;
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "serve") == 0)
        return weft_main(serve(atoi(argv[2]), argv[3], argc > 4 ? argv[4] : NULL), NULL);
    if (argc >= 4 && strcmp(argv[1], "ask") == 0)
        return weft_main(ask(argv[2], atoi(argv[3]), argc > 4 ? argv[4] : NULL), NULL);
    fprintf(stderr, "Usage: secure serve PORT CERTIFICATE [KEY]\n"
                    "       secure ask HOST PORT [AUTHORITIES]\n");
    return 2;
}
