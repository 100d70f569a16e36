/* SPDX-License-Identifier: MIT
 * Names and addresses: what a task calls. */
#include "core/io/dns.h"

#include "core/sched/misuse.h"
#include "core/sched/task.h"

#include <netdb.h>
#include <string.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_addrinfo_options) == 32, "the public size");
_Static_assert(sizeof(weft_nameinfo) == 288, "the public size");

/* A task that waits for one lookup. */
struct caller {
    struct weft__task *task;
    struct weft__lookup *lookup;
    const char *host; /* for tools */
    bool done;
};

static void wake(void *arg)
{
    struct caller *caller = arg;

    caller->done = true;
    if (caller->task->waiting && caller->task->target == caller) {
        weft__wake(caller->task, 0);
    }
}

/* A cancel: whoever answers does so to nobody. */
static void interrupt(struct weft__task *task)
{
    struct caller *caller = task->target;

    weft__lookup_abandon(caller->lookup);
    weft__wake(task, -ECANCELED);
}

static const struct weft__wait wait_lookup = {
    "a name lookup", interrupt, NULL, { { WEFT__SEES_TEXT, 0, -1, offsetof(struct caller, host) } }
};

/* Answers a question, waiting for that if need be. */
static int answer(struct weft__task *task, const struct weft__question *question,
                  struct weft__answer *ret_answer)
{
    struct caller caller = { .task = task, .host = question->host };
    int r;

    if (task->cancelled) {
        weft__task_yield(task);
        return -ECANCELED;
    }
    if (weft__dns_numeric(question, ret_answer)) {
        weft__task_spend_turn(task);
        return weft__dns_failed(question, ret_answer);
    }
    r = weft__lookup_begin(task->loop, question, wake, &caller, &caller.lookup);
    if (r < 0) {
        return r;
    }
    if (caller.done) {
        weft__task_spend_turn(task);
    } else {
        r = weft__task_park(task, &wait_lookup, &caller);
    }
    return r < 0 ? r : weft__lookup_end(caller.lookup, ret_answer);
}

int weft_getaddrinfo(const char *host, const char *service, const weft_addrinfo_options *options,
                     weft_addrinfo **ret_info)
{
    static const weft_addrinfo_options none;
    struct weft__question question = { .host = host, .service = service };
    struct weft__answer found = { .status = 0 };
    int r = 0;
    struct weft__task *task = weft__self(&r);

    if (!task) {
        return weft__misuse(r);
    }
    if ((!host && !service) || !ret_info) {
        return -EINVAL;
    }
    options = options ? options : &none;
    question.family = options->family;
    question.type = options->type;
    question.protocol = options->protocol;
    question.flags = options->flags;
    r = answer(task, &question, &found);
    if (r == 0) {
        *ret_info = found.info;
    }
    return r;
}

int weft_getnameinfo(const weft_address *address, int flags, weft_nameinfo *ret_info)
{
    struct weft__question question = { .flags = flags, .address = address };
    struct weft__answer found = { .status = 0 };
    int r = 0;
    struct weft__task *task = weft__self(&r);

    if (!task) {
        return weft__misuse(r);
    }
    if (!address || !ret_info || address->length < offsetof(struct sockaddr, sa_data) ||
        address->length > sizeof address->bytes) {
        return -EINVAL;
    }
    r = answer(task, &question, &found);
    if (r == 0) {
        *ret_info = found.name;
    }
    return r;
}
