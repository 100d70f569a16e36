/* SPDX-License-Identifier: MIT
 * TLS on streams: what holds a plugin that was opened, the handshake, and what was agreed. */
#include "core/io/filter.h"

#include "core/base/error.h"
#include "core/base/shared.h"

#include <weft/scope.h>

#define HANDSHAKE_TIMEOUT 60.0 /* seconds, unless options say otherwise */

static struct weft__shared cells = WEFT__SHARED_INIT(sizeof(struct weft__tls));

int weft__tls_new(const weft_plugin *plugin, void *self, struct weft__tls **ret_tls)
{
    struct weft__tls *tls = weft__shared_take(&cells);

    if (!tls) {
        return -ENOMEM;
    }
    tls->plugin = plugin;
    tls->table = plugin->table;
    tls->self = self;
    tls->holds = 1;
    *ret_tls = tls;
    return 0;
}

struct weft__tls *weft__tls_of(weft_tls *handle, int *ret_error)
{
    struct weft__tls *tls = weft__cell_of(handle, ret_error);

    if (!tls) {
        *ret_error = *ret_error == -ESRCH ? -EBADF : *ret_error;
    }
    return tls;
}

struct weft__tls *weft__tls_ref(struct weft__tls *tls)
{
    tls->holds++;
    return tls;
}

void weft__tls_unref(struct weft__tls *tls)
{
    if (--tls->holds == 0) {
        if (tls->plugin->close) {
            tls->plugin->close(tls->self);
        }
        weft__shared_give(&cells, tls);
    }
}

weft_tls *weft_tls_ref(weft_tls *handle)
{
    int r = 0;
    struct weft__tls *tls = weft__tls_of(handle, &r);

    if (tls) {
        weft__tls_ref(tls);
    }
    return handle;
}

weft_tls *weft_tls_unref(weft_tls *handle)
{
    int r = 0;
    struct weft__tls *tls = weft__tls_of(handle, &r);

    if (tls) {
        weft__tls_unref(tls);
    }
    return NULL;
}

/* ---- the handshake ---- */

/* The stream's task is the only one that reads or writes.  After an error the stream may be
 * gone. */
static int shake(struct weft__stream *stream, struct weft__task *task)
{
    for (;;) {
        const struct weft__filtered *f = stream->filtered;
        int step = f->table->step(f->object), r;

        if (step < 0 && step != -EAGAIN) {
            (void)weft__words_for(step);
            (void)stream->kind->flush(stream); /* why, for the other side */
            return step;
        }
        r = weft__stream_flush(stream, task);
        if (step == 0) {
            return r;
        }
        if (r < 0 && r != -EPIPE) { /* who has left may have said why */
            return r;
        }
        r = weft__filter_fetch(stream);
        if (r == -EAGAIN) {
            r = weft__stream_wait(stream, task, WEFT_READABLE);
            stream->is_reading |= r == 0; /* nobody else does in between */
        }
        if (r < 0) {
            return r;
        }
    }
}

/* Whether a stream can begin now, which its task has the right to write to. */
static int can_begin(const struct weft__stream *stream)
{
    return stream->filtered    ? -EALREADY :
           stream->is_reading  ? weft__misuse(-EBUSY) :
           stream->write_error ? stream->write_error :
           stream->read_error  ? stream->read_error :
           stream->has_shut    ? -EPIPE :
                                 0;
}

/* Puts the filter in between, and a limit around what follows; an error has changed nothing. */
static int prepare(struct weft__stream *stream, struct weft__tls *tls,
                   const weft_start_tls_options *options, weft_timeout *timeout)
{
    bool is_server =
        options->side == WEFT_TLS_SERVER || (options->side == WEFT_TLS_AUTO && stream->server_task);
    double seconds = options->handshake_timeout > 0 ? options->handshake_timeout :
                                                      HANDSHAKE_TIMEOUT;
    int r = can_begin(stream);

    r = r < 0 ? r : weft_timeout_enter(timeout, seconds);
    if (r < 0) {
        return r;
    }
    r = weft__filter_begin(stream, tls, is_server, is_server ? NULL : options->server_name);
    return r < 0 ? weft_timeout_exit(timeout, r) : 0;
}

/* With the right to write: whatever comes of it, once the filter is there the stream is TLS's. */
static int begin(struct weft__stream *stream, struct weft__task *task, struct weft__tls *tls,
                 const weft_start_tls_options *options)
{
    weft_timeout timeout;
    int r = prepare(stream, tls, options, &timeout);

    if (r < 0) {
        weft__stream_unlock(stream);
        return r;
    }
    stream->pins++;
    stream->is_reading = true;
    r = weft_timeout_exit(&timeout, shake(stream, task));
    if (!weft__stream_unpin(stream)) {
        return r < 0 && r != -EBADF ? r : -EBADF;
    }
    stream->is_reading = false;
    stream->filtered->is_through = r == 0;
    if (r == -ETIMEDOUT) {
        (void)weft__words(r, "the other side has not answered in TLS in time");
    }
    if (weft__stream_goes_on(r)) { /* which this cannot */
        r = weft__detail(-ECONNABORTED, "there was no memory for the handshake");
    }
    if (r < 0) {
        stream->read_error = stream->write_error = r == -ECANCELED ? -ECONNABORTED : r;
    }
    weft__stream_unlock(stream);
    return r;
}

int weft_stream_start_tls(weft_stream *handle, weft_tls *tls_handle,
                          const weft_start_tls_options *options)
{
    static const weft_start_tls_options defaults;
    int r = 0;
    struct weft__tls *tls = weft__tls_of(tls_handle, &r);
    struct weft__task *task;
    struct weft__stream *stream = tls ? weft__stream_begin(handle, &task, &r) : NULL;

    options = options ? options : &defaults;
    if (!stream) {
        return r;
    }
    if (options->side < WEFT_TLS_AUTO || options->side > WEFT_TLS_SERVER ||
        !(options->handshake_timeout >= 0)) {
        return -EINVAL;
    }
    r = can_begin(stream);
    if (r < 0) {
        return r;
    }
    weft__tls_ref(tls); /* while it waits for those who write */
    weft_error_clear();
    r = weft__stream_lock(stream, task);
    r = r < 0 ? r : begin(stream, task, tls, options);
    weft__tls_unref(tls);
    return r;
}

int weft_stream_tls_info(weft_stream *handle, const char *key, char *text, size_t size)
{
    int r = 0;
    struct weft__stream *stream = weft__stream_of(handle, &r);

    if (!stream) {
        return r;
    }
    if (!key || (!text && size)) {
        return -EINVAL;
    }
    if (!stream->filtered || !stream->filtered->is_through) {
        return -EOPNOTSUPP;
    }
    return stream->filtered->table->info(stream->filtered->object, key, text, size);
}
