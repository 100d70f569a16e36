/* SPDX-License-Identifier: MIT
 * A small plugin of each kind: KIND says which this is, and BREAK in which way it is wrong, if any.
 *
 * The filter scrambles each byte, after a greeting; the resolver knows one name; the symboliser
 * asks dladdr(3); the sink and the instrument count. */
#include <weft/plugin.h>

#include "tests/load/kinds.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
#define EXPORT(id) WEFT_PLUGIN(id)
#define SCRAMBLE 0x5a
#define ROOM 64

enum kind { filter = 1, resolver, symboliser, sink, instrument };
enum way { sound, wrongabi, badmagic, shortdesc, shorttable, misnamed, unknownkind, failing };

static const weft_plugin_core *core;

/* The filter. */

struct stream {
    int side;
    bool greeted, ended;
    char peer[32];
    unsigned char in[ROOM], out[ROOM]; /* plain bytes to be read, wire bytes to be drained */
    size_t in_size, out_size;
};

static int filter_start(void *self, int side, const char *peer, void **ret_stream)
{
    struct stream *stream = core->alloc(NULL, sizeof *stream);

    (void)self;
    if (!stream) {
        return -ENOMEM;
    }
    *stream = (struct stream){ .side = side };
    snprintf(stream->peer, sizeof stream->peer, "%s", peer ? peer : "");
    stream->out[stream->out_size++] = '!';
    *ret_stream = stream;
    return 0;
}

static void filter_end(void *be)
{
    core->alloc(be, 0);
}

static int filter_step(void *be)
{
    return ((struct stream *)be)->greeted ? 0 : -EAGAIN;
}

static int64_t filter_feed(void *be, const void *wire, size_t size)
{
    struct stream *stream = be;
    const unsigned char *bytes = wire;
    size_t n = 0;

    stream->ended |= size == 0;
    for (; n < size && stream->in_size < ROOM; n++) {
        if (!stream->greeted) {
            if (bytes[n] != '!') {
                core->detail("the peer did not greet");
                return -EPROTO;
            }
            stream->greeted = true;
        } else {
            stream->in[stream->in_size++] = bytes[n] ^ SCRAMBLE;
        }
    }
    return n > 0 || size == 0 ? (int64_t)n : -EAGAIN;
}

static int64_t filter_drain(void *be, void *wire, size_t size)
{
    struct stream *stream = be;
    size_t n = stream->out_size < size ? stream->out_size : size;

    memcpy(wire, stream->out, n);
    memmove(stream->out, stream->out + n, stream->out_size -= n);
    return (int64_t)n;
}

static int64_t filter_read(void *be, void *plain, size_t size)
{
    struct stream *stream = be;
    size_t n = stream->in_size < size ? stream->in_size : size;

    if (n == 0) {
        return stream->ended ? 0 : -EAGAIN;
    }
    memcpy(plain, stream->in, n);
    memmove(stream->in, stream->in + n, stream->in_size -= n);
    return (int64_t)n;
}

static int64_t filter_write(void *be, const void *plain, size_t size)
{
    struct stream *stream = be;
    size_t n = 0;

    while (n < size && stream->out_size < ROOM) {
        stream->out[stream->out_size++] = ((const unsigned char *)plain)[n++] ^ SCRAMBLE;
    }
    return n > 0 ? (int64_t)n : -EAGAIN;
}

static int filter_shut(void *be)
{
    (void)be;
    return 0;
}

static int filter_info(void *be, const char *key, char *text, size_t size)
{
    return strcmp(key, "peer") == 0 ? snprintf(text, size, "%s", ((struct stream *)be)->peer) :
                                      -ENOENT;
}

static const weft_filter filter_table = {
    .size = BREAK == shorttable ? 16 : sizeof filter_table,
    .start = filter_start,
    .end = filter_end,
    .step = filter_step,
    .feed = filter_feed,
    .drain = filter_drain,
    .read = filter_read,
    .write = filter_write,
    .shut = filter_shut,
    .info = filter_info,
};

/* The resolver. */

static int resolve(void *self, const char *host, const char *service, int family, int type,
                   int flags, weft_address *ret_addresses, int max)
{
    struct sockaddr_in address = { .sin_family = AF_INET };

    (void)self, (void)service, (void)type, (void)flags;
    if (!host || strcmp(host, "loom.test") != 0 || (family && family != AF_INET)) {
        return -ENOENT;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (max > 0) {
        ret_addresses[0] = (weft_address){ .family = AF_INET, .length = sizeof address };
        memcpy(ret_addresses[0].bytes, &address, sizeof address);
    }
    return 1;
}

static const weft_resolver resolver_table = { .size = sizeof resolver_table, .resolve = resolve };

/* The symboliser. */

static int place(void *self, const void *address, weft_place *ret_place)
{
    Dl_info info;

    (void)self;
    if (!dladdr(address, &info) || !info.dli_sname) {
        return -ENOENT;
    }
    snprintf(ret_place->function, sizeof ret_place->function, "%s", info.dli_sname);
    ret_place->offset = (uint64_t)((const char *)address - (const char *)info.dli_saddr);
    return 0;
}

static const weft_symboliser symboliser_table = { .size = sizeof symboliser_table, .place = place };

/* The sink and the instrument. */

static int report(void *self, const weft_report *report)
{
    struct sink_self *mine = self;

    mine->reports++;
    snprintf(mine->last, sizeof mine->last, "%s", report->message);
    return mine->swallow;
}

static const weft_sink sink_table = { .size = sizeof sink_table, .report = report };

static void event(void *self, uint32_t event, const weft_loop *loop, int64_t now, int64_t value)
{
    struct instrument_self *mine = self;

    (void)loop, (void)now, (void)value;
    mine->opened += event == WEFT_LOOP_OPENED;
    mine->closed += event == WEFT_LOOP_CLOSED;
    mine->waits += event == WEFT_LOOP_WAITS;
    mine->woke += event == WEFT_LOOP_WOKE;
}

static const weft_instrument instrument_table = { .size = sizeof instrument_table, .event = event };

static int open_plugin(const weft_plugin_core *given, const char *options, void **ret_self)
{
    size_t size = sizeof(struct sink_self) + sizeof(struct instrument_self);
    void *self;

    core = given;
    if (BREAK == failing) {
        core->detail("it has a bad day");
        return -EIO;
    }
    if (*options && strcmp(options, "swallow=1") != 0) {
        core->detail("takes swallow=1, not '%s'", options);
        return -EINVAL;
    }
    self = core->alloc(NULL, size);
    if (!self) {
        return -ENOMEM;
    }
    memset(self, 0, size);
    if (KIND == sink) {
        ((struct sink_self *)self)->swallow = *options != '\0';
    }
    *ret_self = self;
    return 0;
}

static void close_plugin(void *self)
{
    core->alloc(self, 0);
}

EXPORT(SYMBOL) = {
    .magic = BREAK == badmagic ? 1 : WEFT_PLUGIN_MAGIC,
    .abi = BREAK == wrongabi ? 9 : WEFT_PLUGIN_ABI,
    .size = BREAK == shortdesc ? 24 : sizeof(weft_plugin),
    .kind = BREAK == unknownkind ? 99 : KIND,
    .name = BREAK == misnamed ? "other" : TEXT(SYMBOL),
    .summary = "for the tests",
    .needs = "",
    .table = KIND == filter     ? (const void *)&filter_table :
             KIND == resolver   ? (const void *)&resolver_table :
             KIND == symboliser ? (const void *)&symboliser_table :
             KIND == sink       ? (const void *)&sink_table :
                                  (const void *)&instrument_table,
    .open = open_plugin,
    .close = close_plugin,
};
