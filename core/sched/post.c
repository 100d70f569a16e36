/* SPDX-License-Identifier: MIT
 * Posts: atomic operations and one wake, nothing that a signal handler may not do. */
#include "core/sched/post.h"

#include "core/sched/loop.h"

#include <errno.h>
#include <sched.h>

_Static_assert(__GCC_ATOMIC_INT_LOCK_FREE == 2 && __GCC_ATOMIC_POINTER_LOCK_FREE == 2,
               "a signal handler must not meet a lock in an atomic operation");

/* Keeps a loop from being closed under the poster; NULL: it is closed. */
static struct weft__loop *enter(uintptr_t handle)
{
    struct weft__loop *loop = weft__tag_address(handle, WEFT__CELL_LOW);

    atomic_fetch_add(&loop->inbox.posters, 1);
    if (__atomic_load_n(&loop->handle, __ATOMIC_SEQ_CST) == handle) {
        return loop;
    }
    atomic_fetch_sub(&loop->inbox.posters, 1);
    return NULL;
}

static void leave(struct weft__loop *loop)
{
    atomic_fetch_sub(&loop->inbox.posters, 1);
}

static void push(struct weft__loop *loop, struct weft__post *post)
{
    struct weft__post *head = __atomic_load_n(&loop->inbox.posts, __ATOMIC_RELAXED);

    do {
        post->next = head;
    } while (!__atomic_compare_exchange_n(&loop->inbox.posts, &head, post, true, __ATOMIC_SEQ_CST,
                                          __ATOMIC_RELAXED));
    weft__inbox_wake(loop);
}

/* The loop to which a post with this word must be pushed when something is added to it; NULL: none,
 * for it is unbound, or its loop is closed, or somebody pushes it already.  -ECHILD. */
static int loop_to_push_to(const struct weft__post *post, uint32_t word,
                           struct weft__loop **ret_loop)
{
    *ret_loop = NULL;
    if ((word & WEFT__POST_BOUND) && !(word & WEFT__POST_COUNT)) {
        struct weft__loop *loop = enter(__atomic_load_n(&post->loop, __ATOMIC_RELAXED));

        if (loop &&
            atomic_load_explicit(&loop->inbox.epoch, memory_order_relaxed) != *weft__fork_word) {
            leave(loop);
            return -ECHILD;
        }
        *ret_loop = loop;
    }
    return 0;
}

int weft__post(struct weft__post *post, uint32_t n, bool once)
{
    /* Who has something to tell has written it before, and the loop reads it after it has taken the
     * count.  Where this post merges into one that is there already, only a write of our own keeps
     * that order: a load could be ahead of what was written. */
    uint32_t word = once ? __atomic_fetch_or(&post->word, 0, __ATOMIC_SEQ_CST)
                         : __atomic_load_n(&post->word, __ATOMIC_ACQUIRE);

    for (;;) {
        uint32_t count = word & WEFT__POST_COUNT;
        struct weft__loop *loop;
        bool added;
        int r;

        if (once && count) {
            return 0;
        }
        if (n > WEFT__POST_COUNT - count) {
            return -EOVERFLOW;
        }
        r = loop_to_push_to(post, word, &loop);
        if (r < 0) {
            return r;
        }
        added = __atomic_compare_exchange_n(&post->word, &word, word + n, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_ACQUIRE);
        if (loop) {
            if (added) {
                push(loop, post);
            }
            leave(loop);
        }
        if (added) {
            return 0;
        }
    }
}

/* A loop that was closed has no posters any more once its close is over. */
static void wait_for_posters(uintptr_t handle)
{
    const struct weft__loop *loop = weft__tag_address(handle, WEFT__CELL_LOW);

    while (atomic_load(&loop->inbox.posters) > 0) {
        sched_yield();
    }
}

uint32_t weft__post_bind(struct weft__post *post, struct weft__loop *loop,
                         void (*deliver)(struct weft__post *post, uint32_t count))
{
    uint32_t word = __atomic_load_n(&post->word, __ATOMIC_ACQUIRE), bound;

    if (word & WEFT__POST_BOUND) {
        wait_for_posters(post->loop);
    }
    post->deliver = deliver;
    __atomic_store_n(&post->loop, loop->handle, __ATOMIC_RELAXED);
    do {
        bound = ((word & ~WEFT__POST_COUNT) + WEFT__POST_GENERATION) | WEFT__POST_BOUND;
    } while (!__atomic_compare_exchange_n(&post->word, &word, bound, false, __ATOMIC_SEQ_CST,
                                          __ATOMIC_ACQUIRE));
    return word & WEFT__POST_COUNT;
}

uint32_t weft__post_unbound(const struct weft__post *post)
{
    uint32_t word = __atomic_load_n(&post->word, __ATOMIC_ACQUIRE);

    if (word & WEFT__POST_BOUND) {
        uintptr_t handle = __atomic_load_n(&post->loop, __ATOMIC_RELAXED);
        const struct weft__loop *loop = weft__tag_address(handle, WEFT__CELL_LOW);

        if (__atomic_load_n(&loop->handle, __ATOMIC_SEQ_CST) == handle) {
            return 0;
        }
    }
    return word & WEFT__POST_COUNT;
}

uint32_t weft__post_take_unbound(struct weft__post *post)
{
    if (weft__post_unbound(post) == 0) {
        return 0;
    }
    return __atomic_fetch_and(&post->word, ~WEFT__POST_COUNT, __ATOMIC_ACQ_REL) & WEFT__POST_COUNT;
}

/* Takes the whole list; the oldest first. */
static struct weft__post *take_list(struct weft__loop *loop)
{
    struct weft__post *newest = __atomic_exchange_n(&loop->inbox.posts, NULL, __ATOMIC_SEQ_CST);
    struct weft__post *oldest = NULL;

    while (newest) {
        struct weft__post *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void weft__posts_take(struct weft__loop *loop)
{
    struct weft__post *post, *next;

    for (post = take_list(loop); post; post = next) {
        next = post->next; /* from the next line on it may be pushed again */
        post->deliver(post, __atomic_fetch_and(&post->word, ~WEFT__POST_COUNT, __ATOMIC_ACQ_REL) &
                                WEFT__POST_COUNT);
    }
}

void weft__post_settle(struct weft__post *post)
{
    for (;;) {
        uint32_t word = __atomic_load_n(&post->word, __ATOMIC_ACQUIRE);
        struct weft__loop *loop = weft__tag_address(post->loop, WEFT__CELL_LOW);

        if (!(word & WEFT__POST_BOUND) || !(word & WEFT__POST_COUNT) ||
            loop->handle != post->loop) {
            return;
        }
        weft__posts_take(loop);
        sched_yield(); /* somebody may be between counting and pushing */
    }
}
