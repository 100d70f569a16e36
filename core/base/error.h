/* SPDX-License-Identifier: MIT
 * The words behind weft_error_detail(). */
#ifndef WEFT_CORE_ERROR_H
#define WEFT_CORE_ERROR_H

#include "core/base/base.h"

#include <weft/error.h>

/* The same with words that are static: costs nothing. */
int weft__words(int error, const char *text);

/* Words that a backend or a plugin has left without an error of theirs are about this one.  Returns
 * `error`. */
int weft__words_for(int error);

/* The error that this thread's words are about; 0: there are none. */
int weft__words_are_about(void);

/* This thread's words, put aside while something runs that may leave others, and given back. */
struct weft__kept_words {
    int error;
    const char *sentence;
    char *detail;
};
struct weft__kept_words weft__words_keep(void);
void weft__words_give_back(const struct weft__kept_words *kept);

/* Keeps the words for this thread and returns `error`, so that a failing call ends with
 *     return weft__detail(-ENOENT, "no backend is called '%s'", name);
 * Without memory for them the error goes out without words. */
int weft__detail(int error, const char *format, ...) WEFT_PRINTF(2, 3);

#endif
