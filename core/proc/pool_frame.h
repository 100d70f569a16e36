/* SPDX-License-Identifier: MIT
 * What goes between a pool and its workers, over a socket: frames of a head and as many bytes as it
 * says.  Both ends are on one machine, so numbers are as they lie in memory. */
#ifndef WEFT_CORE_POOL_FRAME_H
#define WEFT_CORE_POOL_FRAME_H

#include "core/base/base.h"

#define WEFT__POOL_VARIABLE "WEFT_PROCESS_POOL" /* in a worker's environment: the descriptor */
#define WEFT__POOL_FD 3                         /* which it is */

enum weft__pool_kind {
    WEFT__POOL_HELLO = 0x57454654,  /* the worker serves; once, before all else */
    WEFT__POOL_REQUEST = 0x52455155,
    WEFT__POOL_REPLY = 0x52455059,
};

struct weft__pool_frame {
    uint32_t kind;  /* weft__pool_kind */
    int32_t status; /* a reply's: what the handler returned */
    uint64_t size;  /* of the bytes that follow */
};

_Static_assert(sizeof(struct weft__pool_frame) == 16, "the same in every program");

/* Seconds that an idle worker has to end by itself; tests have less of it. */
extern double weft__pool_patience WEFT__HIDDEN;

#endif
