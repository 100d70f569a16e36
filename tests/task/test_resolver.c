/* SPDX-License-Identifier: MIT
 * The plugin "resolver", against a DNS server of the tests' own. */
#include "core/run/plugin.h"
#include "tests/task/dns_server.h"
#include "tests/task/fault.h"
#include "tests/task/steps.h"
#include "tests/task/thread.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <weft/plugin.h>

#define KNOW(name, data, ...) dns_know(name, data, (struct dns_manner){ __VA_ARGS__ })

static const weft_addrinfo_options tcp = { .type = SOCK_STREAM };

static int look_up(const char *host)
{
    weft_addrinfo *info = NULL;
    int r = weft_getaddrinfo(host, NULL, &tcp, &info);

    CHECK((r == 0) == (info != NULL));
    weft_addrinfo_free(info);
    return r;
}

WEFT_ASYNC(looks_up, (const char *, host))
{
    return look_up(host);
}

static bool has(const weft_addrinfo *info, const char *host)
{
    weft_address wanted;
    bool found = false;

    EQUAL(weft_address_parse(host, weft_address_port(&info->addresses[0]), &wanted), 0);
    for (size_t i = 0; i < info->count; i++) {
        found |= weft_address_equal(&info->addresses[i], &wanted);
    }
    return found;
}

static void says(const char *words)
{
    if (!CHECK(strstr(weft_error_detail(), words))) {
        fprintf(stderr, "    not '%s' in: %s\n", words, weft_error_detail());
    }
}

IN_TASK(both_families_are_asked_for_without_a_thread)
{
    int before = threads();
    weft_addrinfo *info = NULL;

    dns_forget();
    KNOW("two.test", "192.0.2.1 192.0.2.2 2001:db8::1", 0);
    EQUAL(weft_getaddrinfo("two.test", "443", &tcp, &info), 0);
    EQUAL(info->count, 3);
    CHECK(has(info, "192.0.2.1"));
    CHECK(has(info, "192.0.2.2"));
    CHECK(has(info, "2001:db8::1"));
    EQUAL(weft_address_port(&info->addresses[0]), 443);
    EQUAL(info->addresses[0].type, SOCK_STREAM);
    EQUAL(info->addresses[0].protocol, IPPROTO_TCP);
    weft_addrinfo_free(info);
    EQUAL(dns_asked(), 2);
    if (!is_virtual()) {
        EQUAL(threads(), before);
    }
}

IN_TASK(one_family_is_asked_for_alone)
{
    weft_addrinfo_options options = { .family = AF_INET6, .type = SOCK_DGRAM };
    weft_addrinfo *info = NULL;

    dns_forget();
    KNOW("two.test", "192.0.2.1 2001:db8::1", 0);
    KNOW("four.test", "192.0.2.1", 0);
    EQUAL(weft_getaddrinfo("two.test", NULL, &options, &info), 0);
    EQUAL(info->count, 1);
    CHECK(has(info, "2001:db8::1"));
    EQUAL(info->addresses[0].protocol, IPPROTO_UDP);
    info = weft_addrinfo_free(info);
    EQUAL(dns_asked(), 1);
    EQUAL(weft_getaddrinfo("four.test", NULL, &options, &info), -ENODATA);
    says("'four.test'");
}

IN_TASK(without_a_type_each_address_comes_for_every_one)
{
    weft_addrinfo *info = NULL;

    dns_forget();
    KNOW("four.test", "192.0.2.1", 0);
    EQUAL(weft_getaddrinfo("four.test", NULL, NULL, &info), 0);
    EQUAL(info->count, 3);
    EQUAL(info->addresses[0].type, SOCK_STREAM);
    EQUAL(info->addresses[1].type, SOCK_DGRAM);
    EQUAL(info->addresses[2].type, SOCK_RAW);
    weft_addrinfo_free(info);
}

IN_TASK(services_are_known_by_name)
{
    weft_addrinfo *info = NULL;

    dns_forget();
    KNOW("four.test", "192.0.2.1", 0);
    EQUAL(weft_getaddrinfo("four.test", "discard", &tcp, &info), 0);
    CHECK(info && weft_address_port(&info->addresses[0]) == 9);
    info = weft_addrinfo_free(info);
    EQUAL(weft_getaddrinfo("four.test", "no-such-service", &tcp, &info), -EPROTONOSUPPORT);
}

IN_TASK(the_file_of_hosts_is_read)
{
    dns_forget();
    EQUAL(look_up("localhost"), 0);
    EQUAL(dns_asked(), 0);
}

IN_TASK(a_chain_of_aliases_ends_in_the_canonical_name)
{
    weft_addrinfo_options options = { .type = SOCK_STREAM, .flags = AI_CANONNAME };
    weft_addrinfo *info = NULL;

    dns_forget();
    KNOW("www.weft.test", "192.0.2.1", .alias = "loom.weft.test");
    EQUAL(weft_getaddrinfo("www.weft.test", NULL, &options, &info), 0);
    SAME(info->canonical_name, "loom.weft.test");
    info = weft_addrinfo_free(info);
    EQUAL(weft_getaddrinfo("www.weft.test", NULL, &tcp, &info), 0);
    CHECK(info->canonical_name == NULL);
    weft_addrinfo_free(info);
}

IN_TASK(errors_are_told_apart)
{
    int r;

    dns_forget();
    KNOW("empty.test", "", 0);
    KNOW("failing.test", "", .rcode = 2);
    KNOW("refused.test", "", .rcode = 5);
    KNOW("garbage.test", "", .garbage = 1);
    EQUAL(look_up("gone.test"), -ENOENT);
    says("cannot find the addresses of 'gone.test': ");
    EQUAL(look_up("empty.test"), -ENODATA);
    EQUAL(look_up("failing.test"), -EAGAIN); /* as the system says, too */
    says("'failing.test'");
    r = look_up("refused.test"); /* c-ares asks the next server, of which there is none */
    CHECK(r == -EAGAIN || r == -EIO);
    EQUAL(look_up("garbage.test"), -EIO);
    EQUAL(look_up("an..empty.label.test"), -EILSEQ);
}

IN_TASK(what_is_cut_short_comes_by_tcp)
{
    weft_addrinfo *info = NULL;

    dns_forget();
    KNOW("large.test", "192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::1", .truncate = 1);
    EQUAL(weft_getaddrinfo("large.test", NULL, &tcp, &info), 0);
    EQUAL(info->count, 4);
    CHECK(has(info, "192.0.2.3"));
    weft_addrinfo_free(info);
    EQUAL(dns_asked_by_tcp(), 2);
}

IN_TASK(others_run_while_it_waits)
{
    weft_task *other = weft_create_task(notes("other"), NULL);

    dns_forget();
    KNOW("slow.test", "192.0.2.1", .delay_ms = 20);
    EQUAL(look_up("slow.test"), 0);
    HAPPENED("other");
    EQUAL(weft_await(other), 0);
}

IN_TASK(who_never_answers_is_asked_again_and_given_up)
{
    double start = weft_loop_time(NULL);

    dns_forget();
    KNOW("never.test", "", .silent = 1);
    EQUAL(look_up("never.test"), -EAGAIN); /* after the timeout of two tries, which grows */
    CHECK(weft_loop_time(NULL) - start >= 0.19);
    EQUAL(dns_asked(), 4);
    says("'never.test'");
}

IN_TASK(a_timeout_ends_a_query)
{
    int before = open_descriptors();

    if (is_virtual()) {
        return; /* its thread goes on, see test_dns.c */
    }
    dns_forget();
    KNOW("never.test", "", .silent = 1);
    EQUAL(weft_wait_for(looks_up("never.test"), 0.005), -ETIMEDOUT);
    EQUAL(open_descriptors(), before);
}

IN_TASK(a_cancel_ends_a_query_at_once)
{
    int before = open_descriptors();
    weft_task *task;

    if (is_virtual()) {
        return;
    }
    dns_forget();
    KNOW("never.test", "", .silent = 1);
    task = weft_create_task(looks_up("never.test"), NULL);
    weft_sleep(0);
    CHECK(open_descriptors() > before);
    EQUAL(weft_task_cancel(task), 0);
    EQUAL(open_descriptors(), before);
    EQUAL(weft_await(task), -ECANCELED);
}

IN_TASK(many_are_asked_for_at_once)
{
    static char hosts[60][16];
    weft_task *tasks[60];

    dns_forget();
    for (int i = 0; i < 60; i++) {
        snprintf(hosts[i], sizeof hosts[i], "host%d.test", i);
        KNOW(hosts[i], "192.0.2.1 2001:db8::1", .delay_ms = i % 7);
        tasks[i] = weft_create_task(looks_up(hosts[i]), NULL);
    }
    for (int i = 0; i < 60; i++) {
        EQUAL(weft_await(tasks[i]), 0);
    }
}

IN_TASK(names_of_addresses_are_asked_for)
{
    weft_nameinfo name = { "", "" };
    weft_address address;

    dns_forget();
    KNOW("1.2.0.192.in-addr.arpa", "two.test", 0);
    EQUAL(weft_address_parse("192.0.2.1", 9, &address), 0);
    EQUAL(weft_getnameinfo(&address, 0, &name), 0);
    SAME(name.host, "two.test");
    SAME(name.service, "discard");
    EQUAL(weft_address_parse("192.0.2.9", 9, &address), 0);
    EQUAL(weft_getnameinfo(&address, NI_NUMERICSERV, &name), 0);
    SAME(name.host, "192.0.2.9"); /* it has none */
    SAME(name.service, "9");
    EQUAL(weft_getnameinfo(&address, NI_NAMEREQD, &name), -ENOENT);
    says("the name of 192.0.2.9:9");
}

IN_LOOP(a_loop_that_closes_ends_its_queries)
{
    weft_task *tasks[3];
    int before = threads();

    if (is_virtual()) {
        return;
    }
    dns_forget();
    KNOW("never.test", "", .silent = 1);
    for (int i = 0; i < 3; i++) {
        tasks[i] = weft_loop_create_task(loop, looks_up("never.test"), NULL);
    }
    EQUAL(run(sleeps(0.002)), 0);
    for (int i = 0; i < 3; i++) {
        weft_task_detach(tasks[i]);
    }
    close_loop();
    for (int i = 0; i < 3; i++) {
        EQUAL(next_report()->kind, WEFT_REPORT_PENDING);
    }
    EQUAL(threads(), before);
}

/* Options. */

static void open_with(const char *options, int error, const char *words)
{
    const weft_plugin *plugin = NULL;
    void *self = NULL;

    EQUAL(weft_plugin_find("resolver", WEFT_PLUGIN_RESOLVER, &plugin), 0);
    EQUAL(weft_plugin_open(plugin, options, &self), error);
    if (error < 0) {
        says(words);
    } else {
        plugin->close(self);
    }
}

IN_TASK(options_are_read_with_care)
{
    open_with("", 0, "");
    open_with("server=192.0.2.53,server=[2001:db8::53]:5300,timeout=1.5,tries=3", 0, "");
    open_with("servers=192.0.2.53", -EINVAL, "not 'servers=192.0.2.53'");
    open_with("server=", -EINVAL, "not 'server='");
    open_with("tries=0", -EINVAL, "not 'tries=0'");
    open_with("tries=1x", -EINVAL, "not 'tries=1x'");
    open_with("timeout=soon", -EINVAL, "not 'timeout=soon'");
    open_with("timeout=-1", -EINVAL, "not 'timeout=-1'");
    open_with("server=not.an.address", -EINVAL, "cannot use the servers 'not.an.address'");
}

/* Faults and cancels. */

WEFT_ASYNC(asks)
{
    weft_addrinfo_options named = { .type = SOCK_STREAM, .flags = AI_CANONNAME };
    weft_addrinfo *info = NULL;
    weft_address address;
    weft_nameinfo name;

    tried(look_up("two.test"));
    tried(weft_getaddrinfo("large.test", "80", &named, &info));
    weft_addrinfo_free(info);
    EQUAL(weft_address_parse("192.0.2.1", 9, &address), 0);
    tried(weft_getnameinfo(&address, 0, &name));
    return 0;
}

static int asks_a_server(void)
{
    if (is_virtual() && WEFT__TSAN) {
        return 0; /* it is not told when threads end that nobody joins */
    }
    int before = threads(), r = run_in_loop(asks());

    await_threads(before);
    return r;
}

static void know_some(void)
{
    dns_forget();
    KNOW("two.test", "192.0.2.1 2001:db8::1", 0);
    KNOW("large.test", "192.0.2.1", .truncate = 1);
    KNOW("1.2.0.192.in-addr.arpa", "two.test", 0);
}

ALONE(each_fault_while_it_asks_a_server)
{
    know_some();
    sweep(asks_a_server, "asks_a_server");
}

WEFT_ASYNC(asks_twice)
{
    int r = look_up("two.test");

    return r < 0 ? r : look_up("large.test");
}

ALONE(a_cancel_may_come_at_every_step)
{
    if (is_virtual()) {
        return; /* in threads: see test_fault_dns.c */
    }
    know_some();
    AT_EVERY_STEP(asks_twice, 0, -ECANCELED);
}

static CU_TestInfo tests[] = {
    TEST(both_families_are_asked_for_without_a_thread),
    TEST(one_family_is_asked_for_alone),
    TEST(without_a_type_each_address_comes_for_every_one),
    TEST(services_are_known_by_name),
    TEST(the_file_of_hosts_is_read),
    TEST(a_chain_of_aliases_ends_in_the_canonical_name),
    TEST(errors_are_told_apart),
    TEST(what_is_cut_short_comes_by_tcp),
    TEST(others_run_while_it_waits),
    TEST(who_never_answers_is_asked_again_and_given_up),
    TEST(a_timeout_ends_a_query),
    TEST(a_cancel_ends_a_query_at_once),
    TEST(many_are_asked_for_at_once),
    TEST(names_of_addresses_are_asked_for),
    TEST(a_loop_that_closes_ends_its_queries),
    TEST(options_are_read_with_care),
    TEST(each_fault_while_it_asks_a_server),
    TEST(a_cancel_may_come_at_every_step),
    CU_TEST_INFO_NULL,
};

/* The plugin is switched on when the first loop is made, with the server's port. */
int main(int argc, char **argv)
{
    char list[100];
    int r;

    snprintf(list, sizeof list, "resolver:server=127.0.0.1:%d,timeout=0.1,tries=2", dns_serve());
    setenv("WEFT_PLUGINS", list, 1);
    r = task_main("resolver", tests, argc, argv);
    weft__plugins_forget();
    return r;
}
