/* SPDX-License-Identifier: MIT
 * The public calls that find, load and list backends without a loop, and say which one it would be;
 * and plugins that are found in places where they must not be. */
#include "core/run/plugin.h"
#include "tests/load/load.h"

#include <weft/backends.h>
#include <weft/plugin.h>

/* A directory of the test's own, and a file in it. */
static char directory[64], file[128];

/* Copies what is in a file that the build made to one of another name there. */
static void put(const char *from, const char *to)
{
    char command[1024];

    (void)snprintf(file, sizeof file, "%s/%s", directory, to);
    (void)snprintf(command, sizeof command, "cp '%s/%s' '%s'", load_dir(), from, file);
    CU_ASSERT_EQUAL(system(command), 0);
}

static void begin(void)
{
    make_directory(directory, sizeof directory);
    weft__backends_forget();
    weft__plugins_forget();
}

static void a_backend_is_found_by_its_name(void)
{
    const weft_backend *backend = NULL, *again = NULL;

    begin();
    setenv("WEFT_BACKEND_PATH", load_dir(), 1);
    CU_ASSERT_EQUAL(weft_backend_find("good", &backend), 0);
    CU_ASSERT_EQUAL(weft_backend_find("good", &again), 0);
    CU_ASSERT_STRING_EQUAL(backend->name, "good");
    CU_ASSERT_PTR_EQUAL(again, backend);
    again = NULL;
    CU_ASSERT_EQUAL(weft_backend_find("nosuch", &again), -ENOENT);
    CU_ASSERT(says("the backend 'nosuch': "));
    CU_ASSERT_EQUAL(weft_backend_find("../good", &again), -ENOENT);
    CU_ASSERT_EQUAL(weft_backend_find("wrongabi", &again), -ELIBBAD);
    CU_ASSERT_EQUAL(weft_backend_find("needslib", &again), -ELIBACC);
    CU_ASSERT_EQUAL(weft_backend_find(NULL, &again), -EINVAL);
    CU_ASSERT_EQUAL(weft_backend_find("good", NULL), -EINVAL);
    CU_ASSERT_PTR_NULL(again);
    remove_directory(directory);
}

static void a_backend_is_loaded_from_a_file(void)
{
    const weft_backend *backend = NULL;

    begin();
    unsetenv("WEFT_BACKEND_PATH");
    put("weft-backend-good.so", "weft-backend-good.so");
    CU_ASSERT_EQUAL(weft_backend_load(NULL, &backend), -EINVAL);
    CU_ASSERT_EQUAL(weft_backend_load("weft-backend-good.so", &backend), -EINVAL);
    CU_ASSERT_PTR_NULL(backend);
    CU_ASSERT_EQUAL(weft_backend_load(file, &backend), 0);
    CU_ASSERT_STRING_EQUAL(backend->name, "good");
    CU_ASSERT_EQUAL(weft_backend_load("/elsewhere/weft-backend-good.so", NULL), -EEXIST);
    remove_directory(directory);
}

/* Nobody but root may be able to write to what root loads; others may not look everywhere. */
static void what_is_forbidden_is_not_found(void)
{
    const weft_backend *backend = NULL;
    const weft_plugin *plugin = NULL;
    weft_tls *tls = NULL;

    begin();
    setenv("WEFT_BACKEND_PATH", directory, 1);
    setenv("WEFT_PLUGIN_PATH", directory, 1);
    put("weft-backend-good.so", "weft-backend-good.so");
    CU_ASSERT_EQUAL(chmod(file, 0666), 0);
    put("weft-plugin-filter.so", "weft-plugin-filter.so");
    CU_ASSERT_EQUAL(chmod(file, 0666), 0);
    CU_ASSERT_EQUAL(geteuid() ? chmod(directory, 0) : 0, 0);
    CU_ASSERT_EQUAL(weft_backend_find("good", &backend), -EACCES);
    CU_ASSERT_EQUAL(weft_plugin_find("filter", WEFT_PLUGIN_FILTER, &plugin), -EACCES);
    CU_ASSERT_EQUAL(weft_tls_new(&(weft_tls_options){ .plugin = "filter" }, &tls), -EACCES);
    CU_ASSERT(!backend && !plugin && !tls);
    CU_ASSERT_EQUAL(chmod(directory, 0700), 0);
    remove_directory(directory);
}

static void a_plugin_whose_library_is_missing_is_told(void)
{
    const weft_plugin *plugin = NULL;
    weft_tls *tls = NULL;

    begin();
    setenv("WEFT_PLUGIN_PATH", directory, 1);
    put("weft-backend-needslib.so", "weft-plugin-needslib.so"); /* of whichever kind */
    CU_ASSERT_EQUAL(weft_plugin_find("needslib", WEFT_PLUGIN_FILTER, &plugin), -ELIBACC);
    CU_ASSERT(says("libweft-not-here.so.7"));
    CU_ASSERT_EQUAL(weft_tls_new(&(weft_tls_options){ .plugin = "needslib" }, &tls), -ELIBACC);
    CU_ASSERT(says("libweft-not-here.so.7"));
    CU_ASSERT(!plugin && !tls);
    remove_directory(directory);
}

/* What a list tells. */
struct told {
    int count, good, broken; /* how many there were, at which places these two */
    int end_at;              /* 0: never */
};

static int tell(const weft_backend_info *info, void *arg)
{
    struct told *told = arg;

    told->count++;
    if (strcmp(info->name, "good") == 0) {
        told->good = told->count;
        CU_ASSERT(info->usable == 0 && info->backend && info->path);
    } else if (strcmp(info->name, "wrongabi") == 0) {
        told->broken = told->count;
        CU_ASSERT(info->usable == -ELIBBAD && !info->backend && *info->why);
    }
    return told->count == told->end_at ? 77 : 0;
}

static void a_list_has_all_in_their_order(void)
{
    struct told told = { .end_at = 0 };

    begin();
    setenv("WEFT_BACKEND_PATH", directory, 1);
    put("weft-backend-good.so", "weft-backend-good.so");
    put("weft-backend-wrongabi.so", "weft-backend-wrongabi.so");
    CU_ASSERT_EQUAL(weft_backend_list(NULL, &told), -EINVAL);
    CU_ASSERT_EQUAL(weft_backend_list(tell, &told), 0);
    CU_ASSERT_EQUAL(told.good, 4); /* after epoll, poll and sim */
    CU_ASSERT_EQUAL(told.broken, 5);
    told = (struct told){ .end_at = 2 };
    CU_ASSERT_EQUAL(weft_backend_list(tell, &told), 77);
    CU_ASSERT_EQUAL(told.count, 2);
    remove_directory(directory);
}

static void the_default_is_told_with_who_says_so(void)
{
    char list[64] = "", origin[64] = "";

    unsetenv("WEFT_BACKEND");
    CU_ASSERT_EQUAL(weft_backend_default(NULL, 0, origin, sizeof origin), -EINVAL);
    CU_ASSERT_EQUAL(weft_backend_default(list, sizeof list, NULL, 0), -EINVAL);
    CU_ASSERT_EQUAL(weft_backend_default(list, sizeof list, origin, sizeof origin), 0);
    CU_ASSERT_STRING_EQUAL(list, "epoll,poll");
    CU_ASSERT_STRING_EQUAL(origin, "the library");
    setenv("WEFT_BACKEND", "uv:direct,sim", 1);
    CU_ASSERT_EQUAL(weft_backend_default(list, sizeof list, origin, sizeof origin), 0);
    CU_ASSERT_STRING_EQUAL(list, "uv:direct,sim");
    CU_ASSERT_STRING_EQUAL(origin, "WEFT_BACKEND");
    unsetenv("WEFT_BACKEND");
    forget_all();
    weft__plugins_forget();
}

static CU_TestInfo tests[] = {
    TEST(a_backend_is_found_by_its_name),
    TEST(a_backend_is_loaded_from_a_file),
    TEST(what_is_forbidden_is_not_found),
    TEST(a_plugin_whose_library_is_missing_is_told),
    TEST(a_list_has_all_in_their_order),
    TEST(the_default_is_told_with_who_says_so),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(found, tests)
