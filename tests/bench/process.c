/* SPDX-License-Identifier: MIT
 * A program is started, does nothing, and is waited for.
 *
 * Plain: posix_spawn(3) and waitpid(2).  What is measured is the time that passes, since most of
 * the work is done in the kernel and in the child, on whatever CPU. */
#include "bench.h"

#include <errno.h>
#include <spawn.h>
#include <sys/wait.h>
#include <weft/weft.h>

extern char **environ;

static const char *const program[] = { "/bin/true", NULL };

static double each(int64_t start, const struct bench_run *run)
{
    return (double)(bench_now() - start) / run->count / 1000;
}

WEFT_ASYNC(starts_programs, (struct bench_run *, run))
{
    int64_t start = bench_now();

    for (uint32_t i = 0; i < run->count; i++) {
        weft_process *process;
        int r = weft_create_subprocess_exec(program, NULL, &process);

        if (r < 0) {
            return r;
        }
        r = weft_process_wait(process);
        weft_process_free(process);
        if (r != 0) {
            return r < 0 ? r : -EPROTO;
        }
    }
    run->results[0] = each(start, run);
    return 0;
}

static int with_weft(struct bench_run *run)
{
    return weft_run(starts_programs(run), NULL);
}

static int plain(struct bench_run *run)
{
    int64_t start = bench_now();

    for (uint32_t i = 0; i < run->count; i++) {
        pid_t pid;
        int status;
        int r =
            posix_spawn(&pid, program[0], NULL, NULL, (char *const *)(uintptr_t)program, environ);

        if (r != 0) {
            return -r;
        }
        while (waitpid(pid, &status, 0) < 0) {
            if (errno != EINTR) {
                return -errno;
            }
        }
        if (status != 0) {
            return -EPROTO;
        }
    }
    run->results[0] = each(start, run);
    return 0;
}

const struct bench_workload bench_process = {
    .name = "process",
    .about = "start /bin/true and wait for its end; plain: posix_spawn, waitpid",
    .figures = { { "start a program, wait for it", "us", { .times = 1.1 } } },
    .count = 300,
    .count_quick = 10,
    .weft = with_weft,
    .plain = plain,
};
