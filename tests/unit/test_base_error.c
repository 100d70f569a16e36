/* SPDX-License-Identifier: MIT
 * Errors in words: each thread's own, and never a stale one. */
#include "tests/unit/unit.h"

#include "core/base/error.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#define DISARM (-1)
#define THREADS 8

static void names_read_as_in_the_source(void)
{
    CU_ASSERT_STRING_EQUAL(weft_err_name(-ECANCELED), "-ECANCELED");
    CU_ASSERT_STRING_EQUAL(weft_err_name(-ETIMEDOUT), "-ETIMEDOUT");
    CU_ASSERT_STRING_EQUAL(weft_err_name(-EPERM), "-EPERM");
    CU_ASSERT_STRING_EQUAL(weft_err_name(-EDEADLK), "-EDEADLK");
    CU_ASSERT_STRING_EQUAL(weft_err_name(-EXDEV), "-EXDEV");
    CU_ASSERT_STRING_EQUAL(weft_err_name(-EBUSY), "-EBUSY");
    CU_ASSERT_STRING_EQUAL(weft_err_name(-ESRCH), "-ESRCH");
    CU_ASSERT_STRING_EQUAL(weft_err_name(-EALREADY), "-EALREADY");
    CU_ASSERT_STRING_EQUAL(weft_err_name(-ENOMEM), "-ENOMEM");
}

static void name_of_success_is_zero(void)
{
    CU_ASSERT_STRING_EQUAL(weft_err_name(0), "0");
    CU_ASSERT_STRING_EQUAL(weft_err_name(ENOENT), "0");
    CU_ASSERT_STRING_EQUAL(weft_err_name(INT_MAX), "0");
}

static void number_with_two_names_has_the_usual_one(void)
{
    const char *would_block = EWOULDBLOCK == EAGAIN ? "-EAGAIN" : "-EWOULDBLOCK";

    CU_ASSERT_STRING_EQUAL(weft_err_name(-EWOULDBLOCK), would_block);
    CU_ASSERT_STRING_EQUAL(weft_err_name(-EOPNOTSUPP), "-EOPNOTSUPP");
}

static void number_without_a_name_is_a_number(void)
{
    CU_ASSERT_STRING_EQUAL(weft_err_name(-4095), "-4095");
    CU_ASSERT_STRING_EQUAL(weft_err_name(INT_MIN), "-2147483648");
}

#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
static void every_name_of_the_system_is_known(void)
{
    for (int error = 1; error < 4096; error++) {
        const char *theirs = strerrorname_np(error), *ours = weft_err_name(-error);

        CU_ASSERT(ours[0] == '-');
#if EDEADLOCK != EDEADLK /* POWER, where glibc has forgotten the name */
        theirs = error == EDEADLOCK ? "EDEADLOCK" : theirs;
#endif
        CU_ASSERT((theirs != NULL) == (ours[1] == 'E'));
        /* ENOTSUP and EOPNOTSUPP are one number: two good names. */
        CU_ASSERT(!theirs || error == EOPNOTSUPP || strcmp(theirs, ours + 1) == 0);
    }
}
#endif

static void message_is_the_systems(void)
{
    for (int error = 1; error < 200; error++) {
        char theirs[200];

        snprintf(theirs, sizeof theirs, "%s", strerror(error));
        CU_ASSERT_STRING_EQUAL(weft_strerror(-error), theirs);
    }
}

static void message_of_success_is_success(void)
{
    CU_ASSERT_STRING_EQUAL(weft_strerror(0), "Success");
    CU_ASSERT_STRING_EQUAL(weft_strerror(EPIPE), "Success");
}

static void message_of_any_number_is_a_text(void)
{
    CU_ASSERT(strlen(weft_strerror(-4095)) > 0);
    CU_ASSERT(strlen(weft_strerror(INT_MIN)) > 0);
    CU_ASSERT(strlen(weft_strerror(-INT_MAX)) > 0);
}

static void detail_begins_empty(void)
{
    weft_error_clear();
    CU_ASSERT_STRING_EQUAL(weft_error_detail(), "");
}

static void detail_keeps_the_words_and_passes_the_error_on(void)
{
    CU_ASSERT(weft__detail(-ENOENT, "no backend is called '%s' (%d tried)", "epol", 3) == -ENOENT);
    CU_ASSERT_STRING_EQUAL(weft_error_detail(), "no backend is called 'epol' (3 tried)");
    weft_error_clear();
}

static void detail_is_the_last_ones(void)
{
    weft__detail(-EIO, "a rather long sentence about what was tried first");
    weft__detail(-EIO, "short");
    CU_ASSERT_STRING_EQUAL(weft_error_detail(), "short");
    weft_error_clear();
    CU_ASSERT_STRING_EQUAL(weft_error_detail(), "");
    weft_error_clear();
}

static void detail_may_quote_the_one_before(void)
{
    char expected[100];

    snprintf(expected, sizeof expected, "not there, so -4000; %s", strerror(EIO));
    weft__detail(-ENOENT, "not there");
    weft__detail(-EIO, "%s, so %s; %s", weft_error_detail(), weft_err_name(-4000),
        weft_strerror(-EIO));
    CU_ASSERT_STRING_EQUAL(weft_error_detail(), expected);
    weft_error_clear();
}

static void detail_may_be_long(void)
{
    enum { LENGTH = 100000 };

    weft__detail(-E2BIG, "%*s", LENGTH, "end");
    CU_ASSERT(strlen(weft_error_detail()) == LENGTH);
    CU_ASSERT_STRING_EQUAL(weft_error_detail() + LENGTH - 3, "end");
    weft_error_clear();
}

static void words_leave_errno_alone(void)
{
    errno = EXDEV;
    weft__detail(-EIO, "%s", "words");
    (void)weft_strerror(-4095);
    (void)weft_strerror(-EIO);
    (void)weft_err_name(-4095);
    weft_error_clear();
    CU_ASSERT(errno == EXDEV);
}

static void words_without_memory_are_left_out(void)
{
    bool over = false;

    for (long nth = 0; !over; nth++) {
        weft_error_clear();
        weft__fault_arm(nth, -ENOMEM);
        CU_ASSERT(weft__detail(-EPIPE, "the pipe %d", 7) == -EPIPE);
        over = weft__fault_arm(DISARM, 0) >= 0;
        CU_ASSERT_STRING_EQUAL(weft_error_detail(), over ? "the pipe 7" : "");
    }
    weft_error_clear();
}

static void words_of_an_older_failure_do_not_stay_for_want_of_memory(void)
{
    weft__detail(-ENOENT, "old words");
    weft__fault_arm(0, -ENOMEM);
    weft__detail(-EIO, "new words");
    weft__fault_arm(DISARM, 0);
    CU_ASSERT_STRING_EQUAL(weft_error_detail(), "");
    weft_error_clear();
}

static void message_without_memory_is_the_name(void)
{
    weft_error_clear();
    weft__fault_arm(0, -ENOMEM);
    CU_ASSERT_STRING_EQUAL(weft_strerror(-EPIPE), "-EPIPE");
    weft__fault_arm(0, -ENOMEM);
    CU_ASSERT_STRING_EQUAL(weft_err_name(-4095), "an error without a name");
    weft__fault_arm(DISARM, 0);
    CU_ASSERT(weft__alloc_live() == 0);
}

struct speaker {
    pthread_barrier_t *together;
    int number;
    int wrong;
};

/* Says something, lets all others say something, and looks whether its own words still stand. */
static void *speak(void *arg)
{
    struct speaker *me = arg;
    char mine[64], name[16];

    me->wrong += strcmp(weft_error_detail(), "") != 0;
    for (int i = 0; i < 100; i++) {
        snprintf(mine, sizeof mine, "thread %d, round %d", me->number, i);
        snprintf(name, sizeof name, "-%d", 3000 + me->number);
        weft__detail(-EIO, "%s", mine);
        const char *number = weft_err_name(-3000 - me->number);
        const char *unknown = weft_strerror(-3000 - me->number);

        pthread_barrier_wait(me->together);
        me->wrong += strcmp(weft_error_detail(), mine) != 0;
        me->wrong += strcmp(number, name) != 0;
#ifdef __GLIBC__ /* others may leave the number out */
        me->wrong += strstr(unknown, name + 1) == NULL;
#else
        me->wrong += *unknown == '\0';
#endif
        pthread_barrier_wait(me->together);
    }
    return NULL; /* and leaves the words to whom they belong: nobody */
}

static void words_belong_to_their_thread_and_go_with_it(void)
{
    pthread_barrier_t together;
    pthread_t threads[THREADS];
    struct speaker speakers[THREADS];
    size_t before = weft__alloc_live();

    CU_ASSERT_FATAL(pthread_barrier_init(&together, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++) {
        speakers[i] = (struct speaker){ &together, i, 0 };
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, speak, &speakers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT(speakers[i].wrong == 0);
    }
    pthread_barrier_destroy(&together);
    CU_ASSERT_STRING_EQUAL(weft_error_detail(), "");
    CU_ASSERT(weft__alloc_live() == before);
}

static pthread_key_t late_key;

static void fail_late(void *arg)
{
    (void)arg;
    weft__detail(-EIO, "a destructor failed");
}

static void *end_with_a_failing_destructor(void *arg)
{
    weft__detail(-EIO, "before the end");
    pthread_setspecific(late_key, arg);
    return NULL;
}

static void words_of_a_late_destructor_are_freed_too(void)
{
    size_t before = weft__alloc_live();
    pthread_t thread;

    CU_ASSERT_FATAL(pthread_key_create(&late_key, fail_late) == 0);
    CU_ASSERT_FATAL(pthread_create(&thread, NULL, end_with_a_failing_destructor, &before) == 0);
    pthread_join(thread, NULL);
    CU_ASSERT(weft__alloc_live() == before);
    pthread_key_delete(late_key);
}

static void words_that_are_about_nothing_find_their_error(void)
{
    weft_error_clear();
    CU_ASSERT(weft__words_for(-EIO) == -EIO);
    CU_ASSERT(weft__words_are_about() == 0); /* there are none */
    weft__detail(0, "as a plugin says it");
    CU_ASSERT(weft__words_for(-EIO) == -EIO);
    CU_ASSERT(weft__words_are_about() == -EIO);
    CU_ASSERT(weft__words_for(-EPERM) == -EPERM);
    CU_ASSERT(weft__words_are_about() == -EIO); /* they are another's */
    weft_error_clear();
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(names_read_as_in_the_source),
    WEFT_UNIT_TEST(name_of_success_is_zero),
    WEFT_UNIT_TEST(number_with_two_names_has_the_usual_one),
    WEFT_UNIT_TEST(number_without_a_name_is_a_number),
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 32)
    WEFT_UNIT_TEST(every_name_of_the_system_is_known),
#endif
    WEFT_UNIT_TEST(message_is_the_systems),
    WEFT_UNIT_TEST(message_of_success_is_success),
    WEFT_UNIT_TEST(message_of_any_number_is_a_text),
    WEFT_UNIT_TEST(detail_begins_empty),
    WEFT_UNIT_TEST(detail_keeps_the_words_and_passes_the_error_on),
    WEFT_UNIT_TEST(detail_is_the_last_ones),
    WEFT_UNIT_TEST(detail_may_quote_the_one_before),
    WEFT_UNIT_TEST(detail_may_be_long),
    WEFT_UNIT_TEST(words_that_are_about_nothing_find_their_error),
    WEFT_UNIT_TEST(words_leave_errno_alone),
    WEFT_UNIT_TEST(words_without_memory_are_left_out),
    WEFT_UNIT_TEST(words_of_an_older_failure_do_not_stay_for_want_of_memory),
    WEFT_UNIT_TEST(message_without_memory_is_the_name),
    WEFT_UNIT_TEST(words_belong_to_their_thread_and_go_with_it),
    WEFT_UNIT_TEST(words_of_a_late_destructor_are_freed_too),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(base_error, tests)
