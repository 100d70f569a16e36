/* Datagrams: a server that answers "time" with the time and sends all else back, and a client that
 * asks it and takes no for an answer.
 *
 *     udp               both in one program, over 127.0.0.1: what the tests run
 *     udp PORT          the server
 *     udp PORT WORD...  the client */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/weft.h>

static size_t answer(char *data, size_t size, size_t room)
{
    time_t now = time(NULL);

    if (size != 4 || memcmp(data, "time", 4) != 0)
        return size;
    return strftime(data, room, "%H:%M:%S", localtime(&now));
}

WEFT_ASYNC(serves, (weft_datagram *, socket))
{
    char data[2048];
    weft_address from;

    for (;;) {
        ssize_t n = weft_datagram_recvfrom(socket, data, sizeof data, &from);

        if (n == -ECANCELED || n == -EBADF)
            return (int)n;
        if (n < 0 || (size_t)n > sizeof data)
            continue; /* somebody we answered is gone, or this is none of ours */
        weft_datagram_sendto(socket, data, answer(data, (size_t)n, sizeof data), &from);
    }
}

WEFT_ASYNC(receives, (weft_datagram *, socket), (char *, data), (size_t, size))
{
    ssize_t n = weft_datagram_recv(socket, data, size);

    return n > (ssize_t)size ? (int)size : (int)n; /* of a longer one the rest was cut off */
}

/* Asks up to three times: a datagram may be lost. */
static int ask(weft_datagram *socket, const char *word)
{
    char data[2048];
    int r = -ETIMEDOUT;

    for (int i = 0; i < 3 && r == -ETIMEDOUT; i++) {
        ssize_t n = weft_datagram_send(socket, word, strlen(word));

        r = n < 0 ? (int)n : 0;
        if (r == 0)
            r = weft_wait_for(receives(socket, data, sizeof data), 0.5);
    }
    if (r < 0)
        printf("%s: %s\n", word, weft_strerror(r));
    else
        printf("%s: %.*s\n", word, r, data);
    return r < 0 ? r : 0;
}

WEFT_ASYNC(server, (int, port))
{
    weft_datagram *socket;
    weft_address here;
    int r = weft_address_parse(NULL, port, &here);

    r = r < 0 ? r : weft_datagram_open(&here, NULL, NULL, &socket);
    if (r < 0)
        return r;
    printf("at port %d\n", weft_datagram_port(socket));
    r = weft_await(serves(socket));
    weft_datagram_close(socket);
    return r;
}

WEFT_ASYNC(client, (int, port), (char **, words))
{
    weft_datagram *socket;
    weft_address there;
    int r = weft_address_parse("127.0.0.1", port, &there);

    r = r < 0 ? r : weft_datagram_open(NULL, &there, NULL, &socket);
    if (r < 0)
        return r;
    for (; r >= 0 && *words; words++)
        r = ask(socket, *words);
    weft_datagram_close(socket);
    return r;
}

WEFT_ASYNC(both)
{
    char *words[] = { (char *)"hello", (char *)"time", NULL };
    weft_datagram *socket;
    weft_address here;
    weft_task *task;
    int r = weft_address_parse("127.0.0.1", 0, &here);

    r = r < 0 ? r : weft_datagram_open(&here, NULL, NULL, &socket);
    if (r < 0)
        return r;
    task = weft_create_task(serves(socket), NULL);
    r = weft_await(client(weft_datagram_port(socket), words));
    weft_datagram_close(socket);
    weft_await(task);
    return r;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;

    return weft_main(argc > 2 ? client(port, argv + 2) : argc > 1 ? server(port) : both(), NULL);
}
