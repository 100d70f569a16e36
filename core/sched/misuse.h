/* SPDX-License-Identifier: MIT
 * What to do next: words for errors that come of using weft wrongly. */
#ifndef WEFT_CORE_MISUSE_H
#define WEFT_CORE_MISUSE_H

#include "core/base/base.h"

/* Gives weft_error_detail() a sentence about `error`, and returns `error`. */
int weft__misuse(int error);

/* The same for a call that was given `handle`; debug mode tells of one that is spent. */
int weft__misuse_of(int error, const void *handle);

#endif
