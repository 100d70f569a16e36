/* SPDX-License-Identifier: MIT
 * Lists of backends, their modes and options, and who has the say. */
#include "tests/load/load.h"

static void set_path(void)
{
    setenv("WEFT_BACKEND_PATH", load_dir(), 1);
}

static void a_list_is_tried_in_order(void)
{
    set_path();
    CU_ASSERT_EQUAL(try_on("poll,epoll", "poll"), 0);
    CU_ASSERT_EQUAL(try_on("nosuch,poll", "poll"), 0);
    CU_ASSERT_EQUAL(try_on("undefined,needslib,nosuch,enosys,good", "good"), 0);
}

static void what_is_there_and_broken_ends_a_list(void)
{
    set_path();
    FAILS("wrongabi,poll", -ELIBBAD, "version 2");
    FAILS("emfile,poll", -EMFILE, "emfile");
    FAILS("good:fast,poll", -EINVAL, "fast");
    FAILS("Good,poll", -ENOENT, "is no name");
}

static void a_list_that_fails_tells_of_each(void)
{
    set_path();
    FAILS("nosuch,enosys", -ENOSYS, "the backend 'nosuch' (from the program): ");
    CU_ASSERT(says("; the backend 'enosys' (from the program): does not work here"));
    FAILS("enosys,nosuch", -ENOENT, "this kernel has no such call");
    CU_ASSERT_EQUAL(try_on("poll,", "poll"), 0);
}

static void options_stay_with_their_backend(void)
{
    char list[300];
    weft_loop *loop = NULL;

    set_path();
    CU_ASSERT_EQUAL(try_on("sim:start=5", "sim"), 0);
    CU_ASSERT_EQUAL(try_on("nosuch:a=1,b=2,sim:start=7", "sim"), 0);
    FAILS("good:a=1,b=2,c", -EINVAL, "not 'a=1,b=2'");
    CU_ASSERT_EQUAL(weft_loop_new("nosuch:x,guest,y=1,sim:start=7", &loop), 0);
    CU_ASSERT(weft_loop_time(loop) == 7);
    CU_ASSERT_EQUAL(weft_loop_close(loop), 0);
    memset(list, 'b', sizeof list);
    memcpy(list, "good:a=", 7);
    list[sizeof list - 1] = '\0';
    FAILS(list, -EINVAL, "longer than 255 bytes");
}

static void a_poller_has_one_mode(void)
{
    weft_loop *loop = NULL;

    CU_ASSERT_EQUAL(weft_loop_new("poll:direct", &loop), 0);
    CU_ASSERT_STRING_EQUAL(weft_loop_backend_mode(loop), "direct");
    CU_ASSERT_EQUAL(weft_loop_close(loop), 0);
    CU_ASSERT_PTR_NULL(weft_loop_backend_mode(loop));
    FAILS("poll:guest", -EINVAL, "has no guest mode");
    FAILS("sim:start=5,guest,poll", -EINVAL, "has no guest mode");
}

static void the_program_stands_above_the_environment(void)
{
    setenv("WEFT_BACKEND", "nosuch", 1);
    CU_ASSERT_EQUAL(try_on("poll", "poll"), 0);
    FAILS(NULL, -ENOENT, "(from WEFT_BACKEND)");
    setenv("WEFT_BACKEND", "sim:start=3", 1);
    CU_ASSERT_EQUAL(try_on(NULL, "sim"), 0);
    setenv("WEFT_BACKEND", "", 1);
    CU_ASSERT_EQUAL(try_on(NULL, "epoll"), 0);
    unsetenv("WEFT_BACKEND");
    CU_ASSERT_EQUAL(try_on(NULL, "epoll"), 0);
    forget_all();
}

static CU_TestInfo tests[] = {
    TEST(a_list_is_tried_in_order),
    TEST(what_is_there_and_broken_ends_a_list),
    TEST(a_list_that_fails_tells_of_each),
    TEST(options_stay_with_their_backend),
    TEST(a_poller_has_one_mode),
    TEST(the_program_stands_above_the_environment),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(list, tests)
