/* SPDX-License-Identifier: MIT
 * Buffers: bytes that grow. */
#include "core/base/mem.h"

#include <errno.h>
#include <string.h>
#include <weft/buffer.h>

_Static_assert(sizeof(void *) != 8 || sizeof(weft_buffer) == 32, "the public size");

void weft_buffer_clear(weft_buffer *buffer)
{
    if (buffer) {
        weft__free(buffer->data);
        *buffer = (weft_buffer){ 0 };
    }
}

int weft_buffer_reserve(weft_buffer *buffer, size_t more)
{
    size_t needed, capacity;
    char *data;

    if (!buffer) {
        return -EINVAL;
    }
    if (__builtin_add_overflow(buffer->len, more, &needed) || needed >= SIZE_MAX / 2) {
        return -ENOMEM;
    }
    if (buffer->data && needed <= buffer->capacity) {
        return 0;
    }
    capacity = buffer->capacity * 2 > needed ? buffer->capacity * 2 : needed;
    data = weft__alloc(buffer->data, capacity + 1);
    if (!data) {
        return -ENOMEM;
    }
    data[buffer->len] = '\0';
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

int weft_buffer_append(weft_buffer *buffer, const void *data, size_t len)
{
    int r = data || len == 0 ? weft_buffer_reserve(buffer, len) : -EINVAL;

    if (r < 0) {
        return r;
    }
    if (len > 0) {
        memcpy(buffer->data + buffer->len, data, len);
    }
    buffer->len += len;
    buffer->data[buffer->len] = '\0';
    return 0;
}
