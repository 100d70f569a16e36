/* SPDX-License-Identifier: MIT
 * Serving on all cores: threads that begin and end together, and where they listen. */
#include "tests/task/fault.h"
#include "tests/task/thread.h"
#include "tests/task/transport.h"

#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREADS 3

static atomic_int came, went; /* mains that have begun, that have ended */
static atomic_int seen[THREADS];
static weft_loop *loops[THREADS];
static char names[THREADS][16];

static void forget(void)
{
    atomic_store(&came, 0);
    atomic_store(&went, 0);
    for (int i = 0; i < THREADS; i++) {
        atomic_store(&seen[i], 0);
    }
}

static int serve_with(weft_worker_main *main, void *arg, weft_serve_options options)
{
    options.backend = backend();
    return weft_serve_threads(THREADS, main, arg, &options);
}

WEFT_ASYNC(looks, (weft_worker *, worker))
{
    unsigned index = weft_worker_index(worker);

    CHECK(index < THREADS);
    CHECK(weft_worker_count(worker) == THREADS);
    CHECK(!weft_worker_stopping(worker));
    atomic_fetch_add(&seen[index], *(int *)weft_worker_arg(worker));
    loops[index] = weft_get_running_loop();
    pthread_getname_np(pthread_self(), names[index], sizeof names[index]);
    return weft_sleep(0.001) < 0 ? -EIO : (int)index;
}

ALONE(each_thread_runs_its_main_in_a_loop_of_its_own)
{
    int seven = 7, statuses[THREADS] = { -1, -1, -1 };

    forget();
    EQUAL(serve_with(looks, &seven, (weft_serve_options){ .ret_statuses = statuses }), 0);
    for (int i = 0; i < THREADS; i++) {
        char name[16];

        EQUAL(atomic_load(&seen[i]), 7);
        EQUAL(statuses[i], i);
        snprintf(name, sizeof name, "serve_%d", i);
        SAME(names[i], name);
        CHECK(weft_loop_is_closed(loops[i]));
    }
    CHECK(loops[0] != loops[1]);
    EQUAL(serve_with(looks, &seven, (weft_serve_options){ .name = "averylongname" }), 0);
    SAME(names[0], "averylongn_0");
}

/* Runs until it is stopped. */
WEFT_ASYNC(stays, (weft_worker *, worker))
{
    int r;

    atomic_fetch_add(&came, 1);
    r = weft_sleep(1e6);
    CHECK(weft_worker_stopping(worker));
    atomic_fetch_add(&went, 1);
    return r;
}

WEFT_ASYNC(one_fails, (weft_worker *, worker))
{
    if (weft_worker_index(worker) != 1) {
        return weft_await(stays(worker));
    }
    while (atomic_load(&came) < THREADS - 1) {
        weft_sleep(0.0001);
    }
    return -EKEYREJECTED;
}

ALONE(one_that_fails_stops_all)
{
    int statuses[THREADS];

    forget();
    EQUAL(serve_with(one_fails, NULL, (weft_serve_options){ .ret_statuses = statuses }),
          -EKEYREJECTED);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(statuses[1], -EKEYREJECTED);
    EQUAL(statuses[2], -ECANCELED);
    EQUAL(atomic_load(&went), THREADS - 1);
}

WEFT_ASYNC(one_stops, (weft_worker *, worker))
{
    if (weft_worker_index(worker) == 2) {
        EQUAL(weft_worker_stop(worker), 0); /* the others may not even have begun */
        EQUAL(weft_worker_stop(worker), 0);
    }
    return weft_await(stays(worker));
}

ALONE(a_stop_ends_all_and_is_no_failure)
{
    int statuses[THREADS];

    for (int times = 0; times < 20; times++) {
        forget();
        EQUAL(serve_with(one_stops, NULL, (weft_serve_options){ .ret_statuses = statuses }), 0);
        EQUAL(atomic_load(&came), THREADS);
        EQUAL(atomic_load(&went), THREADS);
        for (int i = 0; i < THREADS; i++) {
            EQUAL(statuses[i], -ECANCELED);
        }
    }
}

static void *stop_from_outside(void *worker)
{
    EQUAL(weft_worker_stop(worker), 0);
    return NULL;
}

WEFT_ASYNC(is_stopped_from_outside, (weft_worker *, worker))
{
    pthread_t thread;
    int r;

    if (weft_worker_index(worker) != 0) {
        return weft_await(stays(worker));
    }
    CHECK(pthread_create(&thread, NULL, stop_from_outside, worker) == 0);
    r = weft_await(stays(worker));
    pthread_join(thread, NULL);
    return r;
}

ALONE(any_thread_may_stop_all)
{
    forget();
    EQUAL(serve_with(is_stopped_from_outside, NULL, (weft_serve_options){ .name = NULL }), 0);
    EQUAL(atomic_load(&went), THREADS);
}

/* Signals. */

WEFT_ASYNC(sends_a_signal, (weft_worker *, worker))
{
    if (weft_worker_index(worker) == 0) {
        while (atomic_load(&came) < THREADS - 1) {
            weft_sleep(0.0001);
        }
        kill(getpid(), *(int *)weft_worker_arg(worker));
    }
    return weft_await(stays(worker));
}

static int in_child_with_signals(void)
{
    int signals[] = { SIGTERM, SIGINT };

    for (int i = 0; i < 2; i++) {
        forget();
        signal(signals[i], SIG_DFL);
        EQUAL(serve_with(sends_a_signal, &signals[i], (weft_serve_options){ .debug = 0 }), -EINTR);
        EQUAL(atomic_load(&went), THREADS);
    }
    return 0;
}

ALONE(a_signal_ends_all)
{
    char text[2000];

#if WEFT__TSAN
    return; /* in the child of a program with threads it hands no signals over */
#endif
    EQUAL(in_child(in_child_with_signals, text, sizeof text), 0);
    SAME(text, "");
}

WEFT_ASYNC(sends_one_at_once, (weft_worker *, worker))
{
    if (weft_worker_index(worker) == 0) {
        kill(getpid(), SIGTERM);
    }
    return weft_await(stays(worker));
}

static int in_child_with_early_signals(void)
{
    signal(SIGTERM, SIG_DFL);
    for (int i = 0; i < 50; i++) {
        forget();
        EQUAL(serve_with(sends_one_at_once, NULL, (weft_serve_options){ .debug = 0 }), -EINTR);
        EQUAL(atomic_load(&went), THREADS);
    }
    return 0;
}

ALONE(a_signal_is_taken_from_the_first_thread_on)
{
    char text[2000];

#if WEFT__TSAN
    return; /* in the child of a program with threads it hands no signals over */
#endif
    EQUAL(in_child(in_child_with_early_signals, text, sizeof text), 0);
    SAME(text, "");
}

/* A main that does not end. */

static atomic_bool may_go;

WEFT_ASYNC(one_does_not_hear, (weft_worker *, worker))
{
    if (weft_worker_index(worker) == 1) {
        weft_worker_stop(worker);
        while (!atomic_load(&may_go)) {
            usleep(1000); /* it blocks its loop */
        }
        return 0;
    }
    return weft_await(stays(worker));
}

static int in_child_left_behind(void)
{
    int statuses[THREADS];

    EQUAL(serve_with(one_does_not_hear, NULL,
                     (weft_serve_options){ .ret_statuses = statuses, .stop_timeout = 0.05 }),
          -ETIMEDOUT);
    EQUAL(statuses[0], -ECANCELED);
    EQUAL(statuses[1], -ETIMEDOUT);
    EQUAL(statuses[2], -ECANCELED);
    atomic_store(&may_go, true);
    usleep(20000);
    return 0;
}

ALONE(one_that_does_not_end_is_named_and_left_behind)
{
    char text[2000];

    EQUAL(in_child(in_child_left_behind, text, sizeof text), 0);
    CHECK(strstr(text, "serve_1") && strstr(text, "is left behind"));
}

/* Listening. */

static void answer(weft_transport *transport, void *self)
{
    char digit = (char)('0' + weft_worker_index(self));

    EQUAL(weft_transport_write(transport, &digit, 1), 0);
    EQUAL(weft_transport_close(transport), 0);
}

static const weft_protocol answers = { .size = sizeof answers, .connection_made = answer };
static atomic_int port;
static const char *where;

WEFT_ASYNC(serves, (weft_worker *, worker))
{
    weft_listener *listener = NULL;
    int fd = -1, r = weft_worker_listen(worker, where, 0, NULL, &fd);

    if (!EQUAL(r, 0)) {
        return r;
    }
    r = weft_loop_create_server_from_fd(NULL, &answers, worker, fd, NULL, &listener);
    if (!EQUAL(r, 0)) {
        return r;
    }
    if (*where != '/') {
        int mine = weft_listener_port(listener), before = 0;

        CHECK(mine > 0);
        CHECK(atomic_compare_exchange_strong(&port, &before, mine) || before == mine);
    }
    atomic_fetch_add(&came, 1);
    r = weft_listener_serve_forever(listener);
    weft_listener_free(listener);
    return r;
}

/* How many clients were answered, and by how many threads. */
static int ask_all(const weft_address *to, int clients, int *ret_threads)
{
    int answered = 0, by[THREADS] = { 0 };

    for (int i = 0; i < clients; i++) {
        int fd = socket(to->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char digit = 0;

        if (connect(fd, &to->sockaddr, to->length) == 0 && read(fd, &digit, 1) == 1) {
            CHECK(digit >= '0' && digit < '0' + THREADS);
            by[(digit - '0') % THREADS]++;
            answered++;
        }
        close(fd);
    }
    *ret_threads = 0;
    for (int i = 0; i < THREADS; i++) {
        *ret_threads += by[i] > 0;
    }
    return answered;
}

struct asking {
    weft_worker *worker;
    int answered, threads;
};

static int asks(void *arg)
{
    struct asking *asking = arg;
    weft_address to;

    while (atomic_load(&came) < THREADS - 1) {
        usleep(100);
    }
    EQUAL(*where == '/' ? weft_address_unix(where, &to) :
                          weft_address_parse("127.0.0.1", atomic_load(&port), &to),
          0);
    asking->answered = ask_all(&to, 60, &asking->threads);
    weft_worker_stop(asking->worker);
    return 0;
}

/* The last thread asks, from a thread of its own. */
WEFT_ASYNC(serves_and_asks, (weft_worker *, worker))
{
    struct asking *asking = weft_worker_arg(worker);
    int r;

    if (weft_worker_index(worker) != THREADS - 1) {
        return weft_await(serves(worker));
    }
    asking->worker = worker;
    r = weft_to_thread(asks, asking);
    return r;
}

ALONE(all_listen_at_one_port_and_share_the_connections)
{
    struct asking asking = { .answered = 0 };

    if (!watches()) {
        return;
    }
    forget();
    atomic_store(&port, 0);
    where = "127.0.0.1";
    EQUAL(serve_with(serves_and_asks, &asking, (weft_serve_options){ .name = NULL }), 0);
    EQUAL(asking.answered, 60);
    CHECK(asking.threads >= 1);
}

ALONE(a_unix_socket_is_one_that_all_share)
{
    struct asking asking = { .answered = 0 };
    char path[60];

    if (!watches()) {
        return;
    }
    forget();
    snprintf(path, sizeof path, "/tmp/weft-serve-%d", (int)getpid());
    where = path;
    EQUAL(serve_with(serves_and_asks, &asking, (weft_serve_options){ .name = NULL }), 0);
    EQUAL(asking.answered, 60);
    CHECK(access(path, F_OK) < 0);
}

WEFT_ASYNC(listens_wrongly, (weft_worker *, worker))
{
    int fd = -1;

    EQUAL(weft_worker_listen(NULL, NULL, 0, NULL, &fd), -EINVAL);
    EQUAL(weft_worker_listen(worker, "localhost", 0, NULL, &fd), -EINVAL);
    EQUAL(weft_worker_listen(worker, NULL, -1, NULL, &fd), -EINVAL);
    EQUAL(weft_worker_listen(worker, NULL, 0, NULL, NULL), -EINVAL);
    EQUAL(weft_worker_listen(worker, "192.0.2.77", 0, NULL, &fd), -EADDRNOTAVAIL);
    EQUAL(fd, -1);
    EQUAL(weft_worker_listen(worker, "127.0.0.1", *(int *)weft_worker_arg(worker), NULL, &fd),
          -EADDRINUSE);
    return 0;
}

ALONE(what_cannot_be_listened_at_is_an_error)
{
    weft_address taken;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), number;

    EQUAL(weft_address_parse("127.0.0.1", 0, &taken), 0);
    EQUAL(bind(fd, &taken.sockaddr, taken.length), 0);
    EQUAL(listen(fd, 1), 0);
    EQUAL(getsockname(fd, &taken.sockaddr, &taken.length), 0);
    number = weft_address_port(&taken);
    EQUAL(serve_with(listens_wrongly, &number, (weft_serve_options){ .name = NULL }), 0);
    EQUAL(close(fd), 0);
}

/* What is refused. */

ALONE(bad_input_is_refused)
{
    weft_serve_options nan = { .stop_timeout = NAN }, unknown = { .backend = "no-such-backend" };

    EQUAL(weft_serve_threads(1, NULL, NULL, NULL), -EINVAL);
    EQUAL(weft_serve_threads(1025, looks, NULL, NULL), -EINVAL);
    EQUAL(weft_serve_threads(1, looks, NULL, &nan), -EINVAL);
    EQUAL(weft_serve_threads(1, looks, NULL, &unknown), -ENOENT);
    EQUAL(weft_worker_stop(NULL), -EINVAL);
    EQUAL(weft_worker_stopping(NULL), false);
    EQUAL(weft_worker_index(NULL), 0);
    EQUAL(weft_worker_count(NULL), 0);
    CHECK(weft_worker_arg(NULL) == NULL);
}

IN_TASK(a_thread_with_a_loop_cannot_wait_for_threads)
{
    EQUAL(weft_serve_threads(1, looks, NULL, NULL), -EBUSY);
}

WEFT_ASYNC(counts_threads, (weft_worker *, worker))
{
    atomic_store(&came, (int)weft_worker_count(worker));
    return 0;
}

ALONE(without_a_number_there_are_as_many_as_cpus)
{
    cpu_set_t set;

    EQUAL(sched_getaffinity(0, sizeof set, &set), 0);
    EQUAL(weft_serve_threads(0, counts_threads, NULL,
                             &(weft_serve_options){ .backend = backend() }),
          0);
    EQUAL(atomic_load(&came), CPU_COUNT(&set));
}

/* Faults, in whichever thread. */

static atomic_int mains;

static void lose_main(void *unused)
{
    (void)unused;
    atomic_fetch_sub(&mains, 1);
}

WEFT_ASYNC(listens_shortly, (weft_worker *, worker))
{
    int fd = -1, r;

    lose_main(NULL);
    r = weft_worker_listen(worker, "127.0.0.1", 0, NULL, &fd);
    if (r == 0) {
        close(fd);
    }
    r = r < 0 ? r : weft_sleep(0.0001);
    return r == -ECANCELED ? 0 : r;
}

static weft_coro *counted_main(weft_worker *worker)
{
    atomic_fetch_add(&mains, 1);
    return weft_coro_on_drop(listens_shortly(worker), lose_main, NULL);
}

static int serves_in_threads(void)
{
    weft_serve_options options = { .backend = backend() };

    int r = weft_serve_threads(2, counted_main, NULL, &options);

    EQUAL(atomic_load(&mains), 0);
    return tried(r);
}

EACH_FAULT_WHILE_IT(serves_in_threads)

static CU_TestInfo tests[] = {
    TEST(each_thread_runs_its_main_in_a_loop_of_its_own),
    TEST(one_that_fails_stops_all),
    TEST(a_stop_ends_all_and_is_no_failure),
    TEST(any_thread_may_stop_all),
    TEST(a_signal_ends_all),
    TEST(a_signal_is_taken_from_the_first_thread_on),
    TEST(one_that_does_not_end_is_named_and_left_behind),
    TEST(all_listen_at_one_port_and_share_the_connections),
    TEST(a_unix_socket_is_one_that_all_share),
    TEST(what_cannot_be_listened_at_is_an_error),
    TEST(bad_input_is_refused),
    TEST(a_thread_with_a_loop_cannot_wait_for_threads),
    TEST(without_a_number_there_are_as_many_as_cpus),
    TEST(each_fault_while_it_serves_in_threads),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(serve, tests)
