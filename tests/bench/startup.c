/* SPDX-License-Identifier: MIT
 * A whole process that says hello: loaded, run, ended.
 *
 * hello-weft says it from a task and links libweft; hello-epoll says it from a callback of the
 * smallest epoll loop, which it has in one shared library of its own: the dynamic loader works for
 * both. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The program called `name` in the folder of this one. */
static int beside(const char *name, char *ret_path, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", ret_path, size - 1);
    char *slash;

    if (n < 0) {
        return -errno;
    }
    ret_path[n] = '\0';
    slash = strrchr(ret_path, '/');
    if (!slash || (size_t)(slash + 1 - ret_path) + strlen(name) >= size) {
        return -ENAMETOOLONG;
    }
    strcpy(slash + 1, name);
    return 0;
}

static double microseconds(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

/* Runs it once. */
static int run_once(char *path, const posix_spawn_file_actions_t *quiet, double *ret_wall,
                    double *ret_cpu)
{
    char *arguments[] = { path, NULL };
    struct rusage usage;
    int64_t start = bench_now();
    pid_t pid;
    int status;
    int r = -posix_spawn(&pid, path, quiet, NULL, arguments, environ);

    if (r < 0) {
        return r;
    }
    if (wait4(pid, &status, 0, &usage) != pid) {
        return -errno;
    }
    *ret_wall = (double)(bench_now() - start) / 1000;
    *ret_cpu = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ENOEXEC;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

static int run_many(struct bench_run *run, const char *name)
{
    char path[4096];
    double *wall = malloc(run->count * sizeof *wall), *cpu = malloc(run->count * sizeof *cpu);
    posix_spawn_file_actions_t quiet;
    int r = beside(name, path, sizeof path);

    if (r < 0 || !wall || !cpu) {
        return r < 0 ? r : -ENOMEM;
    }
    posix_spawn_file_actions_init(&quiet);
    posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    r = run_once(path, &quiet, &wall[0], &cpu[0]); /* does not count: its files are read */
    for (uint32_t i = 0; i < run->count && r >= 0; i++) {
        r = run_once(path, &quiet, &wall[i], &cpu[i]);
    }
    if (r >= 0) {
        run->results[0] = median(wall, run->count);
        run->results[1] = median(cpu, run->count);
    }
    return r;
}

static int weft_startup(struct bench_run *run)
{
    return run_many(run, "hello-weft");
}

static int plain_startup(struct bench_run *run)
{
    return run_many(run, "hello-epoll");
}

const struct bench_workload bench_startup = {
    .name = "startup",
    .about = "a process that says hello, 40 a round; plain: epoll in a small shared library",
    .figures = { { "hello world: time", "us", { .times = 1.1 } },
                 { "  of that, CPU time", "us", { .times = 1.1 } } },
    .count = 40,
    .count_quick = 2,
    .weft = weft_startup,
    .plain = plain_startup,
};
