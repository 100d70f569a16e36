/* SPDX-License-Identifier: MIT
 * Fuzz target: a transport and its protocol, plain or buffered, on one end of a socket pair whose
 * other end the script drives.
 *
 * The model knows what each side has written and the transport's state: which callback may come
 * now, that no byte is lost, doubled or moved, and that what ends a connection ends it once. */
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIGGEST 16384 /* bytes that are written or read at a time */
#define TURNS 20000 /* more than any script needs to come to its end */

enum ending { BY_PEER, BY_CLOSE, BY_LOOP, ENDINGS };

static struct world {
    struct script script;
    char backend[40];
    enum ending ending;
    bool stays; /* what eof_received() returns */
    size_t room_size; /* of what get_buffer() gives */
    weft_transport *transport;
    int peer;                 /* -1: it has closed */
    size_t sent, got;         /* by the peer, by the protocol */
    size_t written, peer_got; /* by us, by the peer */
    bool peer_shut, peer_closed, peer_ended;
    bool made, eof, lost;
    bool reading_paused, writing_paused, eof_written;
    bool closing, aborted, detached, starved; /* by the script */
    bool gave_room;
    int error;
    unsigned reaction; /* what the next callback does */
} w;

static char bytes[2 * BIGGEST], room[BIGGEST];

/* What stands at a place of either direction: `bytes` + the place in a period that is no power of
 * two, so that a block in the wrong place is seen. */
#define PERIOD 251

static const char *bytes_at(size_t place)
{
    return bytes + place % PERIOD;
}

static void fill_bytes(void)
{
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)(i % PERIOD);
    }
}

/* ---- what the script does to the transport ---- */

static void write_some(size_t size, bool in_pieces)
{
    bool in_vain = weft_transport_is_closing(w.transport) || w.eof_written;
    const char *from = bytes_at(w.written);
    struct iovec pieces[] = { { (void *)(uintptr_t)from, size / 3 },
                              { NULL, 0 },
                              { (void *)(uintptr_t)(from + size / 3), size - size / 3 } };
    size_t before = w.written;
    int r;

    w.written += in_vain ? 0 : size; /* before it: pause_writing() may write more */
    r = in_pieces ? weft_transport_writelines(w.transport, pieces, 3) :
                    weft_transport_write(w.transport, from, size);
    IS(r, in_vain ? -EPIPE : 0);
    HOLDS(w.written >= before);
}

static void pause_reading(void)
{
    bool closing = weft_transport_is_closing(w.transport);

    IS(weft_transport_pause_reading(w.transport), 0);
    w.reading_paused |= !closing;
    HOLDS(!weft_transport_is_reading(w.transport));
}

static void resume_reading(void)
{
    IS(weft_transport_resume_reading(w.transport), 0);
    w.reading_paused = false;
    HOLDS(weft_transport_is_reading(w.transport) == !weft_transport_is_closing(w.transport));
}

static void close_it(bool at_once)
{
    w.aborted |= at_once && !w.lost;
    w.closing = true;
    IS(at_once ? weft_transport_abort(w.transport) : weft_transport_close(w.transport), 0);
    HOLDS(weft_transport_is_closing(w.transport));
}

static const weft_protocol plain, buffered;

static void change_protocol(void)
{
    const weft_protocol *now = weft_transport_get_protocol(w.transport, NULL);

    if (!w.gave_room) {
        IS(weft_transport_set_protocol(w.transport, now == &plain ? &buffered : &plain, &w), 0);
    }
}

/* Once: what it does may call back. */
static void react(void)
{
    unsigned reaction = w.reaction;

    w.reaction = 0;
    switch (reaction & 7) {
    case 1: write_some((reaction >> 3) * 512, false); break;
    case 2: pause_reading(); break;
    case 3: close_it(false); break;
    case 4: close_it(true); break;
    case 5: change_protocol(); break;
    case 6:
        w.eof_written |= !weft_transport_is_closing(w.transport);
        IS(weft_transport_write_eof(w.transport), 0);
        break;
    default: break;
    }
}

/* ---- the protocols ---- */

static void is_alive(weft_transport *transport, const void *self)
{
    HOLDS(transport == w.transport || !w.made);
    HOLDS(self == &w);
    HOLDS(w.made && !w.lost && !w.detached);
}

static void made(weft_transport *transport, void *self)
{
    HOLDS(!w.made && self == &w);
    w.made = true;
    w.transport = weft_transport_ref(transport);
}

static void is_readable(weft_transport *transport, const void *self)
{
    is_alive(transport, self);
    HOLDS(!w.eof && !w.reading_paused && !weft_transport_is_closing(transport));
}

static void came(const char *data, size_t size)
{
    HOLDS(size > 0 && size <= w.sent - w.got);
    for (size_t done = 0; done < size; done += BIGGEST) {
        size_t n = size - done < BIGGEST ? size - done : BIGGEST;

        HOLDS(memcmp(data + done, bytes_at(w.got + done), n) == 0);
    }
    w.got += size;
}

static void data_received(weft_transport *transport, const void *data, size_t size, void *self)
{
    is_readable(transport, self);
    HOLDS(!w.gave_room);
    came(data, size);
    react();
}

static char *given; /* of its size, so that what is written behind it is seen */

static void *get_buffer(weft_transport *transport, size_t *ret_size, void *self)
{
    is_readable(transport, self);
    if (w.reaction) {
        react();
    } else if (!w.room_size) {
        w.starved = true;
        return NULL;
    }
    free(given);
    *ret_size = w.room_size + !w.room_size;
    given = malloc(*ret_size);
    w.gave_room = weft_transport_is_reading(transport);
    return given;
}

static void buffer_updated(weft_transport *transport, size_t size, void *self)
{
    is_readable(transport, self);
    HOLDS(w.gave_room && size <= w.room_size + !w.room_size);
    w.gave_room = false;
    came(given, size);
    react();
}

static bool eof_received(weft_transport *transport, void *self)
{
    is_readable(transport, self);
    HOLDS(w.peer_shut || w.peer_closed);
    IS(w.got, w.sent);
    w.eof = true;
    w.gave_room = false;
    react();
    return w.stays;
}

static void pause_writing(weft_transport *transport, void *self)
{
    size_t high;

    is_alive(transport, self);
    IS(weft_transport_get_write_buffer_limits(transport, NULL, &high), 0);
    HOLDS(weft_transport_get_write_buffer_size(transport) > high);
    HOLDS(!w.writing_paused);
    w.writing_paused = true;
    react();
}

static void resume_writing(weft_transport *transport, void *self)
{
    size_t low;

    is_alive(transport, self);
    IS(weft_transport_get_write_buffer_limits(transport, &low, NULL), 0);
    HOLDS(weft_transport_get_write_buffer_size(transport) <= low);
    HOLDS(w.writing_paused);
    w.writing_paused = false;
    react();
}

static void connection_lost(weft_transport *transport, int error, void *self)
{
    is_alive(transport, self);
    w.lost = true;
    w.gave_room = false;
    w.error = error;
    HOLDS(weft_transport_is_closing(transport) && !weft_transport_is_reading(transport));
    HOLDS(error == 0 || (error == -ENOBUFS && w.starved) ||
          (error == -ECANCELED && w.ending == BY_LOOP) ||
          ((error == -EPIPE || error == -ECONNRESET) && w.peer_closed));
    HOLDS(error || w.closing || w.eof);
}

static const weft_protocol plain = { .size = sizeof plain,
                                     .connection_made = made,
                                     .data_received = data_received,
                                     .eof_received = eof_received,
                                     .pause_writing = pause_writing,
                                     .resume_writing = resume_writing,
                                     .connection_lost = connection_lost };

static const weft_protocol buffered = { .size = sizeof buffered,
                                        .connection_made = made,
                                        .get_buffer = get_buffer,
                                        .buffer_updated = buffer_updated,
                                        .eof_received = eof_received,
                                        .pause_writing = pause_writing,
                                        .resume_writing = resume_writing,
                                        .connection_lost = connection_lost };

/* ---- the peer ---- */

static void peer_write(size_t size)
{
    ssize_t n = w.peer < 0 || w.peer_shut ?
                    -1 :
                    send(w.peer, bytes_at(w.sent), size, MSG_DONTWAIT | MSG_NOSIGNAL);

    w.sent += n > 0 ? (size_t)n : 0;
}

static void peer_read(size_t size)
{
    ssize_t n = w.peer < 0 ? -1 : recv(w.peer, room, size, MSG_DONTWAIT);

    if (n > 0) {
        HOLDS((size_t)n <= w.written - w.peer_got);
        HOLDS(memcmp(room, bytes_at(w.peer_got), (size_t)n) == 0);
        w.peer_got += (size_t)n;
    }
    if (n == 0 && size) { /* the end: it comes behind all that was written */
        HOLDS(w.eof_written || w.lost || w.detached);
        HOLDS(w.aborted || w.error || w.peer_got == w.written);
        w.peer_ended = true;
    }
}

static void peer_close(void)
{
    if (w.peer >= 0) {
        close(w.peer);
        w.peer = -1;
        w.peer_closed = true;
    }
}

static void peer_shut(void)
{
    if (w.peer >= 0) {
        (void)shutdown(w.peer, SHUT_WR);
        w.peer_shut = true;
    }
}

/* ---- the script ---- */

static void give_way(unsigned turns)
{
    while (turns--) {
        IS(weft_sleep(0.001), 0); /* virtual; and descriptors are looked at */
    }
}

static void try_drain(void)
{
    weft_timeout timeout;
    int r;

    IS(weft_timeout_enter(&timeout, 0.001), 0);
    r = weft_transport_drain(w.transport);
    HOLDS(r != 0 || !w.writing_paused);
    HOLDS(r == 0 || r == -ECANCELED || r == -EPIPE || r == w.error);
    (void)weft_timeout_exit(&timeout, r);
}

static void try_detach(void)
{
    bool busy = weft_transport_get_write_buffer_size(w.transport) > 0;
    bool closing = weft_transport_is_closing(w.transport);
    int fd, r = weft_transport_detach(w.transport, &fd);
    ssize_t n;

    IS(r, closing ? -EPIPE : busy ? -EBUSY : 0);
    if (r < 0) {
        return;
    }
    w.detached = true;
    while ((n = recv(fd, room, sizeof room, MSG_DONTWAIT)) > 0) {
        came(room, (size_t)n);
    }
    HOLDS(w.eof || w.got == w.sent || (n < 0 && errno == ECONNRESET));
    close(fd);
}

static void set_limits(size_t high, size_t low)
{
    int r = weft_transport_set_write_buffer_limits(w.transport, (ssize_t)high, (ssize_t)low);

    IS(r, low <= high ? 0 : -EINVAL);
}

static void step(unsigned kind, size_t size)
{
    switch (kind) {
    case 0: peer_write(size * 8); break;
    case 1: peer_write(size * 64); break;
    case 2: peer_read(size * 64); break;
    case 3: peer_shut(); break;
    case 4: peer_close(); break;
    case 5: write_some(size * 8, false); break;
    case 6: write_some(size * 64, false); break;
    case 7: write_some(size * 64, true); break;
    case 8:
        w.eof_written |= !weft_transport_is_closing(w.transport);
        IS(weft_transport_write_eof(w.transport), 0);
        break;
    case 9: pause_reading(); break;
    case 10: resume_reading(); break;
    case 11: set_limits(size * 64, next_byte(&w.script) * 64u); break;
    case 12: close_it(size & 1); break;
    case 13: w.reaction = (unsigned)size; break;
    case 14: w.room_size = size; break;
    case 15: change_protocol(); break;
    case 16: try_drain(); break;
    case 17:
        if (size == 7) { /* seldom: it is the end */
            try_detach();
        }
        break;
    default: give_way(size & 7);
    }
}

/* Lets it come to its end: the peer reads all, and whoever is to closes. */
static void end(void)
{
    w.reaction = 0;
    w.stays = false;
    w.room_size = w.room_size ? w.room_size : 100;
    resume_reading();
    if (w.ending == BY_PEER) {
        peer_shut();
    }
    if (w.ending == BY_CLOSE || w.eof) { /* which it has outlived */
        w.closing = true;
        IS(weft_transport_close(w.transport), 0);
    }
    for (int i = 0; i < TURNS && !w.lost; i++) {
        peer_read(sizeof room);
        give_way(1);
    }
    HOLDS(w.lost);
    for (int i = 0; i < TURNS && w.peer >= 0 && !w.peer_ended && !w.error; i++) {
        peer_read(sizeof room);
    }
    if (!w.error && !w.aborted && !w.peer_closed) {
        IS(w.peer_got, w.written);
    }
    if (!w.error && !w.closing) {
        IS(w.got, w.sent);
    }
}

static void open_world(void)
{
    const int little = 4608; /* so that it fills: the kernel's least */
    int fds[2];

    IS(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    for (int i = 0; i < 2; i++) {
        IS(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &little, sizeof little), 0);
    }
    w.peer = fds[1];
    IS(weft_loop_connect_accepted_socket(NULL, w.room_size ? &buffered : &plain, &w, fds[0], NULL),
       0);
    HOLDS(w.made);
}

WEFT_ASYNC(world)
{
    open_world();
    while (w.script.at < w.script.end && !w.detached) {
        unsigned kind = next_byte(&w.script) % 24;

        step(kind, next_byte(&w.script));
    }
    if (!w.detached && w.ending != BY_LOOP) {
        end();
    }
    return 0;
}

static void read_settings(const uint8_t *data, size_t size)
{
    unsigned settings, seed;

    w = (struct world){ .script = { data, data + size }, .peer = -1 };
    settings = next_byte(&w.script);
    w.ending = settings % ENDINGS;
    w.stays = settings & 4;
    w.room_size = settings & 8 ? next_byte(&w.script) : 0;
    seed = settings >> 4;
    snprintf(w.backend, sizeof w.backend, seed ? "sim:fds=1,seed=%u" : "sim:fds=1", seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!bytes[1]) {
        fill_bytes();
    }
    read_settings(data, size);
    run_world(world(), w.backend);
    HOLDS(w.lost || w.detached);
    (void)weft_transport_unref(w.transport);
    if (w.peer >= 0) {
        close(w.peer);
    }
    free(given);
    given = NULL;
    return 0;
}
