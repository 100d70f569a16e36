/* SPDX-License-Identifier: MIT
 * Making each allocation and each system call fail once. */
#include "tests/task/fault.h"

#include "core/base/mem.h"
#include "core/fiber/stack.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LIMIT 3000 /* faults in one scenario */

static int first_error;
static long balance; /* what was begun and has not ended */
static long calls;   /* what was scheduled and was not called */
static bool is_cut_short;

int tried(int r)
{
    if (r < 0 && first_error == 0) {
        first_error = r;
    }
    return r;
}

void begun(void)
{
    balance++;
}

void ended(void *unused)
{
    (void)unused;
    balance--;
}

void scheduled(void)
{
    calls++;
}

void called(void *unused)
{
    (void)unused;
    calls--;
}

void cut_short(void)
{
    is_cut_short = true;
}

WEFT_ASYNC(counts, (int, status))
{
    ended(NULL);
    weft_sleep(0);
    return status;
}

typedef struct kilobyte {
    char at[1024];
} kilobyte;

WEFT_ASYNC(counts_large, (kilobyte, bytes), (int, status))
{
    (void)bytes;
    ended(NULL);
    weft_sleep(0);
    return status;
}

weft_coro *counted(int status)
{
    begun();
    return weft_coro_on_drop(counts(status), ended, NULL);
}

weft_coro *counted_large(int status)
{
    static kilobyte bytes;

    begun();
    return weft_coro_on_drop(counts_large(bytes, status), ended, NULL);
}

int run_in_loop(weft_coro *coro)
{
    weft_loop *made = NULL;
    int r = tried(weft_loop_new(backend(), &made));

    if (r < 0) {
        weft_coro_close(coro);
        return r;
    }
    tried(weft_loop_set_exception_handler(made, keep_report, NULL));
    r = tried(weft_loop_run_until_complete(made, coro));
    if (r < 0) { /* whoever was left in the middle ends now */
        weft_task *all[16];
        int64_t count = weft_all_tasks(made, all, 16);

        cut_short();
        for (int64_t i = 0; i < count && i < 16; i++) {
            weft_task_cancel(all[i]);
        }
        for (int i = 0; i < 2000 && weft_all_tasks(made, NULL, 0) > 0; i++) {
            weft_loop_stop(made);
            tried(weft_loop_run_forever(made));
            if (i > 20) { /* they wait for other threads */
                usleep(1000);
            }
        }
    }
    tried(weft_loop_close(made));
    return r;
}

/* Reports that a failing run may make; nobody is left behind, whatever fails. */
static void check_reports(const char *name, long nth)
{
    while (reports_left()) {
        const struct said *said = next_report();

        if (said->kind == WEFT_REPORT_PENDING || said->kind == WEFT_REPORT_SCOPE_OPEN) {
            char words[200];

            snprintf(words, sizeof words, "%s, fault %ld: %s %s", name, nth, said->coro,
                     said->message);
            check(false, words, __FILE__, __LINE__);
        }
    }
}

/* A guard that failed oddly is not tried again in a process; here it is. */
static void forget_guards(void)
{
    weft__stack_guards.kind = WEFT__GUARD_UNKNOWN;
    weft__stack_guards.budget = -1;
}

/* One run with the fault at `nth`; whether the fault came. */
static bool run_once(fault_scenario *scenario, const char *name, long nth, int error)
{
    char words[200];
    int descriptors = open_descriptors(), r;
    size_t live = live_blocks();
    bool came;

    forget_guards();
    first_error = 0;
    balance = calls = 0;
    is_cut_short = false;
    weft__fault_arm(nth, error);
    r = tried(scenario());
    came = weft__fault_arm(-1, 0) < 0;

    snprintf(words, sizeof words, "%s, fault %ld of %s: gives %d, first error %d", name, nth,
             weft_err_name(error), r, first_error);
    check(first_error == 0 || (came && (first_error == error || first_error == -ENOMEM)), words,
          __FILE__, __LINE__);
    snprintf(words, sizeof words, "%s, fault %ld of %s: %ld not ended, %ld not called", name, nth,
             weft_err_name(error), balance, calls);
    check(balance == 0 && (calls == 0 || is_cut_short), words, __FILE__, __LINE__);
    snprintf(words, sizeof words, "%s, fault %ld of %s: %+d descriptors, %+ld blocks", name, nth,
             weft_err_name(error), open_descriptors() - descriptors,
             (long)live_blocks() - (long)live);
    check(open_descriptors() == descriptors && live_blocks() == live, words, __FILE__, __LINE__);
    check_reports(name, nth);
    return came;
}

void sweep(fault_scenario *scenario, const char *name)
{
    static const int errors[] = { -ENOMEM, -EMFILE, -EINTR, -EPERM, -EIO };
    long nth = 0;

    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        for (nth = 0; nth < LIMIT && run_once(scenario, name, nth, errors[i]); nth++) {
        }
        CHECK(nth < LIMIT);
    }
    forget_guards();
}

/* What is to fail: calls in a task's turn and in threads without a loop, from some number on. */
static atomic_long passing;
static atomic_int failing_error, failed;

static int fail_after_some(bool for_memory)
{
    bool is_loop = weft_get_running_loop() && !weft_current_task();
    int error = atomic_load(&failing_error);

    if (is_loop || (for_memory && error != -ENOMEM) || atomic_fetch_sub(&passing, 1) > 0) {
        return 0;
    }
    atomic_store(&failed, 1);
    return error;
}

void fail_all_but(long first, int error)
{
    atomic_store(&passing, first);
    atomic_store(&failing_error, error);
    atomic_store(&failed, 0);
    forget_guards();
    weft__fault_ask_all(fail_after_some);
}

/* How many are not to fail next time; -1: it was handed on, or nothing has failed. */
long handed_on(long but, long r, int error, const char *claim, const char *file, unsigned line)
{
    char words[200];

    weft__fault_ask_all(NULL);
    forget_guards();
    check_reports(claim, but);
    if (r != error && atomic_load(&failed) && but < LIMIT) {
        return but + 1;
    }
    snprintf(words, sizeof words, "%s hands on %s, and without a fault returns %ld", claim,
             weft_err_name(error), r);
    check(r == error, words, file, line);
    return -1;
}
