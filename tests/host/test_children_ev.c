/* SPDX-License-Identifier: MIT
 * Beside children that libev watches, which can be in its default loop alone, and which has that
 * reap every child of the process: `children_ev ev:direct`, `children_ev ev:guest`. */
#include "tests/host/children.h"

#include <ev.h>
#include <spawn.h>
#include <stdlib.h>
#include <unistd.h>

static struct ev_loop *host;

static void host_open(void)
{
    host = ev_default_loop(EVFLAG_NOENV);
}

static void *host_loop(void)
{
    return host;
}

static void host_run(void)
{
    ev_ref(host); /* our watchers do not keep it alive, so something else has to */
    ev_run(host, 0);
    ev_unref(host);
}

static void host_quit(void)
{
    ev_break(host, EVBREAK_ONE);
}

static void host_look(void)
{
    ev_run(host, EVRUN_ONCE);
}

static void host_close(void)
{
    ev_loop_destroy(host);
}

static bool takes_all(void)
{
    return true;
}

static void on_child(struct ev_loop *on, ev_child *child, int events)
{
    (void)events;
    *(int *)child->data = child->rstatus;
    ev_child_stop(on, child);
    free(child);
}

static void begin_theirs(void *native, const char *command, int *ret_status)
{
    char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)command, NULL };
    ev_child *child = malloc(sizeof *child);
    pid_t pid = -1;

    CHECK(!native); /* our own is not the default */
    *ret_status = -1;
    EQUAL(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ), 0);
    ev_child_init(child, on_child, pid, 0);
    child->data = ret_status;
    ev_child_start(host, child);
}

static CU_TestInfo tests[] = {
    CHILDREN_TESTS,
    CU_TEST_INFO_NULL,
};

TASK_MAIN(children_ev, tests)
