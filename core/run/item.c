/* SPDX-License-Identifier: MIT
 * Taking lists of names and options apart. */
#include "core/run/item.h"

#include <string.h>

static bool is_word(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

/* Whether the word behind a comma belongs to the name before it. */
static bool is_option(const char *text, size_t length)
{
    return is_word(text, length, "direct") || is_word(text, length, "guest") ||
           (strcspn(text, "=:,") < length && text[strcspn(text, "=:,")] == '=');
}

static int add_option(struct weft__item_text *item, const char *text, size_t length)
{
    size_t used = strlen(item->options);

    if (is_word(text, length, "direct")) {
        item->mode = WEFT_BACKEND_MODE_DIRECT;
    } else if (is_word(text, length, "guest")) {
        item->mode = WEFT_BACKEND_MODE_GUEST;
    } else if (used + length + 2 > sizeof item->options) {
        return -EINVAL;
    } else {
        (void)snprintf(item->options + used, sizeof item->options - used, "%s%.*s", used ? "," : "",
                       (int)length, text);
    }
    return 0;
}

int weft__item_take(const char **list, const char *origin, struct weft__item_text *item,
                    struct weft__text *why)
{
    const char *at = *list;
    size_t length = strcspn(at, ":,");
    int r = 0;

    memset(item, 0, sizeof *item);
    if (!weft__is_name(at, length)) {
        weft__text_add(why, "'%.*s' (from %s) is no name", (int)(length < 200 ? length : 200), at,
                       origin);
        return -ENOENT;
    }
    memcpy(item->name, at, length);
    at += length;
    while (r == 0 && (*at == ':' || (*at == ',' && is_option(at + 1, strcspn(at + 1, ","))))) {
        length = strcspn(++at, ",");
        r = add_option(item, at, length);
        at += length;
    }
    if (r < 0) {
        weft__text_add(why, "the options of '%s' (from %s) are longer than %zu bytes", item->name,
                       origin, sizeof item->options - 1);
        return r;
    }
    *list = *at == ',' ? at + 1 : at;
    return 0;
}
