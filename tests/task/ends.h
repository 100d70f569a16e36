/* SPDX-License-Identifier: MIT
 * The two ends of a stream, over each kind of thing that can lie beneath; with ENDS_TLS, over those
 * that go both ways, and TLS in between. */
#ifndef TESTS_TASK_ENDS_H
#define TESTS_TASK_ENDS_H

#include "tests/task/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#ifdef ENDS_TLS
#include "tests/task/certs.h"

#include <weft/plugin.h>

enum { MEMORY, UNIX, TCP, PIPES, BENEATH = PIPES };
#else
enum { MEMORY, UNIX, TCP, PIPES, BENEATH };
#endif

static weft_stream *here, *there;

#ifdef ENDS_TLS
/* A plugin that was loaded stays, and is nobody's leak. */
__attribute__((constructor)) static void load_tls(void)
{
    const weft_plugin *plugin;

    (void)weft_plugin_find("tls", WEFT_PLUGIN_FILTER, &plugin);
}

WEFT_ASYNC(starts_tls, (weft_stream *, stream), (weft_tls *, tls), (int, side))
{
    return weft_stream_start_tls(
        stream, tls, &(weft_start_tls_options){ .side = side, .server_name = "server.test" });
}

static inline void start_tls(void)
{
    weft_tls_options options = { .certificate = certs()->server,
                                 .key = certs()->server_key,
                                 .authorities = certs()->authority };
    weft_tls *tls;
    weft_task *task;

    EQUAL(weft_tls_new(&options, &tls), 0);
    task = weft_create_task(starts_tls(there, tls, WEFT_TLS_SERVER), NULL);
    EQUAL(weft_await(starts_tls(here, tls, WEFT_TLS_CLIENT)), 0);
    EQUAL(weft_await(task), 0);
    weft_tls_unref(tls);
}
#else
static inline void start_tls(void)
{
}
#endif

static inline void open_plain_ends(int beneath, const weft_stream_options *options)
{
    weft_stream *ends[2];
    int fds[2];

    if (beneath == MEMORY) {
        EQUAL(weft_stream_pair(0, ends), 0);
        here = ends[0];
        there = ends[1];
        return;
    }
    if (beneath == UNIX) {
        EQUAL(weft_socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    } else if (beneath == TCP) {
        open_tcp(fds);
        for (int i = 0; i < 2; i++) { /* what is written goes out, whatever was before it */
            EQUAL(setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)), 0);
        }
    } else {
        EQUAL(weft_pipe(fds), 0);
    }
    EQUAL(weft_stream_open_fd(fds[0], options, &here), 0);
    EQUAL(weft_stream_open_fd(fds[1], options, &there), 0);
}

static inline void open_ends_with(int beneath, const weft_stream_options *options)
{
    open_plain_ends(beneath, options);
    if (beneath != PIPES) {
        start_tls();
    }
}

static inline void open_ends(int beneath)
{
    open_ends_with(beneath, NULL);
}

/* Whether the end that an abort leaves is told from one that was meant. */
static inline bool tells_of_resets(int beneath)
{
#ifdef ENDS_TLS
    return beneath != PIPES; /* Unix sockets do not, but TLS does */
#else
    return beneath == TCP || beneath == MEMORY;
#endif
}

/* A test over each of them; pipes go from there to here. */
#define OVER_EACH(name, kinds)                                        \
    static void name##__over(int beneath);                            \
    IN_TASK(name)                                                     \
    {                                                                 \
        for (int i = 0; i < (has_descriptors() ? (kinds) : 1); i++) { \
            open_ends(i);                                             \
            name##__over(i);                                          \
            weft_stream_close(here);                                  \
            weft_stream_close(there);                                 \
        }                                                             \
    }                                                                 \
    static void name##__over(int beneath WEFT_UNUSED)

static inline void say(const char *text)
{
    EQUAL(weft_stream_write(there, text, strlen(text)), (ssize_t)strlen(text));
}

WEFT_ASYNC(says, (const char *, text))
{
    weft_sleep(0.0001);
    return (int)weft_stream_write(there, text, strlen(text));
}

static inline weft_task *say_later(const char *text)
{
    return weft_create_task(says(text), NULL);
}

static char got[256];

/* What came, as a string. */
#define READS(n, expected)                        \
    do {                                          \
        ssize_t n_ = (n);                         \
        EQUAL(n_, (ssize_t)strlen(expected));     \
        got[n_ > 0 ? n_ : 0] = '\0';              \
        SAME(got, expected);                      \
    } while (0)

/* Reads so much, in however many pieces it comes. */
static inline ssize_t read_pieces(weft_stream *stream, size_t size)
{
    size_t at = 0;
    ssize_t n = 1;

    while (at < size && (n = weft_stream_read(stream, got + at, size - at)) > 0) {
        at += (size_t)n;
    }
    return n < 0 ? n : (ssize_t)at;
}

#define COMES(stream, expected) READS(read_pieces(stream, strlen(expected)), expected)

static inline void until_someone_reads(weft_stream *stream)
{
    weft_stream_stats stats = { .is_reading = false };

    while (!stats.is_reading) {
        weft_sleep(0);
        EQUAL(weft_stream_statistics(stream, &stats), 0);
    }
}

#endif
