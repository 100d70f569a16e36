/* SPDX-License-Identifier: MIT
 * GIO in tasks: a server and a client of GLib's sockets, each a task that reads like sequential
 * code.
 *
 * The program is weft's, on the backend glib, whose main context is the thread's default while the
 * loop runs; what a task begins with GIO completes there.  One small bridge turns any of GIO's
 * ..._async and ..._finish pairs into something to await: the callback keeps the result and sets a
 * future. */
#include <gio/gio.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

struct call {
    weft_future *done; /* await_call() spends the awaiter's hold, on_called() the setter's */
    GAsyncResult *result; /* for ..._finish() */
};

static int begin_call(struct call *call)
{
    call->result = NULL;
    return weft_future_new(NULL, &call->done);
}

static void on_called(GObject *source, GAsyncResult *result, gpointer data)
{
    struct call *call = data;

    (void)source;
    call->result = g_object_ref(result);
    weft_future_set_result(call->done, NULL);
}

/* GIO writes to `call`, and calls back, whatever happens; so nobody leaves before it has. */
static int await_call(struct call *call)
{
    weft_shield shield;

    weft_shield_enter(&shield, INFINITY);
    return weft_shield_exit(&shield, weft_await(call->done));
}

static int write_all(GSocketConnection *connection, const char *text)
{
    GOutputStream *stream = g_io_stream_get_output_stream(G_IO_STREAM(connection));
    struct call call;
    int r = begin_call(&call);

    if (r < 0) {
        return r;
    }
    g_output_stream_write_all_async(stream, text, strlen(text), G_PRIORITY_DEFAULT, NULL, on_called,
                                    &call);
    r = await_call(&call);
    if (!g_output_stream_write_all_finish(stream, call.result, NULL, NULL)) {
        r = -EPIPE;
    }
    g_object_unref(call.result);
    return r;
}

/* Returns how many bytes, 0 at the end. */
static int read_some(GSocketConnection *connection, char *room, size_t size)
{
    GInputStream *stream = g_io_stream_get_input_stream(G_IO_STREAM(connection));
    struct call call;
    int r = begin_call(&call);

    if (r < 0) {
        return r;
    }
    g_input_stream_read_async(stream, room, size, G_PRIORITY_DEFAULT, NULL, on_called, &call);
    r = await_call(&call);
    gssize n = g_input_stream_read_finish(stream, call.result, NULL);
    g_object_unref(call.result);
    return r < 0 ? r : n < 0 ? -EIO : (int)n;
}

WEFT_ASYNC(serves, (GSocketListener *, listener))
{
    struct call call;
    char room[64];
    int n, r = begin_call(&call);

    if (r < 0) {
        return r;
    }
    g_socket_listener_accept_async(listener, NULL, on_called, &call);
    await_call(&call);
    GSocketConnection *guest = g_socket_listener_accept_finish(listener, call.result, NULL, NULL);
    g_object_unref(call.result);
    while (guest && (n = read_some(guest, room, sizeof room - 1)) > 0) {
        room[n] = '\0';
        printf("server: %s\n", room);
        for (char *c = room; *c; c++) {
            *c = g_ascii_toupper(*c);
        }
        write_all(guest, room);
    }
    g_clear_object(&guest);
    return 0;
}

WEFT_ASYNC(asks, (guint16, port))
{
    GSocketClient *client = g_socket_client_new();
    struct call call;
    char room[64] = "";
    int r = begin_call(&call);

    if (r < 0) {
        return r;
    }
    g_socket_client_connect_to_host_async(client, "127.0.0.1", port, NULL, on_called, &call);
    await_call(&call);
    GSocketConnection *server =
        g_socket_client_connect_to_host_finish(client, call.result, NULL);
    g_object_unref(call.result);
    g_object_unref(client);
    if (!server) {
        return -ECONNREFUSED;
    }
    for (int i = 1; i <= 2; i++) {
        char words[32];

        snprintf(words, sizeof words, "question %d", i);
        write_all(server, words);
        r = read_some(server, room, sizeof room - 1);
        printf("client: %.*s\n", r, room);
        weft_sleep(0.005); /* weft's own waits go beside GIO's */
    }
    g_object_unref(server);
    return 0;
}

WEFT_ASYNC(talks)
{
    GSocketListener *listener = g_socket_listener_new();
    guint16 port = g_socket_listener_add_any_inet_port(listener, NULL, NULL);
    weft_task *server = weft_create_task(serves(listener), NULL);
    int r = weft_await(asks(port));
    int s = weft_await(server);

    g_object_unref(listener);
    return r < 0 ? r : s;
}

int main(void)
{
    return weft_main(talks(), &(weft_run_options){ .backend = "glib" });
}
