/* SPDX-License-Identifier: MIT
 * Whole files, each by one job. */
#include "core/base/mem.h"
#include "core/io/file_op.h"
#include "core/io/replace.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/whole_file.h>

#define STEP_MAX (8u << 20) /* bytes that are read between two looks at a cancel */
#define FIRST 4096u         /* room for a file that does not tell its size */

_Static_assert(sizeof(void *) != 8 || sizeof(weft_write_file_options) == 40, "the public size");

struct reading {
    const char *path;
    size_t limit; /* SIZE_MAX: none */
    weft_buffer *buffer;
};

/* Room for what is left of the file, and a byte, which tells that it is at its end. */
static int make_room(struct reading *reading, size_t size)
{
    size_t len = reading->buffer->len;
    size_t more = size >= len ? size - len + 1 : 0;

    if (reading->buffer->capacity - len > 0 && more <= reading->buffer->capacity - len) {
        return 0;
    }
    return weft_buffer_reserve(reading->buffer, more > 1 ? more : len > FIRST ? len : FIRST);
}

static int read_all(struct reading *reading, int fd, size_t size)
{
    weft_buffer *buffer = reading->buffer;

    for (;;) {
        int r = weft_job_cancelled() ? -ECANCELED : make_room(reading, size);
        size_t room = buffer->capacity - buffer->len, asked = room < STEP_MAX ? room : STEP_MAX;
        ssize_t n;

        if (r < 0) {
            return r;
        }
        n = WEFT__SYS(read(fd, buffer->data + buffer->len, asked));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        buffer->len += (size_t)n;
        if (buffer->len > reading->limit) {
            return -EFBIG;
        }
        if (n == 0 || (buffer->len == size && (size_t)n < asked)) {
            return 0; /* a regular file gives less only at its end */
        }
    }
}

static int read_open(struct reading *reading, int fd)
{
    struct stat found;

    if (WEFT__SYS(fstat(fd, &found)) < 0) {
        return -errno;
    }
    if (S_ISREG(found.st_mode) && (uint64_t)found.st_size > reading->limit) {
        return -EFBIG;
    }
    if ((uint64_t)found.st_size >= SIZE_MAX / 2) {
        return -ENOMEM;
    }
    return read_all(reading, fd, S_ISREG(found.st_mode) ? (size_t)found.st_size : 0);
}

static int read_file(void *arg)
{
    struct reading *reading = arg;
    int fd, r;

    do {
        fd = WEFT__SYS(open(reading->path, O_RDONLY | O_CLOEXEC));
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return -errno;
    }
    reading->buffer->len = 0;
    r = read_open(reading, fd);
    (void)close(fd);
    return r;
}

int64_t weft_read_file(const char *path, size_t limit, weft_buffer *buffer)
{
    struct reading reading = { path, limit ? limit : SIZE_MAX, buffer };
    int r = path && buffer ? 0 : -EINVAL;

    if (r < 0) {
        return r;
    }
    r = weft__file_call(read_file, &reading);
    if (r < 0) {
        buffer->len = 0;
    }
    if (buffer->data) {
        buffer->data[buffer->len] = '\0';
    }
    return r < 0 ? r : (int64_t)buffer->len;
}

struct writing {
    struct weft__replacing replacing;
    const void *data;
    size_t size;
};

static int write_file(void *arg)
{
    struct writing *writing = arg;
    int r = weft__replace_begin(&writing->replacing);

    if (r < 0) {
        return r;
    }
    r = weft__write_all(writing->replacing.fd, writing->data, writing->size);
    if (r < 0) {
        weft__replace_abort(&writing->replacing);
        return r;
    }
    return weft__replace_commit(&writing->replacing);
}

int weft_write_file(const char *path, const void *data, size_t size,
                    const weft_write_file_options *options)
{
    static const weft_write_file_options none;
    struct writing writing = { .data = data, .size = size };

    options = options ? options : &none;
    if (!path || (!data && size > 0) || (options->append && options->no_replace)) {
        return -EINVAL;
    }
    writing.replacing = (struct weft__replacing){
        .path = path,
        .mode = options->mode,
        .sync = options->sync,
        .no_replace = options->no_replace,
        .append = options->append,
        .in_place = options->in_place,
    };
    return weft__file_call(write_file, &writing);
}
