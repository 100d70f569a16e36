/* SPDX-License-Identifier: MIT
 * A chat: every line goes to everyone.  Talk to it with nc(1).
 *
 *     chat PORT    serves that port until Ctrl-C
 *     chat         has guests of its own, and says:
 *
 *         ann reads: * bob is here
 *         bob reads: ann: hello, bob
 *         sam reads: ann: line 0
 *         sam reads: * some lines were too fast for you
 *         sam reads: ann: line 99
 *         ann reads: * bob has left
 *
 * Lines are broadcast.  The room keeps the last sixteen, once for all guests; who reads slower than
 * the others talk is told that some were missed, and goes on with those that are left.  So one slow
 * guest does not hold up the others, and memory does not grow. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

#define KEPT 16 /* lines */
#define GAP "* some lines were too fast for you\n"

struct line {
    int size;
    char text[252];
};

static void say(weft_broadcast *room, const char *name, const char *what, int size)
{
    struct line line;

    line.size = snprintf(line.text, sizeof line.text, "%s%.*s\n", name, size, what);
    weft_broadcast_send_value(room, &line);
}

/* ---- a guest: one task listens, one speaks ---- */

WEFT_ASYNC(listens, (weft_stream *, peer), (weft_subscription *, room))
{
    struct line line;
    ssize_t n = 0;

    while (n >= 0) {
        int r = weft_subscription_get_value(room, &line);

        if (r == 0)
            n = weft_stream_write(peer, line.text, (size_t)line.size);
        else if (r == -ENOBUFS)
            n = weft_stream_write(peer, GAP, strlen(GAP));
        else
            return r;
    }
    return (int)n;
}

/* Reads a line, without its newline; a long one comes in pieces.  Returns its length, -ENODATA at
 * the end. */
static int ask(weft_stream *peer, char *text, size_t size)
{
    ssize_t n = weft_stream_readline(peer, text, size);

    if (n == -EMSGSIZE)
        n = weft_stream_read(peer, text, size);
    if (n == 0)
        return -ENODATA;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    return (int)n;
}

static int speaks(weft_stream *peer, weft_broadcast *room, const char *name)
{
    char text[200], who[24];
    int n;

    snprintf(who, sizeof who, "%s: ", name);
    while ((n = ask(peer, text, sizeof text)) >= 0) {
        say(room, who, text, n);
        weft_sleep(0); /* a guest with much to say gives others time to listen */
    }
    return n == -ENODATA ? 0 : n;
}

WEFT_ASYNC(guest, (weft_stream *, peer), (void *, user))
{
    weft_broadcast *room = user;
    weft_subscription news;
    weft_task_group both;
    char name[20], star[24];
    int n, r;

    weft_stream_write(peer, "Who are you?\n", 13);
    n = ask(peer, name, sizeof name - 1);
    if (n < 0)
        return n == -ENODATA ? 0 : n;
    name[n] = '\0';
    snprintf(star, sizeof star, "* %s", name);

    r = weft_broadcast_subscribe(room, &news);
    if (r < 0)
        return r;
    say(room, star, " is here", 8);
    weft_task_group_enter(&both);
    weft_task_group_create_task(&both, listens(peer, &news), NULL);
    r = speaks(peer, room, name);
    weft_task_group_cancel(&both);
    r = weft_task_group_exit(&both, r);
    weft_broadcast_unsubscribe(&news);
    say(room, star, " has left", 9);
    return r;
}

WEFT_ASYNC(serve, (int, port))
{
    weft_broadcast *room;
    weft_server *server;
    int r = weft_broadcast_new(KEPT, sizeof(struct line), &room);

    if (r < 0)
        return r;
    r = weft_start_server(guest, room, NULL, port, NULL, &server);
    if (r == 0) {
        r = weft_server_serve_forever(server);
        weft_server_close(server);
    }
    weft_broadcast_free(room);
    return r;
}

/* ---- the demonstration ---- */

static int enter(weft_stream *s, const char *line)
{
    ssize_t n = weft_stream_write(s, line, strlen(line));

    return n < 0 ? (int)n : 0;
}

/* Reads lines until it is this one; returns how many came before it. */
static int hears(weft_stream *s, const char *wanted)
{
    char line[256];
    int before = 0;
    ssize_t n;

    for (; (n = weft_stream_readline(s, line, sizeof line)) > 0; before++)
        if ((size_t)n == strlen(wanted) && memcmp(line, wanted, (size_t)n) == 0)
            return before;
    return n < 0 ? (int)n : -ENODATA;
}

static int tells(weft_stream *s, const char *name, const char *wanted)
{
    int r = hears(s, wanted);

    if (r >= 0)
        printf("%s reads: %s", name, wanted);
    return r;
}

static int comes(weft_stream *s, const char *name)
{
    char line[64];
    int r;

    snprintf(line, sizeof line, "%s\n", name);
    r = enter(s, line);
    snprintf(line, sizeof line, "* %s is here\n", name);
    return r < 0 ? r : hears(s, line);
}

/* Ann talks, and nobody waits for sam, who does not read. */
static int rush(weft_stream *ann, weft_stream *sam)
{
    char line[64];
    int r = comes(sam, "sam");

    for (int i = 0; r >= 0 && i < 100; i++) {
        snprintf(line, sizeof line, "line %d\n", i);
        r = enter(ann, line);
        snprintf(line, sizeof line, "ann: line %d\n", i);
        r = r < 0 ? r : hears(ann, line);
    }
    r = r < 0 ? r : tells(sam, "sam", "ann: line 0\n");
    r = r < 0 ? r : tells(sam, "sam", GAP);
    return r < 0 ? r : tells(sam, "sam", "ann: line 99\n");
}

WEFT_ASYNC(three_guests, (weft_stream *, ann), (weft_stream *, bob), (weft_stream *, sam))
{
    int r = comes(ann, "ann");

    r = r < 0 ? r : enter(bob, "bob\n");
    r = r < 0 ? r : tells(ann, "ann", "* bob is here\n");
    r = r < 0 ? r : enter(ann, "hello, bob\n");
    r = r < 0 ? r : tells(bob, "bob", "ann: hello, bob\n");
    r = r < 0 ? r : rush(ann, sam);
    r = r < 0 ? r : weft_stream_write_eof(bob);
    r = r < 0 ? r : tells(ann, "ann", "* bob has left\n");
    return r < 0 ? r : 0;
}

/* Ann and bob come by TCP.  Sam's stream is one in memory, which holds a few lines and no more; his
 * guest() does not know the difference. */
WEFT_ASYNC(meet, (weft_broadcast *, room), (int, port))
{
    weft_stream *ann = NULL, *bob = NULL, *sam[2] = { NULL, NULL };
    weft_task *sams = NULL;
    int r = weft_open_connection("127.0.0.1", port, NULL, &ann);

    r = r < 0 ? r : weft_open_connection("127.0.0.1", port, NULL, &bob);
    r = r < 0 ? r : weft_stream_pair(256, sam);
    if (r == 0) {
        sams = weft_create_task(guest(sam[1], room), NULL);
        r = weft_await(three_guests(ann, bob, sam[0]));
    }
    weft_stream_close(sam[0]);
    if (sams)
        weft_await(sams);
    weft_stream_close(sam[1]);
    weft_stream_close(bob);
    weft_stream_close(ann);
    return r;
}

WEFT_ASYNC(demonstrate)
{
    weft_broadcast *room;
    weft_server *server;
    int r = weft_broadcast_new(KEPT, sizeof(struct line), &room);

    if (r < 0)
        return r;
    r = weft_start_server(guest, room, "127.0.0.1", 0, NULL, &server);
    if (r == 0) {
        r = weft_await(meet(room, weft_server_port(server)));
        weft_server_close(server);
    }
    weft_broadcast_free(room);
    return r;
}

int main(int argc, char **argv)
{
    return weft_main(argc > 1 ? serve(atoi(argv[1])) : demonstrate(), NULL);
}
