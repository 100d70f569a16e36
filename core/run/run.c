/* SPDX-License-Identifier: MIT
 * weft_run() and weft_main(): a runner for one coroutine. */
#include "core/base/error.h"
#include "core/run/runner.h"
#include "core/sched/coro.h"

#include <stdio.h>
#include <string.h>
#include <weft/error.h>

/* What becomes of a coroutine. */
struct course {
    bool begins; /* there is a loop for it */
    int signum;  /* that ended it; 0: none did */
};

static int run(weft_coro *coro, const weft_run_options *options, struct course *course)
{
    struct weft__kept_words words;
    weft_runner runner;
    int r = weft__tag_error(coro);

    r = r < 0 ? r : weft__runner_open(&runner, options);
    if (r < 0) {
        weft__coro_discard(coro);
        return r;
    }
    course->begins = true;
    r = weft_runner_run(&runner, coro);
    course->signum = weft_runner_signal(&runner);
    words = weft__words_keep(); /* they are about main; those who are left may leave others */
    weft_runner_close(&runner);
    weft__words_give_back(&words);
    return r;
}

int weft_run(weft_coro *coro, const weft_run_options *options)
{
    struct course course = { .begins = false };

    return run(coro, options, &course);
}

/* What went wrong, on standard error. */
static void tell(const weft_coro_def *def, const struct course *course, int error)
{
    const char *words = weft__words_are_about() == error ? weft_error_detail() : "";
    bool backend = !course->begins && strncmp(words, "the backend '", 13) == 0;

    fputs("weft: ", stderr);
    if (def) {
        fprintf(stderr, "%s'%s' (%s:%u)%s", course->begins ? "" : "cannot begin ", def->name,
                def->file, def->line, course->begins ? " ended with " : ": ");
    }
    fprintf(stderr, "%s (%s)%s%s%s\n", weft_err_name(error), weft_strerror(error),
            *words ? ": " : "", words,
            backend ? "; 'weft backends' lists all, and says which work here" : "");
}

int weft_main(weft_coro *coro, const weft_run_options *options)
{
    struct course course = { .begins = false };
    int r = 0;
    const struct weft__coro *object = weft__coro_of(coro, &r);
    const weft_coro_def *def = object ? object->frame.def : NULL;

    weft_error_clear();
    r = run(coro, options, &course);
    if (r >= 0) {
        return r & 0xff;
    }
    if (course.signum) {
        return 128 + course.signum;
    }
    tell(def, &course, r);
    return 1;
}
