/* SPDX-License-Identifier: MIT
 * Channels: what the backend is asked for, and what is made of its reports. */
#include "core/sched/channel.h"

#define DIRECTIONS ((uint32_t)WEFT_READABLE | WEFT_WRITABLE)

/* Brings what the backend watches in line with what is asked for. */
static int sync(struct weft__channel *channel)
{
    struct weft__loop *loop = channel->handle.loop;
    uint32_t events = channel->asked;
    int r;

    if (channel->edge) {
        events |= channel->registered | WEFT_EDGE;
    }
    if (events == 0 && !channel->hangups) {
        weft__unwatch_channel(loop, channel);
        return 0;
    }
    if (channel->watched && events == channel->registered) {
        return 0;
    }
    r = weft__watch_channel(loop, channel, events);
    if (r < 0 && channel->watched && !(events & ~channel->registered)) {
        return 0; /* less is reported anyway: it is dropped */
    }
    if (r >= 0) {
        channel->registered = events;
    }
    return r;
}

int weft__channel_open(struct weft__loop *loop, struct weft__channel *channel, int fd,
                       uint32_t events)
{
    int r;

    channel->handle.loop = loop;
    channel->fd = fd;
    channel->asked = events;
    channel->edge = channel->edge && loop->ops->caps & WEFT_BACKEND_EDGE;
    r = sync(channel);
    if (r < 0) {
        channel->fd = -1;
    }
    return r;
}

int weft__channel_ask(struct weft__channel *channel, uint32_t events)
{
    uint32_t before = channel->asked;
    int r;

    if (channel->fd < 0 || events == before) {
        return 0;
    }
    channel->asked = events;
    r = sync(channel);
    if (r < 0) {
        channel->asked = before;
        return r;
    }
    if (!channel->edge) {
        channel->ready &= events | ~DIRECTIONS; /* what holds still is reported again */
    } else if (channel->ready & events & ~before) {
        weft__channel_again(channel);
    }
    return 0;
}

void weft__channel_close(struct weft__channel *channel)
{
    if (channel->fd >= 0) {
        weft__unwatch_channel(channel->handle.loop, channel);
        channel->asked = channel->ready = 0;
        channel->fd = -1;
    }
}

void weft__channel_event(struct weft__channel *channel, uint32_t ready)
{
    uint32_t wanted = channel->asked | (channel->hangups ? WEFT_ERROR | WEFT_HANGUP : 0u);

    if (ready & (WEFT_ERROR | WEFT_HANGUP)) {
        ready |= DIRECTIONS; /* the call that is tried tells what it is */
    }
    channel->ready |= ready;
    if (ready & wanted) {
        weft__channel_again(channel);
    }
}
