/* SPDX-License-Identifier: MIT
 * Fuzz target: reading from a stream, against a model that knows all that will be written.
 *
 * A script is three bytes of settings and then records: chunks that one end writes, each in its
 * time, and calls that the other end reads with.  How the chunks fall must make no difference to
 * what a call returns; a cancel (calls have timeouts) must lose nothing. */
#include "core/io/stream.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define RECORDS 300
#define CONTENT 8192
#define FORMS 9 /* of calls */

enum { PAUSE_NONE, PAUSE_TURN, PAUSE_SHORT, PAUSE_LONG };

struct chunk {
    size_t from, size;
    uint8_t pause; /* before it */
    bool in_parts, hurries;
};

struct call {
    uint8_t form, size, extra;
};

static struct plan {
    char backend[40];
    size_t limit, capacity;
    bool leaves_early, closes; /* the reader does; the writer does, instead of writing the end */
    char content[CONTENT];
    size_t total;
    struct chunk chunks[RECORDS];
    struct call calls[RECORDS];
    int chunk_count, call_count;
} plan;

/* What the reader knows. */
static struct model {
    weft_stream *stream;
    size_t at;  /* bytes that were taken */
    bool ended; /* a call has told of the end */
    bool left;
} model;

#define WORD(text) { .iov_base = (void *)(text), .iov_len = sizeof(text) - 1 }

static const struct iovec separators[] = {
    WORD("\n"), WORD("\r\n"), WORD("\r\n\r\n"), WORD("ab"), WORD("aab"), WORD("aaaa"),
};

#define SEPARATORS (sizeof separators / sizeof *separators)

/* ---- the script ---- */

static void add_chunk(struct script *script, unsigned how, bool few_letters)
{
    static const char letters[] = "ab\r\n";
    struct chunk *chunk = &plan.chunks[plan.chunk_count++];
    size_t size = next_byte(script);

    *chunk = (struct chunk){ .from = plan.total,
                             .pause = how & 3,
                             .in_parts = how & 4,
                             .hurries = how & 8 };
    for (; chunk->size < size && plan.total < CONTENT && script->at < script->end; chunk->size++) {
        unsigned byte = next_byte(script);

        plan.content[plan.total++] = few_letters ? letters[byte & 3] : (char)byte;
    }
}

static void read_script(struct script *script)
{
    unsigned settings = next_byte(script), seed = settings >> 3;

    memset(&plan, 0, sizeof plan);
    plan.leaves_early = settings & 2;
    plan.closes = settings & 4;
    plan.limit = 1 + next_byte(script);
    plan.capacity = 1 + next_byte(script);
    snprintf(plan.backend, sizeof plan.backend, seed ? "sim:seed=%u" : "sim", seed);
    while (script->at < script->end) {
        unsigned kind = next_byte(script);

        if (kind < 96 && plan.chunk_count < RECORDS) {
            add_chunk(script, kind, settings & 1);
        } else if (kind >= 96 && plan.call_count < RECORDS) {
            struct call *call = &plan.calls[plan.call_count++];

            call->form = kind % FORMS;
            call->size = (uint8_t)next_byte(script);
            call->extra = (uint8_t)next_byte(script);
        }
    }
}

/* ---- writing ---- */

static ssize_t write_chunk(weft_stream *stream, const struct chunk *chunk)
{
    const char *bytes = plan.content + chunk->from;
    struct iovec parts[] = { { (void *)(uintptr_t)bytes, chunk->size / 2 },
                             { NULL, 0 },
                             { (void *)(uintptr_t)(bytes + chunk->size / 2),
                               chunk->size - chunk->size / 2 } };
    weft_timeout timeout;
    ssize_t n;

    if (chunk->hurries) {
        IS(weft_timeout_enter(&timeout, 0.0005), 0);
    }
    n = chunk->in_parts ? weft_stream_writev(stream, parts, 3) :
                          weft_stream_write(stream, bytes, chunk->size);
    if (chunk->hurries) {
        (void)weft_timeout_exit(&timeout, n < 0 ? (int)n : 0);
    }
    return n;
}

WEFT_ASYNC(writes, (weft_stream *, stream))
{
    static const double pauses[] = { 0, 0, 0.001, 0.01 };

    for (int i = 0; i < plan.chunk_count; i++) {
        struct chunk *chunk = &plan.chunks[i];
        ssize_t n;

        if (chunk->pause != PAUSE_NONE) {
            IS(weft_sleep(pauses[chunk->pause]), 0);
        }
        n = write_chunk(stream, chunk);
        if (n == -ECANCELED) { /* then nothing of it has gone */
            HOLDS(chunk->hurries);
            chunk->hurries = false;
            n = write_chunk(stream, chunk);
        }
        HOLDS(n == (ssize_t)chunk->size || (n == -EPIPE && model.left));
    }
    if (!plan.closes) {
        int r = weft_stream_write_eof(stream);

        HOLDS(r == 0 || (r == -EPIPE && model.left));
    }
    if (plan.closes) {
        int r = weft_stream_close(stream);

        HOLDS(r == 0 || (r == -EPIPE && model.left));
    }
    return 0;
}

/* ---- reading ---- */

static size_t rest(void)
{
    return plan.total - model.at;
}

static size_t kept(void)
{
    weft_stream_stats stats;

    IS(weft_stream_statistics(model.stream, &stats), 0);
    return stats.kept;
}

static void took(const char *bytes, size_t size)
{
    HOLDS(size <= rest());
    HOLDS(memcmp(bytes, plan.content + model.at, size) == 0);
    model.at += size;
}

/* Where the separator that ends first does. */
static size_t first_end(const struct iovec *of, int count)
{
    for (size_t end = 1; end <= rest(); end++) {
        for (int i = 0; i < count; i++) {
            if (of[i].iov_len <= end && memcmp(plan.content + model.at + end - of[i].iov_len,
                                               of[i].iov_base, of[i].iov_len) == 0) {
                return end;
            }
        }
    }
    return 0;
}

static ssize_t expect_until(const struct iovec *of, int count, size_t size, bool is_line)
{
    size_t end = first_end(of, count), most = plan.limit;

    for (int i = 0; i < count; i++) { /* the limit is for what lies before the longest */
        most = plan.limit + of[i].iov_len > most ? plan.limit + of[i].iov_len : most;
    }
    if (end) {
        return end <= size && (end <= kept() || end <= most) ? (ssize_t)end : -EMSGSIZE;
    }
    if (is_line) {
        return rest() <= size && (rest() < most || model.ended) ? (ssize_t)rest() : -EMSGSIZE;
    }
    return rest() < size && (rest() < most || model.ended) ? -ENODATA : -EMSGSIZE;
}

static void try_read(size_t size, char *room)
{
    ssize_t n = weft_stream_read(model.stream, room, size);

    if (n == -ECANCELED) {
        return;
    }
    HOLDS(n >= 0 && n <= (ssize_t)size);
    HOLDS(n > 0 || !size || !rest());
    model.ended |= n == 0 && size;
    took(room, (size_t)n);
}

static void try_readexactly(size_t size, char *room)
{
    bool enough = size <= rest();
    ssize_t n = weft_stream_readexactly(model.stream, room, size);

    if (n == -ECANCELED) {
        return;
    }
    IS(n, enough ? (ssize_t)size : -ENODATA);
    model.ended |= n < 0;
    took(room, n > 0 ? (size_t)n : 0);
}

static void try_readline(size_t size, char *room)
{
    ssize_t expected = expect_until(separators, 1, size, true);
    bool is_whole = first_end(separators, 1);
    ssize_t n = weft_stream_readline(model.stream, room, size);

    if (n == -ECANCELED) {
        return;
    }
    IS(n, expected);
    model.ended |= n >= 0 && !is_whole;
    took(room, n > 0 ? (size_t)n : 0);
}

static void try_readuntil(size_t size, unsigned which, char *room)
{
    struct iovec chosen[SEPARATORS];
    int count = 0;
    ssize_t n, expected = -EINVAL;

    for (size_t i = 0; i < SEPARATORS; i++) {
        if (which & 1u << i) {
            chosen[count++] = separators[i];
        }
    }
    if (count) {
        expected = expect_until(chosen, count, size, false);
    }
    n = weft_stream_readuntil_any(model.stream, chosen, count, room, size);
    if (n == -ECANCELED) {
        return;
    }
    IS(n, expected);
    model.ended |= n == -ENODATA;
    took(room, n > 0 ? (size_t)n : 0);
}

static void try_peek(size_t least)
{
    const char *shown;
    ssize_t n = weft_stream_peek(model.stream, least, &shown);

    if (n == -ECANCELED) {
        return;
    }
    if (least > plan.limit) {
        IS(n, -EMSGSIZE);
        return;
    }
    HOLDS(n >= 0 && n <= (ssize_t)rest());
    IS(n, kept());
    HOLDS(n >= (ssize_t)least || n == (ssize_t)rest());
    HOLDS(memcmp(shown, plan.content + model.at, (size_t)n) == 0);
    model.ended |= n < (ssize_t)least;
}

static void try_peek_until(unsigned which)
{
    const struct iovec *one = &separators[which % SEPARATORS];
    const char *shown;
    ssize_t expected = expect_until(one, 1, SIZE_MAX, false);
    ssize_t n = weft_stream_peek_until(model.stream, one->iov_base, one->iov_len, &shown);

    if (n == -ECANCELED) {
        return;
    }
    IS(n, expected);
    HOLDS(n < 0 || memcmp(shown, plan.content + model.at, (size_t)n) == 0);
    model.ended |= n == -ENODATA;
}

static void try_consume(size_t size)
{
    bool is_there = size <= kept();

    IS(weft_stream_consume(model.stream, size), is_there ? 0 : -EINVAL);
    model.at += is_there ? size : 0;
}

static void try_read_all(size_t limit)
{
    weft_buffer buffer = { 0 };
    bool fits = rest() <= limit;
    int r = weft_stream_read_all(model.stream, limit, &buffer);

    if (r != -ECANCELED) {
        IS(r, fits ? 0 : -EMSGSIZE);
        IS(buffer.len, fits ? rest() : limit);
        model.ended |= r == 0;
    }
    took(buffer.data ? buffer.data : "", buffer.len);
    weft_buffer_clear(&buffer);
}

static void try_call(const struct call *call)
{
    static const double timeouts[] = { 0, 0.0007 };
    bool hurries = call->extra & 0x80;
    weft_timeout timeout;
    char *room = malloc(call->size + !call->size); /* of that size, so that it is seen to be kept */

    HOLDS(room);
    if (hurries) {
        IS(weft_timeout_enter(&timeout, timeouts[call->extra >> 6 & 1]), 0);
    }
    switch (call->form) {
    case 0: try_read(call->size, room); break;
    case 1: try_readexactly(call->size, room); break;
    case 2: try_readline(call->size, room); break;
    case 3: try_readuntil(call->size, call->extra, room); break;
    case 4: try_peek(call->size); break;
    case 5: try_peek_until(call->extra & 0x3f); break;
    case 6: try_consume(call->size); break;
    case 7: try_read_all(call->size); break;
    default: (void)weft_sleep(call->size * 0.0001);
    }
    if (hurries) {
        (void)weft_timeout_exit(&timeout, 0);
    }
    free(room);
    HOLDS(!weft_stream_at_eof(model.stream) || !rest());
}

static void set_limit(weft_stream *stream, size_t limit)
{
    int r = 0;

    weft__stream_of(stream, &r)->limit = limit; /* pairs have no option for it */
    IS(r, 0);
}

WEFT_ASYNC(world)
{
    weft_stream *ends[2];
    weft_task *writer;

    IS(weft_stream_pair(plan.capacity, ends), 0);
    model = (struct model){ .stream = ends[0] };
    set_limit(ends[0], plan.limit);
    writer = weft_create_task(writes(ends[1]), NULL);
    for (int i = 0; i < plan.call_count; i++) {
        try_call(&plan.calls[i]);
    }
    if (!plan.leaves_early) {
        try_read_all(rest());
        IS(rest(), 0);
        HOLDS(weft_stream_at_eof(model.stream));
    }
    model.left = true;
    IS(weft_stream_close(ends[0]), 0);
    IS(weft_await(writer), 0);
    if (!plan.closes) {
        int r = weft_stream_close(ends[1]);

        HOLDS(r == 0 || (r == -EPIPE && plan.leaves_early));
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct script script = { data, data + size };

    read_script(&script);
    run_world(world(), plan.backend);
    return 0;
}
