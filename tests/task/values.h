/* SPDX-License-Identifier: MIT
 * Values of context variables that count themselves: what the context tests share. */
#ifndef TESTS_TASK_VALUES_H
#define TESTS_TASK_VALUES_H

#include "tests/task/task.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* Values that were made and not released. */
static atomic_int values;

/* A copy of a word, to be released once. */
static void *value(const char *word)
{
    char *copy = malloc(strlen(word) + 1);

    atomic_fetch_add(&values, 1);
    return strcpy(copy, word);
}

static void release(void *word)
{
    atomic_fetch_sub(&values, 1);
    free(word);
}

static const weft_context_var who = { "who", (void *)"nobody", release };
static const weft_context_var what = { .name = "what" }; /* nothing to release */

/* Sets `who` here. */
static inline void be(const char *word)
{
    EQUAL(weft_context_var_set(&who, value(word), NULL), 0);
}

/* Who it is here. */
static inline const char *name_here(void)
{
    return weft_context_var_get(&who);
}

#define HERE(word) SAME(name_here(), word)

static inline weft_context *new_context(void)
{
    weft_context *context = NULL;

    EQUAL(weft_context_new(&context), 0);
    return context;
}

static inline weft_context *copy_here(void)
{
    weft_context *context = NULL;

    EQUAL(weft_copy_context(&context), 0);
    return context;
}

/* Every test here: at its end each value has been released, and once. */
static inline void counted_in_task(void (*body)(void))
{
    test_in_task(body);
    EQUAL(values, 0);
}

static inline void counted_in_loop(void (*body)(void))
{
    test_in_loop(body);
    EQUAL(values, 0);
}

#undef IN_TASK
#undef IN_LOOP
#define IN_TASK(name) WEFT__TEST(name, counted_in_task)
#define IN_LOOP(name) WEFT__TEST(name, counted_in_loop)

#endif
