/* SPDX-License-Identifier: MIT
 * weft.conf: where it is looked for, what it says, and the line of what is wrong. */
#include "tests/load/load.h"

#ifndef HAVE_INIH

int main(void)
{
    return 77;
}

#else

static char directory[64];
static char file[128];

/* The configuration named by WEFT_CONFIG has this text. */
static void configure(const char *text)
{
    write_file(directory, "test.conf", text);
    setenv("WEFT_CONFIG", file, 1);
}

static void begin(void)
{
    make_directory(directory, sizeof directory);
    (void)snprintf(file, sizeof file, "%s/test.conf", directory);
}

static void it_names_a_backend(void)
{
    begin();
    configure("; a comment\n[weft]\nbackend = nosuch,poll\n");
    CU_ASSERT_EQUAL(try_on(NULL, "poll"), 0);
    CU_ASSERT_EQUAL(try_on("sim", "sim"), 0);
    setenv("WEFT_BACKEND", "sim", 1);
    CU_ASSERT_EQUAL(try_on(NULL, "sim"), 0);
    unsetenv("WEFT_BACKEND");
    configure("[weft]\n\n\nbackend = nosuch\n");
    FAILS(NULL, -ENOENT, "the backend 'nosuch' (from ");
    CU_ASSERT(says("test.conf:4): "));
    configure("");
    CU_ASSERT_EQUAL(try_on(NULL, "epoll"), 0);
}

static bool debugs(void)
{
    weft_loop *loop = NULL;
    bool on;

    CU_ASSERT_EQUAL_FATAL(weft_loop_new("sim", &loop), 0);
    on = weft_loop_get_debug(loop);
    CU_ASSERT_EQUAL(weft_loop_close(loop), 0);
    return on;
}

static void it_switches_debug_mode(void)
{
    configure("[weft]\ndebug = 1\n");
    CU_ASSERT(debugs());
    setenv("WEFT_DEBUG", "0", 1);
    CU_ASSERT(!debugs());
    unsetenv("WEFT_DEBUG");
    configure("[weft]\ndebug = 0\n");
    CU_ASSERT(!debugs());
}

static void what_is_wrong_is_told_with_its_line(void)
{
    configure("[weft]\nbackend = poll\nwhat is this\n");
    FAILS(NULL, -EINVAL, "test.conf:3: neither '[section]' nor 'name = value'");
    configure("[weft\nbackend = poll\n");
    FAILS(NULL, -EINVAL, "test.conf:1: neither");
    configure("[weft]\ncolour = blue\n");
    FAILS(NULL, -EINVAL, "test.conf:2: there is no option 'colour'");
    configure("\nbackend = poll\n");
    FAILS(NULL, -EINVAL, "test.conf:2: not in the section [weft]");
    configure("[weft]\nbackend = poll\nbackend = epoll\n");
    FAILS(NULL, -EINVAL, "test.conf:3: there is a second 'backend'");
    configure("[weft]\ncolour = blue\nnonsense\n");
    FAILS(NULL, -EINVAL, "test.conf:2: there is no option 'colour'");
    configure("nonsense\n[weft]\ncolour = blue\n");
    FAILS(NULL, -EINVAL, "test.conf:1: neither");
    CU_ASSERT(!strstr(weft_error_detail(), "colour"));
    configure("[weft]\nbackend = poll\n");
    CU_ASSERT_EQUAL(try_on(NULL, "poll"), 0);
}

static void lines_are_not_cut_into_others(void)
{
    char text[700] = "[weft]\n";

    memset(text + strlen(text), 'x', 600);
    configure(text);
    FAILS(NULL, -EINVAL, "test.conf:2: a line that is too long");
}

static void one_that_was_named_must_be_there(void)
{
    setenv("WEFT_CONFIG", "/nonexistent/weft.conf", 1);
    FAILS(NULL, -ENOENT, "/nonexistent/weft.conf (from WEFT_CONFIG): No such file");
    setenv("WEFT_CONFIG", "/", 1);
    FAILS(NULL, -EISDIR, "/: Is a directory");
    setenv("WEFT_CONFIG", "/dev/zero", 1);
    FAILS(NULL, -EFBIG, "/dev/zero: File too large");
    setenv("WEFT_CONFIG", "/dev/null", 1);
    CU_ASSERT_EQUAL(try_on(NULL, "epoll"), 0);
}

static int configured(void)
{
    weft_loop *loop = NULL;
    int r = weft_loop_new(NULL, &loop);

    if (r == 0) {
        CU_ASSERT_STRING_EQUAL(weft_loop_backend_name(loop), "poll");
        CU_ASSERT_EQUAL(weft_loop_close(loop), 0);
    }
    forget_all();
    return r;
}

/* One that cannot be read is not one that is not there. */
static void each_failure_while_reading_is_told(void)
{
    configure("[weft]\nbackend = poll\n");
    forget_all();
    sweep_faults(configured);
}

static void the_users_own_is_found_in_its_place(void)
{
    char below[128];

    unsetenv("WEFT_CONFIG");
    (void)snprintf(below, sizeof below, "%s/weft", directory);
    CU_ASSERT_EQUAL(mkdir(below, 0700), 0);
    write_file(below, "weft.conf", "[weft]\nbackend = sim\n");
    setenv("XDG_CONFIG_HOME", directory, 1);
    CU_ASSERT_EQUAL(try_on(NULL, "sim"), 0);
    setenv("XDG_CONFIG_HOME", "relative", 1); /* which is to be ignored, so they say */
    setenv("HOME", directory, 1);
    CU_ASSERT_EQUAL(try_on(NULL, "epoll"), 0);
    unsetenv("XDG_CONFIG_HOME");
    (void)snprintf(below, sizeof below, "%s/.config", directory);
    CU_ASSERT_EQUAL(symlink(".", below), 0);
    CU_ASSERT_EQUAL(try_on(NULL, "sim"), 0);
    write_file(directory, "weft/weft.conf", "[weft]\ngarbage\n");
    FAILS(NULL, -EINVAL, "/.config/weft/weft.conf:2: ");
    remove_directory(directory);
    CU_ASSERT_EQUAL(try_on(NULL, "epoll"), 0);
    forget_all();
}

static CU_TestInfo tests[] = {
    TEST(it_names_a_backend),
    TEST(it_switches_debug_mode),
    TEST(what_is_wrong_is_told_with_its_line),
    TEST(lines_are_not_cut_into_others),
    TEST(one_that_was_named_must_be_there),
    TEST(each_failure_while_reading_is_told),
    TEST(the_users_own_is_found_in_its_place),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(config, tests)

#endif
