/* SPDX-License-Identifier: MIT
 * The attempts of a race: sockets that connect, and what they tell. */
#include "core/io/connect.h"
#include "core/io/sys_socket.h"

#include "core/base/error.h"
#include "core/base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whether an error says that there is no way to an address from here. */
static bool is_no_way(int error)
{
    return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EADDRNOTAVAIL ||
           error == -EAFNOSUPPORT || error == -ENETDOWN;
}

/* An attempt has failed: keeps what came of it. */
static void note_failure(struct weft__race *race, const weft_address *address, int error)
{
    size_t room = sizeof race->words - race->words_used;
    char text[WEFT_ADDRESS_TEXT];
    int n;

    if (race->error == 0) {
        race->error = error;
    }
    if (race->way == 0 && !is_no_way(error)) {
        race->way = error;
    }
    (void)weft_address_format(address, text, sizeof text);
    n = snprintf(race->words + race->words_used, room, "%s%s: %s", race->words_used ? "; " : "",
                 text, weft_strerror(error));
    if (race->untold > 0 || n < 0 || (size_t)n >= room) {
        race->words[race->words_used] = '\0';
        race->untold++;
    } else {
        race->words_used += (size_t)n;
    }
}

/* Binds to the local address, whose port several attempts may have. */
static int bind_to(int fd, const weft_address *local)
{
    int one = 1;

    if (WEFT__SYS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one)) < 0 ||
        WEFT__SYS(bind(fd, &local->sockaddr, local->length)) < 0) {
        return -errno;
    }
    return 0;
}

/* Begins to connect.  Returns 1 it is under way, 0 it is connected, or the error. */
static int connect_to(struct weft__race *race, const weft_address *address, int *ret_fd)
{
    int fd = WEFT__SYS(weft__sys_socket(address->family, SOCK_STREAM, address->protocol));
    int r = fd < 0 ? -errno : 0;

    if (r < 0) {
        return r;
    }
    weft__fd_forget(race->task->loop, fd);
    if (race->local) {
        r = bind_to(fd, race->local);
    }
    if (r == 0) {
        do {
            r = WEFT__SYS(connect(fd, &address->sockaddr, address->length)) < 0 ? -errno : 0;
        } while (r == -EINTR);
    }
    r = r == -EINPROGRESS || r == -EALREADY ? 1 : r == -EISCONN ? 0 : r;
    if (r < 0) {
        (void)weft__fd_close(race->task->loop, fd);
        return r;
    }
    *ret_fd = fd;
    return r;
}

static void socket_is_ready(struct weft__fd_waiter *waiter, int status)
{
    struct weft__attempt *attempt = (struct weft__attempt *)(void *)waiter;

    attempt->in_line = false;
    attempt->told = attempt->race->is_told = true;
    attempt->status = status;
    weft__race_wake(attempt->race);
}

/* Stands in line for the socket. */
static int wait_in_line(struct weft__attempt *attempt)
{
    int r = weft__fd_enter(attempt->race->task->loop, &attempt->waiter, attempt->fd,
                           WEFT_WRITABLE | WEFT__FD_OWNED);

    attempt->in_line = r == 0;
    attempt->told = false;
    return r > 0 ? -EPERM : r; /* a socket that cannot be watched is none */
}

/* A new attempt, which waits for its socket; NULL and the error. */
static struct weft__attempt *wait_for(struct weft__race *race, const weft_address *address, int fd,
                                int *ret_error)
{
    struct weft__attempt *attempt = weft__alloc_zeroed(1, sizeof *attempt);
    int r;

    if (!attempt) {
        *ret_error = -ENOMEM;
        return NULL;
    }
    attempt->waiter.task = race->task;
    attempt->waiter.tell = socket_is_ready;
    attempt->race = race;
    attempt->address = address;
    attempt->fd = fd;
    r = wait_in_line(attempt);
    if (r < 0) {
        weft__free(attempt);
        *ret_error = r;
        return NULL;
    }
    *race->end = attempt;
    race->end = &attempt->next;
    return attempt;
}

void weft__race_begin(struct weft__race *race, int which)
{
    struct weft__source *source = &race->sources[which];
    const weft_address *address = &source->info->addresses[source->next++];
    int fd = -1;
    int r = connect_to(race, address, &fd);

    race->last = which;
    race->first_taken += which == 0;
    race->begun = weft__loop_now(race->task->loop);
    race->last_failed = false;
    if (r == 0) {
        race->winner = fd;
        return;
    }
    if (r > 0 && !wait_for(race, address, fd, &r)) {
        (void)weft__fd_close(race->task->loop, fd);
    }
    if (r < 0) {
        race->last_failed = true;
        note_failure(race, address, r);
    }
}

static void free_attempt(struct weft__race *race, struct weft__attempt *attempt)
{
    if (attempt->in_line) {
        weft__fd_leave(&attempt->waiter);
    }
    if (attempt->fd >= 0) {
        (void)weft__fd_close(race->task->loop, attempt->fd);
    }
    weft__free(attempt);
}

/* What a socket has to tell; -EINPROGRESS: nothing yet. */
static int result_of(const struct weft__attempt *attempt)
{
    struct pollfd pollfd = { .fd = attempt->fd, .events = POLLOUT };
    int error = 0;
    socklen_t length = sizeof error;

    if (attempt->status < 0) {
        return attempt->status;
    }
    if (WEFT__SYS(poll(&pollfd, 1, 0)) < 0) {
        return errno == EINTR ? -EINPROGRESS : -errno;
    }
    if (!pollfd.revents) {
        return -EINPROGRESS;
    }
    if (WEFT__SYS(getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &length)) < 0) {
        return -errno;
    }
    return -error;
}

void weft__race_take_results(struct weft__race *race)
{
    struct weft__attempt **link = &race->attempts, *attempt;

    race->is_told = false;
    while ((attempt = *link) && race->winner < 0) {
        bool is_last = !attempt->next;
        int r;

        if (!attempt->told) {
            link = &attempt->next;
            continue;
        }
        r = result_of(attempt);
        r = r == -EINPROGRESS ? wait_in_line(attempt) : r;
        if (attempt->in_line) {
            link = &attempt->next;
            continue;
        }
        if (r == 0) {
            race->winner = attempt->fd;
            attempt->fd = -1;
        } else {
            note_failure(race, attempt->address, r);
            race->last_failed |= is_last;
            attempt->fd = attempt->status == -EBADF ? -1 : attempt->fd;
        }
        *link = attempt->next;
        race->end = is_last ? link : race->end;
        free_attempt(race, attempt);
    }
}

void weft__race_end_attempts(struct weft__race *race)
{
    while (race->attempts) {
        struct weft__attempt *attempt = race->attempts;

        race->attempts = attempt->next;
        free_attempt(race, attempt);
    }
}
