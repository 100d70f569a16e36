/* SPDX-License-Identifier: MIT
 * Posts: how threads and signal handlers reach an object of a loop without a lock.
 *
 * A post is embedded in the object (an event, a semaphore).  All that is said about it is in one
 * word:
 *
 *     [ bound:1 ][ generation:7 ][ count:24 ]
 *
 * Posting adds to the count, and no more, unless that made it the first one since the loop has
 * looked: then the post is pushed on the loop's list, and the loop is woken.  The loop takes the
 * list and delivers each count.  So whoever posts touches the object for the last time either with
 * the addition, or with the push, which the loop awaits before it delivers: the task that is woken
 * by it may free the object at once.
 *
 * Before the object is bound to a loop posts are only counted; binding it takes the count.  The
 * same goes for a loop that was closed: what is posted then is delivered to the one that comes
 * after it.  The generation is the binding's, so that no addition that was meant for one loop
 * reaches a binding to another. */
#ifndef WEFT_CORE_POST_H
#define WEFT_CORE_POST_H

#include "core/base/base.h"

struct weft__loop;

/* It lies in a weft_post, which is declared as something else. */
struct __attribute__((may_alias)) weft__post {
    struct weft__post *next;                                  /* in the loop's list */
    void (*deliver)(struct weft__post *post, uint32_t count); /* on the loop's thread */
    uintptr_t loop; /* the handle of the one that it is bound to; any thread reads it */
    uint32_t word;
};

#define WEFT__POST_BOUND 0x80000000u
#define WEFT__POST_GENERATION 0x01000000u /* what the generation counts by */
#define WEFT__POST_COUNT 0x00ffffffu

/* Posts `n`, or, with `once`, nothing where something is posted already.  Any thread, any signal
 * handler; keeps errno.  0; -EOVERFLOW 2^24 are waiting; -ECHILD the loop is a forked child's
 * parent's. */
int weft__post(struct weft__post *post, uint32_t n, bool once);

/* Binds it to a loop, on that one's thread; returns what was posted before.  The loop that it was
 * bound to is closed. */
uint32_t weft__post_bind(struct weft__post *post, struct weft__loop *loop,
                         void (*deliver)(struct weft__post *post, uint32_t count));

/* What was posted and no loop will be told of: none is bound to it, or that one is closed; 0 for
 * any other.  Any thread. */
uint32_t weft__post_unbound(const struct weft__post *post);

/* The same, and takes it. */
uint32_t weft__post_take_unbound(struct weft__post *post);

/* Delivers what other threads have posted to a loop. */
void weft__posts_take(struct weft__loop *loop);

/* Before the object goes: delivers what is under way, so that nobody has its address any more.  On
 * the thread of the loop. */
void weft__post_settle(struct weft__post *post);

#endif
