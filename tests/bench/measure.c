/* SPDX-License-Identifier: MIT
 * One measurement: a process of its own, pinned, its results in shared memory. */
#include "bench.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What parent and child both see. */
struct shared {
    double results[BENCH_FIGURES];
    int error;
    bool complete; /* the child came to its end */
};

static void be_child(bench_side *side, struct bench_run run, struct shared *shared)
{
    run.results = shared->results;
    shared->error = bench_pin(run.cpu);
    if (shared->error >= 0) {
        shared->error = side(&run);
    }
    shared->complete = true;
    _exit(0); /* a million tasks need not be ended one by one */
}

static int run_child(bench_side *side, const struct bench_run *run, struct shared *shared)
{
    pid_t pid = fork();
    int status;

    if (pid < 0) {
        return -errno;
    }
    if (pid == 0) {
        be_child(side, *run, shared);
    }
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return shared->complete ? shared->error : -EINTR;
}

int bench_measure(const struct bench_workload *workload, bench_side *side,
                  const struct bench_run *run, struct bench_samples *samples)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int r;

    if (shared == MAP_FAILED) {
        return -errno;
    }
    r = run_child(side, run, shared);
    if (r < 0) {
        samples->error = r;
    }
    for (int i = 0; i < BENCH_FIGURES && r >= 0 && workload->figures[i].what; i++) {
        samples->sample[i][samples->count] = shared->results[i];
    }
    samples->count += r >= 0;
    munmap(shared, sizeof *shared);
    return r < 0 ? r : 0;
}
