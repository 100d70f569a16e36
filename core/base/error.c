/* SPDX-License-Identifier: MIT
 * Errors in words: what a number means, what it is called, and what the last failure had to add. */
#include "core/base/error.h"

#include "core/base/mem.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What a thread needs for its texts.  Only the pointer to it is thread-local: that room is scarce
 * in a library, and most threads never fail. */
struct words {
    char *detail;      /* weft_error_detail()'s, a block of its own; NULL: none */
    char number[12];   /* weft_err_name()'s for what has no name; the longest is "-2147483648" */
    char message[128]; /* weft_strerror()'s, if the system wants room for it */
};

static WEFT__THREAD_LOCAL struct words *words;
static WEFT__THREAD_LOCAL const char *sentence; /* static words; NULL: those of `words` are newer */
static WEFT__THREAD_LOCAL int said;             /* the error that the words are about */

/* Its destructor is what frees a thread's words when the thread ends. */
static pthread_key_t at_thread_exit;
static int key_error;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void free_words(void *arg)
{
    struct words *mine = arg;

    /* A destructor that runs after this one may fail too and start anew. */
    words = NULL;
    weft__free(mine->detail);
    weft__free(mine);
}

static void make_key(void)
{
    key_error = pthread_key_create(&at_thread_exit, free_words);
}

/* This thread's words, allocated when they are first needed; NULL when there is no memory. */
static struct words *get_words(void)
{
    if (words) {
        return words;
    }
    struct words *mine = weft__alloc_zeroed(1, sizeof *mine);

    if (!mine) {
        return NULL;
    }
    (void)pthread_once(&key_once, make_key);
    if (key_error != 0 || pthread_setspecific(at_thread_exit, mine) != 0) {
        weft__free(mine);
        return NULL;
    }
    words = mine;
    return mine;
}

const char *weft_err_name(int status)
{
    if (status >= 0) {
        return "0";
    }
    switch (status) {
#define WEFT__ERRNO(name) \
    case -(name):         \
        return "-" #name;
#include "core/base/errno_names.h"
#undef WEFT__ERRNO
    default: break;
    }
    int saved = errno;
    struct words *mine = get_words();

    if (mine) {
        (void)snprintf(mine->number, sizeof mine->number, "%d", status);
    }
    errno = saved;
    return mine ? mine->number : "an error without a name";
}

/* strerror_r(3) is two functions: POSIX's fills the buffer and returns an error number, GNU's
 * returns a text that may lie elsewhere.  Its type says which one this system has. */
static const char *posix_text(int r, const char *buffer)
{
    return r == 0 || r == ERANGE || *buffer ? buffer : NULL;
}

static const char *gnu_text(const char *text, const char *buffer)
{
    (void)buffer;
    return text;
}

#define TEXT_OF(result, room) _Generic((result), int : posix_text, char * : gnu_text)(result, room)

const char *weft_strerror(int status)
{
    if (status >= 0) {
        return "Success";
    }
    int saved = errno;
    int number = status == INT_MIN ? INT_MAX : -status;
    struct words *mine = get_words();
    const char *text = NULL;

    if (mine) {
        char *room = mine->message;

        room[0] = '\0';
        text = TEXT_OF(strerror_r(number, room, sizeof mine->message), room);
    }
    errno = saved;
    return text ? text : weft_err_name(status);
}

const char *weft_error_detail(void)
{
    if (sentence) {
        return sentence;
    }
    return words && words->detail ? words->detail : "";
}

void weft_error_clear(void)
{
    int saved = errno;

    sentence = NULL;
    said = 0;
    if (words) {
        (void)pthread_setspecific(at_thread_exit, NULL);
        free_words(words);
    }
    errno = saved;
}

/* The text that a format makes, in a block of its own; NULL when there is no memory. */
static char *make_text(const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : weft__alloc(NULL, (size_t)length + 1);

    if (text) {
        (void)vsnprintf(text, (size_t)length + 1, format, args);
    }
    return text;
}

int weft__words(int error, const char *text)
{
    sentence = text;
    said = error;
    return error;
}

int weft__words_for(int error)
{
    if (said == 0 && *weft_error_detail()) {
        said = error;
    }
    return error;
}

int weft__words_are_about(void)
{
    return said;
}

struct weft__kept_words weft__words_keep(void)
{
    struct weft__kept_words kept = { .error = said, .sentence = sentence };

    if (words) {
        kept.detail = words->detail;
        words->detail = NULL;
    }
    return kept;
}

void weft__words_give_back(const struct weft__kept_words *kept)
{
    struct words *mine = kept->detail ? get_words() : words;

    said = kept->error;
    sentence = kept->sentence;
    if (mine) {
        weft__free(mine->detail);
        mine->detail = kept->detail;
    } else {
        weft__free(kept->detail);
    }
}

int weft__detail(int error, const char *format, ...)
{
    int saved = errno;
    struct words *mine = get_words();

    said = error;

    if (mine) {
        va_list args;

        /* The old words may be among the arguments, so they go last; without memory for the new
         * ones they go as well, for they belong to another failure. */
        va_start(args, format);
        char *text = make_text(format, args);
        va_end(args);
        weft__free(mine->detail);
        mine->detail = text;
    }
    sentence = NULL; /* it may have been among the arguments */
    errno = saved;
    return error;
}
