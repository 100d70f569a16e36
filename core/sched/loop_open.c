/* SPDX-License-Identifier: MIT
 * Loops: made, closed, and listed for whoever looks from outside. */
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/sched/future.h"
#include "core/sched/handle.h"
#include "core/sched/host.h"
#include "core/sched/inspect.h"
#include "core/sched/scope.h"
#include "core/sched/signal.h"
#include "core/sched/tap.h"

#include <string.h>

/* The memory of a closed loop is kept for later ones, so that its handle is known to be stale and a
 * foreign thread that comes too late finds a lock that works. */
static struct {
    pthread_mutex_t lock;
    struct weft__loop *spare;
} depot = { .lock = PTHREAD_MUTEX_INITIALIZER };
WEFT__OPENS_IN_CHILD(depot.lock)

static struct weft__loop *new_memory(void)
{
    struct weft__loop *loop = weft__alloc_aligned(64, sizeof *loop);

    if (!loop) {
        return NULL;
    }
    memset(loop, 0, sizeof *loop);
    loop->handle = weft__tag_make(loop, 0, WEFT__CELL_LOW);
    if (!weft__tag_fits(loop) || weft__sem_init(&loop->inbox.arrived) < 0) {
        weft__free(loop);
        return NULL;
    }
    if (weft__fault() < 0 || pthread_mutex_init(&loop->inbox.lock, NULL) != 0) {
        weft__sem_fini(&loop->inbox.arrived);
        weft__free(loop);
        return NULL;
    }
    loop->inbox.lock_made = true;
    return loop;
}

static struct weft__loop *take_memory(void)
{
    struct weft__loop *loop;

    pthread_mutex_lock(&depot.lock);
    loop = depot.spare;
    if (loop) {
        depot.spare = loop->next_loop;
    }
    pthread_mutex_unlock(&depot.lock);
    if (loop && atomic_load(&loop->inbox.epoch) != *weft__fork_word) {
        /* The parent's: a thread of it may have been posting to the loop that this was. */
        pthread_mutex_init(&loop->inbox.lock, NULL);
        (void)weft__sem_init(&loop->inbox.arrived);
        atomic_store(&loop->inbox.posters, 0);
    }
    if (loop) {
        /* All but the first word, which goes on, and what is last and sets itself up. */
        memset((char *)loop + sizeof loop->handle, 0,
               offsetof(struct weft__loop, inbox) - sizeof loop->handle);
    }
    return loop ? loop : new_memory();
}

void weft__loop_give_memory(struct weft__loop *loop)
{
    pthread_mutex_lock(&depot.lock);
    loop->next_loop = depot.spare;
    depot.spare = loop;
    pthread_mutex_unlock(&depot.lock);
}

void weft__loop_depot_clear(void)
{
    pthread_mutex_lock(&depot.lock);
    while (depot.spare) {
        struct weft__loop *loop = depot.spare;

        depot.spare = loop->next_loop;
        pthread_mutex_destroy(&loop->inbox.lock);
        weft__signal_port_forget(&loop->port);
        weft__sem_fini(&loop->inbox.arrived);
        weft__free(loop);
    }
    pthread_mutex_unlock(&depot.lock);
}

int weft__loop_open(const weft_backend *backend, const weft_backend_request *request,
                    struct weft__loop **ret_loop)
{
    struct weft__loop *loop = take_memory();
    int r;

    if (!loop) {
        return -ENOMEM;
    }
    r = weft__fork_epoch(&loop->epoch);
    r = r < 0 ? r : weft__backend_open(loop, backend, *request);
    if (r < 0) {
        if (!loop->host.late) {
            weft__loop_give_memory(loop);
        }
        return r;
    }
    weft__pool_init(&loop->coros, sizeof(struct weft__coro));
    weft__pool_init(&loop->handles, sizeof(struct weft__handle));
    weft__pool_init(&loop->futures, sizeof(struct weft__future));
    weft__pool_init(&loop->scopes, WEFT__SCOPE_CELL);
    weft__stacks_init(&loop->stacks, sizeof(struct weft__task));
    loop->stack_class = (uint8_t)weft__stack_class(0);
    loop->turns = WEFT__BUDGET;
    weft__loop_know_nothing(loop);
    weft__chance_open(loop);
    loop->stop_item.kind = WEFT__ITEM_STOP;
    loop->back_item.kind = WEFT__ITEM_BACK;
    loop->timers.dropped = weft__handle_dropped;
    weft__list_init(&loop->carried);
    loop->host.armed = WEFT__NEVER;
    weft__inbox_open(loop);
    weft__inspect_add(loop);
    weft__tap(WEFT_LOOP_OPENED, loop, 0);
    *ret_loop = loop;
    return 0;
}

static void end_future(void *cell, void *arg)
{
    struct weft__future *future = cell;

    (void)arg;
    weft__future_report(future);
    weft__outcome_drop_callbacks(&future->outcome);
}

/* A coroutine that nobody took. */
static void end_coro(void *cell, void *arg)
{
    struct weft__coro *coro = cell;
    struct weft__loop *loop = arg;
    const weft_coro_def *def = coro->frame.def;
    weft_report report = {
        .kind = WEFT_REPORT_CORO_NEVER_AWAITED,
        .message = "was never awaited",
        .coro = def->name,
        .file = def->file,
        .line = (int)def->line,
    };

    if (loop->observer) {
        weft__hooks.origin(loop, coro->handle, &report);
    }
    weft__report(loop, &report);
    weft__coro_drop(coro);
}

static void end_ready(struct weft__loop *loop)
{
    while (loop->first) {
        struct weft__item *item = weft__ready_pop(loop);

        if (item->kind == WEFT__ITEM_HANDLE) {
            weft__handle_skip(WEFT__CONTAINER(item, struct weft__handle, item));
        }
    }
}

int weft__loop_shut(struct weft__loop *loop)
{
    int r;

    weft__tap(WEFT_LOOP_CLOSED, loop, 0);
    if (loop->observer) {
        weft__hooks.closes(loop);
    }
    loop->closing = true; /* what reports and drop hooks call finds it closed */
    while (loop->attachments) {
        struct weft__attachment *attachment = loop->attachments;

        loop->attachments = attachment->next;
        attachment->close(attachment, loop);
    }
    weft__inbox_take(loop);
    end_ready(loop);
    weft__tasks_fini(loop);
    weft__pool_each(&loop->futures, end_future, NULL);
    weft__pool_each(&loop->coros, end_coro, loop);
    weft__watches_fini(loop);
    end_ready(loop);
    weft__signals_fini(loop);
    if (loop->observer) {
        weft__hooks.closed(loop);
    }
    weft__inspect_remove(loop);
    weft__inbox_close(loop); /* other threads may still wake the backend until here */
    end_ready(loop);
    weft__handles_unload(loop);
    weft__place_end(&loop->place);
    r = loop->ops->close(loop->be);
    weft__timers_fini(&loop->timers);
    weft__stacks_fini(&loop->stacks);
    weft__pool_fini(&loop->coros);
    weft__pool_fini(&loop->handles);
    weft__pool_fini(&loop->inbox.pool);
    weft__pool_fini(&loop->futures);
    weft__pool_fini(&loop->scopes);
    if (r == -EINPROGRESS) {
        return r;
    }
    weft__host_closed(loop);
    return 0;
}
