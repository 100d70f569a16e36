/* SPDX-License-Identifier: MIT
 * Connecting to a name, after RFC 8305: two lookups and a race of attempts, in one task.
 *
 * All is decided in the task, in its turns: lookups that are answered, sockets that have something
 * to tell, and the one timer do no more than wake it.  Its steps:
 *
 *     take_answers   what a lookup found becomes a source of addresses
 *     take_results   a socket is connected: it wins; or has failed: its words are kept
 *     begin_more     the next attempt, if its time has come; else when that will be
 *     park           until one of these, or a cancel
 */
#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/dns.h"
#include "core/sched/fdwait.h"
#include "core/sched/misuse.h"

#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/connect.h>

#define ATTEMPT_DELAY_NS (WEFT__SECOND / 4)     /* RFC 8305, section 5 */
#define RESOLUTION_DELAY_NS (WEFT__SECOND / 20) /* and section 3 */
#define WORDS_MAX 1000 /* bytes of what all attempts came to; then they are counted */

_Static_assert(sizeof(void *) != 8 || sizeof(weft_connect_options) == 64, "the public size");

/* One family's addresses. */
struct source {
    struct race *race;
    struct weft__lookup *lookup; /* under way, or answered and not taken yet; NULL: neither */
    bool answered;
    weft_addrinfo *info; /* NULL: not yet, or none */
    size_t next;         /* the first that was not tried */
    int64_t found;       /* when it was taken, by the loop's clock */
    int status;          /* why there is none, */
    char words[200];     /* and in words */
};

struct attempt {
    struct weft__fd_waiter waiter; /* first */
    struct attempt *next;          /* the one that began after it */
    struct race *race;
    const weft_address *address; /* its source's */
    int fd;
    bool in_line, told;
    int status; /* when told */
};

struct race {
    struct weft__task *task;
    const char *host;
    int port;
    int64_t attempt_delay, resolution_delay; /* ns */
    int first_count;                         /* of the first family's, before it is by turns */
    struct source sources[2];                /* IPv6 before IPv4, or one */
    int source_count;
    int last, first_taken; /* the source that was tried last, -1: none; how often the first was */
    const weft_address *local;       /* to bind to; NULL: nothing */
    struct attempt *attempts, **end; /* under way, the oldest first */
    int64_t begun;                   /* when the last one was */
    bool last_failed;
    int winner;     /* the socket; -1: not yet */
    int error, way; /* of the first attempt that failed; of the first whose way was open; or 0 */
    size_t words_used;
    unsigned untold; /* attempts that found no room in: */
    char words[WORDS_MAX];
};

/* ---- what wakes the task ---- */

static void wake(struct race *race)
{
    struct weft__task *task = race->task;

    if (task->waiting && task->target == race) {
        weft__timers_remove(&task->loop->timers, &task->item);
        weft__wake(task, 0);
    }
}

static void lookup_is_done(void *arg)
{
    struct source *source = arg;

    source->answered = true;
    wake(source->race);
}

static void socket_is_ready(struct weft__fd_waiter *waiter, int status)
{
    struct attempt *attempt = (struct attempt *)(void *)waiter;

    attempt->in_line = false;
    attempt->told = true;
    attempt->status = status;
    wake(attempt->race);
}

static void interrupt(struct weft__task *task)
{
    weft__timers_remove(&task->loop->timers, &task->item);
    weft__wake(task, -ECANCELED);
}

static const struct weft__wait wait_race = { "a connection", interrupt };

static int park(struct race *race, int64_t deadline)
{
    struct weft__task *task = race->task;
    int r;

    if (deadline != WEFT__NEVER) {
        weft__loop_set_deadline(task->loop, weft__loop_now(task->loop), deadline);
        task->item.when = deadline;
        r = weft__timers_add(&task->loop->timers, &task->item);
        if (r < 0) {
            return r;
        }
    }
    return weft__task_park(task, &wait_race, race);
}

/* ---- lookups ---- */

static void begin_source(struct race *race, struct weft__question *question, int family)
{
    struct source *source = &race->sources[race->source_count++];
    int r;

    source->race = race;
    question->family = family;
    r = weft__lookup_begin(race->task->loop, question, lookup_is_done, source, &source->lookup);
    if (r < 0) {
        source->status = r;
        (void)snprintf(source->words, sizeof source->words, "cannot find the addresses of '%s': %s",
                       race->host ? race->host : "", weft_strerror(r));
    }
}

/* A source has its addresses, which get the port. */
static void fill(struct source *source, weft_addrinfo *info)
{
    weft_address *addresses = (weft_address *)(void *)(info + 1);

    for (size_t i = 0; i < info->count; i++) {
        struct sockaddr_in in; /* IPv6 has its port at the same place */

        memcpy(&in, addresses[i].bytes, sizeof in);
        in.sin_port = htons((uint16_t)source->race->port);
        memcpy(addresses[i].bytes, &in, sizeof in);
    }
    source->info = info;
}

/* Asks for the addresses; for numbers nobody has to be asked. */
static int begin_lookups(struct race *race, int family, int flags)
{
    struct weft__question question = {
        .host = race->host,
        .family = family,
        .type = SOCK_STREAM,
        .protocol = IPPROTO_TCP,
        .flags = flags,
        .service = "0",
    };
    struct weft__answer answer = { .status = 0 };

    if (weft__dns_numeric(&question, &answer)) {
        race->source_count = 1;
        race->sources[0].race = race;
        if (answer.status == 0) {
            fill(&race->sources[0], answer.info);
        }
        return weft__dns_failed(&question, &answer);
    }
    question.service = NULL;
    if (family != 0) {
        begin_source(race, &question, family);
    } else {
        begin_source(race, &question, AF_INET6);
        begin_source(race, &question, AF_INET);
    }
    return 0;
}

static void take_answers(struct race *race)
{
    for (int i = 0; i < race->source_count; i++) {
        struct source *source = &race->sources[i];
        struct weft__answer answer;

        if (!source->lookup || !source->answered) {
            continue;
        }
        source->status = weft__lookup_end(source->lookup, &answer);
        source->lookup = NULL;
        source->found = weft__loop_now(race->task->loop);
        if (source->status < 0) {
            (void)snprintf(source->words, sizeof source->words, "%s", weft_error_detail());
        } else {
            fill(source, answer.info);
        }
    }
}

/* ---- attempts ---- */

/* Whether an error says that there is no way to an address from here. */
static bool is_no_way(int error)
{
    return error == -ENETUNREACH || error == -EHOSTUNREACH || error == -EADDRNOTAVAIL ||
           error == -EAFNOSUPPORT || error == -ENETDOWN;
}

/* An attempt has failed: keeps what came of it. */
static void note_failure(struct race *race, const weft_address *address, int error)
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
static int connect_to(struct race *race, const weft_address *address, int *ret_fd)
{
    int fd = WEFT__SYS(
        socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, address->protocol));
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

/* Stands in line for the socket. */
static int wait_in_line(struct attempt *attempt)
{
    int r = weft__fd_enter(attempt->race->task->loop, &attempt->waiter, attempt->fd,
                           WEFT_WRITABLE | WEFT__FD_OWNED);

    attempt->in_line = r == 0;
    attempt->told = false;
    return r > 0 ? -EPERM : r; /* a socket that cannot be watched is none */
}

/* A new attempt, which waits for its socket; NULL and the error. */
static struct attempt *wait_for(struct race *race, const weft_address *address, int fd,
                                int *ret_error)
{
    struct attempt *attempt = weft__alloc_zeroed(1, sizeof *attempt);
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

/* Tries the next address of a source. */
static void begin(struct race *race, int which)
{
    struct source *source = &race->sources[which];
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

static void free_attempt(struct race *race, struct attempt *attempt)
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
static int result_of(const struct attempt *attempt)
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

static void take_results(struct race *race)
{
    struct attempt **link = &race->attempts, *attempt;

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

/* ---- the race ---- */

static bool has_more(const struct source *source)
{
    return source->info && source->next < source->info->count;
}

/* Whose turn it is; -1: nobody's, or not before *ret_when. */
static int choose(const struct race *race, int64_t now, int64_t *ret_when)
{
    int other = race->source_count - 1;
    int turn = race->last < 0 || (race->last == 0 && race->first_taken < race->first_count) ?
                   0 :
                   other - race->last;

    if (!has_more(&race->sources[turn])) {
        turn = other - turn;
    }
    if (!has_more(&race->sources[turn])) {
        return -1;
    }
    if (race->last < 0 && turn > 0 && race->sources[0].lookup) {
        int64_t when = weft__time_after(race->sources[turn].found, race->resolution_delay);

        if (now < when) { /* the first family's addresses may come just now */
            *ret_when = when;
            return -1;
        }
    }
    return turn;
}

/* Begins what is due; returns when to look again. */
static int64_t begin_more(struct race *race)
{
    int64_t now, when = WEFT__NEVER;

    for (;;) {
        int turn;

        now = weft__loop_now(race->task->loop);
        turn = choose(race, now, &when);
        if (turn < 0 || race->winner >= 0) {
            return when;
        }
        if (race->attempts && !race->last_failed) {
            when = weft__time_after(race->begun, race->attempt_delay);
            if (now < when) {
                return when;
            }
            when = WEFT__NEVER;
        }
        begin(race, turn);
    }
}

static bool is_over(const struct race *race)
{
    bool more = race->attempts != NULL;

    for (int i = 0; i < race->source_count; i++) {
        more |= race->sources[i].lookup || has_more(&race->sources[i]);
    }
    return race->winner >= 0 || !more;
}

static int run(struct race *race)
{
    int r = 0;

    for (;;) {
        int64_t when;

        take_answers(race);
        take_results(race);
        when = begin_more(race);
        if (is_over(race)) {
            return r;
        }
        r = park(race, when);
        if (r < 0) {
            return r;
        }
    }
}

static void clean_up(struct race *race)
{
    while (race->attempts) {
        struct attempt *attempt = race->attempts;

        race->attempts = attempt->next;
        free_attempt(race, attempt);
    }
    for (int i = 0; i < race->source_count; i++) {
        if (race->sources[i].lookup) {
            weft__lookup_abandon(race->sources[i].lookup);
        }
        weft_addrinfo_free(race->sources[i].info);
    }
}

/* How much a lookup's error tells: that there is no such name is said by many, also of one
 * family. */
static int weight(int status)
{
    return status == 0 ? 0 : status == -ENOENT ? 1 : status == -ENODATA ? 2 : 3;
}

/* Nobody has won: the error, with its words. */
static int lose(const struct race *race)
{
    const struct source *source = &race->sources[0];
    char more[32] = "";

    if (race->error == 0) {
        if (race->source_count > 1 && weight(race->sources[1].status) > weight(source->status)) {
            source = &race->sources[1];
        }
        return *source->words ? weft__detail(source->status, "%s", source->words) : source->status;
    }
    if (race->untold > 0) {
        (void)snprintf(more, sizeof more, "; and %u more", race->untold);
    }
    return weft__detail(race->way ? race->way : race->error, "cannot connect to '%s' port %d: %s%s",
                        race->host ? race->host : "", race->port, race->words, more);
}

static int read_delay(double seconds, int64_t by_default, int64_t *ret_ns)
{
    *ret_ns = by_default;
    if (isnan(seconds)) {
        return -EINVAL;
    }
    if (seconds < 0) {
        *ret_ns = 0;
    }
    return seconds > 0 ? weft__seconds_to_ns(seconds, ret_ns) : 0;
}

/* Reads the options; -EINVAL. */
static int prepare(struct race *race, const weft_connect_options *options)
{
    int r = read_delay(options->happy_eyeballs_delay, ATTEMPT_DELAY_NS, &race->attempt_delay);

    r = r < 0 ? r :
                read_delay(options->resolution_delay, RESOLUTION_DELAY_NS, &race->resolution_delay);
    if (r < 0 || race->port < 1 || race->port > 65535 || options->first_address_family_count < 0 ||
        (options->local && options->family && options->local->family != options->family)) {
        return -EINVAL;
    }
    race->first_count =
        options->first_address_family_count ? options->first_address_family_count : 1;
    race->local = options->local;
    race->end = &race->attempts;
    return 0;
}

int weft_connect_host(const char *host, int port, const weft_connect_options *options, int *ret_fd)
{
    static const weft_connect_options none;
    struct race race = { .host = host, .port = port, .last = -1, .winner = -1 };
    int r = 0;

    options = options ? options : &none;
    race.task = weft__self(&r);
    if (!race.task) {
        return weft__misuse(r);
    }
    r = ret_fd ? prepare(&race, options) : -EINVAL;
    if (r < 0) {
        return r;
    }
    if (race.task->cancelled) {
        weft__task_yield(race.task);
        return -ECANCELED;
    }
    r = begin_lookups(&race, race.local ? race.local->family : options->family, options->flags);
    r = r < 0 ? r : run(&race);
    clean_up(&race);
    if (r == 0 && race.winner < 0) {
        r = lose(&race);
    }
    if (r == 0) {
        *ret_fd = race.winner;
    }
    return r;
}
