/* SPDX-License-Identifier: MIT
 * Events from inside: for what waits for an event in other ways than weft_event_wait(). */
#ifndef WEFT_CORE_EVENT_H
#define WEFT_CORE_EVENT_H

#include "core/sched/post.h"
#include "core/sync/waitq.h"

#include <weft/event.h>
#include <weft/semaphore.h>

_Static_assert(sizeof(struct weft__post) <= sizeof(weft_post), "the public size");

static inline struct weft__post *weft__post_of(weft_post *post)
{
    return (struct weft__post *)(void *)post;
}

/* Before a waiter is put into event->waiters: 1, the event is set and there is nothing to wait for;
 * 0, it is `loop`'s from now on; -EXDEV. */
int weft__event_prepare(weft_event *event, struct weft__loop *loop);

/* The same for a semaphore: 1, there is a slot to take. */
int weft__semaphore_prepare(weft_semaphore *semaphore, struct weft__loop *loop);

/* The same for whatever has a queue and a post: how much was posted before, or -EXDEV. */
int64_t weft__post_prepare(weft_waitq *queue, weft_post *post, struct weft__loop *loop,
                           void (*deliver)(struct weft__post *post, uint32_t count));

#endif
