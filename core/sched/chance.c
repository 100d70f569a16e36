/* SPDX-License-Identifier: MIT
 * A world that is not kind, for backends whose time is virtual (`sim:seed=7`): they choose which of
 * the tasks that are ready goes first, and which calls fail.
 *
 * Callbacks keep their order, and so does what stands behind one: that is promised. */
#include "core/base/mem.h"
#include "core/sched/loop.h"

#include <errno.h>

#define CROWD 64 /* tasks that are looked at for who goes first */

static uint32_t choose(const struct weft__loop *loop, uint32_t what, uint32_t count)
{
    uint32_t chosen = loop->ops->choose(loop->be, what, count);

    return chosen < count ? chosen : 0;
}

/* Asks with a count of 0 whether it will ever choose anything. */
static bool chooses(const struct weft__loop *loop, uint32_t what)
{
    return loop->ops->caps & WEFT_BACKEND_VIRTUAL && loop->ops->choose &&
           loop->ops->choose(loop->be, what, 0) != 0;
}

void weft__chance_open(struct weft__loop *loop)
{
    loop->shuffles = chooses(loop, WEFT_CHOOSE_ORDER);
    loop->fails = chooses(loop, WEFT_CHOOSE_FAULT);
    if (loop->shuffles) {
        loop->turns = 0; /* each turn is looked at */
    }
}

void weft__chance_order(struct weft__loop *loop)
{
    struct weft__item *item = loop->first, *before = NULL;
    uint32_t crowd = 0, chosen;

    while (item && item->kind == WEFT__ITEM_TASK && crowd < CROWD) {
        crowd++;
        item = item->next;
    }
    chosen = crowd > 1 ? choose(loop, WEFT_CHOOSE_ORDER, crowd) : 0;
    item = loop->first;
    for (uint32_t i = 0; i < chosen; i++) {
        before = item;
        item = item->next;
    }
    if (before) {
        before->next = item->next;
        if (loop->last == item) {
            loop->last = before;
        }
        item->next = loop->first;
        loop->first = item;
    }
}

size_t weft__chance_shorten(const struct weft__loop *loop, size_t size)
{
    if (!loop->shuffles || size < 2) {
        return size;
    }
    return size - choose(loop, WEFT_CHOOSE_SHORT, size < UINT32_MAX ? (uint32_t)size : UINT32_MAX);
}

static int ask(void *arg)
{
    static const int errors[] = { 0, -ENOMEM, -EINTR, -EIO, -EMFILE };

    return errors[choose(arg, WEFT_CHOOSE_FAULT, WEFT__COUNT(errors))];
}

void weft__chance_begin(struct weft__loop *loop)
{
    if (loop->fails) {
        weft__fault_ask(ask, loop);
    }
}

void weft__chance_end(struct weft__loop *loop)
{
    if (loop->fails) {
        weft__fault_ask(NULL, NULL);
    }
}
