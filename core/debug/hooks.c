/* SPDX-License-Identifier: MIT
 * The program's own hooks. */
#include "core/debug/more.h"

#include "core/base/mem.h"
#include "core/debug/checks.h"

static void tell_ready(const struct weft__more *more, const struct weft__task *task)
{
    for (uint32_t i = 0; i < more->hooks_count; i++) {
        if (more->hooks[i].hooks->task_ready) {
            more->hooks[i].hooks->task_ready(more->hooks[i].arg, weft__task_handle(task));
        }
    }
}

/* The queue is one of first come, first served: new are all behind the last one that is known, or
 * all, if that one has had its turn; and `to`, if there was nobody. */
void weft__hooks_ready(struct weft__observer *observer, struct weft__task *to)
{
    struct weft__more *more = observer->more;
    struct weft__item *known = more->tail && more->tail->queued ? more->tail : NULL;

    if (to && more->was_empty) {
        tell_ready(more, to);
    }
    more->tail = known;
    more->was_empty = !observer->loop->first;
    for (struct weft__item *item = known ? known->next : observer->loop->first; item;
         item = item->next) {
        if (item->kind == WEFT__ITEM_TASK) {
            more->tail = item;
            tell_ready(more, WEFT__CONTAINER(item, struct weft__task, item));
        }
    }
}

/* Those who are in the queue already were ready before there were hooks. */
static void know_all(struct weft__more *more, const struct weft__loop *loop)
{
    more->tail = NULL;
    more->was_empty = !loop->first;
    for (struct weft__item *item = loop->first; item; item = item->next) {
        more->tail = item->kind == WEFT__ITEM_TASK ? item : more->tail;
    }
}

static void find_wanted(struct weft__more *more)
{
    more->ready_wanted = false;
    for (uint32_t i = 0; i < more->hooks_count; i++) {
        more->ready_wanted |= more->hooks[i].hooks->task_ready != NULL;
    }
}

static int find(const struct weft__more *more, const weft_loop_hooks *hooks, const void *arg)
{
    for (uint32_t i = 0; more && i < more->hooks_count; i++) {
        if (more->hooks[i].hooks == hooks && more->hooks[i].arg == arg) {
            return (int)i;
        }
    }
    return -ENOENT;
}

int weft_loop_add_hooks(weft_loop *handle, const weft_loop_hooks *hooks, void *arg)
{
    int r = -EINVAL;
    struct weft__loop *loop = hooks ? weft__loop_of(handle, &r) : NULL;
    struct weft__more *more;

    if (!loop) {
        return r;
    }
    if (hooks->size < offsetof(weft_loop_hooks, before_run)) {
        return -EINVAL;
    }
    r = weft__observe_more(loop);
    if (r < 0) {
        return r;
    }
    more = loop->observer->more;
    if (find(more, hooks, arg) >= 0) {
        return -EEXIST;
    }
    if (more->hooks_count == WEFT__HOOKS_MAX) {
        return -ENOSPC;
    }
    more->hooks[more->hooks_count].hooks = hooks;
    more->hooks[more->hooks_count++].arg = arg;
    find_wanted(more);
    know_all(more, loop);
    return 0;
}

int weft_loop_remove_hooks(weft_loop *handle, const weft_loop_hooks *hooks, void *arg)
{
    int r = 0, at;
    struct weft__loop *loop = weft__loop_of(handle, &r);
    struct weft__more *more;

    if (!loop) {
        return r;
    }
    at = loop->observer ? find(loop->observer->more, hooks, arg) : -ENOENT;
    if (at < 0) {
        return at;
    }
    more = loop->observer->more;
    for (uint32_t i = (uint32_t)at + 1; i < more->hooks_count; i++) {
        more->hooks[i - 1] = more->hooks[i];
    }
    more->hooks_count--;
    find_wanted(more);
    weft__observe_less(loop);
    return 0;
}
