/* SPDX-License-Identifier: MIT
 * Streams through a filter (<weft/plugin.h>), from inside: what is encrypted by TLS. */
#ifndef WEFT_CORE_FILTER_H
#define WEFT_CORE_FILTER_H

#include "core/io/stream.h"

#include <weft/plugin.h>
#include <weft/tls.h>

/* A weft_tls: a plugin that was opened.  A cell of the process. */
struct weft__tls {
    uintptr_t handle;
    const weft_plugin *plugin;
    const weft_filter *table;
    void *self; /* the plugin's own */
    _Atomic uint32_t holds;
};

/* In io/tls.c: one with one hold of what was opened; the one of a handle, or NULL and -EBADF,
 * -EINVAL; a hold more, or less. */
int weft__tls_new(const weft_plugin *plugin, void *self, struct weft__tls **ret_tls);
struct weft__tls *weft__tls_of(weft_tls *handle, int *ret_error);
struct weft__tls *weft__tls_ref(struct weft__tls *tls);
void weft__tls_unref(struct weft__tls *tls);

/* What a stream has in between. */
struct weft__filtered {
    const struct weft__stream_kind *below; /* what it was without */
    const weft_filter *table;
    void *object; /* the filter's own */
    struct weft__tls *tls;
    int error; /* of the wire, when a write that had begun found it; told next */
    bool was_tcp;
    bool is_through;     /* the handshake is over */
    bool has_wire_ended; /* and the filter knows */
    /* What came from the wire and was not taken, and what is for it and was not sent. */
    char *in, *out; /* NULL: nothing */
    size_t in_at, in_len, out_at, out_len;
};

/* In io/filter.c: puts a filter between; what was received and not read goes to it.  An error has
 * changed nothing. */
int weft__filter_begin(struct weft__stream *stream, struct weft__tls *tls, int side,
                       const char *peer);

/* Has the filter take what the wire brings: 0, -EAGAIN it brings nothing now, or an error. */
int weft__filter_fetch(struct weft__stream *stream);

#endif
