/* SPDX-License-Identifier: MIT
 * The backends that are compiled in, in the order in which they are tried. */
#ifndef WEFT_CORE_POLL_H
#define WEFT_CORE_POLL_H

#include "core/base/base.h"

#include <weft/backend.h>

/* epoll (Linux), poll (everywhere), sim (virtual time, for tests; never chosen by itself); NULL
 * ends it. */
extern const weft_backend *const weft__backends_builtin[];

/* What every backend is given. */
extern const weft_backend_core weft__backend_core;

#endif
