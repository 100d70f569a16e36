/* SPDX-License-Identifier: MIT
 * The layout that a process tells of its weft, and reading by it. */
#include "tools/weft/look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIELDS_MAX 1024

uint64_t look_field(const struct look *look, const void *copy, enum note_field field)
{
    uint32_t size = look->fields[field].size;

    return size ? number_at((const char *)copy + look->fields[field].offset, size) : 0;
}

size_t look_extent(const struct look *look, enum note_field first, enum note_field last)
{
    size_t extent = 0;

    for (unsigned i = first; i <= last; i++) {
        size_t end = (size_t)look->fields[i].offset + look->fields[i].size;

        extent = look->fields[i].size && end > extent ? end : extent;
    }
    return extent;
}

bool look_pointer(struct look *look, uint64_t at, uint64_t *ret)
{
    char copy[8];

    if (!process_read(look->process, at, copy, look->pointer_size)) {
        return false;
    }
    *ret = number_at(copy, look->pointer_size);
    return true;
}

bool look_peek(struct look *look, uint64_t object, enum note_field field, uint64_t *ret)
{
    char copy[8];
    uint32_t size = look->fields[field].size;

    if (!size || size > sizeof copy ||
        !process_read(look->process, object + look->fields[field].offset, copy, size)) {
        return false;
    }
    *ret = number_at(copy, size);
    return true;
}

void look_lose(struct look *look, size_t places)
{
    look->lost += look->process->core ? (unsigned)places : 0;
}

bool look_lives(const struct look *look, uint64_t handle)
{
    return handle >> (look->pointer_size == 8 ? 48 : 0) & 1;
}

uint64_t look_descriptor(const struct look *look, uint64_t handle)
{
    uint64_t top = handle & ~((UINT64_C(1) << NOTE_STACK_LOW) - 1);

    top &= look->pointer_size == 8 ? (UINT64_C(1) << 48) - 1 : UINT32_MAX;
    return top - look->task_size;
}

/* The table of fields. */
static bool read_fields(struct look *look, uint64_t table, uint32_t count, uint32_t size)
{
    for (uint32_t i = 0; i < count; i++) {
        char entry[8];
        unsigned number;
        uint32_t bytes, offset;

        if (!process_read(look->process, table + (uint64_t)i * size, entry, sizeof entry)) {
            return false;
        }
        number = (unsigned)number_at(entry, 2);
        bytes = (uint32_t)number_at(entry + 2, 2);
        offset = (uint32_t)number_at(entry + 4, 4);
        if (number < NOTE_FIELDS && offset < 65536) {
            look->fields[number].offset = offset;
            look->fields[number].size = bytes;
        }
    }
    return true;
}

/* Whether what must be told is, and has a size that can be. */
static bool is_sane(struct look *look)
{
    static const enum note_field needed[] = {
        LOOP_NEXT,   LOOP_HANDLE, LOOP_CURRENT, LOOP_BACKEND, LOOP_CLASSES, CLASS_SLABS,
        SLAB_NEXT,   SLAB_BASE,   SLAB_STRIDE,  SLAB_CARVED,  TASK_HANDLE,  TASK_ID,
        TASK_NAME,   TASK_SP,     TASK_WAITING, TASK_TARGET,  TASK_FRAME,   TASK_DONE,
        TASK_STATUS, FRAME_OUTER, FRAME_DEF,    WAIT_NAME,
    };

    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (!look->fields[needed[i]].size) {
            return false;
        }
    }
    return look->task_size >= 64 && look->task_size <= 4096 && look->classes <= 64 &&
           look->class_size >= look_extent(look, CLASS_SLABS, CLASS_SLABS) &&
           look->class_size <= 4096 &&
           look_extent(look, TASK_HANDLE, TASK_END) <= look->task_size &&
           look_extent(look, LOOP_NEXT, LOOP_END) <= 65536 &&
           look_extent(look, SLAB_NEXT, SLAB_END) <= 512 &&
           look_extent(look, FRAME_OUTER, FRAME_END) <= 512 &&
           look_extent(look, WAIT_NAME, WAIT_END) <= 512 &&
           look_extent(look, SCOPE_OUTER, SCOPE_END) <= 512;
}

int look_layout(struct look *look, uint64_t root, uint64_t *ret_loops, char *why, size_t size)
{
    unsigned psize = look->process->pointer_size;
    char copy[40 + 4 * 8];
    uint32_t version, count;

    look->pointer_size = psize;
    if (!process_read(look->process, root, copy, 40 + 4 * (size_t)psize) ||
        memcmp(copy, NOTE_MAGIC, 8) != 0 || number_at(copy + 12, 4) != NOTE_ORDER ||
        number_at(copy + 16, 4) != psize) {
        look_lose(look, 1);
        (void)snprintf(why, size, "process %d has a weft that cannot be read",
                       (int)look->process->pid);
        return -EBADMSG;
    }
    version = (uint32_t)number_at(copy + 8, 4);
    look->task_size = (uint32_t)number_at(copy + 20, 4);
    look->class_size = (uint32_t)number_at(copy + 24, 4);
    look->classes = (uint32_t)number_at(copy + 28, 4);
    count = (uint32_t)number_at(copy + 32, 4);
    (void)process_text(look->process, number_at(copy + 40 + 2 * psize, psize), look->library,
                       sizeof look->library);
    memset(look->fields, 0, sizeof look->fields);
    if (version != NOTE_VERSION || count > FIELDS_MAX || number_at(copy + 36, 4) < 8 ||
        !read_fields(look, number_at(copy + 40, psize), count, (uint32_t)number_at(copy + 36, 4)) ||
        !is_sane(look)) {
        (void)snprintf(why, size,
                       "process %d has weft %s in it, whose layout is version %u: this command "
                       "knows version %d",
                       (int)look->process->pid, look->library, version, NOTE_VERSION);
        return -EBADMSG;
    }
    *ret_loops = number_at(copy + 40 + psize, psize);
    return 0;
}
