/* SPDX-License-Identifier: MIT
 * Which backends are compiled in, and what the core gives to each. */
#include "core/poll/poll.h"

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/mem.h"

#include <stdarg.h>
#include <stdio.h>

/* Hidden although their files export them: those can be built as plugins too, and a program that
 * loads such a plugin must find the plugin's own. */
#if defined(__linux__)
WEFT__HIDDEN extern const weft_backend weft_backend_epoll;
#endif
WEFT__HIDDEN extern const weft_backend weft_backend_poll;
WEFT__HIDDEN extern const weft_backend weft_backend_sim;

const weft_backend *const weft__backends_builtin[] = {
#if defined(__linux__)
    &weft_backend_epoll,
#endif
    &weft_backend_poll,
    &weft_backend_sim,
    NULL,
};

static void keep_detail(const char *format, ...) WEFT_PRINTF(1, 2);

static void keep_detail(const char *format, ...)
{
    char words[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof(words), format, arguments);
    va_end(arguments);
    (void)weft__detail(0, "%s", words);
}

static int ask_fault(void)
{
    return weft__fault();
}

const weft_backend_core weft__backend_core = {
    .size = sizeof(weft_backend_core),
    .abi = WEFT_BACKEND_ABI,
    .now = weft__clock_now,
    .alloc = weft__alloc,
    .detail = keep_detail,
    .fault = ask_fault,
};
