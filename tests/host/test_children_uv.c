/* SPDX-License-Identifier: MIT
 * Beside children of libuv's, uv_spawn(): `children_uv uv:direct`, `children_uv uv:guest`. */
#include "tests/host/children.h"

#include <stdlib.h>
#include <uv.h>

static uv_loop_t host;

static void host_open(void)
{
    EQUAL(uv_loop_init(&host), 0);
}

static void *host_loop(void)
{
    return &host;
}

/* Ours do not keep it alive; a look that waits ends when they have something to do. */
static bool has_quit;

static void host_look(void)
{
    uv_run(&host, UV_RUN_ONCE);
}

static void host_run(void)
{
    EQUAL(weft_loop_hold(loop, true), 0);
    for (has_quit = false; !has_quit;) {
        host_look();
    }
    EQUAL(weft_loop_hold(loop, false), 0);
}

static void host_quit(void)
{
    has_quit = true;
}

static void host_close(void)
{
    EQUAL(uv_run(&host, UV_RUN_DEFAULT), 0);
    EQUAL(uv_loop_close(&host), 0);
}

static bool takes_all(void)
{
    return false;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void on_exit_of(uv_process_t *process, int64_t status, int signum)
{
    *(int *)process->data = signum ? signum : (int)status << 8;
    uv_close((uv_handle_t *)process, free_handle);
}

static void begin_theirs(void *native, const char *command, int *ret_status)
{
    char *argv[] = { (char *)"sh", (char *)"-c", (char *)(uintptr_t)command, NULL };
    uv_process_options_t options = { .exit_cb = on_exit_of, .file = "/bin/sh", .args = argv };
    uv_process_t *process = malloc(sizeof *process);

    *ret_status = -1;
    EQUAL(uv_spawn(native ? native : &host, process, &options), 0);
    process->data = ret_status;
}

IN_TASK(children_of_both_end_with_their_own_status_on_our_own_loop)
{
    EQUAL(weft_await(lives_among_children(weft_loop_native(NULL))), 0);
}

static CU_TestInfo tests[] = {
    CHILDREN_TESTS,
    TEST(children_of_both_end_with_their_own_status_on_our_own_loop),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(children_uv, tests)
