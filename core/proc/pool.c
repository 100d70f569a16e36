/* SPDX-License-Identifier: MIT
 * Process pools: slots for workers, handed from call to call.
 *
 *     free slot --call--> busy --reply--> handed to the call that has waited longest, or free
 *                           \-- cancel, error: the worker is killed, and the slot is empty
 */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/base/shared.h"
#include "core/io/sys_socket.h"
#include "core/proc/pool_frame.h"
#include "core/proc/process.h"
#include "core/proc/program.h"
#include "core/sched/fdwait.h"
#include "core/thread/executor.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/io.h>
#include <weft/process_pool.h>
#include <weft/scope.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_process_pool_options) == 64, "the public size");

#define MAX_REPLY (64u << 20) /* bytes, unless the options say otherwise */
#define GLANCE_MS 20          /* how long a thread waits for a worker that no loop can watch */
#define WORDS_SECONDS 0.5     /* for one that has closed its socket to have ended */

double weft__pool_patience = 5;

/* A worker, or room for one. */
struct slot {
    struct weft__list link;       /* in the list of free ones; or in none */
    struct weft_process *process; /* NULL: none was begun, or it has died */
    int fd;                       /* our end of the socket */
    unsigned tasks;               /* it has done */
    bool greeted;                 /* it has said that it serves */
};

struct weft_process_pool {
    struct weft__loop *loop; /* whose it is, */
    weft_loop *handle;       /* as long as it is not closed */
    uint32_t epoch;
    uint32_t pins; /* calls under way */
    bool shut, freed;
    weft_process_pool_options options;
    struct weft__list free; /* slots that nobody uses; those with a worker first */
    weft_waitq waiting;     /* calls that wait for a slot: it is the waiter's value */
    weft_waitq drained;     /* who waits for the last call's end */
    unsigned busy;          /* slots in use */
    struct slot slots[];
};

static bool is_closed(const struct weft_process_pool *pool)
{
    return pool->loop->handle != (uintptr_t)pool->handle;
}

static int check(const struct weft_process_pool *pool)
{
    if (pool->epoch != *weft__fork_word) {
        return weft__misuse(-ECHILD);
    }
    return is_closed(pool) ? weft__misuse(-EBADF) : weft__loop_check(pool->loop);
}

static void end_worker(struct weft_process_pool *pool, struct slot *slot)
{
    if (slot->process) {
        (void)weft__fd_close(is_closed(pool) ? NULL : pool->loop, slot->fd);
        (void)weft_process_free(slot->process);
        slot->process = NULL;
    }
}

static void release_pool(struct weft_process_pool *pool)
{
    if (pool->freed && pool->pins == 0) {
        weft__free(pool);
    }
}

/* ---- slots ---- */

/* Nobody uses a slot any more: the next call gets it. */
static void give_slot(struct weft_process_pool *pool, struct slot *slot)
{
    weft_waiter *next = pool->waiting.first;

    if (next && !pool->freed) {
        next->value = slot;
        weft__waiter_wake(next, 0);
        return;
    }
    pool->busy--;
    if (slot->process && slot->process->loop) {
        weft__process_expect(slot->process, false); /* it has nothing to do */
    }
    weft__list_push(&pool->free, &slot->link);
    if (slot->process) { /* to the front: an idle worker is better than none */
        weft__list_remove(&slot->link);
        slot->link.next = pool->free.next;
        slot->link.prev = &pool->free;
        pool->free.next->prev = &slot->link;
        pool->free.next = &slot->link;
    }
    while (pool->busy == 0 && pool->drained.first) {
        weft__waiter_wake(pool->drained.first, 0);
    }
}

static const struct weft__wait wait_worker = { "a pool's worker", weft__waitq_interrupt };

/* Takes a slot, and waits for one. */
static int take_slot(struct weft_process_pool *pool, struct weft__task *task,
                     struct slot **ret_slot)
{
    struct weft__list *link = weft__list_pop(&pool->free);
    weft_waiter waiter = WEFT_WAITER_INIT;
    int r;

    if (link) {
        pool->busy++;
        *ret_slot = (struct slot *)(void *)link;
        return 0;
    }
    r = weft__waitq_park(task, &pool->waiting, &waiter, &wait_worker);
    if (r == 0) {
        *ret_slot = waiter.value;
    }
    return r;
}

/* ---- workers ---- */

/* The file of a worker that is this program. */
static int own_file(char *path, size_t size, const char **ret_file)
{
    *ret_file = weft__program_file(path, size);
    return *ret_file ? 0 :
                       weft__words(-EOPNOTSUPP, "the system does not tell which file this program "
                                                "is: name a worker (.argv)");
}

static int spawn(struct weft_process_pool *pool, int theirs, struct weft_process **ret_process)
{
    static const int as[] = { WEFT__POOL_FD };
    const char *const self[] = { weft__program_name(), NULL };
    char path[PATH_MAX];
    weft_process_options options = { 0 };
    const char **add;
    size_t count = 0;
    int r = 0;

    if (pool->options.process) {
        options = *pool->options.process;
    } else {
        options.in = WEFT_DEVNULL;
    }
    while (options.env_add && options.env_add[count]) {
        count++;
    }
    add = weft__alloc_zeroed(count + 2, sizeof *add);
    if (!add) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        add[i] = options.env_add[i];
    }
    add[count] = WEFT__POOL_VARIABLE "=3";
    options.env_add = add;
    options.pass_fds = &theirs;
    options.pass_fds_as = as;
    options.pass_fds_count = 1;
    if (!pool->options.argv && !options.executable) {
        r = own_file(path, sizeof path, &options.executable);
    }
    r = r < 0 ? r :
                weft_create_subprocess_exec(pool->options.argv ? pool->options.argv : self,
                                            &options, ret_process);
    weft__free(add);
    return r;
}

/* Sees that the slot has a worker. */
static int begin_worker(struct weft_process_pool *pool, struct slot *slot)
{
    int ends[2], r;

    if (slot->process && slot->process->status != -EINPROGRESS) {
        end_worker(pool, slot); /* it died while it had nothing to do */
    }
    if (slot->process) {
        weft__process_expect(slot->process, true);
        return 0;
    }
    r = weft_socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    if (r < 0) {
        return r;
    }
    r = WEFT__SYS(fcntl(ends[1], F_SETFL, 0)) < 0 ? -errno : 0; /* the worker waits */
    r = r < 0 ? r : spawn(pool, ends[1], &slot->process);
    close(ends[1]);
    if (r < 0) {
        close(ends[0]);
        return r;
    }
    slot->fd = ends[0];
    slot->greeted = false;
    slot->tasks = 0;
    return 0;
}

static int glance(void *arg)
{
    (void)poll(arg, 1, GLANCE_MS);
    return 0;
}

/* Waits until the socket is ready, on a backend with virtual time in a thread. */
static int wait_for(struct weft__task *task, struct slot *slot, uint32_t event)
{
    struct pollfd pollfd = { .fd = slot->fd, .events = event == WEFT_READABLE ? POLLIN : POLLOUT };
    int r;

    if (!(task->loop->ops->caps & WEFT_BACKEND_VIRTUAL)) {
        return weft__fd_wait_in(task, slot->fd, event | WEFT__FD_OWNED);
    }
    r = weft__call_in_thread(WEFT__JOBS_DEFAULT, glance, &pollfd, "a look at a worker");
    return r < 0 ? r : task->cancelled ? -ECANCELED : 0;
}

/* Sends or receives all of it. */
static int move(struct weft_process_pool *pool, struct weft__task *task, struct slot *slot,
                uint32_t event, void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        ssize_t n = event == WEFT_READABLE ?
                        WEFT__SYS(recv(slot->fd, at, size, MSG_DONTWAIT)) :
                        WEFT__SYS(send(slot->fd, at, size, MSG_DONTWAIT | WEFT__NOSIGNAL));
        int r = 0;

        if (n > 0) {
            at += n;
            size -= (size_t)n;
        } else if (n == 0 || errno == EPIPE || errno == ECONNRESET) {
            r = -EPIPE;
        } else if (errno == EAGAIN) {
            r = wait_for(task, slot, event);
        } else if (errno != EINTR) {
            r = -errno;
        }
        if (r < 0 || pool->freed) {
            return pool->freed ? -ESHUTDOWN : r;
        }
    }
    return 0;
}

static int receive_frame(struct weft_process_pool *pool, struct weft__task *task, struct slot *slot,
                         uint32_t kind, struct weft__pool_frame *ret_frame)
{
    int r = move(pool, task, slot, WEFT_READABLE, ret_frame, sizeof *ret_frame);

    if (r == 0 && ret_frame->kind != kind) {
        r = weft__words(-EPROTO, "a worker of the pool does not serve: its main() has to call "
                                 "weft_process_pool_serve()");
    }
    return r;
}

/* Sends the request and receives the reply; 0, with the handler's status in the frame. */
static int converse(struct weft_process_pool *pool, struct weft__task *task, struct slot *slot,
                    const void *request, size_t size, weft_buffer *reply,
                    struct weft__pool_frame *frame)
{
    int r = 0;

    if (!slot->greeted) {
        r = receive_frame(pool, task, slot, WEFT__POOL_HELLO, frame);
        slot->greeted = r == 0;
    }
    *frame = (struct weft__pool_frame){ .kind = WEFT__POOL_REQUEST, .size = size };
    r = r < 0 ? r : move(pool, task, slot, WEFT_WRITABLE, frame, sizeof *frame);
    r = r < 0 ? r : move(pool, task, slot, WEFT_WRITABLE, (void *)(uintptr_t)request, size);
    r = r < 0 ? r : receive_frame(pool, task, slot, WEFT__POOL_REPLY, frame);
    if (r == 0 && frame->size > pool->options.max_reply) {
        r = -EMSGSIZE;
    }
    r = r < 0 ? r : weft_buffer_reserve(reply, frame->size);
    r = r < 0 ? r : move(pool, task, slot, WEFT_READABLE, reply->data, frame->size);
    reply->len = r < 0 ? 0 : frame->size;
    return r;
}

/* The worker has closed its socket: says how it has ended. */
WEFT__COLD static int died(struct slot *slot)
{
    long pid = (long)weft_process_pid(slot->process);
    weft_timeout limit;
    int status = weft_timeout_enter(&limit, WORDS_SECONDS);

    if (status == 0) {
        status = weft_timeout_exit(&limit, weft_process_wait(slot->process));
    }
    if (weft_process_signal(status)) {
        return weft__detail(-EPIPE, "worker %ld of the pool was killed by signal %d", pid,
                            weft_process_signal(status));
    }
    if (status >= 0) {
        return weft__detail(-EPIPE, "worker %ld of the pool ended with status %d", pid, status);
    }
    return weft__detail(-EPIPE, "worker %ld of the pool has closed its socket", pid);
}

/* ---- calls ---- */

/* A call that has its slot. */
static int call_in(struct weft_process_pool *pool, struct weft__task *task, struct slot *slot,
                   const void *request, size_t size, weft_buffer *ret_reply)
{
    struct weft__pool_frame frame = { 0 };
    weft_buffer reply = { 0 };
    int r = task->cancelled ? -ECANCELED : begin_worker(pool, slot);

    if (r < 0) {
        return r;
    }
    r = converse(pool, task, slot, request, size, &reply, &frame);
    if (r == -EPIPE) {
        r = died(slot);
    }
    slot->tasks++;
    if (r < 0 || slot->tasks == pool->options.max_tasks_per_child) {
        end_worker(pool, slot);
    }
    r = r < 0 ? r : frame.status;
    if (r >= 0 && ret_reply && reply.len > 0) {
        int appended = weft_buffer_append(ret_reply, reply.data, reply.len);

        r = appended < 0 ? appended : r;
    }
    weft_buffer_clear(&reply);
    return r;
}

int weft_process_pool_call(weft_process_pool *pool, const void *request, size_t size,
                           weft_buffer *ret_reply)
{
    int r = pool && (request || !size) ? 0 : -EINVAL;
    struct weft__task *task = r < 0 ? NULL : weft__self(&r);
    struct slot *slot;

    if (!task) {
        return weft__misuse(r);
    }
    r = check(pool);
    if (r == 0 && pool->loop != task->loop) {
        r = weft__misuse(-EXDEV);
    }
    if (r < 0 || pool->shut) {
        return r < 0 ? r :
                       weft__words(-ESHUTDOWN, "the pool was shut down: it takes no more calls");
    }
    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    pool->pins++;
    r = take_slot(pool, task, &slot);
    if (r == 0) {
        r = pool->freed ? -ESHUTDOWN : call_in(pool, task, slot, request, size, ret_reply);
        if (pool->freed) {
            end_worker(pool, slot); /* nobody else does, who had it handed on with one */
        }
        give_slot(pool, slot);
    }
    pool->pins--;
    release_pool(pool);
    return r;
}

/* ---- the pool ---- */

int weft_process_pool_new(const weft_process_pool_options *options, weft_process_pool **ret_pool)
{
    static const weft_process_pool_options none;
    int r = -EINVAL;
    struct weft__loop *loop = ret_pool ? weft__loop_of(NULL, &r) : NULL;
    struct weft_process_pool *pool;
    unsigned workers;

    if (!loop) {
        return r;
    }
    if (weft_process_pool_is_worker()) {
        return weft__words(-EDEADLK, "this process is a worker of a pool: main() has to ask "
                                     "weft_process_pool_is_worker(), and serve");
    }
    options = options ? options : &none;
    workers = options->max_workers ? options->max_workers : weft__cpus();
    pool = weft__alloc_zeroed(1, sizeof *pool + workers * sizeof pool->slots[0]);
    if (!pool) {
        return -ENOMEM;
    }
    pool->loop = loop;
    pool->handle = weft__loop_handle(loop);
    pool->epoch = loop->epoch;
    pool->options = *options;
    pool->options.max_workers = workers;
    pool->options.max_reply = options->max_reply ? options->max_reply : MAX_REPLY;
    weft__list_init(&pool->free);
    for (unsigned i = 0; i < workers; i++) {
        weft__list_push(&pool->free, &pool->slots[i].link);
    }
    *ret_pool = pool;
    return 0;
}

/* Lets an idle worker end by itself: its socket is closed.  One that does not is killed. */
static int retire(struct weft_process_pool *pool, struct slot *slot)
{
    weft_timeout limit;
    int r;

    shutdown(slot->fd, SHUT_RDWR);
    weft__process_expect(slot->process, slot->process->watch != WEFT__UNWATCHED);
    r = weft_timeout_enter(&limit, weft__pool_patience);
    if (r == 0) {
        r = weft_timeout_exit(&limit, weft_process_wait(slot->process));
    }
    if (r == -ETIMEDOUT && slot->process) {
        r = weft_process_stop(slot->process, 0); /* and waits for it */
    }
    end_worker(pool, slot);
    return r == -ECANCELED ? r : 0;
}

static const struct weft__wait wait_drained = { "a pool's last calls", weft__waitq_interrupt };

int weft_process_pool_shutdown(weft_process_pool *pool)
{
    int r = -EINVAL;
    struct weft__task *task = pool ? weft__self(&r) : NULL;
    weft_waiter waiter = WEFT_WAITER_INIT;

    if (!task) {
        return weft__misuse(r);
    }
    r = check(pool);
    if (r < 0) {
        return r;
    }
    pool->shut = true;
    pool->pins++;
    if (pool->busy > 0) {
        r = weft__waitq_park(task, &pool->drained, &waiter, &wait_drained);
    }
    for (unsigned i = 0; r == 0 && !pool->freed && i < pool->options.max_workers; i++) {
        if (pool->slots[i].process) {
            r = retire(pool, &pool->slots[i]);
        }
    }
    pool->pins--;
    release_pool(pool);
    return r;
}

int weft_process_pool_free(weft_process_pool *pool)
{
    int r = pool ? check(pool) : 0;

    if (!pool || (r < 0 && r != -EBADF)) {
        return r;
    }
    pool->shut = pool->freed = true;
    pool->pins++;
    for (unsigned i = 0; i < pool->options.max_workers; i++) {
        struct slot *slot = &pool->slots[i];

        if (slot->link.next != &slot->link) {
            end_worker(pool, slot);
        } else if (slot->process) { /* its call will find out */
            shutdown(slot->fd, SHUT_RDWR);
            (void)weft_process_kill(slot->process);
        }
    }
    weft__waitq_wake_all(&pool->waiting, -ESHUTDOWN);
    weft__waitq_wake_all(&pool->drained, 0);
    pool->pins--;
    release_pool(pool);
    return 0;
}
