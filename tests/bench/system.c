/* SPDX-License-Identifier: MIT
 * What the machine is, and what it has to say about memory and time. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/weft.h>

/* What follows `key` and a colon in a file of lines like "key: value"; "" when it is not there. */
static void look_up(const char *file, const char *key, char *ret_value, size_t size)
{
    char line[256];
    FILE *f = fopen(file, "re");

    ret_value[0] = '\0';
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');

        if (colon && strncmp(line, key, strlen(key)) == 0) {
            colon += 1 + strspn(colon + 1, " \t");
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(ret_value, size, "%s", colon);
            break;
        }
    }
    if (f) {
        fclose(f);
    }
}

static int64_t look_up_bytes(const char *file, const char *key)
{
    char value[64];

    look_up(file, key, value, sizeof value);
    return value[0] ? (int64_t)strtoll(value, NULL, 10) * 1024 : -1;
}

int64_t bench_status_bytes(const char *key)
{
    return look_up_bytes("/proc/self/status", key);
}

int64_t bench_memory_free(void)
{
    return look_up_bytes("/proc/meminfo", "MemAvailable");
}

void bench_describe_machine(void)
{
    struct utsname system = { 0 };
    char cpu[128];

    uname(&system);
    system.release[strcspn(system.release, "-+")] = '\0'; /* the rest is who built it */
    look_up("/proc/cpuinfo", "model name", cpu, sizeof cpu);
#ifdef __clang__
    const char *compiler = "";
#else
    const char *compiler = "gcc ";
#endif
    printf("weft %s; %s, %ld CPUs; %s %s; %s%s, %s build\n", weft_version(),
           cpu[0] ? cpu : system.machine, sysconf(_SC_NPROCESSORS_ONLN), system.sysname,
           system.release, compiler, __VERSION__, BENCH_BUILD);
#ifndef NDEBUG
    printf("Assertions are on here; for figures to keep, make a build with --buildtype=release.\n");
#endif
}

bool bench_may_use(int cpu)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 && CPU_ISSET(cpu, &set);
}

/* The last usable CPU that is not `except`. */
static int last_cpu_but(int except)
{
    cpu_set_t set;
    int last = -1;

    if (sched_getaffinity(0, sizeof set, &set) < 0) {
        return -1;
    }
    for (int i = 0; i < CPU_SETSIZE; i++) {
        last = CPU_ISSET(i, &set) && i != except ? i : last;
    }
    return last;
}

int bench_last_cpu(void)
{
    return last_cpu_but(-1);
}

int bench_other_cpu(int cpu)
{
    return last_cpu_but(cpu);
}

int bench_pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

double bench_busy_seconds(void)
{
    unsigned long long user, nice, kernel, idle, io, irq, soft;
    FILE *f = fopen("/proc/stat", "re");
    int n = 0;

    if (f) {
        n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &kernel, &idle, &io,
                   &irq, &soft);
        fclose(f);
    }
    return n == 7 ? (double)(user + nice + kernel + irq + soft) / (double)sysconf(_SC_CLK_TCK) : 0;
}

/* In a process of its own, which gives it back by its end. */
void bench_touch_memory(size_t bytes)
{
    pid_t pid = fork();

    if (pid == 0) {
        char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        for (size_t i = 0; memory != MAP_FAILED && i < bytes; i += 4096) {
            memory[i] = 1;
        }
        _exit(0);
    }
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        continue;
    }
}
