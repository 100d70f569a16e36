/* SPDX-License-Identifier: MIT
 * Names and addresses, as the system knows them. */
#include "tests/task/names.h"

#include <math.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static weft_addrinfo *find(const char *host, const char *service,
                           const weft_addrinfo_options *options)
{
    weft_addrinfo *info = NULL;

    EQUAL(weft_getaddrinfo(host, service, options, &info), 0);
    return info;
}

/* Looks a host up and forgets what was found. */
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

static const weft_addrinfo_options tcp = { .type = SOCK_STREAM };

/* Numbers. */

IN_TASK(numeric_hosts_need_no_thread)
{
    int before = threads();
    weft_addrinfo *info = find("192.0.2.7", "443", &tcp);

    EQUAL(info->count, 1);
    EQUAL(info->addresses[0].family, AF_INET);
    EQUAL(info->addresses[0].type, SOCK_STREAM);
    EQUAL(info->addresses[0].protocol, IPPROTO_TCP);
    EQUAL(info->addresses[0].length, sizeof(struct sockaddr_in));
    SAME(host_of(&info->addresses[0]), "192.0.2.7");
    EQUAL(weft_address_port(&info->addresses[0]), 443);
    CHECK(info->canonical_name == NULL);
    info = weft_addrinfo_free(info);
    CHECK(info == NULL);
    info = find("2001:db8::7", NULL, &tcp);
    EQUAL(info->addresses[0].family, AF_INET6);
    SAME(host_of(&info->addresses[0]), "[2001:db8::7]");
    EQUAL(weft_address_port(&info->addresses[0]), 0);
    weft_addrinfo_free(info);
    EQUAL(threads(), before);
}

IN_TASK(without_a_type_each_address_comes_for_every_one)
{
    weft_addrinfo *info = find("192.0.2.7", NULL, NULL);

    EQUAL(info->count, 3);
    EQUAL(info->addresses[0].type, SOCK_STREAM);
    EQUAL(info->addresses[1].type, SOCK_DGRAM);
    EQUAL(info->addresses[2].type, SOCK_RAW);
    for (size_t i = 0; i < info->count; i++) {
        SAME(host_of(&info->addresses[i]), "192.0.2.7");
    }
    weft_addrinfo_free(info);
}

IN_TASK(no_host_is_this_one)
{
    weft_addrinfo_options passive = { .type = SOCK_STREAM, .flags = AI_PASSIVE, .family = AF_INET };
    weft_addrinfo *info = find(NULL, "80", &passive);

    SAME(host_of(&info->addresses[0]), "0.0.0.0");
    weft_addrinfo_free(info);
    passive.flags = 0;
    passive.family = AF_INET6;
    info = find(NULL, "80", &passive);
    SAME(host_of(&info->addresses[0]), "[::1]");
    weft_addrinfo_free(info);
}

IN_TASK(a_number_of_the_wrong_family_is_no_data)
{
    weft_addrinfo_options options = { .family = AF_INET6 };
    weft_addrinfo *info = NULL;

    EQUAL(weft_getaddrinfo("192.0.2.7", NULL, &options, &info), -ENODATA);
    says("'192.0.2.7'");
    options = (weft_addrinfo_options){ .flags = AI_NUMERICHOST };
    EQUAL(weft_getaddrinfo("weft.test", NULL, &options, &info), -ENOENT);
    says("there is no such name");
    options = (weft_addrinfo_options){ .flags = AI_NUMERICSERV };
    EQUAL(weft_getaddrinfo("192.0.2.7", "https", &options, &info), -ENOENT);
    options = (weft_addrinfo_options){ .flags = 0x8000000 };
    EQUAL(weft_getaddrinfo("192.0.2.7", NULL, &options, &info), -EINVAL);
    options = (weft_addrinfo_options){ .family = 99 };
    EQUAL(weft_getaddrinfo("192.0.2.7", NULL, &options, &info), -EAFNOSUPPORT);
    options = (weft_addrinfo_options){ .type = 99 };
    EQUAL(weft_getaddrinfo("192.0.2.7", NULL, &options, &info), -ESOCKTNOSUPPORT);
    CHECK(info == NULL);
}

/* Names. */

IN_TASK(a_name_is_looked_up_in_a_thread_made_for_that)
{
    int before = threads();
    weft_addrinfo *info;

    know("two.test", 0, "2001:db8::1 192.0.2.1");
    info = find("two.test", "80", &tcp);
    EQUAL(info->count, 2);
    SAME(host_of(&info->addresses[0]), "[2001:db8::1]");
    SAME(host_of(&info->addresses[1]), "192.0.2.1");
    EQUAL(weft_address_port(&info->addresses[1]), 80);
    weft_addrinfo_free(info);
    EQUAL(threads(), before + 1);
    SAME(asked_in, "weft-dns_0");
    forget_names();
}

IN_TASK(the_system_knows_this_host)
{
    weft_addrinfo *info = find("localhost", NULL, &tcp);
    const char *host = host_of(&info->addresses[0]);

    CHECK(strcmp(host, "127.0.0.1") == 0 || strcmp(host, "[::1]") == 0);
    weft_addrinfo_free(info);
}

IN_TASK(a_canonical_name_is_told_when_asked_for)
{
    weft_addrinfo_options options = { .type = SOCK_STREAM, .flags = AI_CANONNAME };
    weft_addrinfo *info = find("127.0.0.1", NULL, &options);

    SAME(info->canonical_name, "127.0.0.1");
    weft_addrinfo_free(info);
}

static void fails(const char *name, int code, int error, const char *words)
{
    weft_error_clear();
    know(name, code, "");
    EQUAL(look_up(name), error);
    says(name);
    says(words);
    forget_names();
}

IN_TASK(errors_are_errnos_with_words)
{
    fails("gone.test", EAI_NONAME, -ENOENT, "there is no such name");
    fails("empty.test", EAI_NODATA, -ENODATA, "has no address");
    fails("later.test", EAI_AGAIN, -EAGAIN, "no server has answered");
    fails("refused.test", EAI_FAIL, -EIO, "cannot tell");
    fails("service.test", EAI_SERVICE, -EPROTONOSUPPORT, "no such service");
    fails("memory.test", EAI_MEMORY, -ENOMEM, "memory");
    fails("files.test", EAI_SYSTEM, -ENFILE, "Too many open files");
    fails("long.test", EAI_OVERFLOW, -ENAMETOOLONG, "too long");
    fails("odd.test", 12345, -EIO, "error");
}

IN_TASK(words_name_the_service)
{
    weft_addrinfo *info = NULL;

    EQUAL(weft_getaddrinfo("127.0.0.1", "no-such-service", &tcp, &info), -EPROTONOSUPPORT);
    says("'127.0.0.1', service 'no-such-service'");
}

/* Beside others. */

IN_TASK(others_run_meanwhile)
{
    struct gate gate = GATE;
    weft_task *other = weft_create_task(notes("other"), NULL);

    know_slow("slow.test", &gate, 0, "192.0.2.1");
    weft_loop_call_soon(NULL, (weft_callback *)gate_open, &gate, NULL);
    EQUAL(look_up("slow.test"), 0);
    HAPPENED("other");
    EQUAL(weft_await(other), 0);
    forget_names();
}

IN_TASK(eight_lookups_run_side_by_side_and_the_rest_wait)
{
    struct gate gate = GATE;
    weft_task *tasks[10];
    int before = threads();

    know_slow("slow.test", &gate, 0, "192.0.2.1");
    for (int i = 0; i < 10; i++) {
        tasks[i] = weft_create_task(looks_up("slow.test"), NULL);
    }
    weft_sleep(0);
    gate_await_came(&gate, 8);
    CHECK(threads() <= before + 8); /* one of the test before may have been on its way out */
    EQUAL(weft_task_cancel(tasks[9]), 0);
    EQUAL(weft_await(tasks[9]), -ECANCELED); /* it never begins */
    gate_open(&gate);
    for (int i = 0; i < 9; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    EQUAL(atomic_load(&asked), 9);
    forget_names();
}

IN_TASK(lookups_wait_behind_no_other_job)
{
    weft_executor *executor = NULL;

    EQUAL(weft_executor_new(&(weft_executor_options){ .max_workers = 1 }, &executor), 0);
    EQUAL(weft_loop_set_default_executor(NULL, executor), 0);
    EQUAL(weft_executor_shutdown(executor, true, false), 0);
    know("two.test", 0, "192.0.2.1");
    EQUAL(look_up("two.test"), 0);
    weft_executor_free(executor);
    forget_names();
}

/* Nobody waits any more. */

WEFT_ASYNC(gives_one_up, (struct gate *, gate))
{
    weft_task *task = weft_create_task(looks_up("slow.test"), NULL);

    weft_sleep(0);
    gate_await_came(gate, 1);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(weft_await(task), -ECANCELED); /* though the thread stands there */
    gate_open(gate);
    know("two.test", 0, "192.0.2.1");
    return look_up("two.test"); /* another lookup has its thread, or the same one later */
}

/* What was given up goes on in its thread, which ends after its loop. */
static void close_and_forget(int before)
{
    close_loop();
    await_threads(before);
    forget_names();
}

IN_LOOP(a_cancel_abandons_a_lookup_at_once)
{
    struct gate gate = GATE;
    int before = threads();

    if (WEFT__TSAN) {
        return; /* it is not told when threads end that nobody joins */
    }
    know_slow("slow.test", &gate, 0, "192.0.2.1");
    EQUAL(run(gives_one_up(&gate)), 0);
    close_and_forget(before);
}

WEFT_ASYNC(waits_a_little)
{
    EQUAL(weft_wait_for(looks_up("never.test"), 0.005), -ETIMEDOUT);
    return weft_await(looks_up("127.0.0.1"));
}

IN_LOOP(a_timeout_ends_what_never_answers)
{
    struct gate gate = GATE;
    int before = threads();

    if (WEFT__TSAN) {
        return; /* it is not told when threads end that nobody joins */
    }
    know_slow("never.test", &gate, 0, "192.0.2.1");
    EQUAL(run(waits_a_little()), 0);
    gate_open(&gate);
    close_and_forget(before);
}

IN_TASK(a_task_that_is_cancelled_asks_nobody)
{
    weft_task *task;

    know("two.test", 0, "192.0.2.1");
    task = weft_create_task(looks_up("two.test"), NULL);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    task = weft_create_task(looks_up("127.0.0.1"), NULL);
    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    EQUAL(atomic_load(&asked), 0);
    forget_names();
}

static void stop_when_there(void *gate)
{
    gate_await_came(gate, 8);
    stop_loop(NULL);
}

IN_LOOP(a_loop_that_closes_leaves_its_lookups_behind)
{
    struct gate gate = GATE;
    int before = threads();
    weft_task *tasks[10];

    if (WEFT__TSAN) {
        return; /* it is not told when threads end that nobody joins */
    }
    know_slow("slow.test", &gate, 0, "192.0.2.1");
    for (int i = 0; i < 10; i++) {
        tasks[i] = weft_loop_create_task(loop, looks_up("slow.test"), NULL);
    }
    EQUAL(weft_loop_call_soon(loop, stop_when_there, &gate, NULL), 0);
    EQUAL(weft_loop_run_forever(loop), 0);
    for (int i = 0; i < 10; i++) {
        weft_task_detach(tasks[i]);
    }
    close_loop();
    for (int i = 0; i < 10; i++) {
        EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    }
    gate_open(&gate);
    await_threads(before);
    EQUAL(atomic_load(&asked), 8); /* those that had not begun never do */
    forget_names();
}

IN_TASK(virtual_time_does_not_jump_over_a_lookup)
{
    struct gate gate = GATE;
    weft_task *sleeper = weft_create_task(sleeps(3600), NULL);
    double start = weft_loop_time(NULL);

    know_slow("slow.test", &gate, 0, "192.0.2.1");
    weft_loop_call_soon(NULL, (weft_callback *)gate_open, &gate, NULL);
    EQUAL(look_up("slow.test"), 0);
    CHECK(weft_loop_time(NULL) - start < 3600);
    EQUAL(weft_task_done(sleeper), false);
    weft_task_cancel(sleeper);
    EQUAL(weft_await(sleeper), -ECANCELED);
    forget_names();
}

/* From addresses to names. */

IN_TASK(an_address_has_a_name)
{
    weft_nameinfo name = { "", "" };
    weft_address address;

    know("two.test", 0, "192.0.2.1");
    EQUAL(weft_address_parse("192.0.2.1", 80, &address), 0);
    EQUAL(weft_getnameinfo(&address, 0, &name), 0);
    SAME(name.host, "two.test");
    SAME(name.service, "weave");
    SAME(asked_in, "weft-dns_0");
    forget_names();
    know("two.test", EAI_NONAME, "192.0.2.1");
    EQUAL(weft_getnameinfo(&address, NI_NAMEREQD, &name), -ENOENT);
    says("192.0.2.1:80: it has no name");
    forget_names();
    know("two.test", EAI_OVERFLOW, "192.0.2.1");
    EQUAL(weft_getnameinfo(&address, 0, &name), -ENAMETOOLONG);
    forget_names();
}

IN_TASK(numbers_of_an_address_need_no_thread)
{
    weft_nameinfo name = { "", "" };
    weft_address address;
    int before = threads();

    EQUAL(weft_address_parse("2001:db8::2", 8080, &address), 0);
    EQUAL(weft_getnameinfo(&address, NI_NUMERICHOST | NI_NUMERICSERV, &name), 0);
    SAME(name.host, "2001:db8::2");
    SAME(name.service, "8080");
    EQUAL(threads(), before);
    address.family = address.sockaddr.sa_family = 99;
    EQUAL(weft_getnameinfo(&address, NI_NUMERICHOST | NI_NUMERICSERV, &name), -EAFNOSUPPORT);
    says("family 99");
    SAME(name.host, "2001:db8::2"); /* untouched */
}

/* Misuse. */

static int refused[2];

static void ask_in_callback(void *unused)
{
    weft_addrinfo *info = NULL;
    weft_nameinfo name;
    weft_address address;

    (void)unused;
    EQUAL(weft_address_parse("127.0.0.1", 0, &address), 0);
    refused[0] = weft_getaddrinfo("127.0.0.1", NULL, NULL, &info);
    refused[1] = weft_getnameinfo(&address, 0, &name);
}

IN_TASK(only_a_task_may_ask)
{
    weft_address address = { .length = 0 };
    weft_addrinfo *info = NULL;
    weft_nameinfo name;

    EQUAL(weft_loop_call_soon(NULL, ask_in_callback, NULL, NULL), 0);
    weft_sleep(0);
    EQUAL(refused[0], -EPERM);
    EQUAL(refused[1], -EPERM);
    EQUAL(weft_getaddrinfo(NULL, NULL, NULL, &info), -EINVAL);
    EQUAL(weft_getaddrinfo("127.0.0.1", NULL, NULL, NULL), -EINVAL);
    EQUAL(weft_getnameinfo(NULL, 0, &name), -EINVAL);
    EQUAL(weft_getnameinfo(&address, 0, &name), -EINVAL);
    address.length = 129;
    EQUAL(weft_getnameinfo(&address, 0, &name), -EINVAL);
    CHECK(weft_addrinfo_free(NULL) == NULL);
    CHECK(info == NULL);
}

/* Many. */

WEFT_ASYNC(looks_up_often, (int, times))
{
    for (int i = 0; i < times; i++) {
        EQUAL(look_up("two.test"), 0);
        EQUAL(look_up("192.0.2.1"), 0);
    }
    return 0;
}

IN_TASK(many_tasks_ask_many_times)
{
    weft_task *tasks[20];
    int times = many(20000) / 1000;

    know("two.test", 0, "192.0.2.1");
    for (int i = 0; i < 20; i++) {
        tasks[i] = weft_create_task(looks_up_often(times), NULL);
    }
    for (int i = 0; i < 20; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
    EQUAL(atomic_load(&asked), 20 * times);
    forget_names();
}

static CU_TestInfo tests[] = {
    TEST(numeric_hosts_need_no_thread),
    TEST(without_a_type_each_address_comes_for_every_one),
    TEST(no_host_is_this_one),
    TEST(a_number_of_the_wrong_family_is_no_data),
    TEST(a_name_is_looked_up_in_a_thread_made_for_that),
    TEST(the_system_knows_this_host),
    TEST(a_canonical_name_is_told_when_asked_for),
    TEST(errors_are_errnos_with_words),
    TEST(words_name_the_service),
    TEST(others_run_meanwhile),
    TEST(eight_lookups_run_side_by_side_and_the_rest_wait),
    TEST(lookups_wait_behind_no_other_job),
    TEST(a_cancel_abandons_a_lookup_at_once),
    TEST(a_timeout_ends_what_never_answers),
    TEST(a_task_that_is_cancelled_asks_nobody),
    TEST(a_loop_that_closes_leaves_its_lookups_behind),
    TEST(virtual_time_does_not_jump_over_a_lookup),
    TEST(an_address_has_a_name),
    TEST(numbers_of_an_address_need_no_thread),
    TEST(only_a_task_may_ask),
    TEST(many_tasks_ask_many_times),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(dns, tests)
