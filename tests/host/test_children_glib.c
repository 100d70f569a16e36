/* SPDX-License-Identifier: MIT
 * Beside children that GLib watches, g_child_watch_add() and its like: `children_glib glib:direct`,
 * `children_glib glib:guest`. */
#include "tests/host/children.h"

#include <gio/gio.h>

static GMainContext *host;
static GMainLoop *running;

static void host_open(void)
{
    host = g_main_context_new();
}

static void *host_loop(void)
{
    return host;
}

static void host_run(void)
{
    running = g_main_loop_new(host, FALSE);
    g_main_loop_run(running);
    g_main_loop_unref(running);
}

static void host_quit(void)
{
    g_main_loop_quit(running);
}

static void host_look(void)
{
    g_main_context_iteration(host, TRUE);
}

static void host_close(void)
{
    g_main_context_unref(host);
}

static bool takes_all(void)
{
    return false;
}

static void on_child(GPid pid, int status, gpointer ret_status)
{
    *(int *)ret_status = status;
    g_spawn_close_pid(pid);
}

static void begin_theirs(void *native, const char *command, int *ret_status)
{
    char *argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)(uintptr_t)command, NULL };
    GPid pid = 0;
    GSource *source;

    if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL)) {
        *ret_status = INT_MAX; /* which none ends with */
        return;
    }
    *ret_status = -1;
    source = g_child_watch_source_new(pid);
    g_source_set_callback(source, G_SOURCE_FUNC(on_child), ret_status, NULL);
    g_source_attach(source, native ? native : host);
    g_source_unref(source);
}

IN_TASK(children_of_both_end_with_their_own_status_on_our_own_loop)
{
    EQUAL(weft_await(lives_among_children(weft_loop_native(NULL))), 0);
}

static CU_TestInfo tests[] = {
    CHILDREN_TESTS,
    TEST(children_of_both_end_with_their_own_status_on_our_own_loop),
    CU_TEST_INFO_NULL,
};

/* GLib keeps a thread and descriptors from its first child on: before they are counted. */
static void warm_up(void)
{
    int status;

    host_open();
    begin_theirs(NULL, "exit 0", &status);
    while (status < 0) {
        host_look();
    }
    host_close();
}

int main(int argc, char **argv)
{
    warm_up();
    return task_main("children_glib", tests, argc, argv);
}
