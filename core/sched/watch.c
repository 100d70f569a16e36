/* SPDX-License-Identifier: MIT
 * Watched descriptors: one record each, with the callback for reading and the one for writing. */
#include "core/sched/watch.h"

#include "core/base/error.h"
#include "core/base/hook.h"
#include "core/base/mem.h"
#include "core/sched/channel.h"

#include <fcntl.h>
#include <string.h>

static uint64_t token_of(const struct weft__watch *watch)
{
    return (uint64_t)watch->generation << 32 | (uint32_t)watch->fd;
}

/* Makes the table long enough for a descriptor. */
static int reserve(struct weft__loop *loop, int fd)
{
    uint32_t size = loop->watches_size ? loop->watches_size : 16;
    struct weft__watch **watches;

    if ((uint32_t)fd < loop->watches_size) {
        return 0;
    }
    while (size <= (uint32_t)fd) {
        size *= 2;
    }
    watches = weft__alloc(loop->watches, size * sizeof(struct weft__watch *));
    if (!watches) {
        return -ENOMEM;
    }
    memset(watches + loop->watches_size, 0,
           (size - loop->watches_size) * sizeof(struct weft__watch *));
    loop->watches = watches;
    loop->watches_size = size;
    return 0;
}

static struct weft__carrier *side_of(struct weft__watch *watch, uint32_t event)
{
    return event == WEFT_READABLE ? &watch->reader : &watch->writer;
}

static struct weft__carrier embedded(uint32_t flag)
{
    return (struct weft__carrier){ .handle.item = { .kind = WEFT__ITEM_HANDLE, .flags = flag } };
}

/* Gives one of the two a callback, or none, and the context that it runs in.  Returns the old one,
 * which the caller releases last: that may call back anywhere. */
static struct weft__vars *set(struct weft__watch *watch, uint32_t event, weft_callback *callback,
                              void *arg)
{
    struct weft__carrier *carrier = side_of(watch, event);
    struct weft__vars *old = carrier->vars;

    watch->called = (watch->called & ~event) | (callback ? event : 0u);
    carrier->handle.callback = callback;
    carrier->handle.arg = arg;
    carrier->vars = callback ? weft__context_capture() : NULL;
    return old;
}

/* A record for a descriptor that was not watched, with the backend. */
static int begin(struct weft__loop *loop, int fd, uint32_t events, struct weft__watch **ret_watch)
{
    size_t size = offsetof(struct weft__watch, backend_part) + loop->ops->watch_size;
    struct weft__watch *watch;
    int r;

    if ((uint32_t)fd >= loop->watches_size && WEFT__SYS(fcntl(fd, F_GETFD)) < 0) {
        return -errno; /* before the table grows to it */
    }
    r = reserve(loop, fd);

    if (r < 0) {
        return r;
    }
    watch = weft__alloc_aligned(_Alignof(struct weft__watch), size);
    if (!watch) {
        return -ENOMEM;
    }
    memset(watch, 0, size);
    watch->reader = embedded(WEFT__HANDLE_READER);
    watch->writer = embedded(WEFT__HANDLE_WRITER);
    watch->fd = fd;
    watch->generation = ++loop->watch_generation;
    watch->asked = events;
    r = loop->ops->watch(loop->be, watch->backend_part, fd, events, token_of(watch));
    if (r < 0) {
        weft__free(watch);
        return r;
    }
    loop->watches[fd] = watch;
    loop->watches_used++;
    if (loop->observer) {
        weft__hooks.fd(loop, fd, WEFT__FD_WATCHED);
    }
    *ret_watch = watch;
    return 0;
}

void weft__watch_reap(struct weft__handle *handle)
{
    struct weft__watch *watch;

    if (handle->item.flags & WEFT__HANDLE_READER) {
        watch = WEFT__CONTAINER(handle, struct weft__watch, reader.handle);
    } else {
        watch = WEFT__CONTAINER(handle, struct weft__watch, writer.handle);
    }
    if (watch->removed && !watch->reader.handle.item.queued && !watch->writer.handle.item.queued) {
        weft__free(watch);
    }
}

/* What to ask the backend for. */
static uint32_t question(const struct weft__loop *loop, uint32_t events, bool by_callback)
{
    if (by_callback || !(loop->ops->caps & WEFT_BACKEND_EDGE)) {
        return events;
    }
    /* Urgent data ends a read early, so it must be known of. */
    return events | WEFT_EDGE | (events & WEFT_READABLE ? WEFT_PRIORITY : 0u);
}

int weft__watch_ask(struct weft__loop *loop, int fd, uint32_t events, bool by_callback,
                    struct weft__watch **ret_watch)
{
    struct weft__watch *watch;
    int r;

    if (loop->observer && weft__watch_at(loop, fd)) {
        weft__hooks.fd(loop, fd, WEFT__FD_ASKED);
    }
    watch = weft__watch_at(loop, fd); /* not before: who hears of a report may close it */
    if (!watch) {
        return begin(loop, fd, question(loop, events, by_callback), ret_watch);
    }
    if (watch->channel) {
        return weft__words(-EBUSY, "a transport uses this descriptor");
    }
    by_callback |= watch->called != 0;
    events = question(loop, events | (watch->asked & WEFT__BOTH), by_callback);
    r = loop->ops->rewatch(loop->be, watch->backend_part, events);
    if (r < 0) {
        if (!watch->waiters && !watch->called) {
            weft__watch_end(loop, watch); /* it was closed, and the number may be a file's */
        }
        return r;
    }
    watch->asked = events;
    *ret_watch = watch;
    return 0;
}

void weft__watch_relax(struct weft__loop *loop, struct weft__watch *watch)
{
    uint32_t callbacks = watch->called;
    uint32_t events = callbacks | weft__watch_waits(watch);

    if (!watch->waiters && !callbacks) {
        weft__watch_end(loop, watch);
        return;
    }
    events = question(loop, events, callbacks != 0);
    /* Should this fail the watch reports more than is asked for, which is dropped. */
    if (events != watch->asked &&
        loop->ops->rewatch(loop->be, watch->backend_part, events) >= 0) {
        watch->asked = events;
    }
}

int weft__watch_set(struct weft__loop *loop, int fd, uint32_t event, weft_callback *callback,
                    void *arg)
{
    struct weft__watch *watch;
    int r = weft__watch_ask(loop, fd, event, true, &watch);

    if (r < 0) {
        return r;
    }
    weft__vars_unref(set(watch, event, callback, arg));
    return 0;
}

static int add(weft_loop *loop_handle, int fd, uint32_t event, weft_callback *callback, void *arg)
{
    int r = -EINVAL;
    struct weft__loop *loop = callback ? weft__loop_of(loop_handle, &r) : NULL;

    if (!loop) {
        return r;
    }
    return fd < 0 ? -EBADF : weft__watch_set(loop, fd, event, callback, arg);
}

int weft_loop_add_reader(weft_loop *loop, int fd, weft_callback *callback, void *arg)
{
    return add(loop, fd, WEFT_READABLE, callback, arg);
}

int weft_loop_add_writer(weft_loop *loop, int fd, weft_callback *callback, void *arg)
{
    return add(loop, fd, WEFT_WRITABLE, callback, arg);
}

void weft__watch_end(struct weft__loop *loop, struct weft__watch *watch)
{
    struct weft__vars *reader = set(watch, WEFT_READABLE, NULL, NULL);
    struct weft__vars *writer = set(watch, WEFT_WRITABLE, NULL, NULL);

    loop->ops->unwatch(loop->be, watch->backend_part);
    if (watch->channel) {
        watch->channel->watched = false;
        watch->channel = NULL;
    }
    loop->watches[watch->fd] = NULL;
    loop->watches_used--;
    watch->removed = true;
    weft__watch_reap(&watch->reader.handle);
    weft__vars_unref(reader);
    weft__vars_unref(writer);
}

int weft__watch_unset(struct weft__loop *loop, int fd, uint32_t event)
{
    struct weft__watch *watch = weft__watch_at(loop, fd);
    struct weft__carrier *side;
    struct weft__vars *vars;

    if (!watch || !(watch->called & event)) {
        return 0;
    }
    side = side_of(watch, event);
    vars = set(watch, event, NULL, NULL);
    if (side->handle.item.queued) { /* should another one come first, that turn is not for it */
        side->handle.item.flags |= WEFT__HANDLE_STALE;
    }
    weft__watch_relax(loop, watch);
    weft__vars_unref(vars);
    return 1;
}

static int remove_callback(weft_loop *loop_handle, int fd, uint32_t event)
{
    int r = 0;
    struct weft__loop *loop = weft__loop_of(loop_handle, &r);

    return loop ? weft__watch_unset(loop, fd, event) : r;
}

int weft_loop_remove_reader(weft_loop *loop, int fd)
{
    return remove_callback(loop, fd, WEFT_READABLE);
}

int weft_loop_remove_writer(weft_loop *loop, int fd)
{
    return remove_callback(loop, fd, WEFT_WRITABLE);
}

void weft__watch_expect(const struct weft__loop *loop, const weft_backend_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        __builtin_prefetch(weft__watch_at(loop, (int)(uint32_t)events[i].token), 1);
    }
    for (int i = 0; i < count; i++) {
        const struct weft__watch *watch = weft__watch_at(loop, (int)(uint32_t)events[i].token);

        if (watch) {
            __builtin_prefetch(watch->waiters, 1);
        }
    }
}

static void make_ready(struct weft__loop *loop, struct weft__handle *handle)
{
    handle->item.flags &= ~(uint32_t)WEFT__HANDLE_STALE;
    if (!handle->item.queued) {
        weft__ready(loop, &handle->item);
    }
}

void weft__watch_event(struct weft__loop *loop, const weft_backend_event *event)
{
    struct weft__watch *watch = weft__watch_at(loop, (int)(uint32_t)event->token);
    uint32_t ready = event->ready;
    uint32_t tried;

    if (!watch || token_of(watch) != event->token) {
        return; /* of a watch that has ended: late, but no error */
    }
    if (watch->channel) {
        weft__channel_event(watch->channel, ready);
        return;
    }
    if (ready & ~(uint32_t)(WEFT_READABLE | WEFT_WRITABLE)) {
        watch->is_odd = true;
    }
    if (ready & (WEFT_ERROR | WEFT_HANGUP)) {
        ready |= WEFT_READABLE | WEFT_WRITABLE; /* the call that is tried tells what it is */
    }
    if (ready & watch->called & WEFT_READABLE) {
        make_ready(loop, &watch->reader.handle);
    }
    if (ready & watch->called & WEFT_WRITABLE) {
        make_ready(loop, &watch->writer.handle);
    }
    tried = watch->waiters ? weft__watch_wake(loop, watch, ready) : 0;
    if (watch->asked & WEFT_EDGE) {
        watch->latched |= ready & ~tried & WEFT__BOTH;
    } else if (ready & watch->asked & ~watch->called & ~weft__watch_waits(watch)) {
        weft__watch_relax(loop, watch);
    }
}

int weft__watch_channel(struct weft__loop *loop, struct weft__channel *channel, uint32_t events)
{
    struct weft__watch *watch = weft__watch_at(loop, channel->fd);
    int r;

    if (channel->watched) {
        return loop->ops->rewatch(loop->be, watch->backend_part, events);
    }
    if (watch && (watch->waiters || watch->channel || watch->called)) {
        return -EBUSY;
    }
    if (watch) {
        weft__watch_end(loop, watch); /* a task waited for it once */
    }
    r = begin(loop, channel->fd, events, &watch);
    if (r >= 0) {
        watch->channel = channel;
        channel->watched = true;
    }
    return r;
}

void weft__unwatch_channel(struct weft__loop *loop, struct weft__channel *channel)
{
    if (channel->watched) {
        channel->registered = 0;
        weft__watch_end(loop, weft__watch_at(loop, channel->fd));
    }
}

void weft__watches_fini(struct weft__loop *loop)
{
    for (uint32_t fd = 0; fd < loop->watches_size; fd++) {
        if (loop->watches[fd]) {
            weft__watch_end(loop, loop->watches[fd]);
        }
    }
    weft__free(loop->watches);
    loop->watches = NULL;
    loop->watches_size = 0;
}
