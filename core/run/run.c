/* SPDX-License-Identifier: MIT
 * weft_run() and weft_main(): a runner for one coroutine. */
#include "core/base/error.h"
#include "core/run/runner.h"
#include "core/sched/coro.h"

#include <stdio.h>
#include <weft/error.h>

static int run(weft_coro *coro, const weft_run_options *options, int *ret_signum)
{
    struct weft__kept_words words;
    weft_runner runner;
    int r = weft__tag_error(coro);

    r = r < 0 ? r : weft__runner_open(&runner, options);
    if (r < 0) {
        weft__coro_discard(coro);
        return r;
    }
    r = weft_runner_run(&runner, coro);
    *ret_signum = weft_runner_signal(&runner);
    words = weft__words_keep(); /* they are about main; those who are left may leave others */
    weft_runner_close(&runner);
    weft__words_give_back(&words);
    return r;
}

int weft_run(weft_coro *coro, const weft_run_options *options)
{
    int signum;

    return run(coro, options, &signum);
}

/* What went wrong, on standard error. */
static void tell(const weft_coro_def *def, int error)
{
    const char *words = weft__words_are_about() == error ? weft_error_detail() : "";

    if (def) {
        fprintf(stderr, "weft: '%s' (%s:%u) ended with ", def->name, def->file, def->line);
    } else {
        fputs("weft: ", stderr);
    }
    fprintf(stderr, "%s (%s)%s%s\n", weft_err_name(error), weft_strerror(error), *words ? ": " : "",
            words);
}

int weft_main(weft_coro *coro, const weft_run_options *options)
{
    int r = 0, signum = 0;
    const struct weft__coro *object = weft__coro_of(coro, &r);
    const weft_coro_def *def = object ? object->frame.def : NULL;

    weft_error_clear();
    r = run(coro, options, &signum);
    if (r >= 0) {
        return r & 0xff;
    }
    if (signum) {
        return 128 + signum;
    }
    tell(def, r);
    return 1;
}
