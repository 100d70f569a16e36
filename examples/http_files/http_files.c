/* SPDX-License-Identifier: MIT
 * A web server for the files of a directory, on all cores.
 *
 *     http_files -p 8080 public      serves public/ at http://127.0.0.1:8080/ until SIGTERM
 *     http_files --help              tells the rest
 *
 * HTTP/1.1 with GET and HEAD, connections that stay open, pipelining, ranges, If-Modified-Since.
 * request.c takes requests apart (with http-parser), answer.c finds the answers, site.c the files;
 * here is the life of a connection, and that of the server.
 *
 * No client can hold up anything for long: a request has `idle` seconds to come, each piece of the
 * answer `send` seconds to go.  At SIGTERM or Ctrl-C answers that are under way have DRAIN seconds,
 * and connections without a request are closed. */
#include "answer.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DRAIN 5.0    /* seconds */
#define PIECE 262144 /* bytes of a file for which the client has `send` seconds */
#define SMALL 8192   /* a file up to here goes in one write with its head */

struct settings {
    const char *host, *directory;
    int port, root; /* the directory's descriptor */
    unsigned threads;
    double idle, send; /* seconds that a request has to come, and a piece of an answer to go */
};

/* ---- an answer ---- */

static size_t print_head(char *head, size_t size, const struct answer *answer)
{
    char now[64], modified[64];
    time_t t = time(NULL);
    struct tm tm;
    int n;

    strftime(now, sizeof now, HTTP_DATE, gmtime_r(&t, &tm));
    n = snprintf(head, size, "HTTP/1.1 %d %s\r\nDate: %s\r\nConnection: %s\r\n%s", answer->status,
                 http_status_str((enum http_status)answer->status), now,
                 answer->keep_alive ? "keep-alive" : "close", answer->more);
    if (answer->modified) {
        strftime(modified, sizeof modified, HTTP_DATE, gmtime_r(&answer->modified, &tm));
        n += snprintf(head + n, size - (size_t)n, "Last-Modified: %s\r\nAccept-Ranges: bytes\r\n",
                      modified);
    }
    if (answer->status != 304)
        n += snprintf(head + n, size - (size_t)n, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                      answer->type, answer->length);
    n += snprintf(head + n, size - (size_t)n, "\r\n");
    return (size_t)n;
}

static int send_file(weft_stream *client, const struct answer *answer, double seconds)
{
    off_t from = answer->from;
    size_t left = answer->length;

    while (left > 0) {
        weft_timeout limit;
        ssize_t n;
        int r;

        weft_timeout_enter(&limit, seconds);
        n = weft_stream_sendfile(client, answer->file, &from, left < PIECE ? left : PIECE);
        r = weft_timeout_exit(&limit, (int)n);
        if (r <= 0)
            return r < 0 ? r : -EIO; /* it has become shorter; the client will miss the rest */
        left -= (size_t)r;
        if (left > 0 && r < PIECE && weft_timeout_expired(&limit))
            return -ETIMEDOUT; /* some of it went, but too slowly */
    }
    return 0;
}

static int send_answer(weft_stream *client, const struct request *request,
                       const struct answer *answer, double seconds)
{
    char head[2048], small[SMALL];
    struct iovec parts[2] = { { head, print_head(head, sizeof head, answer) },
                              { answer->page, answer->page ? answer->length : 0 } };
    bool has_file = answer->file >= 0 && !request->is_head, is_small = answer->length <= SMALL;
    weft_timeout limit;
    ssize_t n;
    int r;

    if (request->is_head)
        parts[1].iov_len = 0;
    if (has_file && is_small) {
        if (pread(answer->file, small, answer->length, answer->from) != (ssize_t)answer->length)
            return -EIO;
        parts[1] = (struct iovec){ small, answer->length };
    }
    weft_timeout_enter(&limit, seconds);
    n = weft_stream_writev(client, parts, 2);
    r = weft_timeout_exit(&limit, n < 0 ? (int)n : 0);
    if (r == 0 && weft_timeout_expired(&limit))
        r = -ETIMEDOUT; /* a part went, and what is queued would wait for ever */
    if (r == 0 && has_file && !is_small)
        r = send_file(client, answer, seconds);
    return r;
}

/* ---- a connection ---- */

/* One thread's server. */
struct server {
    weft_worker *worker;
    const struct settings *settings;
    LIST_HEAD(, visit) waiting; /* for a request */
};

/* A connection that waits for a request. */
struct visit {
    weft_scope wait; /* cancelled when the server stops */
    LIST_ENTRY(visit) link;
};

#define LAST_CALL 0.1 /* seconds that the next request has when the server stops */

static int next_request(struct server *server, http_parser *parser, weft_stream *client,
                        struct request *request)
{
    struct visit visit;
    weft_timeout limit; /* for all of the request to come */
    int r;

    weft_scope_enter(&visit.wait);
    LIST_INSERT_HEAD(&server->waiting, &visit, link);
    weft_timeout_enter(&limit, weft_worker_stopping(server->worker) ? LAST_CALL :
                                                                      server->settings->idle);
    r = weft_timeout_exit(&limit, request_read(parser, client, request));
    if (r == -ETIMEDOUT && request->size > 0) { /* a part of it came */
        request->refuse = 408;
        r = 1;
    }
    LIST_REMOVE(&visit, link);
    return weft_scope_exit(&visit.wait, r);
}

/* To close while the client still sends would reset the connection, and might take the answer away
 * from it: say that this is all, and wait a little until it has understood. */
static int part(weft_stream *client)
{
    char rest[4096];
    weft_timeout limit;
    ssize_t n = weft_stream_write_eof(client);

    weft_timeout_enter(&limit, 1);
    while (n >= 0 && (n = weft_stream_read(client, rest, sizeof rest)) > 0)
        ;
    return weft_timeout_exit(&limit, (int)n);
}

WEFT_ASYNC(visit, (weft_stream *, client), (void *, user))
{
    struct server *server = user;
    struct request request;
    struct answer answer;
    http_parser parser;
    int r = 1;

    request_parser(&parser);
    do {
        r = next_request(server, &parser, client, &request);
        if (r <= 0)
            return r;
        answer_find(&answer, &request, server->settings->root);
        answer.keep_alive = request.keep_alive && !weft_worker_stopping(server->worker);
        r = send_answer(client, &request, &answer, server->settings->send);
        answer_release(&answer);
        if (r < 0) {
            weft_stream_abort(client); /* so that it does not take the part for the whole */
            return r;
        }
    } while (answer.keep_alive);
    return part(client);
}

/* ---- a thread ---- */

/* Answers that are under way are finished; who has not asked anything has little time to do so. */
static void say_goodbye(struct server *server, weft_server *listening)
{
    struct visit *visit;
    weft_shield shield;

    weft_shield_enter(&shield, INFINITY);
    weft_server_stop(listening);
    weft_sleep(LAST_CALL);
    LIST_FOREACH(visit, &server->waiting, link)
        weft_scope_cancel(&visit->wait, "the server stops");
    weft_server_drain(listening, DRAIN);
    weft_shield_exit(&shield, 0);
}

WEFT_ASYNC(serve, (weft_worker *, worker))
{
    const struct settings *settings = weft_worker_arg(worker);
    struct server server = { .worker = worker, .settings = settings };
    weft_server *listening;
    int fd, r = weft_worker_listen(worker, settings->host, settings->port, NULL, &fd);

    if (r < 0)
        return r;
    r = weft_start_server_fd(visit, &server, fd, NULL, &listening);
    if (r < 0) {
        close(fd);
        return r;
    }
    if (weft_worker_index(worker) == 0) {
        printf("%s is at http://%s:%d/\n", settings->directory, settings->host,
               weft_server_port(listening));
        fflush(stdout);
    }
    r = weft_sleep(INFINITY); /* until it is cancelled */
    say_goodbye(&server, listening);
    weft_server_close(listening);
    return r;
}

/* ---- the program ---- */

static double parse_seconds(const char *value, struct argp_state *state)
{
    char *end;
    double seconds = strtod(value, &end);

    if (*end || end == value || !(seconds > 0))
        argp_error(state, "'%s' is no time in seconds", value);
    return seconds;
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct settings *settings = state->input;

    switch (key) {
    case 'a': settings->host = value; break;
    case 'p': settings->port = atoi(value); break;
    case 'j': settings->threads = (unsigned)atoi(value); break;
    case 'i': settings->idle = parse_seconds(value, state); break;
    case 's': settings->send = parse_seconds(value, state); break;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_usage(state);
        settings->directory = value;
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

static const struct argp_option options[] = {
    { "address", 'a', "ADDRESS", 0, "listen at this numeric address (127.0.0.1)", 0 },
    { "port", 'p', "PORT", 0, "listen at this port (8080); 0: one that is free", 0 },
    { "threads", 'j', "N", 0, "so many threads (1); 0: as many as there are processors", 0 },
    { "idle", 'i', "SECONDS", 0, "a request has so long to come (15)", 0 },
    { "send", 's', "SECONDS", 0, "256 KiB of an answer have so long to go (30)", 0 },
    { 0 },
};

int main(int argc, char **argv)
{
    const struct argp program = { options, parse_option, "[DIRECTORY]",
                                  "Serves the files of a directory by HTTP.", NULL, NULL, NULL };
    struct settings settings = { "127.0.0.1", ".", 8080, -1, 1, 15, 30 };
    int r;

    argp_parse(&program, argc, argv, 0, NULL, &settings);
    settings.root = open(settings.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    r = settings.root < 0 ? -errno : weft_serve_threads(settings.threads, serve, &settings, NULL);
    if (r < 0 && r != -EINTR)
        fprintf(stderr, "http_files: %s\n", weft_strerror(r));
    return r < 0 && r != -EINTR;
}
