/* SPDX-License-Identifier: MIT
 * A TCP echo server on streams, to be held against one on a bare loop: `bench-echo PORT [BACKEND]`.
 * It ends with SIGTERM. */
#include <stdio.h>
#include <stdlib.h>
#include <weft/weft.h>

#define BLOCK 65536

WEFT_ASYNC(echo, (weft_stream *, peer), (void *, user))
{
    char block[BLOCK];
    ssize_t n;

    (void)user;
    while ((n = weft_stream_read(peer, block, sizeof block)) > 0) {
        ssize_t r = weft_stream_write(peer, block, (size_t)n);

        if (r < 0) {
            return (int)r;
        }
    }
    return (int)n;
}

WEFT_ASYNC(amain, (int, port))
{
    weft_server *server;
    int r = weft_start_server(echo, NULL, "127.0.0.1", port,
                              &(weft_server_options){ .backlog = 4096 }, &server);

    if (r < 0) {
        return r;
    }
    r = weft_server_serve_forever(server);
    weft_server_close(server);
    return r;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench-echo PORT [BACKEND]\n");
        return 2;
    }
    return weft_main(amain(atoi(argv[1])),
                     &(weft_run_options){ .backend = argc > 2 ? argv[2] : NULL, .sigterm = 1 });
}
