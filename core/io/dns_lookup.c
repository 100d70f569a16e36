/* SPDX-License-Identifier: MIT
 * Lookups that take a while: in a thread of the loop's own for that, or by the resolver plugin.
 *
 * A thread's answer comes back by the post of its job.  One that nobody waits for any more is taken
 * out of the queue, or freed when its post arrives, or, when the loop is closed by then, by the
 * thread itself.  A lookup of the plugin's ends when that is told. */
#include "core/base/error.h"
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/io/dns.h"
#include "core/sched/misuse.h"
#include "core/sched/tap.h"
#include "core/thread/executor.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

struct weft__lookup {
    struct weft__list link; /* in the loop's list, until it is over */
    struct weft__loop *loop;
    struct weft__question question;
    weft_callback *done;
    void *arg;
    const weft_resolver *resolver; /* the plugin; NULL: the system is asked */
    void *query;                   /* of the plugin's begin(); else NULL */
    struct weft__job job;          /* else */
    bool answered;                 /* `done` may be called, or was */
    bool abandoned;                /* nobody waits; the thread goes on */
    struct weft__answer answer;
    weft_address address; /* the question's, */
    char texts[];         /* as are host and service */
};

/* What hangs on a loop. */
struct loop_lookups {
    struct weft__attachment attachment;
    struct weft__list lookups;
};

static void free_lookup(struct weft__lookup *lookup)
{
    weft_addrinfo_free(lookup->answer.info);
    weft__free(lookup);
}

/* Ends what can be ended, and lets go of the rest. */
static void stop(struct weft__lookup *lookup)
{
    weft__list_remove(&lookup->link);
    if (lookup->query) {
        lookup->resolver->cancel(weft__taps.resolver_self, lookup->query);
        free_lookup(lookup);
        return;
    }
    lookup->loop->expected--;
    if (weft__workers_withdraw(&lookup->job)) {
        weft__workers_release(lookup->job.workers);
        weft__vars_unref(lookup->job.vars);
        free_lookup(lookup);
    } else {
        lookup->abandoned = true;
    }
}

static void close_lookups(struct weft__attachment *attachment, struct weft__loop *loop)
{
    struct loop_lookups *all = (struct loop_lookups *)(void *)attachment;

    (void)loop;
    while (!weft__list_empty(&all->lookups)) {
        stop((struct weft__lookup *)(void *)all->lookups.next);
    }
    weft__free(all);
}

/* Those of a loop, which has a list from here on; NULL without memory. */
static struct weft__list *lookups_of(struct weft__loop *loop)
{
    struct weft__attachment *attachment = weft__loop_attached(loop, close_lookups);
    struct loop_lookups *all = (struct loop_lookups *)(void *)attachment;

    if (!all) {
        all = weft__alloc_zeroed(1, sizeof *all);
        if (!all) {
            return NULL;
        }
        weft__list_init(&all->lookups);
        all->attachment.close = close_lookups;
        weft__loop_attach(loop, &all->attachment);
    }
    return &all->lookups;
}

/* Copies a text behind the lookup; returns where, and moves on. */
static const char *put_text(char **at, const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;
    char *to = *at;

    *at += size;
    return text ? memcpy(to, text, size) : NULL;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

static struct weft__lookup *new_lookup(struct weft__loop *loop,
                                       const struct weft__question *question)
{
    struct weft__lookup *lookup = weft__alloc_zeroed(
        1, sizeof *lookup + size_of(question->host) + size_of(question->service));
    char *at;

    if (!lookup) {
        return NULL;
    }
    at = lookup->texts;
    weft__list_init(&lookup->link);
    lookup->loop = loop;
    lookup->question = *question;
    lookup->question.host = put_text(&at, question->host);
    lookup->question.service = put_text(&at, question->service);
    if (question->address) {
        lookup->address = *question->address;
        lookup->question.address = &lookup->address;
    }
    return lookup;
}

/* The answer is there, and nobody else will touch the lookup. */
static void settle(struct weft__lookup *lookup)
{
    weft__list_remove(&lookup->link);
    lookup->query = NULL;
    lookup->answered = true;
}

/* ---- the plugin ---- */

/* Copies what a resolver found. */
static void take_answer(struct weft__lookup *lookup, const weft_answer *given)
{
    struct weft__answer *answer = &lookup->answer;

    answer->status = given->status < 0 ? given->status : 0;
    if (answer->status < 0) {
        if (given->detail && *given->detail) {
            (void)snprintf(answer->room, sizeof answer->room, "%s", given->detail);
            answer->words = answer->room;
        }
    } else if (lookup->question.address) {
        (void)snprintf(answer->name.host, sizeof answer->name.host, "%s",
                       given->host ? given->host : "");
        (void)snprintf(answer->name.service, sizeof answer->name.service, "%s",
                       given->service ? given->service : "");
    } else if (given->count == 0) {
        answer->status = -ENODATA;
    } else {
        answer->info = weft__addrinfo_new(given->addresses, given->count, given->canonical_name);
        answer->status = answer->info ? 0 : -ENOMEM;
    }
}

/* A resolver's answer, on the loop's thread. */
static void answer_in_loop(void *arg, const weft_answer *answer)
{
    struct weft__lookup *lookup = arg;
    bool within_begin = !lookup->query;

    take_answer(lookup, answer);
    settle(lookup);
    if (!within_begin) {
        lookup->done(lookup->arg);
    }
}

/* The same in the thread that asks. */
static void answer_in_thread(void *arg, const weft_answer *answer)
{
    struct weft__lookup *lookup = arg;

    take_answer(lookup, answer);
}

static weft_question make_question(struct weft__lookup *lookup,
                                   void (*answer)(void *, const weft_answer *))
{
    const struct weft__question *question = &lookup->question;

    return (weft_question){
        .size = sizeof(weft_question),
        .family = question->family,
        .type = question->type,
        .protocol = question->protocol,
        .flags = question->flags,
        .host = question->host,
        .service = question->service,
        .address = question->address,
        .answer = answer,
        .arg = lookup,
    };
}

/* Keeps the words that a resolver left for an error. */
static void keep_words(struct weft__answer *answer)
{
    if (answer->status < 0 && !answer->words && weft__words_are_about() != 0) {
        (void)snprintf(answer->room, sizeof answer->room, "%s", weft_error_detail());
        answer->words = answer->room;
    }
}

static int begin_query(struct weft__lookup *lookup, struct weft__list *all)
{
    weft_question question = make_question(lookup, answer_in_loop);
    void *query = NULL;
    int r;

    weft_error_clear();
    weft__list_push(all, &lookup->link);
    r = lookup->resolver->begin(weft__taps.resolver_self, weft__loop_handle(lookup->loop),
                                &question, &query);
    if (r < 0) {
        lookup->answer.status = r;
        keep_words(&lookup->answer);
        settle(lookup);
    } else if (!lookup->answered) {
        lookup->query = query;
    }
    return 0;
}

/* ---- threads ---- */

#define ADDRESSES_MAX 64 /* what is taken from a resolver that only knows resolve() */

/* For a resolver of the first version. */
static void call_resolve(struct weft__lookup *lookup)
{
    const struct weft__question *question = &lookup->question;
    weft_address *addresses = weft__alloc_zeroed(ADDRESSES_MAX, sizeof *addresses);
    weft_answer answer = { .size = sizeof answer, .addresses = addresses };
    int r = addresses ?
                lookup->resolver->resolve(weft__taps.resolver_self, question->host,
                                          question->service, question->family, question->type,
                                          question->flags, addresses, ADDRESSES_MAX) :
                -ENOMEM;

    answer.status = r < 0 ? r : 0;
    answer.count = r < ADDRESSES_MAX ? (size_t)(r > 0 ? r : 0) : ADDRESSES_MAX;
    take_answer(lookup, &answer);
    weft__free(addresses);
}

/* The job. */
static int ask(void *arg)
{
    struct weft__lookup *lookup = arg;
    const weft_resolver *resolver = lookup->resolver;

    weft_error_clear();
    if (resolver && resolver->ask) {
        weft_question question = make_question(lookup, answer_in_thread);
        int r = resolver->ask(weft__taps.resolver_self, &question);

        if (r < 0) {
            lookup->answer.status = r;
        }
    } else if (resolver && !lookup->question.address) {
        call_resolve(lookup);
    } else {
        weft__dns_ask_system(&lookup->question, &lookup->answer);
    }
    if (resolver) {
        keep_words(&lookup->answer);
    }
    weft_error_clear();
    return 0;
}

/* Its end, on the loop's thread. */
static void arrive(void *arg)
{
    struct weft__lookup *lookup = arg;

    weft__workers_release(lookup->job.workers);
    weft__vars_unref(lookup->job.vars);
    if (lookup->abandoned) {
        free_lookup(lookup);
        return;
    }
    lookup->loop->expected--;
    settle(lookup);
    lookup->done(lookup->arg);
}

/* The loop is closed; in the thread. */
static void lost(struct weft__job *job)
{
    free_lookup(WEFT__CONTAINER(job, struct weft__lookup, job));
}

static int begin_job(struct weft__lookup *lookup, struct weft__list *all)
{
    int r = 0;
    struct weft__workers *workers = weft__loop_workers(lookup->loop, WEFT__JOBS_DNS, &r);

    if (!workers) {
        return r;
    }
    weft__job_init(&lookup->job, lookup->loop, ask, lookup,
                   lookup->question.address ? "weft_getnameinfo" : "weft_getaddrinfo");
    lookup->job.post.callback = arrive;
    lookup->job.post.arg = lookup;
    lookup->job.lost = lost;
    r = weft__workers_submit(workers, &lookup->job);
    if (r < 0) {
        weft__vars_unref(lookup->job.vars);
        return r;
    }
    lookup->loop->expected++;
    weft__list_push(all, &lookup->link);
    return 0;
}

/* ---- for both ---- */

/* Who is to be asked; NULL: the system, which also knows services by name where the host is a
 * number, or this one. */
static const weft_resolver *resolver_for(const struct weft__question *question)
{
    weft_address number;

    if (!weft__taps.resolver || question->address) {
        return weft__taps.resolver;
    }
    return !question->host || question->flags & AI_NUMERICHOST ||
                   weft_address_parse(question->host, 0, &number) == 0 ?
               NULL :
               weft__taps.resolver;
}

/* Whether a resolver is to be asked on the loop itself.  Where time is virtual nothing is watched,
 * and the clock has to wait: a thread is better, if the resolver can be asked in one. */
static bool asks_on_loop(const weft_resolver *resolver, const struct weft__loop *loop)
{
    bool blocks = resolver && (resolver->ask || resolver->resolve);

    return resolver && resolver->begin && resolver->cancel &&
           !(blocks && loop->ops->caps & WEFT_BACKEND_VIRTUAL);
}

int weft__lookup_begin(struct weft__loop *loop, const struct weft__question *question,
                       weft_callback *done, void *arg, struct weft__lookup **ret_lookup)
{
    struct weft__list *all = lookups_of(loop);
    struct weft__lookup *lookup = all ? new_lookup(loop, question) : NULL;
    int r;

    if (!lookup) {
        return -ENOMEM;
    }
    lookup->done = done;
    lookup->arg = arg;
    lookup->resolver = resolver_for(question);
    r = asks_on_loop(lookup->resolver, loop) ? begin_query(lookup, all) : begin_job(lookup, all);
    if (r < 0) {
        free_lookup(lookup);
        return r;
    }
    *ret_lookup = lookup;
    if (lookup->answered) {
        done(arg);
    }
    return 0;
}

int weft__lookup_end(struct weft__lookup *lookup, struct weft__answer *ret_answer)
{
    int r = weft__dns_failed(&lookup->question, &lookup->answer);

    WEFT_ASSERT(lookup->answered);
    *ret_answer = lookup->answer;
    ret_answer->words = NULL; /* they may be the lookup's, and have been left where they belong */
    weft__free(lookup);
    return r;
}

void weft__lookup_abandon(struct weft__lookup *lookup)
{
    if (lookup->answered) {
        free_lookup(lookup);
    } else {
        stop(lookup);
    }
}
