/* SPDX-License-Identifier: MIT
 * Debug mode: the words that switch it on, wherever they come from. */
#include "tests/task/debug.h"

static void check_words(const char *given, const char *expected)
{
    char words[400] = "";

    if (EQUAL(weft_debug_set(loop, given), 0)) {
        EQUAL(weft_debug_get(loop, words, sizeof words), (int)strlen(expected));
        SAME(words, expected);
    }
}

static const char usual[] =
    "slow=100ms,awaits,leaks,deadlock,cancel=1000ms,starve=250ms,thread,stale,fd,stack,made";

IN_LOOP(words_are_understood_and_told)
{
    char all[400];

    snprintf(all, sizeof all,
             "slow=100ms,awaits,leaks,deadlock,cancel=1000ms,starve=250ms,thread,"
             "stale,fd,stack,depth,made,metrics,turns,record=4096K");
    check_words("1", usual);
    check_words("on", usual);
    check_words("0", "0");
    check_words("", "0");
    check_words(NULL, "0");
    check_words("off", "0");
    check_words("awaits", "awaits");
    check_words("leaks , awaits", "awaits,leaks");
    check_words("slow=50ms", "slow=50ms");
    check_words("slow=1.5s,cancel=2s", "slow=1500ms,cancel=2000ms");
    check_words("starve=2500us", "starve=2500us");
    check_words("record=64K", "record=64K");
    check_words("record=2M", "record=2048K");
    check_words("all", all);
    check_words("slow=20ms,0,awaits", "awaits");
    check_words("1,-slow,-starve,-cancel", "awaits,leaks,deadlock,thread,stale,fd,stack,made");
    check_words("0", "0");
}

static void check_wrong(const char *given, const char *part)
{
    char words[400];

    weft_error_clear();
    EQUAL(weft_debug_set(loop, given), -EINVAL);
    CHECK(strstr(weft_error_detail(), part) != NULL);
    weft_debug_get(loop, words, sizeof words);
    SAME(words, "awaits,leaks"); /* nothing has changed */
}

IN_LOOP(what_is_not_understood_is_an_error_that_says_what_there_is)
{
    EQUAL(weft_debug_set(loop, "awaits,leaks"), 0);
    check_wrong("slwo", "'slwo'");
    check_wrong("slwo", "slow, awaits, leaks, deadlock, cancel, starve");
    check_wrong("slow,everything", "'everything'");
    check_wrong("slow=fast", "'slow'");
    check_wrong("slow=50", "like 50ms");
    check_wrong("slow=", "like 50ms");
    check_wrong("slow=0ms", "from 1ms to 3600s");
    check_wrong("slow=2h", "like 50ms");
    check_wrong("slow=1.2.3s", "like 50ms");
    check_wrong("slow=.s", "like 50ms");
    check_wrong("slow=4000s", "from 1ms to 3600s");
    check_wrong("leaks=1", "takes no value");
    check_wrong("record=1", "takes a size");
    check_wrong("record=1T", "takes a size");
    check_wrong("-slow=1ms", "'-slow=1ms'");
    check_wrong("-1", "'-1'");
    check_wrong("yes", "'yes'");
    check_wrong("slow slwo", "'slwo'");
    EQUAL(weft_debug_set(loop, "0"), 0);
}

IN_LOOP(a_text_that_does_not_fit_is_cut)
{
    char words[8] = "xxxxxxx";

    EQUAL(weft_debug_set(loop, "awaits,leaks"), 0);
    EQUAL(weft_debug_get(loop, NULL, 0), 12);
    EQUAL(weft_debug_get(loop, words, sizeof words), 12);
    SAME(words, "awaits,");
    EQUAL(weft_debug_set(loop, "0"), 0);
}

ALONE(the_environment_has_words)
{
    weft_loop *made = NULL;
    char words[400];

    setenv("WEFT_DEBUG", "leaks,slow=40ms", 1);
    EQUAL(weft_loop_new(backend(), &made), 0);
    weft_debug_get(made, words, sizeof words);
    SAME(words, "slow=40ms,leaks");
    EQUAL(weft_loop_get_debug(made), true);
    EQUAL(weft_loop_close(made), 0);

    setenv("WEFT_DEBUG", "leaks,slwo=40ms", 1);
    weft_error_clear();
    EQUAL(weft_loop_new(backend(), &made), -EINVAL);
    CHECK(strstr(weft_error_detail(), "'slwo=40ms' (from WEFT_DEBUG)") != NULL);
    EQUAL(weft_run(gives(0), &(weft_run_options){ .backend = backend() }), -EINVAL);
    unsetenv("WEFT_DEBUG");
}

WEFT_ASYNC(tells_words, (const char *, expected))
{
    char words[400];

    EQUAL(weft_debug_get(NULL, words, sizeof words), (int)strlen(expected));
    SAME(words, expected);
    return 0;
}

ALONE(so_have_the_options_of_a_run)
{
    weft_run_options options = { .backend = backend(), .debug_words = "leaks" };

    EQUAL(weft_run(tells_words("leaks"), &options), 0);
    options.debug_words = "nonsense";
    weft_error_clear();
    EQUAL(weft_run(gives(0), &options), -EINVAL);
    CHECK(strstr(weft_error_detail(), "'nonsense' (from the program)") != NULL);
    options.debug_words = NULL;
    options.debug = 1;
    EQUAL(weft_run(tells_words(usual), &options), 0);
}

IN_TASK(it_can_be_switched_while_tasks_run)
{
    weft_task *task = weft_create_task(sleeps(0.001), NULL);

    for (int i = 0; i < 5; i++) {
        EQUAL(weft_debug_set(NULL, i % 2 ? "0" : "all"), 0);
        weft_sleep(0);
        weft_sleep(0.0001);
    }
    EQUAL(weft_await(task), 0);
    EQUAL(weft_debug_set(NULL, "0"), 0);
}

static void *set_elsewhere(void *unused)
{
    EQUAL(weft_debug_set(loop, "1"), -EXDEV);
    EQUAL(weft_debug_set(NULL, "1"), -EPERM);
    EQUAL(weft_debug_get(NULL, NULL, 0), -EPERM);
    EQUAL(weft_debug_allow_blocking("x"), -EPERM);
    return unused;
}

IN_TASK(another_thread_may_not_switch_it)
{
    in_thread(set_elsewhere, NULL);
}

IN_LOOP(a_closed_loop_has_no_words)
{
    weft_loop *closed = loop;

    close_loop();
    EQUAL(weft_debug_set(closed, "1"), -EBADF);
    EQUAL(weft_debug_get(closed, NULL, 0), -EBADF);
    EQUAL(weft_debug_set(NULL, "1"), -EPERM);
}

ALONE(a_place_needs_an_address_and_room)
{
    weft_debug_place place;

    EQUAL(weft_debug_places(NULL, &place, 1), -EINVAL);
    EQUAL(weft_debug_places((const void *)&place, NULL, 1), -EINVAL);
    EQUAL(weft_debug_places((const void *)&place, &place, 0), -EINVAL);
    EQUAL(weft_debug_places((const void *)(uintptr_t)4097, &place, 1), 1);
    SAME(place.function, "");
    EQUAL(place.line, 0);
}

static CU_TestInfo tests[] = {
    TEST(words_are_understood_and_told),
    TEST(what_is_not_understood_is_an_error_that_says_what_there_is),
    TEST(a_text_that_does_not_fit_is_cut),
    TEST(the_environment_has_words),
    TEST(so_have_the_options_of_a_run),
    TEST(it_can_be_switched_while_tasks_run),
    TEST(another_thread_may_not_switch_it),
    TEST(a_closed_loop_has_no_words),
    TEST(a_place_needs_an_address_and_room),
    CU_TEST_INFO_NULL,
};

DEBUG_MAIN(debug_words, tests)
