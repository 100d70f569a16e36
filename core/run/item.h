/* SPDX-License-Identifier: MIT
 * Lists of names with options, as people write them: "name,name:option,option=value,name". */
#ifndef WEFT_CORE_ITEM_H
#define WEFT_CORE_ITEM_H

#include "core/run/load.h"

struct weft__item_text {
    char name[WEFT__NAME_MAX + 1];
    uint32_t mode; /* weft_backend_mode, where "direct" or "guest" is among the options; else 0 */
    char options[256]; /* the others, with commas between them */
    void *adopt; /* the host's loop to live in, which no text can name; NULL: none */
};

/* Takes the first item off a list, with the comma behind it.  A word behind a comma belongs to the
 * name before it when it is a mode, or has a value.  -ENOENT: no name can look like that; -EINVAL:
 * too many options; then `why` has the words, in which `origin` gave the list. */
int weft__item_take(const char **list, const char *origin, struct weft__item_text *item,
                    struct weft__text *why);

#endif
