/* SPDX-License-Identifier: MIT
 * Buffers: bytes that grow, for what a call returns and nobody knew the size of.
 *
 *     weft_buffer text = { 0 };
 *     int64_t n = weft_read_file("config", 1 << 20, &text);
 *     ... text.data, text.len ...
 *     weft_buffer_clear(&text);
 *
 * The struct is the caller's, the memory that it leads to as well, until weft_buffer_clear(); both
 * may be copied and handed on, as long as one copy alone is cleared or written to.  Behind the
 * bytes stands a NUL, which is not counted: text can be used as a string where it has none itself.
 *
 * None of these calls waits.  Any thread, one at a time. */
#ifndef WEFT_BUFFER_H
#define WEFT_BUFFER_H

#include <weft/common.h>

WEFT_BEGIN_DECLS

/** All zero: empty, and nothing to free.  Part of the ABI. */
typedef struct weft_buffer {
    char *data;      /* `len` bytes and a NUL; NULL: there never were any */
    size_t len;      /* may be made smaller by hand */
    size_t capacity; /* bytes that `data` has room for, without the NUL; weft's */
    void *reserved;  /* zero */
} weft_buffer;

/** Frees what a buffer leads to; it is all zero then, and can be used again.  NULL is allowed. */
WEFT_API void weft_buffer_clear(weft_buffer *buffer);

/** Makes room, so that `more` bytes can be written behind the last one, by hand or by
 *  weft_buffer_append().
 *
 *  Returns 0; -ENOMEM, and nothing has changed; -EINVAL.  Cost: room at least doubles when there is
 *  too little, so appending costs O(1) a byte. */
WEFT_API int weft_buffer_reserve(weft_buffer *buffer, size_t more);

/** Adds bytes at the end.
 *
 *  data  `len` bytes, which may not lie in the buffer; copied.
 *
 *  Returns as weft_buffer_reserve(). */
WEFT_API int weft_buffer_append(weft_buffer *buffer, const void *data, size_t len);

WEFT_END_DECLS

#endif
