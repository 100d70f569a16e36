/* SPDX-License-Identifier: MIT
 * Connecting to names: which address wins, and what becomes of the others. */
#include "core/sched/tap.h"
#include "tests/task/fault.h"
#include "tests/task/names.h"
#include "tests/task/net.h"
#include "tests/task/steps.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Listeners, all at one port: their addresses tell them apart. */

static int port;

/* A socket that is bound to a host at that port, or, the first time, at any. */
static int bound(const char *host)
{
    weft_address at;
    int one = 1, fd;

    EQUAL(weft_address_parse(host, port, &at), 0);
    fd = socket(at.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (at.family == AF_INET6 && strchr(host, '.') == NULL) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    if (bind(fd, &at.sockaddr, at.length) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Chooses a port that nobody has. */
static void choose_port(void)
{
    weft_address at;
    socklen_t length = sizeof at.bytes;
    int fd;

    port = 0;
    fd = bound("127.0.0.1");
    EQUAL(getsockname(fd, &at.sockaddr, &length), 0);
    at.family = AF_INET;
    port = weft_address_port(&at);
    close(fd);
}

static int listens_at(const char *host)
{
    int fd = bound(host);

    CHECK(fd >= 0);
    EQUAL(listen(fd, 16), 0);
    return fd;
}

/* A place that does not answer: its queue is full, so the system drops what comes. */
#define FILL 4
struct hole {
    int fd, fill[FILL];
};

static struct hole hole_at(const char *host)
{
    struct hole hole = { .fd = bound(host) };
    weft_address at;

    EQUAL(weft_address_parse(host, port, &at), 0);
    EQUAL(listen(hole.fd, 0), 0);
    for (int i = 0; i < FILL; i++) {
        struct pollfd pollfd = { .events = POLLOUT };

        hole.fill[i] = socket(at.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(hole.fill[i], &at.sockaddr, at.length);
        pollfd.fd = hole.fill[i];
        (void)poll(&pollfd, 1, 2);
    }
    return hole;
}

static void close_hole(struct hole *hole)
{
    close(hole->fd);
    for (int i = 0; i < FILL; i++) {
        close(hole->fill[i]);
    }
}

/* Whether somebody has come to a listener. */
static bool has_come(int listener)
{
    struct pollfd pollfd = { .fd = listener, .events = POLLIN };
    int fd;

    if (poll(&pollfd, 1, 500) != 1) {
        return false;
    }
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(fd);
    return fd >= 0;
}

/* In a task, where there are descriptors, at a port of its own. */
#define WITH_PORT(name)             \
    static void name##__body(void); \
    IN_TASK(name)                   \
    {                               \
        if (has_descriptors()) {    \
            choose_port();          \
            name##__body();         \
            forget_names();         \
        }                           \
    }                               \
    static void name##__body(void)

static int connect_with(const char *host, const weft_connect_options *options)
{
    int fd = -1, r = weft_connect_host(host, port, options, &fd);

    CHECK((r == 0) == (fd >= 0));
    if (r == 0) {
        EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
        CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
        EQUAL(weft_close(fd), 0);
    }
    return r;
}

static int connect_to(const char *host)
{
    return connect_with(host, NULL);
}

typedef const weft_connect_options *how;

WEFT_ASYNC(connects, (const char *, host), (how, options))
{
    return connect_with(host, options);
}

static void says(const char *words)
{
    if (!CHECK(strstr(weft_error_detail(), words))) {
        fprintf(stderr, "    not '%s' in: %s\n", words, weft_error_detail());
    }
}

/* Whether the words name addresses in this order, each with an error. */
static void says_in_order(const char *hosts)
{
    char text[200], *place, *word, wanted[80];
    const char *at = weft_error_detail();

    snprintf(text, sizeof text, "%s", hosts);
    for (word = strtok_r(text, " ", &place); word && at; word = strtok_r(NULL, " ", &place)) {
        snprintf(wanted, sizeof wanted, " %s:%d: ", word, port);
        at = strstr(at, wanted);
        CHECK(at != NULL);
    }
    if (!at) {
        fprintf(stderr, "    not '%s' in: %s\n", hosts, weft_error_detail());
    }
}

/* Who wins. */

WITH_PORT(a_number_is_connected_to)
{
    int four = listens_at("127.0.0.1"), six = listens_at("::1");

    EQUAL(connect_to("127.0.0.1"), 0);
    CHECK(has_come(four));
    EQUAL(connect_to("::1"), 0);
    CHECK(has_come(six));
    EQUAL(connect_to(NULL), 0); /* this host */
    close(four);
    close(six);
}

WITH_PORT(of_two_families_the_sixth_comes_first)
{
    int four = listens_at("127.0.0.1"), six = listens_at("::1");

    know("both.test", 0, "127.0.0.1 ::1");
    EQUAL(connect_to("both.test"), 0);
    CHECK(has_come(six));
    EQUAL(connect_with("both.test", &(weft_connect_options){ .family = AF_INET }), 0);
    CHECK(has_come(four));
    close(four);
    close(six);
}

WITH_PORT(after_a_refusal_the_next_is_tried_at_once)
{
    weft_connect_options options = { .happy_eyeballs_delay = 3600 };
    int four = listens_at("127.0.0.2");
    double start = weft_loop_time(NULL);

    know("both.test", 0, "::1 127.0.0.1 127.0.0.2");
    EQUAL(connect_with("both.test", &options), 0);
    CHECK(has_come(four));
    CHECK(weft_loop_time(NULL) - start < 60);
    close(four);
}

WITH_PORT(who_does_not_answer_is_overtaken)
{
    weft_connect_options options = { .happy_eyeballs_delay = 0.02 };
    struct hole hole = hole_at("::1");
    int four = listens_at("127.0.0.1"), before = open_descriptors();
    double start = weft_loop_time(NULL), took;

    know("both.test", 0, "::1 127.0.0.1");
    EQUAL(connect_with("both.test", &options), 0);
    took = weft_loop_time(NULL) - start;
    CHECK(has_come(four));
    CHECK(took >= 0.02 && took < 0.9); /* before the system tries again */
    EQUAL(open_descriptors(), before); /* the other one is closed */
    start = weft_loop_time(NULL);
    EQUAL(connect_to("both.test"), 0);
    took = weft_loop_time(NULL) - start;
    CHECK(took >= 0.25 && took < 0.95);
    close(four);
    close_hole(&hole);
}

WITH_PORT(without_end_of_patience_nobody_is_overtaken)
{
    weft_connect_options options = { .happy_eyeballs_delay = INFINITY };
    struct hole hole = hole_at("::1");
    int four = listens_at("127.0.0.1"), before = open_descriptors();

    know("both.test", 0, "::1 127.0.0.1");
    EQUAL(weft_wait_for(connects("both.test", &options), 0.05), -ETIMEDOUT);
    EQUAL(open_descriptors(), before);
    close(four);
    close_hole(&hole);
}

WITH_PORT(a_late_answer_still_wins)
{
    weft_connect_options options = { .happy_eyeballs_delay = 0.01 };
    struct hole hole = hole_at("::1"), other = hole_at("127.0.0.1");
    int fd = -1;
    weft_task *task;

    know("both.test", 0, "::1 127.0.0.1");
    task = weft_create_task(connects("both.test", &options), NULL);
    weft_sleep(0.03);                /* both are on their way */
    for (int i = 0; i < FILL; i++) { /* the queue has room when the system tries again */
        close(hole.fill[i]);
        hole.fill[i] = -1;
        fd = accept4(hole.fd, NULL, NULL, SOCK_CLOEXEC);
        close(fd);
    }
    if (is_virtual()) { /* whose second is shorter than the system's */
        weft_task_cancel(task);
        EQUAL(weft_await(task), -ECANCELED);
    } else {
        EQUAL(weft_await(task), 0);
    }
    close_hole(&hole);
    close_hole(&other);
}

/* In which order, and what is said of those that fail. */

WITH_PORT(the_error_is_of_one_whose_way_was_open)
{
    know("odd.test", 0, "255.255.255.255 127.0.0.1"); /* nobody connects to a broadcast */
    EQUAL(connect_to("odd.test"), -ECONNREFUSED);
    says_in_order("255.255.255.255 127.0.0.1");
    EQUAL(connect_to("255.255.255.255"), -ENETUNREACH);
}

WITH_PORT(many_failures_are_counted)
{
    char hosts[1200] = "";

    for (int i = 1; i < 60; i++) {
        snprintf(hosts + strlen(hosts), sizeof hosts - strlen(hosts), " 127.0.1.%d", i);
    }
    know("many.test", 0, hosts);
    EQUAL(connect_to("many.test"), -ECONNREFUSED);
    says("127.0.1.1:");
    says("; and ");
    says(" more");
}

/* Lookups. */

WITH_PORT(a_name_of_one_family_is_enough)
{
    int four = listens_at("127.0.0.1"), six = listens_at("::1");

    know("four.test", 0, "127.0.0.1");
    know("six.test", 0, "::1");
    EQUAL(connect_to("four.test"), 0);
    CHECK(has_come(four));
    EQUAL(connect_to("six.test"), 0);
    CHECK(has_come(six));
    close(four);
    close(six);
}

WITH_PORT(a_name_that_is_not_found_is_told)
{
    know("gone.test", EAI_NONAME, "");
    know_family("half.test", AF_INET6, NULL, EAI_AGAIN, "");
    know_family("half.test", AF_INET, NULL, EAI_NONAME, "");
    know_family("other.test", AF_INET6, NULL, EAI_NONAME, "");
    know_family("other.test", AF_INET, NULL, EAI_NODATA, "");
    EQUAL(connect_to("gone.test"), -ENOENT);
    says("cannot find the addresses of 'gone.test': there is no such name");
    EQUAL(connect_to("half.test"), -EAGAIN); /* which tells more */
    says("no server has answered");
    EQUAL(connect_to("other.test"), -ENODATA);
    says("has no address");
    EQUAL(connect_with("gone.test", &(weft_connect_options){ .flags = AI_NUMERICHOST }), -ENOENT);
}

/* A name whose addresses of one family come when the gate is opened. */
static void know_late(struct gate *gate, int late_family)
{
    know_family("late.test", AF_INET6, late_family == AF_INET6 ? gate : NULL, 0, "::1");
    know_family("late.test", AF_INET, late_family == AF_INET ? gate : NULL, 0, "127.0.0.1");
}

/* Lets those end that were given up; one that had not begun never does. */
static void await_asked(int count)
{
    for (int i = 0; i < 300 && atomic_load(&asked) < count; i++) {
        weft_sleep(0.001);
    }
    weft_sleep(0.005);
}

WITH_PORT(the_first_family_is_waited_for_a_little)
{
    weft_connect_options options = { .resolution_delay = 0.03 };
    static struct gate gate = GATE; /* for whoever is late */
    int four = listens_at("127.0.0.1"), six = listens_at("::1");
    double start = weft_loop_time(NULL);

    know_late(&gate, AF_INET6);
    EQUAL(connect_with("late.test", &options), 0);
    CHECK(weft_loop_time(NULL) - start >= 0.03);
    CHECK(has_come(four));
    options.resolution_delay = -1;
    EQUAL(connect_with("late.test", &options), 0);
    CHECK(has_come(four));
    options.resolution_delay = 3600;
    EQUAL(weft_loop_call_later(NULL, 0.002, (weft_callback *)gate_open, &gate, NULL), 0);
    EQUAL(connect_with("late.test", &options), 0);
    CHECK(has_come(six));
    await_asked(6);
    close(four);
    close(six);
}

WITH_PORT(the_second_family_is_not_waited_for)
{
    weft_connect_options options = { .resolution_delay = 3600 };
    static struct gate gate = GATE; /* for whoever is late */
    int six = listens_at("::1");

    know_late(&gate, AF_INET);
    EQUAL(connect_with("late.test", &options), 0);
    CHECK(has_come(six));
    gate_open(&gate);
    await_asked(2);
    close(six);
}

WITH_PORT(addresses_that_come_late_join_in)
{
    weft_connect_options options = { .resolution_delay = -1, .happy_eyeballs_delay = 0.005 };
    static struct gate gate = GATE; /* for whoever is late */
    struct hole hole = hole_at("127.0.0.1");
    int six = listens_at("::1");

    know_late(&gate, AF_INET6);
    EQUAL(weft_loop_call_later(NULL, 0.02, (weft_callback *)gate_open, &gate, NULL), 0);
    EQUAL(connect_with("late.test", &options), 0);
    CHECK(has_come(six));
    close(six);
    close_hole(&hole);
}

/* Where it comes from. */

WITH_PORT(a_local_address_is_bound_to)
{
    int four = listens_at("127.0.0.1"), fd = -1;
    weft_address local, peer = { .family = AF_INET };
    weft_connect_options options = { .local = &local };
    socklen_t length = sizeof peer.bytes;

    know("both.test", 0, "::1 127.0.0.1");
    EQUAL(weft_address_parse("127.0.0.5", 0, &local), 0);
    EQUAL(weft_connect_host("both.test", port, &options, &fd), 0); /* only that family is tried */
    EQUAL(getsockname(fd, &peer.sockaddr, &length), 0);
    SAME(host_of(&peer), "127.0.0.5");
    weft_close(fd);
    EQUAL(weft_address_parse("192.0.2.99", 0, &local), 0);
    EQUAL(connect_with("both.test", &options), -EADDRNOTAVAIL);
    says_in_order("127.0.0.1");
    close(four);
}

/* Misuse. */

static int refused;

static void connect_in_callback(void *unused)
{
    int fd;

    (void)unused;
    refused = weft_connect_host("127.0.0.1", 80, NULL, &fd);
}

IN_TASK(what_makes_no_sense_is_refused)
{
    weft_address local;
    weft_connect_options options = { .happy_eyeballs_delay = NAN };
    int fd = -1;

    EQUAL(weft_loop_call_soon(NULL, connect_in_callback, NULL, NULL), 0);
    weft_sleep(0);
    EQUAL(refused, -EPERM);
    EQUAL(weft_connect_host("127.0.0.1", 0, NULL, &fd), -EINVAL);
    EQUAL(weft_connect_host("127.0.0.1", 65536, NULL, &fd), -EINVAL);
    EQUAL(weft_connect_host("127.0.0.1", 80, NULL, NULL), -EINVAL);
    EQUAL(weft_connect_host("127.0.0.1", 80, &options, &fd), -EINVAL);
    options = (weft_connect_options){ .resolution_delay = NAN };
    EQUAL(weft_connect_host("127.0.0.1", 80, &options, &fd), -EINVAL);
    options = (weft_connect_options){ .first_address_family_count = -1 };
    EQUAL(weft_connect_host("127.0.0.1", 80, &options, &fd), -EINVAL);
    EQUAL(weft_address_parse("::1", 0, &local), 0);
    options = (weft_connect_options){ .family = AF_INET, .local = &local };
    EQUAL(weft_connect_host("127.0.0.1", 80, &options, &fd), -EINVAL);
    EQUAL(fd, -1);
}

IN_TASK(where_nothing_is_watched_it_says_so)
{
    if (!has_descriptors()) {
        int four;

        choose_port();
        four = listens_at("127.0.0.1");
        EQUAL(connect_to("127.0.0.1"), -EOPNOTSUPP);
        close(four);
    }
}

WITH_PORT(a_task_that_is_cancelled_connects_to_nobody)
{
    int four = listens_at("127.0.0.1");
    weft_task *task = weft_create_task(connects("127.0.0.1", NULL), NULL);

    weft_task_cancel(task);
    EQUAL(weft_await(task), -ECANCELED);
    close(four);
}

/* With a resolver on the loop, which answers at once: no lookup is first by chance, and no thread
 * is left from one run to the next. */

static const char *known; /* the addresses that it knows for every name */

static int answer_at_once(void *self, weft_loop *on, const weft_question *question,
                          void **ret_query)
{
    char text[200], *place, *word;
    weft_address addresses[8];
    weft_answer answer = { .size = sizeof answer, .addresses = addresses };

    (void)self, (void)on;
    snprintf(text, sizeof text, "%s", known);
    for (word = strtok_r(text, " ", &place); word; word = strtok_r(NULL, " ", &place)) {
        weft_address *address = &addresses[answer.count];

        EQUAL(weft_address_parse(word, 0, address), 0);
        address->protocol = IPPROTO_TCP;
        answer.count += address->family == question->family;
    }
    *ret_query = (void *)question; /* it is over */
    question->answer(question->arg, &answer);
    return 0;
}

static void cancel_nothing(void *self, void *query)
{
    (void)self, (void)query;
}

static const weft_resolver resolver = {
    .size = sizeof resolver,
    .begin = answer_at_once,
    .cancel = cancel_nothing,
};

static void know_for_all(const char *addresses)
{
    known = addresses;
    weft__taps.resolver = addresses ? &resolver : NULL;
}

WITH_PORT(families_take_turns)
{
    weft_connect_options options = { .first_address_family_count = 2 };

    know_for_all("127.0.0.1 127.0.0.2 127.0.0.3 ::1 ::ffff:127.0.0.8 ::ffff:127.0.0.9");
    EQUAL(connect_to("both.test"), -ECONNREFUSED);
    says("cannot connect to 'both.test' port ");
    says("Connection refused");
    says_in_order("[::1] 127.0.0.1 [::ffff:127.0.0.8] 127.0.0.2 [::ffff:127.0.0.9] 127.0.0.3");
    EQUAL(connect_with("both.test", &options), -ECONNREFUSED);
    says_in_order("[::1] [::ffff:127.0.0.8] 127.0.0.1 [::ffff:127.0.0.9] 127.0.0.2 127.0.0.3");
    know_for_all(NULL);
}

/* Cancels and faults. */

static const weft_connect_options soon = { .happy_eyeballs_delay = 0.002 };

WEFT_ASYNC(races)
{
    return connect_with("both.test", &soon);
}

/* Three attempts: one is not answered, one refused, the last wins. */
ALONE(a_cancel_may_come_at_every_step)
{
    struct hole hole;
    int four;

    if (!has_descriptors()) {
        return;
    }
    choose_port();
    hole = hole_at("::1");
    four = bound("127.0.0.1");
    EQUAL(listen(four, 4000), 0);
    know_for_all("::1 127.0.0.2 127.0.0.1");
    AT_EVERY_STEP(races, 0, -ECANCELED);
    know_for_all(NULL);
    close(four);
    close_hole(&hole);
}

WEFT_ASYNC(races_and_tries)
{
    int r = weft_await(races());

    /* When the last attempt has the fault it is the first one's error that is told. */
    tried(r == -ECONNREFUSED ? -ENOMEM : r);
    tried(connect_to("127.0.0.1"));
    return 0;
}

static int connects_to_hosts(void)
{
    return run_in_loop(races_and_tries());
}

ALONE(each_fault_while_it_connects_to_hosts)
{
    int four;

    if (!has_descriptors()) {
        return;
    }
    choose_port();
    four = bound("127.0.0.1");
    EQUAL(listen(four, 4000), 0);
    know_for_all("::1 127.0.0.2 127.0.0.1");
    sweep(connects_to_hosts, "connects_to_hosts");
    know_for_all(NULL);
    close(four);
}

/* Who listens at a name has its addresses from the same lookups. */

static weft_coro *serves_nobody(weft_stream *peer, void *user)
{
    (void)peer;
    (void)user;
    return NULL;
}

/* As /etc/hosts may have a host in several lines. */
WITH_PORT(a_server_listens_once_where_a_name_leads_twice)
{
    weft_server *server = NULL;

    know("twice.test", 0, "127.0.0.1 127.0.0.2 127.0.0.1");
    EQUAL(weft_start_server(serves_nobody, NULL, "twice.test", port, NULL, &server), 0);
    if (server) {
        CHECK(weft_server_socket(server, 1) >= 0);
        EQUAL(weft_server_socket(server, 2), -ENOENT);
        EQUAL(weft_server_close(server), 0);
    }
}

static CU_TestInfo tests[] = {
    TEST(a_number_is_connected_to),
    TEST(of_two_families_the_sixth_comes_first),
    TEST(after_a_refusal_the_next_is_tried_at_once),
    TEST(who_does_not_answer_is_overtaken),
    TEST(without_end_of_patience_nobody_is_overtaken),
    TEST(a_late_answer_still_wins),
    TEST(the_error_is_of_one_whose_way_was_open),
    TEST(many_failures_are_counted),
    TEST(a_name_of_one_family_is_enough),
    TEST(a_name_that_is_not_found_is_told),
    TEST(the_first_family_is_waited_for_a_little),
    TEST(the_second_family_is_not_waited_for),
    TEST(addresses_that_come_late_join_in),
    TEST(a_local_address_is_bound_to),
    TEST(families_take_turns),
    TEST(what_makes_no_sense_is_refused),
    TEST(where_nothing_is_watched_it_says_so),
    TEST(a_task_that_is_cancelled_connects_to_nobody),
    TEST(a_cancel_may_come_at_every_step),
    TEST(each_fault_while_it_connects_to_hosts),
    TEST(a_server_listens_once_where_a_name_leads_twice),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(connect, tests)
