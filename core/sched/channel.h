/* SPDX-License-Identifier: MIT
 * Channels: a watched descriptor with one user for both directions, who is called back.
 *
 *     r = weft__channel_open(loop, &channel, fd, events);     it asks for these from now on
 *     ... its callback: looks at channel.ready, clears what it has used up ...
 *     r = weft__channel_ask(&channel, events);                for others, or for 0
 *     weft__channel_close(&channel);
 *
 * Where the backend reports changes (WEFT_BACKEND_EDGE) and the user wants it so, the descriptor is
 * registered once for whatever was ever asked for and never again: to ask for less, and again for
 * more, is a matter of bits.  What is reported meanwhile is kept in `ready`.  A user that wants
 * this must use up a direction (EAGAIN, or a short count that means as much) before it clears its
 * bit.  Elsewhere a channel that asks for nothing is not watched, so no hang-up keeps the loop
 * busy. */
#ifndef WEFT_CORE_CHANNEL_H
#define WEFT_CORE_CHANNEL_H

#include "core/sched/handle.h"

struct weft__channel {
    /* Ready when something was reported that is asked for: the callback is called also at the
     * loop's close (loop->closing is set), and once after weft__channel_close() if it was ready by
     * then: so what this lies in must stay as long as handle.item.queued. */
    struct weft__handle handle;
    int fd;
    uint32_t asked;      /* WEFT_READABLE, WEFT_WRITABLE */
    uint32_t registered; /* with the backend */
    uint32_t ready;      /* reported and not used up, WEFT_ERROR and the like among it */
    bool edge;           /* before opening: changes are enough */
    bool hangups;        /* before opening: errors and hang-ups are always asked for */
    bool watched;
};

static inline void weft__channel_init(struct weft__channel *channel, weft_callback *callback,
                                      void *arg)
{
    *channel = (struct weft__channel){
        .handle = { .item = { .kind = WEFT__ITEM_HANDLE, .flags = WEFT__HANDLE_POST },
                    .callback = callback,
                    .arg = arg },
        .fd = -1,
    };
}

/* Begins to watch; `fd` stays the user's.  0, -EBUSY somebody else watches this descriptor, and
 * what the backend says (-EPERM, -EOPNOTSUPP, -ENOMEM ...): then nothing was done. */
int weft__channel_open(struct weft__loop *loop, struct weft__channel *channel, int fd,
                       uint32_t events);

/* Asks for `events` from now on.  0, or what the backend says: then all is as before.  To ask for
 * less never fails. */
int weft__channel_ask(struct weft__channel *channel, uint32_t events);

/* Ends it, before the descriptor is closed; again: nothing. */
void weft__channel_close(struct weft__channel *channel);

/* Has the callback called in its turn, if it is not about to be. */
static inline void weft__channel_again(struct weft__channel *channel)
{
    if (!channel->handle.item.queued) {
        weft__ready(channel->handle.loop, &channel->handle.item);
    }
}

/* In sched/watch.c: the watch of a channel begins, changes (`channel->registered`), and ends. */
int weft__watch_channel(struct weft__loop *loop, struct weft__channel *channel, uint32_t events);
void weft__unwatch_channel(struct weft__loop *loop, struct weft__channel *channel);

/* Something was reported. */
void weft__channel_event(struct weft__channel *channel, uint32_t ready);

#endif
