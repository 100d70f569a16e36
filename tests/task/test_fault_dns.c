/* SPDX-License-Identifier: MIT
 * Lookups while each allocation and system call fails once, and cancelled at every step. */
#include "core/sched/tap.h"
#include "tests/task/fault.h"
#include "tests/task/names.h"
#include "tests/task/steps.h"

#include <stdlib.h>
#include <unistd.h>

WEFT_ASYNC(asks)
{
    static const char *const hosts[] = { "192.0.2.9", "two.test", "gone.test", "two.test" };
    weft_address address;
    weft_nameinfo name;

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        weft_addrinfo *info = NULL;
        int r = weft_getaddrinfo(hosts[i], "80", NULL, &info);

        CHECK((r == 0) == (info != NULL));
        tried(r == -ENOENT && i == 2 ? 0 : r);
        weft_addrinfo_free(info);
    }
    EQUAL(weft_address_parse("192.0.2.1", 80, &address), 0);
    tried(weft_getnameinfo(&address, 0, &name));
    tried(weft_getnameinfo(&address, NI_NUMERICHOST | NI_NUMERICSERV, &name));
    return 0;
}

static int looks_names_up(void)
{
    int before = threads(), r;

    if (WEFT__TSAN) {
        return 0; /* it is not told when threads end that nobody joins */
    }
    know("two.test", 0, "2001:db8::1 192.0.2.1");
    know("gone.test", EAI_NONAME, "");
    know("one.test", 0, "192.0.2.1");
    r = run_in_loop(asks());
    await_threads(before); /* of lookups whose run was cut short */
    forget_names();
    return r;
}

EACH_FAULT_WHILE_IT(looks_names_up)

/* A resolver that answers later, with memory of its own. */

struct query {
    void (*answer)(void *arg, const weft_answer *answer);
    void *arg;
    weft_handle *timer;
};

static void end(struct query *query)
{
    weft_handle_unref(query->timer);
    free(query);
    step_balance--;
}

static void say(void *arg)
{
    struct query *query = arg;
    weft_address address;
    weft_answer answer = { .size = sizeof answer, .addresses = &address, .count = 1 };

    EQUAL(weft_address_parse("192.0.2.1", 0, &address), 0);
    query->answer(query->arg, &answer);
    end(query);
}

static int begin(void *self, weft_loop *on, const weft_question *question, void **ret_query)
{
    struct query *query = calloc(1, sizeof *query);
    int r;

    (void)self;
    query->answer = question->answer;
    query->arg = question->arg;
    step_balance++;
    r = weft_loop_call_later(on, 0.002, say, query, &query->timer);
    if (r < 0) {
        end(query);
        return r;
    }
    *ret_query = query;
    return 0;
}

static void cancel(void *self, void *query)
{
    (void)self;
    weft_handle_cancel(((struct query *)query)->timer);
    end(query);
}

static const weft_resolver resolver = { .size = sizeof resolver, .begin = begin, .cancel = cancel };

WEFT_ASYNC(asks_resolver)
{
    int r = 0;

    for (int i = 0; i < 2 && r == 0; i++) {
        weft_addrinfo *info = NULL;

        r = weft_getaddrinfo("weft.test", NULL, NULL, &info);
        CHECK((r == 0) == (info != NULL));
        weft_addrinfo_free(info);
    }
    return r;
}

WEFT_ASYNC(tries_resolver)
{
    return tried(weft_await(asks_resolver()));
}

static int asks_a_resolver(void)
{
    int r;

    weft__taps.resolver = &resolver;
    r = run_in_loop(tries_resolver());
    weft__taps.resolver = NULL;
    return r;
}

EACH_FAULT_WHILE_IT(asks_a_resolver)

ALONE(a_cancel_may_come_at_every_step)
{
    weft__taps.resolver = &resolver;
    AT_EVERY_STEP(asks_resolver, 0, -ECANCELED);
    weft__taps.resolver = NULL;
}

/* In threads, at any moment of theirs. */

static int waits_a_little(void *self, const char *host, const char *service, int family, int type,
                          int flags, weft_address *ret_addresses, int max)
{
    (void)self, (void)host, (void)service, (void)family, (void)type, (void)flags, (void)max;
    usleep(300);
    EQUAL(weft_address_parse("192.0.2.1", 0, &ret_addresses[0]), 0);
    return 1;
}

static const weft_resolver blocking = { .size = sizeof blocking, .resolve = waits_a_little };

WEFT_ASYNC(cancels_lookups)
{
    for (int i = 0; i < many(10000) / 100; i++) {
        weft_task *task = weft_create_task(asks_resolver(), NULL);
        int r;

        weft_sleep((i % 40) * 20e-6);
        weft_task_cancel(task);
        r = weft_await(task);
        CHECK(r == 0 || r == -ECANCELED);
    }
    return 0;
}

ALONE(a_cancel_may_come_at_any_moment_of_a_thread)
{
    int before = threads();

    if (WEFT__TSAN) {
        return;
    }
    weft__taps.resolver = &blocking;
    EQUAL(run_in_loop(cancels_lookups()), 0);
    await_threads(before);
    weft__taps.resolver = NULL;
}

static CU_TestInfo tests[] = {
    TEST(each_fault_while_it_looks_names_up),
    TEST(each_fault_while_it_asks_a_resolver),
    TEST(a_cancel_may_come_at_every_step),
    TEST(a_cancel_may_come_at_any_moment_of_a_thread),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(fault_dns, tests)
