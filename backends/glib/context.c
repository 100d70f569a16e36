/* SPDX-License-Identifier: MIT
 * The main context: a new one, made precise, and the thread's default while its loop runs; or the
 * program's. */
#include "host.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

_Thread_local glib_host *weft_glib_running;

/* The context of ours that is this thread's default, and whether somebody pops it when it ends. */
static _Thread_local GMainContext *pushed;
static _Thread_local bool pops_at_exit;

/* In place of g_poll(): no longer than to run()'s deadline, and that to the nanosecond. */
static gint poll_precisely(GPollFD *fds, guint count, gint milliseconds)
{
    int64_t left = milliseconds < 0 ? WEFT_BACKEND_NEVER : milliseconds * INT64_C(1000000);
    glib_host *host = weft_glib_running;
    if (left > 0 && host != NULL && host->deadline != WEFT_BACKEND_NEVER) {
        int64_t ours = host->deadline - host->core->now();
        if (ours <= 0) {
            ours = 0;
            host->deadline = WEFT_BACKEND_NEVER; /* spent: a nested iteration shall not spin */
        }
        left = ours < left ? ours : left;
    }
    const struct timespec timeout = {
        .tv_sec = (time_t)(left / 1000000000),
        .tv_nsec = (long)(left % 1000000000),
    };
    return ppoll((struct pollfd *)fds, count, left == WEFT_BACKEND_NEVER ? NULL : &timeout, NULL);
}

int weft_glib_open_eventfd(glib_host *host, int *ret_fd)
{
    int r = host->core->fault();
    if (r == 0) {
        *ret_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = *ret_fd < 0 ? -errno : 0;
    }
    return r;
}

int weft_glib_new_context(glib_host *host)
{
    int spare = -1, second = -1;
    int r = weft_glib_open_eventfd(host, &spare);
    if (r == 0) {
        r = weft_glib_open_eventfd(host, &second);
        close(spare);
    }
    if (r == 0) {
        close(second);
        GPollFD only = { .fd = -1 };
        gint timeout;
        (void)g_main_context_default(); /* which GLib makes now or when another is pushed */
        host->context = g_main_context_new();
        g_main_context_query(host->context, G_MAXINT, &timeout, &only, 1);
        host->waker = only.fd;
        g_main_context_set_poll_func(host->context, poll_precisely);
    }
    return r;
}

/* In a forked child. */
static void leave_parent(glib_host *host)
{
    int own = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (own >= 0 && host->waker >= 0) {
        (void)dup3(own, host->waker, O_CLOEXEC);
    }
    if (own >= 0) {
        close(own);
    }
}

int weft_glib_adopt_context(glib_host *host, GMainContext *context)
{
    if (!g_main_context_acquire(context)) {
        host->core->detail("another thread runs this main context");
        return -EBUSY;
    }
    g_main_context_release(context);
    host->context = g_main_context_ref(context);
    return 0;
}

/* glibc's, for what has to happen before the thread's other data goes; musl has none. */
extern int __cxa_thread_atexit_impl(void (*function)(void *), void *arg, void *object)
    __attribute__((weak));

/* A context that is a thread's default is owned by it, and could run in no other.  So it is given
 * back, and taken again for being popped: here, or before GLib does that as the thread ends. */
static void pop(void *unused)
{
    (void)unused;
    while (pushed != NULL && pops_at_exit && !g_main_context_acquire(pushed)) {
        g_main_context_wakeup(pushed); /* another thread runs it, and lets go for a moment */
        sched_yield();
    }
    if (pushed != NULL && g_main_context_get_thread_default() == pushed) {
        g_main_context_pop_thread_default(pushed);
    }
    pushed = NULL;
}

void weft_glib_push(GMainContext *context)
{
    if (pushed == context) {
        return;
    }
    pop(NULL);
    g_main_context_push_thread_default(context);
    pushed = context;
    if (!pops_at_exit && __cxa_thread_atexit_impl != NULL) {
        pops_at_exit = __cxa_thread_atexit_impl(pop, NULL, &pushed) == 0;
    }
    if (pops_at_exit) {
        g_main_context_release(context);
    }
}

void weft_glib_leave_context(glib_host *host)
{
    if (host->process != getpid()) {
        leave_parent(host);
    }
    if (pushed == host->context) {
        pop(NULL);
    }
    g_main_context_set_poll_func(host->context, NULL); /* somebody may still have it */
}
