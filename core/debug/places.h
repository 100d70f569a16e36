/* SPDX-License-Identifier: MIT
 * Addresses as places in the program: by a symboliser where there is one, else by the dynamic
 * linker's table. */
#ifndef WEFT_CORE_PLACES_H
#define WEFT_CORE_PLACES_H

#include "core/base/base.h"

#include <weft/debug.h>
#include <weft/plugin.h>

#define WEFT__PLACES_MAX 8 /* functions at one address that were compiled into one another */

/* What is known of one address. */
struct weft__places {
    weft_debug_place at[WEFT__PLACES_MAX];
    int count;
    bool library; /* it is in libweft.so */
};

/* Finds the places of several addresses, on a stack that has room for it.  Without memory for that
 * there are none: all counts are 0. */
void weft__places_find(const void *const *addresses, uint32_t count, struct weft__places *ret);

/* Walks a stack that stands still; 0: there is nobody who can. */
uint32_t weft__places_unwind(const weft_stack *stack, const void **ret_addresses, uint32_t max);

/* Whether an address lies in a file that is part of this process. */
bool weft__is_code(const void *address);

/* Forgets what was opened: only for a test that counts bytes. */
void weft__places_forget(void);

#endif
