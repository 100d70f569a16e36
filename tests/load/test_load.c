/* SPDX-License-Identifier: MIT
 * One backend by its name: found, refused, or not there, and told in words. */
#include "tests/load/load.h"

static void set_path(void)
{
    setenv("WEFT_BACKEND_PATH", load_dir(), 1);
}

static void what_is_right_is_loaded_and_runs(void)
{
    set_path();
    CU_ASSERT_EQUAL(try_on("good", "good"), 0);
    CU_ASSERT_EQUAL(try_on("good", "good"), 0);
    FAILS("good:fast", -EINVAL, "the backend 'good' (from the program): takes no options");
}

static void an_older_and_a_newer_one_are_welcome(void)
{
    struct weft__text why = { .used = 0 };
    const weft_backend *backend = NULL;

    set_path();
    CU_ASSERT_EQUAL(try_on("small", "small"), 0);
    CU_ASSERT_EQUAL(try_on("large", "large"), 0);
    CU_ASSERT_EQUAL(weft__backend_find("small", &why, &backend), 0);
    CU_ASSERT_PTR_NULL(backend->ops->native); /* beyond what it was built with */
    CU_ASSERT_PTR_NULL(backend->library);
    CU_ASSERT_STRING_EQUAL(backend->needs, "");
}

static void what_does_not_fit_is_refused(void)
{
    set_path();
    FAILS("wrongabi", -ELIBBAD, "is built for version 2 of the backend ABI, and this is 1");
    FAILS("badmagic", -ELIBBAD, "has no backend's descriptor");
    FAILS("shortdesc", -ELIBBAD, "cut short");
    FAILS("shortops", -ELIBBAD, "cut short");
    FAILS("misnamed", -ELIBBAD, "calls itself 'other', not 'misnamed'");
    FAILS("nosymbol", -ELIBBAD, "has no symbol weft_backend_nosymbol");
    FAILS("lacking", -ELIBBAD, "lacks the member wait()");
    FAILS("hostless", -ELIBBAD, "lacks the member arm()");
    FAILS("newcore", -ELIBBAD, "needs a newer weft");
}

static void what_cannot_be_linked_is_told_by_the_linker(void)
{
    set_path();
    FAILS("undefined", -ELIBACC, "not_here");
    FAILS("needslib", -ELIBACC, "libweft-not-here.so.7");
}

static void an_error_of_opening_is_its_own(void)
{
    set_path();
    FAILS("emfile", -EMFILE, "could not be opened");
    FAILS("enosys", -ENOSYS, "does not work here: this kernel has no such call");
}

static void what_is_not_there_is_told_with_every_place(void)
{
    setenv("WEFT_BACKEND_PATH", "/nonexistent/a:/nonexistent/b", 1);
    FAILS("nosuch", -ENOENT, "/nonexistent/a/weft-backend-nosuch.so: No such file");
    CU_ASSERT(says("/nonexistent/b/weft-backend-nosuch.so: No such file"));
    CU_ASSERT(says(WEFT_BACKEND_DIR "/weft-backend-nosuch.so"));
    CU_ASSERT(says("compiled in are epoll, poll, sim"));
    CU_ASSERT(!strstr(weft_error_detail(), "Debian"));
    if (access(WEFT_BACKEND_DIR "/weft-backend-ev.so", F_OK) < 0) { /* else: installed here */
        FAILS("ev", -ENOENT, "Debian has it in the package libweft-backend-ev");
    }
    setenv("WEFT_BACKEND_PATH", "relative:/nonexistent/c:", 1);
    FAILS("nosuch", -ENOENT, "relative of WEFT_BACKEND_PATH is not an absolute directory");
}

static void a_path_is_no_name(void)
{
    set_path();
    FAILS("../../evil.so", -ENOENT, "'../../evil.so' (from the program) is no name of a backend");
    FAILS("/tmp/x", -ENOENT, "is no name");
    FAILS("good.so", -ENOENT, "is no name");
    FAILS("abcdefghijklmnopqrstuvwxyz0123456", -ENOENT, "is no name");
    FAILS("abcdefghijklmnopqrstuvwxyz012345", -ENOENT, "No such file");
    setenv("WEFT_BACKEND", "../../evil.so", 1);
    FAILS(NULL, -ENOENT, "'../../evil.so' (from WEFT_BACKEND) is no name");
    unsetenv("WEFT_BACKEND");
}

static void a_file_that_is_no_library_is_refused(void)
{
    char directory[64];

    make_directory(directory, sizeof directory);
    write_file(directory, "weft-backend-prose.so", "It was a dark and stormy night.\n");
    write_file(directory, "weft-backend-empty.so", "");
    setenv("WEFT_BACKEND_PATH", directory, 1);
    FAILS("prose", -ELIBACC, "weft-backend-prose.so: ");
    FAILS("empty", -ELIBACC, "file too short");
    remove_directory(directory);
}

static void root_loads_only_what_is_roots(void)
{
    char directory[64], file[128];

    if (geteuid() != 0) {
        CU_PASS("others have nothing to lose");
        return;
    }
    make_directory(directory, sizeof directory);
    copy_plugin("good", directory);
    (void)snprintf(file, sizeof file, "%s/weft-backend-good.so", directory);
    setenv("WEFT_BACKEND_PATH", directory, 1);
    weft__backends_forget(); /* it is known from elsewhere */
    CU_ASSERT_EQUAL(chmod(file, 0666), 0);
    FAILS("good", -EACCES, "weft-backend-good.so can be written by others than root");
    CU_ASSERT_EQUAL(chmod(file, 0664), 0);
    FAILS("good", -EACCES, "can be written by others than root");
    CU_ASSERT_EQUAL(chmod(file, 0644) | chown(file, 1234, 0), 0);
    FAILS("good", -EACCES, "weft-backend-good.so belongs to user 1234 and not to root");
    CU_ASSERT_EQUAL(chown(file, 0, 0) | chmod(directory, 0777), 0);
    FAILS("good", -EACCES, "can be written by others than root");
    CU_ASSERT_EQUAL(chmod(directory, 0755) | chown(directory, 1234, 0), 0);
    FAILS("good", -EACCES, "belongs to user 1234");
    CU_ASSERT_EQUAL(chown(directory, 0, 0), 0);
    CU_ASSERT_EQUAL(try_on("good", "good"), 0);
    remove_directory(directory);
}

static void a_file_can_be_named_by_the_program(void)
{
    struct weft__text why = { .used = 0 };
    const weft_backend *backend = NULL;
    char path[512];

    weft__backends_forget();
    unsetenv("WEFT_BACKEND_PATH");
    (void)snprintf(path, sizeof path, "%s/weft-backend-large.so", load_dir());
    CU_ASSERT_EQUAL(weft__backend_load("weft-backend-large.so", &why, &backend), -EINVAL);
    CU_ASSERT_EQUAL(weft__backend_load("/x/libgood.so", &why, &backend), -EINVAL);
    CU_ASSERT_EQUAL(weft__backend_load("/x/weft-backend-.so", &why, &backend), -EINVAL);
    CU_ASSERT_EQUAL(weft__backend_load("/x/weft-backend-gone.so", &why, &backend), -ENOENT);
    CU_ASSERT_PTR_NULL(backend);
    CU_ASSERT_EQUAL(weft__backend_load(path, &why, &backend), 0);
    CU_ASSERT_EQUAL(weft__backend_load(path, &why, &backend), -EEXIST);
    CU_ASSERT_EQUAL(try_on("large", "large"), 0);
}

static int load_afresh(void)
{
    weft_loop *loop = NULL;
    int r = weft_loop_new("good", &loop);

    CU_ASSERT_EQUAL(loop == NULL, r < 0);
    if (loop) {
        CU_ASSERT_EQUAL(weft_loop_close(loop), 0);
    }
    forget_all();
    return r;
}

static void each_failure_while_loading_is_told(void)
{
    set_path();
    forget_all();
    sweep_faults(load_afresh);
}

static void nothing_is_kept_that_was_not_loaded(void)
{
    forget_all();
}

static CU_TestInfo tests[] = {
    TEST(what_is_right_is_loaded_and_runs),
    TEST(an_older_and_a_newer_one_are_welcome),
    TEST(what_does_not_fit_is_refused),
    TEST(what_cannot_be_linked_is_told_by_the_linker),
    TEST(an_error_of_opening_is_its_own),
    TEST(what_is_not_there_is_told_with_every_place),
    TEST(a_path_is_no_name),
    TEST(a_file_that_is_no_library_is_refused),
    TEST(root_loads_only_what_is_roots),
    TEST(a_file_can_be_named_by_the_program),
    TEST(each_failure_while_loading_is_told),
    TEST(nothing_is_kept_that_was_not_loaded),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(load, tests)
