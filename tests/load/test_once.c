/* SPDX-License-Identifier: MIT
 * A backend that many threads ask for at once is loaded once. */
#include "tests/load/load.h"

#include <dlfcn.h>

#define THREADS 16

static pthread_barrier_t start;

static void *use_it(void *arg)
{
    weft_loop *loop = NULL;

    (void)pthread_barrier_wait(&start);
    *(int *)arg = weft_loop_new("good", &loop);
    if (*(int *)arg == 0 && strcmp(weft_loop_backend_name(loop), "good") != 0) {
        *(int *)arg = -EINVAL;
    }
    (void)weft_loop_close(loop);
    weft_error_clear();
    return NULL;
}

static void many_threads_load_it_once(void)
{
    pthread_t threads[THREADS];
    int results[THREADS];
    char path[512];
    void *image;
    int **constructed;

    setenv("WEFT_BACKEND_PATH", load_dir(), 1);
    pthread_barrier_init(&start, NULL, THREADS);
    for (int i = 0; i < THREADS; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, use_it, &results[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(results[i], 0);
    }
    pthread_barrier_destroy(&start);
    (void)snprintf(path, sizeof path, "%s/weft-backend-good.so", load_dir());
    image = dlopen(path, RTLD_NOW | RTLD_NOLOAD);
    CU_ASSERT_PTR_NOT_NULL_FATAL(image);
    constructed = dlsym(image, "times_constructed");
    CU_ASSERT_EQUAL(**constructed, 1);

    /* It is not unloaded, whoever tries. */
    CU_ASSERT_EQUAL(dlclose(image), 0);
    CU_ASSERT_EQUAL(dlclose(image), 0);
    CU_ASSERT_EQUAL(try_on("good", "good"), 0);
    CU_ASSERT_PTR_NULL(dlsym(RTLD_DEFAULT, "weft_backend_good")); /* nobody else sees it */
    forget_all();
}

static CU_TestInfo tests[] = {
    TEST(many_threads_load_it_once),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(once, tests)
