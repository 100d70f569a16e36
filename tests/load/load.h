/* SPDX-License-Identifier: MIT
 * What the tests of loading share: plugins that lie in LOAD_DIR, and words to look for. */
#ifndef TESTS_LOAD_LOAD_H
#define TESTS_LOAD_LOAD_H

#include "core/run/load.h"
#include "core/sched/loop.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/error.h>
#include <weft/loop.h>
#include <weft/tls.h>

#define TEST(name) { #name, name }

/* The directory of the plugins that the build made. */
static inline const char *load_dir(void)
{
    return getenv("LOAD_DIR");
}

/* Opens and closes a loop; the error, or 0 when it runs on `name`. */
static inline int try_on(const char *list, const char *name)
{
    weft_loop *loop = NULL;
    int r = weft_loop_new(list, &loop);

    if (r < 0) {
        CU_ASSERT(loop == NULL);
        return r;
    }
    CU_ASSERT_STRING_EQUAL(weft_loop_backend_name(loop), name);
    return weft_loop_close(loop);
}

/* Whether weft_error_detail() has these words; says what it has instead. */
static inline bool says(const char *words)
{
    if (strstr(weft_error_detail(), words)) {
        return true;
    }
    fprintf(stderr, "not '%s' in: %s\n", words, weft_error_detail());
    return false;
}

#define FAILS(list, error, words)                  \
    do {                                           \
        CU_ASSERT_EQUAL(try_on(list, ""), error);  \
        CU_ASSERT(says(words));                    \
    } while (0)

/* Makes each allocation and system call of `attempt` fail once, with each of several errors; it
 * returns an error or 0, and gives everything back. */
static inline void sweep_faults(int (*attempt)(void))
{
    static const int errors[] = { -ENOMEM, -EMFILE, -EIO, -EINTR };

    weft_error_clear();
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        for (long n = 0;; n++) {
            size_t blocks = weft__alloc_live();
            long left;
            int r;

            weft__fault_arm(n, errors[e]);
            r = attempt();
            left = weft__fault_arm(-1, 0);
            weft_error_clear();
            CU_ASSERT(r == 0 || r == -ENOMEM || r == errors[e]);
            CU_ASSERT_EQUAL(weft__alloc_live(), blocks);
            if (left >= 0 || n > 1000) {
                CU_ASSERT_EQUAL(r, 0);
                break;
            }
        }
    }
}

/* A directory of the test's own, and its end. */
static inline void make_directory(char *path, size_t size)
{
    (void)snprintf(path, size, "/tmp/weft-load-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(path));
}

/* Writes a file of a directory. */
static inline void write_file(const char *directory, const char *name, const char *text)
{
    char path[300];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static inline void copy_plugin(const char *name, const char *directory)
{
    char command[1024];

    (void)snprintf(command, sizeof command, "cp '%s/weft-backend-%s.so' '%s'", load_dir(), name,
                   directory);
    CU_ASSERT_EQUAL(system(command), 0);
}

static inline void remove_directory(const char *directory)
{
    char command[300];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", directory);
    CU_ASSERT_EQUAL(system(command), 0);
}

/* Runs the claims; what loading and loops keep for ever is given back before it is counted. */
static inline void forget_all(void)
{
    weft__backends_forget();
    weft__loop_depot_clear();
}

#endif
