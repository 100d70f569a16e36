/* SPDX-License-Identifier: MIT
 * Life inside a GLib main context that is the program's: `attach_glib glib:direct`, `attach_glib
 * glib:guest`; and GLib's own calls in tasks. */
#include "tests/host/attach.h"

#include <gio/gio.h>
#include <sys/socket.h>

static GMainContext *host;
static GMainLoop *inner; /* the innermost that runs */

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
    GMainLoop *outer = inner;

    inner = g_main_loop_new(host, FALSE);
    g_main_loop_run(inner);
    g_main_loop_unref(inner);
    inner = outer;
}

static void host_quit(void)
{
    g_main_loop_quit(inner);
}

static void host_look(void)
{
    g_main_context_iteration(host, FALSE);
}

struct later {
    weft_callback *callback;
    void *arg;
};

static gboolean on_later(gpointer data)
{
    struct later *later = data;

    later->callback(later->arg);
    return G_SOURCE_REMOVE;
}

static void host_after(int milliseconds, weft_callback *callback, void *arg)
{
    struct later *later = g_new(struct later, 1);
    GSource *source = g_timeout_source_new((guint)milliseconds);

    *later = (struct later){ callback, arg };
    g_source_set_can_recurse(source, TRUE);
    g_source_set_callback(source, on_later, later, g_free);
    g_source_attach(source, host);
    g_source_unref(source);
}

/* No source is left: nothing is ready, and nothing is watched but GLib's own descriptor. */
static void host_close(void)
{
    GPollFD fds[4];
    gint timeout = 0, priority = 0;

    host_look();
    CHECK(g_main_context_acquire(host));
    CHECK(!g_main_context_prepare(host, &priority));
    EQUAL(g_main_context_query(host, G_MAXINT, &timeout, fds, 4), 1);
    EQUAL(timeout, -1);
    g_main_context_release(host);
    g_main_context_unref(host);
}

/* Another thread runs the host. */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* ThreadSanitizer knows not GLib's */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool runs, may_end;

static void *run_host_in_thread(void *unused)
{
    CHECK(g_main_context_acquire(host));
    pthread_mutex_lock(&mutex);
    runs = true;
    pthread_cond_broadcast(&changed);
    while (!may_end) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    g_main_context_release(host);
    return unused;
}

ALONE(what_another_thread_runs_is_busy)
{
    weft_loop *made = NULL;
    pthread_t thread;

    host_open();
    runs = may_end = false;
    EQUAL(pthread_create(&thread, NULL, run_host_in_thread, NULL), 0);
    pthread_mutex_lock(&mutex);
    while (!runs) {
        pthread_cond_wait(&changed, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    EQUAL(weft_loop_attach(backend(), host, &made), -EBUSY);
    CHECK(strstr(weft_error_detail(), "another thread"));
    pthread_mutex_lock(&mutex);
    may_end = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    EQUAL(pthread_join(thread, NULL), 0);
    EQUAL(weft_loop_attach(backend(), host, &made), 0);
    EQUAL(weft_loop_close(made), 0);
    host_close();
}

ALONE(a_priority_is_a_number)
{
    weft_loop *made = NULL;
    char words[64];

    snprintf(words, sizeof words, "%s,priority=-100", backend());
    EQUAL(weft_loop_new(words, &made), 0);
    EQUAL(weft_loop_close(made), 0);
    EQUAL(weft_loop_new("glib:priority=", &made), -EINVAL);
    EQUAL(weft_loop_new("glib:priority=high", &made), -EINVAL);
    CHECK(strstr(weft_error_detail(), "priority=NUMBER"));
    EQUAL(weft_loop_new("glib:priority=1x", &made), -EINVAL);
    EQUAL(weft_loop_new("glib:priority=100000", &made), -EINVAL);
}

/* GLib's calls in tasks, on a loop of our own. */

static gboolean set_source(gpointer future)
{
    EQUAL(weft_future_set_result(future, NULL), 0);
    return G_SOURCE_REMOVE;
}

IN_TASK(what_a_task_begins_completes_on_our_own_loop)
{
    GMainContext *native = weft_loop_native(NULL);
    GSource *source = g_timeout_source_new(2);
    weft_future *future = new_future();

    CHECK(native && g_main_context_get_thread_default() == native);
    g_source_set_callback(source, set_source, future, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
    EQUAL(weft_await(future), 0);
    g_source_unref(source);
}

static void on_read(GObject *stream, GAsyncResult *result, gpointer future)
{
    EQUAL(g_input_stream_read_finish(G_INPUT_STREAM(stream), result, NULL), 4);
    EQUAL(weft_future_set_result(future, NULL), 0);
}

/* A socket of GIO's, whose far end another task writes to. */
WEFT_ASYNC(writes_later, (GSocket *, socket))
{
    EQUAL(weft_sleep(0.002), 0);
    EQUAL(g_socket_send(socket, "ping", 4, NULL, NULL), 4);
    return 0;
}

IN_TASK(a_task_reads_from_a_socket_of_gio)
{
    int fds[2];
    char room[16] = "";
    GSocket *near, *far;
    GSocketConnection *connection;
    weft_future *future = new_future();
    weft_task *writer;

    EQUAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    near = g_socket_new_from_fd(fds[0], NULL);
    far = g_socket_new_from_fd(fds[1], NULL);
    connection = g_socket_connection_factory_create_connection(near);
    writer = weft_create_task(writes_later(far), NULL);
    g_input_stream_read_async(g_io_stream_get_input_stream(G_IO_STREAM(connection)), room,
                              sizeof room, G_PRIORITY_DEFAULT, NULL, on_read, future);
    EQUAL(weft_await(future), 0);
    EQUAL(weft_await(writer), 0);
    SAME(room, "ping");
    g_object_unref(connection);
    g_object_unref(near);
    g_object_unref(far);
}

ALONE(the_threads_default_context_is_as_it_was)
{
    GMainContext *mine = g_main_context_new();

    g_main_context_push_thread_default(mine);
    loop = open_loop();
    EQUAL(run(sleeps(0.001)), 0);
    close_loop();
    CHECK(g_main_context_get_thread_default() == mine);
    g_main_context_pop_thread_default(mine);
    g_main_context_unref(mine);
    CHECK(g_main_context_get_thread_default() == NULL);
}

ALONE(two_loops_take_turns_as_the_default)
{
    weft_loop *one = open_loop(), *two = open_loop();

    for (int i = 0; i < 100; i++) {
        loop = one;
        EQUAL(run(sleeps(0)), 0);
        CHECK(g_main_context_get_thread_default() == weft_loop_native(one));
        loop = two;
        EQUAL(run(sleeps(0)), 0);
        CHECK(g_main_context_get_thread_default() == weft_loop_native(two));
    }
    close_loop();
    loop = one;
    close_loop();
    CHECK(g_main_context_get_thread_default() == NULL);
}

static void quit_dialog(weft_task *task, void *dialog)
{
    (void)task;
    g_main_loop_quit(dialog);
}

IN_TASK(a_task_may_run_our_own_loop)
{
    GMainLoop *dialog = g_main_loop_new(weft_loop_native(NULL), FALSE);
    weft_task *other = weft_create_task(sleeps_then(0.001, 7), NULL);

    EQUAL(weft_task_add_done_callback(other, quit_dialog, dialog), 0);
    g_main_loop_run(dialog);
    CHECK(weft_task_done(other));
    EQUAL(weft_await(other), 7);
    g_main_loop_unref(dialog);
}

static CU_TestInfo tests[] = {
    ATTACH_TESTS,
    TEST(what_another_thread_runs_is_busy),
    TEST(a_priority_is_a_number),
    TEST(what_a_task_begins_completes_on_our_own_loop),
    TEST(a_task_reads_from_a_socket_of_gio),
    TEST(the_threads_default_context_is_as_it_was),
    TEST(two_loops_take_turns_as_the_default),
    TEST(a_task_may_run_our_own_loop),
    CU_TEST_INFO_NULL,
};

static void on_warm(GObject *stream, GAsyncResult *result, gpointer done)
{
    g_input_stream_read_finish(G_INPUT_STREAM(stream), result, NULL);
    *(bool *)done = true;
}

/* GIO keeps a thread and descriptors from its first use: before they are counted. */
static void warm_up_gio(void)
{
    GSocket *socket;
    GSocketConnection *connection;
    bool done = false;
    char room[1];
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        return;
    }
    close(fds[1]);
    socket = g_socket_new_from_fd(fds[0], NULL);
    connection = g_socket_connection_factory_create_connection(socket);
    g_input_stream_read_async(g_io_stream_get_input_stream(G_IO_STREAM(connection)), room, 1,
                              G_PRIORITY_DEFAULT, NULL, on_warm, &done);
    while (!done) {
        g_main_context_iteration(NULL, TRUE);
    }
    g_object_unref(connection);
    g_object_unref(socket);
}

int main(int argc, char **argv)
{
    warm_up_gio();
    return task_main("attach_glib", tests, argc, argv);
}
