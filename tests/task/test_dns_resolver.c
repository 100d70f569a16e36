/* SPDX-License-Identifier: MIT
 * Names and addresses by a resolver that is switched on: one of the tests' own, which answers on
 * the loop after a while, or at once, or in a thread. */
#include "core/base/error.h"
#include "core/sched/tap.h"
#include "tests/task/names.h"

#include <stdlib.h>
#include <string.h>

/* What the resolver shall do. */
static struct {
    double delay; /* until it answers; below 0: within begin() */
    int begins;   /* what begin() and ask() return */
    weft_answer answer;
} shall;

/* A query that is under way. */
struct query {
    void (*answer)(void *arg, const weft_answer *answer);
    void *arg;
    weft_handle *timer;
};

static int under_way, cancels;
static struct {
    char host[64], service[16];
    int family, type, flags;
    bool of_address;
    weft_loop *loop;
    char thread[16];
} last; /* question */

static void keep(const weft_question *question, weft_loop *asked_on)
{
    EQUAL(question->size, sizeof *question);
    snprintf(last.host, sizeof last.host, "%s", question->host ? question->host : "(none)");
    snprintf(last.service, sizeof last.service, "%s", question->service ? question->service : "");
    last.family = question->family;
    last.type = question->type;
    last.flags = question->flags;
    last.of_address = question->address;
    last.loop = asked_on;
    pthread_getname_np(pthread_self(), last.thread, sizeof last.thread);
}

static void end(struct query *query)
{
    weft_handle_unref(query->timer);
    free(query);
    under_way--;
}

static void say(void *arg)
{
    struct query *query = arg;

    query->answer(query->arg, &shall.answer);
    end(query);
}

static int begin(void *self, weft_loop *on, const weft_question *question, void **ret_query)
{
    struct query *query;

    SAME(self, "self");
    keep(question, on);
    if (shall.begins < 0) {
        weft__detail(shall.begins, "it has a bad day");
        return shall.begins;
    }
    if (shall.delay < 0) {
        *ret_query = &shall;
        question->answer(question->arg, &shall.answer);
        return 0;
    }
    query = calloc(1, sizeof *query);
    query->answer = question->answer;
    query->arg = question->arg;
    EQUAL(weft_loop_call_later(on, shall.delay, say, query, &query->timer), 0);
    under_way++;
    *ret_query = query;
    return 0;
}

static void cancel(void *self, void *query)
{
    SAME(self, "self");
    cancels++;
    weft_handle_cancel(((struct query *)query)->timer);
    end(query);
}

static int ask(void *self, const weft_question *question)
{
    SAME(self, "self");
    keep(question, NULL);
    if (shall.begins < 0) {
        weft__detail(shall.begins, "it has a bad day");
        return shall.begins;
    }
    question->answer(question->arg, &shall.answer);
    return 0;
}

static int resolve(void *self, const char *host, const char *service, int family, int type,
                   int flags, weft_address *ret_addresses, int max)
{
    int count = (int)shall.answer.count;

    (void)self, (void)service, (void)family, (void)type, (void)flags;
    snprintf(last.host, sizeof last.host, "%s", host);
    pthread_getname_np(pthread_self(), last.thread, sizeof last.thread);
    for (int i = 0; i < count && i < max; i++) {
        ret_addresses[i] = shall.answer.addresses[i % 2];
    }
    return shall.begins < 0 ? shall.begins : count;
}

static const weft_resolver on_loop = { .size = sizeof on_loop, .begin = begin, .cancel = cancel };
static const weft_resolver blocking = { .size = sizeof blocking, .ask = ask };
static const weft_resolver both = {
    .size = sizeof both, .begin = begin, .cancel = cancel, .ask = ask
};
static const weft_resolver first_version = { .size = sizeof first_version, .resolve = resolve };

static weft_address addresses[2];

/* Switches one on, which answers with two addresses. */
static void switch_on(const weft_resolver *resolver)
{
    EQUAL(weft_address_parse("2001:db8::1", 0, &addresses[0]), 0);
    EQUAL(weft_address_parse("192.0.2.1", 0, &addresses[1]), 0);
    memset(&shall, 0, sizeof shall);
    shall.answer.size = sizeof shall.answer;
    shall.answer.addresses = addresses;
    shall.answer.count = 2;
    under_way = cancels = 0;
    weft__taps.resolver = resolver;
    weft__taps.resolver_self = (void *)"self";
}

static void switch_off(void)
{
    EQUAL(under_way, 0);
    weft__taps.resolver = NULL;
}

static int look_up(const char *host)
{
    weft_addrinfo *info = NULL;
    int r = weft_getaddrinfo(host, NULL, NULL, &info);

    CHECK((r == 0) == (info != NULL));
    weft_addrinfo_free(info);
    return r;
}

WEFT_ASYNC(looks_up, (const char *, host))
{
    return look_up(host);
}

static void says(const char *words)
{
    if (!CHECK(strstr(weft_error_detail(), words))) {
        fprintf(stderr, "    not '%s' in: %s\n", words, weft_error_detail());
    }
}

/* Asks for everything, and holds it against the answer. */
static void ask_for_all(void)
{
    weft_addrinfo_options options = { AF_INET6, SOCK_STREAM, 0, AI_CANONNAME, { NULL, NULL } };
    weft_addrinfo *info = NULL;

    shall.answer.canonical_name = "loom.test";
    EQUAL(weft_getaddrinfo("weft.test", "80", &options, &info), 0);
    SAME(last.host, "weft.test");
    SAME(last.service, "80");
    EQUAL(last.family, AF_INET6);
    EQUAL(last.type, SOCK_STREAM);
    EQUAL(last.flags, AI_CANONNAME);
    EQUAL(last.of_address, false);
    EQUAL(info->count, 2);
    SAME(host_of(&info->addresses[0]), "[2001:db8::1]");
    SAME(host_of(&info->addresses[1]), "192.0.2.1");
    SAME(info->canonical_name, "loom.test");
    weft_addrinfo_free(info);
}

IN_TASK(it_answers_on_the_loop)
{
    int before = threads();

    switch_on(&on_loop);
    shall.delay = 0.002;
    ask_for_all();
    CHECK(last.loop == loop);
    EQUAL(threads(), before);
    switch_off();
}

IN_TASK(it_may_answer_at_once)
{
    switch_on(&on_loop);
    shall.delay = -1;
    ask_for_all();
    switch_off();
}

IN_TASK(one_that_blocks_is_asked_in_a_thread)
{
    switch_on(&blocking);
    ask_for_all();
    CHECK(last.loop == NULL);
    SAME(last.thread, "weft-dns_0");
    switch_off();
}

IN_TASK(where_nothing_is_watched_a_thread_is_better)
{
    switch_on(&both);
    shall.delay = 0.001;
    ask_for_all();
    CHECK(last.loop == (is_virtual() ? NULL : loop));
    switch_off();
}

IN_TASK(what_is_numeric_is_not_asked_for)
{
    weft_addrinfo *info = NULL;

    switch_on(&on_loop);
    snprintf(last.host, sizeof last.host, "nobody");
    EQUAL(look_up("192.0.2.9"), 0);
    EQUAL(weft_getaddrinfo("192.0.2.9", "discard", NULL, &info), 0); /* by /etc/services */
    CHECK(info && weft_address_port(&info->addresses[0]) == 9);
    weft_addrinfo_free(info);
    SAME(last.host, "nobody");
    switch_off();
}

IN_TASK(it_alone_is_asked)
{
    switch_on(&on_loop);
    shall.answer.status = -ENOENT;
    EQUAL(look_up("localhost"), -ENOENT); /* which the system knows */
    SAME(last.host, "localhost");
    says("'localhost'");
    switch_off();
}

static void fails_in_every_way(void)
{
    shall.answer.status = -EAGAIN;
    EQUAL(look_up("weft.test"), -EAGAIN);
    says("cannot find the addresses of 'weft.test': ");
    shall.answer.detail = "192.0.2.53 did not answer";
    EQUAL(look_up("weft.test"), -EAGAIN);
    says("'weft.test': 192.0.2.53 did not answer");
    shall.answer.status = 0;
    shall.answer.count = 0;
    EQUAL(look_up("weft.test"), -ENODATA);
    shall.begins = -EMFILE;
    EQUAL(look_up("weft.test"), -EMFILE);
    says("'weft.test': it has a bad day");
}

IN_TASK(its_errors_keep_their_words)
{
    switch_on(&on_loop);
    fails_in_every_way();
    switch_off();
    switch_on(&blocking);
    fails_in_every_way();
    switch_off();
}

IN_TASK(a_cancel_ends_its_query)
{
    weft_task *task;

    switch_on(&on_loop);
    shall.delay = 3600;
    task = weft_create_task(looks_up("weft.test"), NULL);
    weft_sleep(0);
    EQUAL(under_way, 1);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(under_way, 0);
    EQUAL(cancels, 1);
    EQUAL(weft_await(task), -ECANCELED);
    switch_off();
}

IN_TASK(a_timeout_ends_its_query)
{
    switch_on(&on_loop);
    shall.delay = 3600;
    EQUAL(weft_wait_for(looks_up("weft.test"), 0.003), -ETIMEDOUT);
    EQUAL(cancels, 1);
    switch_off();
}

IN_TASK(an_answer_that_came_is_not_lost_to_a_cancel)
{
    weft_task *task;

    switch_on(&on_loop);
    task = weft_create_task(looks_up("weft.test"), NULL);
    weft_sleep(0);
    while (under_way > 0) {
        weft_sleep(0.0001);
    }
    weft_task_cancel(task);
    EQUAL(weft_await(task), 0);
    switch_off();
}

IN_LOOP(a_loop_that_closes_ends_its_queries)
{
    weft_task *tasks[3];

    switch_on(&on_loop);
    shall.delay = 3600;
    for (int i = 0; i < 3; i++) {
        tasks[i] = weft_loop_create_task(loop, looks_up("weft.test"), NULL);
    }
    EQUAL(run(sleeps(0.001)), 0);
    EQUAL(under_way, 3);
    for (int i = 0; i < 3; i++) {
        weft_task_detach(tasks[i]);
    }
    close_loop();
    EQUAL(cancels, 3);
    for (int i = 0; i < 3; i++) {
        EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    }
    switch_off();
}

/* Names of addresses. */

static void ask_for_a_name(void)
{
    weft_nameinfo name = { "", "" };

    shall.answer.host = "weft.test";
    shall.answer.service = "weave";
    EQUAL(weft_getnameinfo(&addresses[1], NI_NAMEREQD, &name), 0);
    EQUAL(last.of_address, true);
    EQUAL(last.flags, NI_NAMEREQD);
    SAME(name.host, "weft.test");
    SAME(name.service, "weave");
    shall.answer.status = -ENOENT;
    EQUAL(weft_getnameinfo(&addresses[1], NI_NAMEREQD, &name), -ENOENT);
    says("the name of 192.0.2.1");
}

IN_TASK(it_answers_for_names_too)
{
    switch_on(&on_loop);
    ask_for_a_name();
    switch_off();
    switch_on(&blocking);
    ask_for_a_name();
    switch_off();
}

/* The first version. */

IN_TASK(one_of_the_first_version_is_asked_for_addresses)
{
    weft_addrinfo *info = NULL;
    weft_nameinfo name = { "", "" };

    switch_on(&first_version);
    EQUAL(weft_getaddrinfo("weft.test", "80", NULL, &info), 0);
    EQUAL(info->count, 2);
    SAME(last.host, "weft.test");
    SAME(last.thread, "weft-dns_0");
    info = weft_addrinfo_free(info);
    shall.answer.count = 200; /* more than there is room for */
    EQUAL(weft_getaddrinfo("weft.test", "80", NULL, &info), 0);
    EQUAL(info->count, 64);
    weft_addrinfo_free(info);
    shall.answer.count = 0;
    EQUAL(look_up("weft.test"), -ENODATA);
    shall.begins = -ENOENT;
    EQUAL(look_up("weft.test"), -ENOENT);
    know("two.test", 0, "192.0.2.1"); /* for names the system is asked */
    EQUAL(weft_getnameinfo(&addresses[1], 0, &name), 0);
    SAME(name.host, "two.test");
    forget_names();
    switch_off();
}

static CU_TestInfo tests[] = {
    TEST(it_answers_on_the_loop),
    TEST(it_may_answer_at_once),
    TEST(one_that_blocks_is_asked_in_a_thread),
    TEST(where_nothing_is_watched_a_thread_is_better),
    TEST(what_is_numeric_is_not_asked_for),
    TEST(it_alone_is_asked),
    TEST(its_errors_keep_their_words),
    TEST(a_cancel_ends_its_query),
    TEST(a_timeout_ends_its_query),
    TEST(an_answer_that_came_is_not_lost_to_a_cancel),
    TEST(a_loop_that_closes_ends_its_queries),
    TEST(it_answers_for_names_too),
    TEST(one_of_the_first_version_is_asked_for_addresses),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(dns_resolver, tests)
