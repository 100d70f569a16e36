/* SPDX-License-Identifier: MIT
 * The words that switch debug mode on: read from a list, and written as one. */
#include "core/base/error.h"
#include "core/debug/observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_NS (WEFT__SECOND / 10)
#define CANCEL_NS WEFT__SECOND
#define STARVE_NS (WEFT__SECOND / 4)
#define RECORD_BYTES ((uint64_t)4 << 20)
#define RECORD_LEAST ((uint64_t)4 << 10)
#define RECORD_MOST ((uint64_t)1 << 30)
#define TIME_LEAST 1000000 /* ns: the watchdog cannot see less */
#define TIME_MOST (3600 * WEFT__SECOND)

enum value { NONE, TIME, SIZE };

static const struct word {
    const char *name;
    uint32_t check;
    enum value value;
    size_t at; /* of the value */
    bool usual;
} table[] = {
    { "slow", WEFT__CHECK_SLOW, TIME, offsetof(struct weft__debug_words, slow_ns), true },
    { "awaits", WEFT__CHECK_AWAITS, NONE, 0, true },
    { "leaks", WEFT__CHECK_LEAKS, NONE, 0, true },
    { "deadlock", WEFT__CHECK_DEADLOCK, NONE, 0, true },
    { "cancel", WEFT__CHECK_CANCEL, TIME, offsetof(struct weft__debug_words, cancel_ns), true },
    { "starve", WEFT__CHECK_STARVE, TIME, offsetof(struct weft__debug_words, starve_ns), true },
    { "thread", WEFT__CHECK_THREAD, NONE, 0, true },
    { "stale", WEFT__CHECK_STALE, NONE, 0, true },
    { "fd", WEFT__CHECK_FD, NONE, 0, true },
    { "stack", WEFT__CHECK_STACK, NONE, 0, true },
    { "depth", WEFT__CHECK_DEPTH, NONE, 0, false },
    { "made", WEFT__CHECK_MADE, NONE, 0, true },
    { "metrics", WEFT__CHECK_METRICS, NONE, 0, false },
    { "turns", WEFT__CHECK_TURNS, NONE, 0, false },
    { "record", WEFT__CHECK_RECORD, SIZE, offsetof(struct weft__debug_words, record_bytes), false },
};

static uint32_t usual(bool all)
{
    uint32_t checks = 0;

    for (size_t i = 0; i < WEFT__COUNT(table); i++) {
        checks |= all || table[i].usual ? table[i].check : 0;
    }
    return checks;
}

static const struct word *find(const char *name, size_t length)
{
    for (size_t i = 0; i < WEFT__COUNT(table); i++) {
        if (strlen(table[i].name) == length && strncmp(table[i].name, name, length) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* A number and its unit, as a multiple of the smallest; below 0: it is none. */
static double number(const char *text, size_t length, enum value value)
{
    static const struct {
        const char *unit;
        enum value value;
        double factor;
    } units[] = { { "us", TIME, 1e3 },   { "ms", TIME, 1e6 },      { "s", TIME, 1e9 },
                  { "K", SIZE, 1024.0 }, { "M", SIZE, 1048576.0 }, { "", SIZE, 1.0 } };
    size_t digits = strspn(text, "0123456789.");
    char copy[24];

    if (digits == 0 || digits > length || digits >= sizeof copy) {
        return -1;
    }
    memcpy(copy, text, digits);
    copy[digits] = '\0';
    if (strchr(copy, '.') != strrchr(copy, '.') || strcmp(copy, ".") == 0) {
        return -1;
    }
    for (size_t i = 0; i < WEFT__COUNT(units); i++) {
        size_t unit = strlen(units[i].unit);

        if (units[i].value == value && unit == length - digits &&
            strncmp(text + digits, units[i].unit, unit) == 0) {
            return strtod(copy, NULL) * units[i].factor;
        }
    }
    return -1;
}

static int take_value(const struct word *word, const char *text, size_t length, const char *origin,
                      struct weft__debug_words *words)
{
    double least = word->value == TIME ? TIME_LEAST : (double)RECORD_LEAST;
    double most = word->value == TIME ? (double)TIME_MOST : (double)RECORD_MOST;
    double n = word->value == NONE ? -1 : number(text, length, word->value);
    int64_t whole = (int64_t)n;

    if (!(n >= least && n <= most)) {
        return weft__detail(-EINVAL, "'%s' (from %s) %s, not '%.*s'", word->name, origin,
                            word->value == TIME ? "takes a time from 1ms to 3600s, like 50ms" :
                            word->value == SIZE ? "takes a size from 4K to 1024M" :
                                                  "takes no value",
                            (int)(length < 40 ? length : 40), text);
    }
    memcpy((char *)words + word->at, &whole, sizeof whole);
    return 0;
}

static int unknown(const char *name, size_t length, const char *origin)
{
    char list[256] = "";
    size_t used = 0;

    for (size_t i = 0; i < WEFT__COUNT(table); i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s, ", table[i].name);
    }
    return weft__detail(-EINVAL, "debug mode does not know '%.*s' (from %s); there are %sall, 1, 0",
                        (int)(length < 40 ? length : 40), name, origin, list);
}

/* One word of the list. */
static int take(const char *text, size_t length, const char *origin,
                struct weft__debug_words *words)
{
    bool away = length > 0 && text[0] == '-';
    const char *name = text + away, *equals = memchr(text, '=', length);
    size_t name_length = (equals ? (size_t)(equals - text) : length) - away;
    const struct word *word = find(name, name_length);

    if (word) {
        words->checks = away ? words->checks & ~word->check : words->checks | word->check;
        if (equals && !away) {
            return take_value(word, equals + 1, length - (size_t)(equals + 1 - text), origin,
                              words);
        }
        return equals ? unknown(text, length, origin) : 0;
    }
    if (!away && ((length == 1 && text[0] == '1') || (length == 2 && !memcmp(text, "on", 2)))) {
        words->checks |= usual(false);
    } else if (!away && length == 3 && memcmp(text, "all", 3) == 0) {
        words->checks |= usual(true);
    } else if (!away &&
               ((length == 1 && text[0] == '0') || (length == 3 && memcmp(text, "off", 3) == 0))) {
        words->checks = 0;
    } else {
        return unknown(text, length, origin);
    }
    return 0;
}

int weft__debug_words_read(const char *text, const char *origin, struct weft__debug_words *ret)
{
    struct weft__debug_words words = { .slow_ns = SLOW_NS,
                                       .cancel_ns = CANCEL_NS,
                                       .starve_ns = STARVE_NS,
                                       .record_bytes = RECORD_BYTES };
    int r = 0;

    text = text ? text : "";
    while (*text && r == 0) {
        size_t length;

        text += strspn(text, " \t,");
        length = strcspn(text, " \t,");
        r = length ? take(text, length, origin, &words) : 0;
        text += length;
    }
    if (r == 0) {
        *ret = words;
    }
    return r;
}

static int write_value(const struct word *word, const struct weft__debug_words *words, char *text,
                       size_t size)
{
    int64_t n;

    memcpy(&n, (const char *)words + word->at, sizeof n);
    if (word->value == NONE) {
        return 0;
    }
    if (word->value == SIZE) {
        return snprintf(text, size, "=%lldK", (long long)(n >> 10));
    }
    return n % 1000000 == 0 ? snprintf(text, size, "=%lldms", (long long)(n / 1000000)) :
                              snprintf(text, size, "=%lldus", (long long)(n / 1000));
}

int weft__debug_words_write(const struct weft__debug_words *words, char *text, size_t size)
{
    char whole[320] = "0";
    int n = 0;

    for (size_t i = 0; i < WEFT__COUNT(table); i++) {
        if (words->checks & table[i].check) {
            n += snprintf(whole + n, sizeof whole - (size_t)n, "%s%s", n ? "," : "", table[i].name);
            n += write_value(&table[i], words, whole + n, sizeof whole - (size_t)n);
        }
    }
    return snprintf(text, size, "%s", whole);
}
