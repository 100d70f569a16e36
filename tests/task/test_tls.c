/* SPDX-License-Identifier: MIT
 * TLS: who is trusted, what is agreed, what breaks.  That streams do all the same is the matter of
 * test_stream.c and test_reset.c, which are run with it in between, too. */
#define ENDS_TLS
#include "tests/task/ends.h"

#include "core/base/error.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Contexts of both sides, as a test wants them; and how it went. */
static weft_tls_options client_options, server_options;
static const char *server_name;
static int client_status, server_status, words_about;
static char server_words[256], client_words[256];

static void usual_options(void)
{
    client_options = (weft_tls_options){ .authorities = certs()->authority };
    server_options = (weft_tls_options){ .certificate = certs()->server,
                                         .key = certs()->server_key,
                                         .authorities = certs()->authority };
    server_name = "server.test";
}

static weft_tls *context(const weft_tls_options *options)
{
    weft_tls *tls = NULL;

    EQUAL(weft_tls_new(options, &tls), 0);
    return tls;
}

static int start(weft_stream *stream, const weft_tls_options *options, int side, const char *name)
{
    weft_tls *tls = context(options);
    weft_start_tls_options how = { .side = side, .server_name = name };
    int r = weft_stream_start_tls(stream, tls, &how);

    weft_tls_unref(tls);
    return r;
}

WEFT_ASYNC(serves)
{
    server_status = start(there, &server_options, WEFT_TLS_SERVER, NULL);
    snprintf(server_words, sizeof server_words, "%s", weft_error_detail());
    return 0;
}

WEFT_ASYNC(is_client)
{
    return start(here, &client_options, WEFT_TLS_CLIENT, server_name);
}

/* Both sides over a pair in memory.  Who has failed closes, as programs do. */
static void shake_hands(void)
{
    weft_task *task;

    open_plain_ends(MEMORY, NULL);
    task = weft_create_task(serves(), NULL);
    client_status = start(here, &client_options, WEFT_TLS_CLIENT, server_name);
    words_about = weft__words_are_about();
    snprintf(client_words, sizeof client_words, "%s", weft_error_detail());
    EQUAL(weft_await(task), 0);
}

static void close_both(void)
{
    (void)weft_stream_close(here);
    (void)weft_stream_close(there);
}

/* The client's verdict about a server that has done nothing wrong but to be who it is. */
static int verdict(void)
{
    shake_hands();
    if (client_status < 0) {
        EQUAL(words_about, client_status);
    } else {
        EQUAL(server_status, 0);
        say("hello");
        COMES(here, "hello");
    }
    close_both();
    return client_status;
}

#define INFO(stream, key, expected)                                                      \
    do {                                                                                 \
        char text_[128] = "?";                                                           \
        EQUAL(weft_stream_tls_info(stream, key, text_, sizeof text_), strlen(expected)); \
        SAME(text_, expected);                                                           \
    } while (0)

/* ---- who is trusted ---- */

IN_TASK(a_server_is_who_it_says)
{
    usual_options();
    shake_hands();
    EQUAL(client_status, 0);
    EQUAL(server_status, 0);
    INFO(here, "peer", "CN=server.test");
    INFO(here, "issuer", "CN=Test Authority");
    INFO(here, "version", "TLSv1.3");
    INFO(here, "protocol", "");
    INFO(there, "peer", ""); /* it did not ask */
    close_both();
}

IN_TASK(a_name_may_be_one_of_several_or_an_address)
{
    usual_options();
    server_name = "127.0.0.1";
    EQUAL(verdict(), 0);
    server_name = "any.wild.test";
    EQUAL(verdict(), 0);
}

IN_TASK(a_server_with_another_name_is_not_trusted)
{
    static const char *const names[] = { "example.org", "127.0.0.2", "::1", "a.b.wild.test",
                                         "xy.part.test" };

    usual_options();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        server_name = names[i];
        EQUAL(verdict(), -EACCES);
        CHECK(strstr(client_words, "it is for DNS:server.test, ") != NULL);
        CHECK(strstr(client_words, names[i]) != NULL);
        EQUAL(server_status, -EPROTO); /* it is told, and may have been through before */
    }
}

IN_TASK(a_certificate_of_a_stranger_is_not_trusted)
{
    usual_options();
    client_options.authorities = certs()->stranger;
    EQUAL(verdict(), -EACCES);
    CHECK(strstr(client_words, "not good") != NULL);
    client_options.authorities = NULL; /* the system's, which do not know us */
    EQUAL(verdict(), -EACCES);
}

IN_TASK(a_certificate_that_is_over_is_not_trusted)
{
    usual_options();
    server_options.certificate = certs()->old;
    server_options.key = certs()->old_key;
    EQUAL(verdict(), -EACCES);
    CHECK(strstr(client_words, "expired") != NULL);
}

/* Names are where names belong, and not the subject (RFC 9525). */
IN_TASK(the_subject_is_no_name)
{
    usual_options();
    server_options.certificate = certs()->client; /* which is for nobody but "a client" */
    server_options.key = NULL;
    server_name = "a client";
    EQUAL(verdict(), -EACCES);
    CHECK(strstr(client_words, "it is for nobody") != NULL);
}

IN_TASK(who_trusts_anybody_asks_for_no_name)
{
    usual_options();
    client_options = (weft_tls_options){ .trust_anybody = true };
    EQUAL(verdict(), 0);
    server_name = NULL;
    EQUAL(verdict(), 0);
}

IN_TASK(a_client_shows_who_it_is)
{
    usual_options();
    server_options.ask_clients = true;
    client_options.certificate = certs()->client; /* its key is in there, too */
    shake_hands();
    EQUAL(client_status, 0);
    EQUAL(server_status, 0);
    INFO(there, "peer", "CN=a client");
    close_both();
}

IN_TASK(a_client_that_does_not_is_sent_away)
{
    usual_options();
    server_options.ask_clients = true;
    shake_hands();
    EQUAL(server_status, -EACCES);
    EQUAL(client_status, 0); /* TLS 1.3: its own part was over */
    EQUAL(weft_stream_read(here, got, sizeof got), -EPROTO);
    EQUAL(weft_stream_read(here, got, sizeof got), -EPROTO);
    close_both();
}

/* ---- what is agreed ---- */

IN_TASK(both_agree_on_a_protocol)
{
    usual_options();
    client_options.protocols = "h2,http/1.1";
    server_options.protocols = "spdy,http/1.1";
    shake_hands();
    INFO(here, "protocol", "http/1.1");
    INFO(there, "protocol", "http/1.1");
    close_both();
    server_options.protocols = "other"; /* none in common: none is named */
    shake_hands();
    EQUAL(client_status, 0);
    INFO(here, "protocol", "");
    close_both();
}

IN_TASK(what_is_known_is_cut_to_fit)
{
    char text[4] = "???";

    usual_options();
    server_options.minimum = 13;
    shake_hands();
    EQUAL(weft_stream_tls_info(here, "version", text, sizeof text), 7);
    SAME(text, "TLS");
    EQUAL(weft_stream_tls_info(here, "peer", text, sizeof text), 14);
    SAME(text, "CN=");
    EQUAL(weft_stream_tls_info(here, "peer", NULL, 0), 14);
    CHECK(weft_stream_tls_info(here, "cipher", text, sizeof text) > 10);
    EQUAL(weft_stream_tls_info(here, "colour", text, sizeof text), -ENOENT);
    EQUAL(weft_stream_tls_info(here, NULL, text, sizeof text), -EINVAL);
    EQUAL(weft_stream_tls_info(here, "peer", NULL, 1), -EINVAL);
    close_both();
    open_plain_ends(MEMORY, NULL);
    EQUAL(weft_stream_tls_info(here, "peer", text, sizeof text), -EOPNOTSUPP);
    close_both();
    EQUAL(weft_stream_tls_info(here, "peer", text, sizeof text), -EBADF);
}

/* ---- how it begins ---- */

WEFT_ASYNC(serves_after_a_line)
{
    char line[32];

    EQUAL(weft_stream_readline(there, line, sizeof line), 9);
    return weft_await(serves());
}

/* The client does not wait for an answer: its greeting is kept with the line, and is TLS's. */
IN_TASK(what_came_too_early_is_the_beginning_of_tls)
{
    weft_task *task;

    usual_options();
    open_plain_ends(MEMORY, NULL);
    EQUAL(weft_stream_write(here, "STARTTLS\n", 9), 9);
    task = weft_create_task(serves_after_a_line(), NULL);
    EQUAL(start(here, &client_options, WEFT_TLS_CLIENT, server_name), 0);
    EQUAL(weft_await(task), 0);
    EQUAL(server_status, 0);
    say("hello");
    COMES(here, "hello");
    close_both();
}

WEFT_ASYNC(finds_a_stranger)
{
    EQUAL(weft_await(serves_after_a_line()), 0);
    EQUAL(server_status, -EPROTO);
    EQUAL(weft_stream_read(there, got, sizeof got), -EPROTO);
    EQUAL(weft_stream_write(there, "x", 1), -EPROTO);
    return weft_stream_close(there);
}

/* Somebody in between has added a command that would count as the client's. */
IN_TASK(nobody_slips_a_command_in)
{
    weft_task *task;

    usual_options();
    open_plain_ends(MEMORY, NULL);
    EQUAL(weft_stream_write(here, "STARTTLS\nDELETE ALL\n", 20), 20);
    task = weft_create_task(finds_a_stranger(), NULL);
    CHECK(start(here, &client_options, WEFT_TLS_CLIENT, server_name) < 0);
    EQUAL(weft_await(task), 0);
    EQUAL(weft_stream_close(here), 0);
}

WEFT_ASYNC(writes_much)
{
    static char much[200000];

    EQUAL(weft_stream_write(here, much, sizeof much), (ssize_t)sizeof much);
    return 0;
}

/* Who is in the middle of writing comes first. */
IN_TASK(what_is_being_written_goes_out_in_the_clear)
{
    static char room[200000];
    weft_task *writer, *shaker;

    usual_options();
    open_plain_ends(MEMORY, NULL);
    writer = weft_create_task(writes_much(), NULL);
    weft_sleep(0);
    shaker = weft_create_task(is_client(), NULL);
    weft_sleep(0);
    EQUAL(weft_stream_readexactly(there, room, sizeof room), (ssize_t)sizeof room);
    EQUAL(weft_await(writer), 0);
    EQUAL(weft_await(serves()), 0);
    EQUAL(weft_await(shaker), 0);
    EQUAL(server_status, 0);
    close_both();
}

/* A line that was read with room to spare tells of the wire, and not of what TLS has taken. */
WEFT_ASYNC(serves_after_a_short_read)
{
    weft_timeout timeout;
    ssize_t n;

    EQUAL(weft_stream_read(there, got, sizeof got), 9);
    say("ok");
    EQUAL(weft_await(serves()), 0);
    EQUAL(weft_timeout_enter(&timeout, 2), 0);
    n = weft_stream_read(there, got, 5);
    EQUAL(weft_timeout_exit(&timeout, n < 0 ? (int)n : 0), 0);
    EQUAL(n, 5);
    return 0;
}

ON_REAL(what_comes_with_the_end_of_the_handshake_is_read)
{
    weft_task *task;

    usual_options();
    open_plain_ends(TCP, NULL);
    task = weft_create_task(serves_after_a_short_read(), NULL);
    weft_sleep(0);
    EQUAL(weft_stream_write(here, "STARTTLS\n", 9), 9);
    COMES(here, "ok");
    EQUAL(start(here, &client_options, WEFT_TLS_CLIENT, server_name), 0);
    EQUAL(weft_stream_write(here, "hello", 5), 5); /* the server has not read our last part yet */
    EQUAL(weft_await(task), 0);
    close_both();
}

/* ---- how it fails ---- */

IN_TASK(who_speaks_something_else_is_told_apart)
{
    usual_options();
    open_plain_ends(MEMORY, NULL);
    say("HTTP/1.1 400 Bad Request\r\n\r\n");
    EQUAL(start(here, &client_options, WEFT_TLS_CLIENT, server_name), -EPROTO);
    CHECK(*weft_error_detail() != '\0');
    EQUAL(weft_stream_read(here, got, sizeof got), -EPROTO);
    EQUAL(weft_stream_write(here, "x", 1), -EPROTO);
    close_both();
}

IN_TASK(who_says_nothing_is_waited_for_only_so_long)
{
    weft_tls *tls;
    weft_start_tls_options how = { .handshake_timeout = 0.01, .server_name = "server.test" };

    usual_options();
    tls = context(&client_options);
    open_plain_ends(MEMORY, NULL);
    EQUAL(weft_stream_start_tls(here, tls, &how), -ETIMEDOUT);
    EQUAL(weft_stream_read(here, got, sizeof got), -ETIMEDOUT);
    tls = weft_tls_unref(tls);
    close_both();
}

IN_TASK(who_leaves_in_the_middle_has_left)
{
    usual_options();
    open_plain_ends(MEMORY, NULL);
    EQUAL(weft_stream_close(there), 0);
    EQUAL(start(here, &client_options, WEFT_TLS_CLIENT, server_name), -ECONNRESET);
    EQUAL(weft_stream_close(here), 0);
}

IN_TASK(a_cancel_in_the_middle_breaks_it)
{
    weft_task *task;

    usual_options();
    open_plain_ends(MEMORY, NULL);
    task = weft_create_task(is_client(), NULL);
    weft_sleep(0);
    weft_sleep(0);
    (void)weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_stream_write(here, "x", 1), -ECONNABORTED);
    EQUAL(weft_stream_read(here, got, sizeof got), -ECONNABORTED);
    close_both();
}

IN_TASK(it_is_aborted_in_the_middle)
{
    weft_task *task;

    usual_options();
    open_plain_ends(MEMORY, NULL);
    task = weft_create_task(is_client(), NULL);
    weft_sleep(0);
    weft_sleep(0);
    EQUAL(weft_stream_abort(here), 0);
    EQUAL(weft_await(task), -EBADF);
    EQUAL(weft_stream_close(there), 0);
}

WEFT_ASYNC(reads_a_byte, (weft_stream *, stream))
{
    char byte;

    return (int)weft_stream_read(stream, &byte, 1);
}

IN_TASK(what_cannot_begin_leaves_the_stream_as_it_was)
{
    weft_tls *client, *server, *spent;
    weft_task *task;
    weft_start_tls_options named = { .server_name = "server.test" };

    usual_options();
    client = context(&client_options);
    server = context(&server_options);
    open_plain_ends(MEMORY, NULL);
    EQUAL(weft_stream_start_tls(here, client, NULL), -EINVAL); /* whose name? */
    CHECK(strstr(weft_error_detail(), "server_name") != NULL);
    EQUAL(weft_stream_start_tls(here, client,
                                &(weft_start_tls_options){ .server_name = ".wild.test" }),
          -EINVAL); /* it would be anybody's below */
    EQUAL(weft_stream_start_tls(here, client, &(weft_start_tls_options){ .side = 3 }), -EINVAL);
    EQUAL(weft_stream_start_tls(here, client, &(weft_start_tls_options){ .handshake_timeout = -1 }),
          -EINVAL);
    EQUAL(weft_stream_start_tls(here, client, &(weft_start_tls_options){ .side = WEFT_TLS_SERVER }),
          -EINVAL);
    CHECK(strstr(weft_error_detail(), "certificate") != NULL);
    EQUAL(weft_stream_start_tls(here, NULL, &named), -EINVAL);
    EQUAL(weft_stream_start_tls(NULL, client, &named), -EINVAL);
    task = weft_create_task(reads_a_byte(here), NULL);
    weft_sleep(0);
    EQUAL(weft_stream_start_tls(here, client, &named), -EBUSY);
    say("x");
    EQUAL(weft_await(task), 1);
    say("as before");
    COMES(here, "as before");
    EQUAL(weft_stream_write_eof(here), 0);
    EQUAL(weft_stream_start_tls(here, client, &named), -EPIPE);
    close_both();
    spent = client;
    EQUAL(weft_stream_start_tls(here, client, &named), -EBADF);
    client = weft_tls_unref(client);
    shake_hands();
    EQUAL(weft_stream_start_tls(here, server, &named), -EALREADY);
    EQUAL(weft_stream_start_tls(here, spent, &named), -EBADF);
    EQUAL(weft_tls_unref(spent) == NULL, true);
    close_both();
    weft_tls_unref(server);
}

ALONE(outside_a_task_nothing_begins)
{
    weft_tls *tls;

    usual_options();
    tls = context(&client_options);
    EQUAL(weft_stream_start_tls(NULL, tls, NULL), -EINVAL);
    CHECK(weft_tls_ref(tls) == tls);
    CHECK(weft_tls_unref(tls) == NULL);
    CHECK(weft_tls_unref(tls) == NULL);
    CHECK(weft_tls_unref(tls) == NULL); /* it is spent */
}

static weft_tls *any_tls;

/* A plain stream and an encrypted one, for who has no business with them. */
static int refuses(int error)
{
    char text[8];

    EQUAL(weft_stream_start_tls(there, any_tls, NULL), error);
    EQUAL(weft_stream_tls_info(here, "peer", text, sizeof text), error == -EPERM ? 14 : error);
    return 0;
}

static int refuses_a_child(void)
{
    return refuses(-ECHILD);
}

static void *refuses_a_thread(void *unused)
{
    (void)refuses(-EXDEV);
    return unused;
}

static void refuses_a_callback(void *unused)
{
    (void)unused;
    (void)refuses(-EPERM);
}

IN_TASK(who_has_no_business_with_it_is_refused)
{
    usual_options();
    shake_hands();
    any_tls = context(&client_options);
    EQUAL(in_child(refuses_a_child, NULL, 0), 0);
    in_thread(refuses_a_thread, NULL);
    EQUAL(weft_loop_call_soon(NULL, refuses_a_callback, NULL, NULL), 0);
    weft_sleep(0);
    any_tls = weft_tls_unref(any_tls);
    close_both();
}

/* ---- what is read from files ---- */

/* weft_tls_new() says `error`, and the words name what it is about. */
#define IS_REFUSED(error, word, ...)                                           \
    do {                                                                       \
        weft_tls *tls_ = NULL;                                                 \
        EQUAL(weft_tls_new(&(weft_tls_options){ __VA_ARGS__ }, &tls_), error); \
        CHECK(strstr(weft_error_detail(), word) != NULL);                      \
        EQUAL(weft__words_are_about(), error);                                 \
        CHECK(tls_ == NULL);                                                   \
    } while (0)

ALONE(what_cannot_be_used_is_refused_with_words)
{
    const struct certs *c = certs();
    char stays[300];

    EQUAL(weft_tls_new(NULL, NULL), -EINVAL);
    IS_REFUSED(-ENOENT, "/not/here.pem", .certificate = "/not/here.pem");
    IS_REFUSED(-ENOENT, "/not/here.key", .certificate = c->server, .key = "/not/here.key");
    IS_REFUSED(-ENOENT, "/not/here", .authorities = "/not/here");
    IS_REFUSED(-EBADMSG, c->server_key, .certificate = c->server_key);
    IS_REFUSED(-EBADMSG, c->server_key, .authorities = c->server_key);
    IS_REFUSED(-EBADMSG, c->old_key, .certificate = c->server, .key = c->old_key);
    IS_REFUSED(-EBADMSG, c->server, .certificate = c->server); /* it has no key in it */
    IS_REFUSED(-EINVAL, "without a certificate", .key = c->server_key);
    IS_REFUSED(-EINVAL, "11", .minimum = 11);
    IS_REFUSED(-EINVAL, "authorities", .certificate = c->server, .key = c->server_key,
               .ask_clients = true);
    IS_REFUSED(-EINVAL, "protocols", .protocols = "h2,");
    IS_REFUSED(-EINVAL, "protocols", .protocols = "");
    memset(stays, 'x', sizeof stays);
    stays[sizeof stays - 1] = '\0';
    IS_REFUSED(-EINVAL, "protocols", .protocols = stays); /* longer than TLS has room for */
    IS_REFUSED(-ENOENT, "nothing", .plugin = "nothing");
}

/* A server that starts at night has nobody at its terminal. */
ALONE(a_key_behind_a_password_is_refused_and_nobody_is_asked)
{
    int before = dup(STDIN_FILENO), fds[2];

    EQUAL(pipe(fds), 0);
    EQUAL(write(fds[1], "secret\n", 7), 7);
    EQUAL(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
    close(fds[0]);
    close(fds[1]);
    IS_REFUSED(-EBADMSG, certs()->locked_key, .certificate = certs()->server,
               .key = certs()->locked_key);
    EQUAL(dup2(before, STDIN_FILENO), STDIN_FILENO);
    close(before);
}

/* Paths are handed on in a list, as text. */
IN_TASK(a_path_may_have_any_characters)
{
    char path[100];

    usual_options();
    snprintf(path, sizeof path, "%s/a,b\\c=d,.pem", certs()->folder);
    EQUAL(link(certs()->authority, path), 0);
    client_options.authorities = path;
    EQUAL(verdict(), 0);
    EQUAL(unlink(path), 0);
}

/* ---- what goes through ---- */

#define MUCH 300000

static char nth(size_t i, int who)
{
    return (char)(i * 7 + i / 251 + (size_t)who);
}

WEFT_ASYNC(sends_much, (weft_stream *, stream), (int, who))
{
    static char block[2][MUCH];
    struct iovec parts[20];

    for (size_t i = 0; i < MUCH; i++) {
        block[who][i] = nth(i, who);
    }
    for (int i = 0; i < 20; i++) {
        parts[i] = (struct iovec){ block[who] + i * (MUCH / 20), MUCH / 20 };
    }
    EQUAL(weft_stream_writev(stream, parts, 20), MUCH);
    return weft_stream_write_eof(stream);
}

WEFT_ASYNC(takes_much, (weft_stream *, stream), (int, who))
{
    char piece[5000];
    size_t at = 0, right = 0;
    ssize_t n;

    while ((n = weft_stream_read(stream, piece, sizeof piece)) > 0) {
        for (ssize_t i = 0; i < n; i++, at++) {
            right += piece[i] == nth(at, who);
        }
    }
    EQUAL(n, 0);
    EQUAL(at, MUCH);
    EQUAL(right, MUCH);
    return 0;
}

WEFT_ASYNC(closes, (weft_stream *, stream))
{
    return weft_stream_close(stream);
}

OVER_EACH(much_goes_both_ways_at_once, BENEATH)
{
    EQUAL(GATHER(0, NULL, WEFT_AWAITABLE(sends_much(here, 0)), WEFT_AWAITABLE(sends_much(there, 1)),
                 WEFT_AWAITABLE(takes_much(there, 0)), WEFT_AWAITABLE(takes_much(here, 1))),
          0);
}

#define ROOM 4096
#define AROUND 22 /* bytes of a record of TLS 1.3 beside what is in it */

static char full[ROOM];

/* A task that closes `here`, when what it wrote has filled a pair to the last byte. */
static weft_task *closes_without_room(void)
{
    weft_stream *ends[2];
    weft_task *task;

    usual_options();
    EQUAL(weft_stream_pair(ROOM, ends), 0);
    here = ends[0];
    there = ends[1];
    start_tls();
    EQUAL(weft_stream_write(here, full, ROOM - AROUND), ROOM - AROUND);
    task = weft_create_task(closes(here), NULL);
    weft_sleep(0.001);
    return task;
}

/* The end is said also where there is no room for it yet. */
IN_TASK(closing_waits_until_the_end_is_said)
{
    weft_task *task = closes_without_room();

    CHECK(!weft_task_done(task));
    EQUAL(weft_stream_readexactly(there, full, ROOM - AROUND), ROOM - AROUND);
    EQUAL(weft_stream_read(there, full, sizeof full), 0);
    EQUAL(weft_await(task), 0);
    weft_stream_close(there);
}

/* Who does not want to wait any longer has the connection broken. */
IN_TASK(closing_ends_when_it_is_cancelled)
{
    weft_task *task = closes_without_room();

    (void)weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(weft_stream_read(there, full, sizeof full), -ECONNRESET);
    weft_stream_close(there);
}

/* A head and a body, and whatever more, are one packet where they fit. */
ON_REAL(parts_that_are_written_together_go_out_together)
{
    struct iovec parts[10];
    int fds[2];

    usual_options();
    EQUAL(weft_socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
    EQUAL(weft_stream_open_fd(fds[0], NULL, &here), 0);
    EQUAL(weft_stream_open_fd(fds[1], NULL, &there), 0);
    start_tls();
    for (int i = 0; i < 10; i++) {
        parts[i] = (struct iovec){ (void *)(uintptr_t)"0123456789", 10 };
    }
    EQUAL(weft_stream_writev(here, parts, 10), 100);
    EQUAL(recv(fds[1], got, sizeof got, MSG_DONTWAIT | MSG_TRUNC), 10 * (10 + AROUND));
    EQUAL(recv(fds[1], got, sizeof got, MSG_DONTWAIT), -1);
    EQUAL(weft_stream_abort(here), 0);
    EQUAL(weft_stream_abort(there), 0);
}

WEFT_ASYNC(sends_a_file, (FILE *, file), (size_t, count))
{
    off_t offset = 0;

    return (int)weft_stream_sendfile(here, fileno(file), &offset, count);
}

/* What counts as sent goes out, also when nobody asks for more. */
IN_TASK(a_file_whose_sending_is_cancelled_arrives_as_far_as_it_counts)
{
    static char room[2 * ROOM];
    const size_t first = ROOM - AROUND - 100, second = 200; /* of which a part finds no room */
    FILE *file = tmpfile();
    weft_stream *ends[2];
    weft_timeout timeout;
    weft_task *task;
    ssize_t n;

    usual_options();
    EQUAL(fwrite(room, 1, second, file), second);
    fflush(file);
    EQUAL(weft_stream_pair(ROOM, ends), 0);
    here = ends[0];
    there = ends[1];
    start_tls();
    EQUAL(weft_stream_write(here, room, first), first);
    task = weft_create_task(sends_a_file(file, second), NULL);
    weft_sleep(0.001);
    CHECK(!weft_task_done(task));
    (void)weft_task_cancel(task);
    EQUAL(weft_await(task), second);
    EQUAL(weft_timeout_enter(&timeout, 2), 0);
    n = weft_stream_readexactly(there, room, first + second);
    EQUAL(weft_timeout_exit(&timeout, n < 0 ? (int)n : 0), 0);
    EQUAL(n, first + second);
    fclose(file);
    close_both();
}

WEFT_ASYNC(takes_slowly)
{
    char piece[2000];
    int at = 0;
    ssize_t n;

    while ((n = weft_stream_read(there, piece, sizeof piece)) > 0) {
        at += (int)n;
        weft_sleep(0.0002);
    }
    EQUAL(n, 0);
    return at;
}

/* What the other side's TLS has sent by itself was nobody's to read, and is no reason for the
 * system to break off what is still under way. */
OVER_EACH(who_writes_and_closes_without_reading_loses_nothing, BENEATH)
{
    static char block[200000];
    weft_task *task = weft_create_task(takes_slowly(), NULL);

    EQUAL(weft_stream_write(here, block, sizeof block), sizeof block);
    EQUAL(weft_stream_close(here), 0);
    EQUAL(weft_await(task), sizeof block);
}

WEFT_ASYNC(starts_and_takes_slowly)
{
    weft_await(serves());
    EQUAL(server_status, 0);
    return weft_await(takes_slowly());
}

/* Also when that comes only after the close. */
ON_REAL(who_closes_before_the_other_side_is_ready_loses_nothing)
{
    static char block[200000];
    int room = 2 * sizeof block;
    weft_task *task;

    usual_options();
    open_plain_ends(TCP, NULL);
    EQUAL(setsockopt(weft_stream_fd(here), SOL_SOCKET, SO_SNDBUF, &room, sizeof room), 0);
    task = weft_create_task(starts_and_takes_slowly(), NULL);
    EQUAL(start(here, &client_options, WEFT_TLS_CLIENT, server_name), 0);
    EQUAL(weft_stream_write(here, block, sizeof block), sizeof block);
    EQUAL(weft_stream_close(here), 0);
    EQUAL(weft_await(task), sizeof block);
    EQUAL(weft_stream_close(there), 0);
}

/* The other side's word that nothing more comes is no reason, either. */
OVER_EACH(who_answers_and_closes_without_reading_the_end_loses_nothing, BENEATH)
{
    static char block[200000];
    weft_task *task = weft_create_task(takes_slowly(), NULL);

    EQUAL(weft_stream_write_eof(there), 0);
    EQUAL(weft_stream_write(here, block, sizeof block), sizeof block);
    EQUAL(weft_stream_close(here), 0);
    EQUAL(weft_await(task), sizeof block);
}

/* What breaks TLS ends both directions. */
ON_REAL(a_peer_that_breaks_the_rules_is_not_written_to)
{
    usual_options();
    open_ends(UNIX);
    EQUAL(send(weft_stream_fd(there), "no record of TLS", 16, 0), 16);
    EQUAL(weft_stream_read(here, got, sizeof got), -EPROTO);
    EQUAL(weft_stream_read(here, got, sizeof got), -EPROTO);
    EQUAL(weft_stream_write(here, "x", 1), -EPROTO);
    EQUAL(weft_stream_write_eof(here), -EPROTO);
    EQUAL(weft_stream_close(here), 0);
    EQUAL(weft_stream_read(there, got, sizeof got), -EPROTO); /* it is told */
    EQUAL(weft_stream_close(there), 0);
}

/* ---- servers ---- */

static int handled;

WEFT_ASYNC(echo, (weft_stream *, peer), (void *, user))
{
    char line[64];
    ssize_t n;

    (void)user;
    handled++;
    while ((n = weft_stream_readline(peer, line, sizeof line)) > 0) {
        EQUAL(weft_stream_write(peer, line, (size_t)n), n);
    }
    return (int)n;
}

static weft_server *start_server(void)
{
    weft_server *server = NULL;
    weft_tls *tls;

    usual_options();
    handled = 0;
    tls = context(&server_options);
    EQUAL(weft_start_server(echo, NULL, "127.0.0.1", 0, &(weft_server_options){ .tls = tls },
                            &server),
          0);
    weft_tls_unref(tls);
    return server;
}

WEFT_ASYNC(is_a_client, (int, port), (weft_tls *, tls))
{
    weft_connection_options options = { .tls = tls };
    weft_stream *stream;
    char line[16];
    int r = weft_open_connection("127.0.0.1", port, &options, &stream);

    EQUAL(r, 0);
    if (r == 0) {
        EQUAL(weft_stream_write(stream, "hello\n", 6), 6);
        EQUAL(weft_stream_readline(stream, line, sizeof line), 6);
        EQUAL(weft_stream_write_eof(stream), 0);
        EQUAL(weft_stream_readline(stream, line, sizeof line), 0);
        EQUAL(weft_stream_close(stream), 0);
    }
    return r;
}

ON_REAL(a_server_encrypts_each_connection)
{
    weft_server *server = start_server();
    weft_tls *tls = context(&client_options);
    weft_task *clients[20];

    for (int i = 0; i < 20; i++) {
        clients[i] = weft_create_task(is_a_client(weft_server_port(server), tls), NULL);
    }
    for (int i = 0; i < 20; i++) {
        EQUAL(weft_await(clients[i]), 0);
    }
    EQUAL(handled, 20);
    EQUAL(weft_server_close(server), 0);
    weft_tls_unref(tls);
}

ON_REAL(who_does_not_speak_tls_has_no_handler)
{
    weft_server *server = start_server();
    weft_stream *stream;
    ssize_t n;

    EQUAL(weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &stream), 0);
    EQUAL(weft_stream_write(stream, "GET / HTTP/1.1\r\n\r\n", 18), 18);
    while ((n = weft_stream_read(stream, got, sizeof got)) > 0) { /* the alert */
    }
    CHECK(n == 0 || n == -ECONNRESET);
    EQUAL(weft_stream_close(stream), 0);
    EQUAL(weft_server_drain(server, 5), 0);
    EQUAL(handled, 0);
    EQUAL(reports_left(), 0);
    EQUAL(weft_server_close(server), 0);
}

/* Nor is it reported when he breaks the rules later: here with something in the clear. */
ON_REAL(who_breaks_the_rules_later_is_not_reported)
{
    weft_server *server = start_server();
    weft_connection_options options = { .tls = context(&client_options) };
    weft_stream *stream;
    char line[8];

    EQUAL(weft_open_connection("127.0.0.1", weft_server_port(server), &options, &stream), 0);
    EQUAL(weft_stream_write(stream, "hello\n", 6), 6);
    EQUAL(weft_stream_readline(stream, line, sizeof line), 6);
    EQUAL(send(weft_stream_fd(stream), "in the clear", 12, 0), 12);
    while (weft_stream_readline(stream, got, sizeof got) > 0) {
    }
    weft_stream_close(stream);
    weft_tls_unref(options.tls);
    EQUAL(weft_server_drain(server, 5), 0);
    EQUAL(handled, 1);
    EQUAL(reports_left(), 0);
    EQUAL(weft_server_close(server), 0);
}

ON_REAL(a_connection_to_a_stranger_is_none)
{
    weft_server *server = start_server();
    weft_connection_options options = { 0 };
    weft_stream *stream = NULL;

    client_options.authorities = certs()->stranger;
    options.tls = context(&client_options);
    EQUAL(weft_open_connection("127.0.0.1", weft_server_port(server), &options, &stream), -EACCES);
    CHECK(stream == NULL);
    options.server_name = "example.org";
    EQUAL(weft_open_connection("127.0.0.1", weft_server_port(server), &options, &stream), -EACCES);
    weft_tls_unref(options.tls);
    EQUAL(weft_server_drain(server, 5), 0);
    EQUAL(handled, 0);
    EQUAL(weft_server_close(server), 0);
}

ON_REAL(a_server_without_a_certificate_tells_why)
{
    weft_server *server;
    weft_tls *tls;
    weft_stream *stream;
    const struct said *report;

    usual_options();
    tls = context(&client_options);
    EQUAL(weft_start_server(echo, NULL, "127.0.0.1", 0, &(weft_server_options){ .tls = tls },
                            &server),
          0);
    EQUAL(weft_open_connection("127.0.0.1", weft_server_port(server), NULL, &stream), 0);
    EQUAL(weft_stream_read(stream, got, sizeof got), 0);
    EQUAL(weft_stream_close(stream), 0);
    report = next_report();
    EQUAL(report->status, -EINVAL);
    SAME(report->message, "a connection could not be encrypted");
    EQUAL(weft_server_close(server), 0);
    tls = weft_tls_unref(tls);
    EQUAL(weft_start_server(echo, NULL, "127.0.0.1", 0,
                            &(weft_server_options){ .tls = (weft_tls *)server }, &server),
          -EBADF);
}

/* ---- threads ---- */

static weft_tls *shared;

WEFT_ASYNC(answers, (weft_stream *, stream))
{
    weft_start_tls_options how = { .side = WEFT_TLS_SERVER };
    int r = weft_stream_start_tls(stream, shared, &how);

    return r < 0 ? r : (int)weft_stream_write(stream, "hello", 5);
}

WEFT_ASYNC(talks)
{
    weft_start_tls_options how = { .side = WEFT_TLS_CLIENT, .server_name = "server.test" };
    int wrong = 0;

    for (int i = 0; i < 10; i++) {
        weft_stream *ends[2];
        weft_task *task;
        char hello[5];

        wrong += weft_stream_pair(0, ends) != 0;
        task = weft_create_task(answers(ends[1]), NULL);
        wrong += weft_stream_start_tls(ends[0], shared, &how) != 0;
        wrong += weft_stream_readexactly(ends[0], hello, 5) != 5;
        wrong += weft_await(task) != 5;
        weft_stream_close(ends[0]);
        weft_stream_close(ends[1]);
    }
    return wrong;
}

static void *talks_in_a_loop(void *ret_wrong)
{
    weft_loop *own = NULL;

    if (weft_loop_new("sim", &own) == 0) {
        *(int *)ret_wrong = weft_loop_run_until_complete_coro(own, talks());
        (void)weft_loop_close(own);
    }
    return NULL;
}

IN_TASK(threads_share_a_context)
{
    weft_tls_options options;
    pthread_t threads[4];
    int wrong[4] = { -1, -1, -1, -1 };

    usual_options();
    options = server_options;
    shared = context(&options);
    for (int i = 0; i < 4; i++) {
        EQUAL(pthread_create(&threads[i], NULL, talks_in_a_loop, &wrong[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        EQUAL(pthread_join(threads[i], NULL), 0);
        EQUAL(wrong[i], 0);
    }
    shared = weft_tls_unref(shared);
}

static CU_TestInfo tests[] = {
    TEST(a_server_is_who_it_says),
    TEST(a_name_may_be_one_of_several_or_an_address),
    TEST(a_server_with_another_name_is_not_trusted),
    TEST(a_certificate_of_a_stranger_is_not_trusted),
    TEST(a_certificate_that_is_over_is_not_trusted),
    TEST(the_subject_is_no_name),
    TEST(who_trusts_anybody_asks_for_no_name),
    TEST(a_client_shows_who_it_is),
    TEST(a_client_that_does_not_is_sent_away),
    TEST(both_agree_on_a_protocol),
    TEST(what_is_known_is_cut_to_fit),
    TEST(what_came_too_early_is_the_beginning_of_tls),
    TEST(nobody_slips_a_command_in),
    TEST(what_is_being_written_goes_out_in_the_clear),
    TEST(what_comes_with_the_end_of_the_handshake_is_read),
    TEST(who_speaks_something_else_is_told_apart),
    TEST(who_says_nothing_is_waited_for_only_so_long),
    TEST(who_leaves_in_the_middle_has_left),
    TEST(a_cancel_in_the_middle_breaks_it),
    TEST(it_is_aborted_in_the_middle),
    TEST(what_cannot_begin_leaves_the_stream_as_it_was),
    TEST(outside_a_task_nothing_begins),
    TEST(who_has_no_business_with_it_is_refused),
    TEST(what_cannot_be_used_is_refused_with_words),
    TEST(a_key_behind_a_password_is_refused_and_nobody_is_asked),
    TEST(a_path_may_have_any_characters),
    TEST(much_goes_both_ways_at_once),
    TEST(closing_waits_until_the_end_is_said),
    TEST(closing_ends_when_it_is_cancelled),
    TEST(parts_that_are_written_together_go_out_together),
    TEST(a_file_whose_sending_is_cancelled_arrives_as_far_as_it_counts),
    TEST(who_writes_and_closes_without_reading_loses_nothing),
    TEST(who_closes_before_the_other_side_is_ready_loses_nothing),
    TEST(who_answers_and_closes_without_reading_the_end_loses_nothing),
    TEST(a_peer_that_breaks_the_rules_is_not_written_to),
    TEST(a_server_encrypts_each_connection),
    TEST(who_does_not_speak_tls_has_no_handler),
    TEST(who_breaks_the_rules_later_is_not_reported),
    TEST(a_connection_to_a_stranger_is_none),
    TEST(a_server_without_a_certificate_tells_why),
    TEST(threads_share_a_context),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(tls, tests)
