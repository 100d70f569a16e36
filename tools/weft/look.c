/* SPDX-License-Identifier: MIT
 * From the root to the loops, from these to the slabs, and to each task.  The process goes on
 * meanwhile: every walk is bounded, and every number is looked at before it is used. */
#include "tools/weft/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/backend.h>

#define LOOPS_MAX 4096
#define SLABS_MAX 65536
#define SLOTS_MAX (1u << 20) /* of one slab */
#define AT_ONCE 256          /* descriptors copied by one call */

/* What is done with the slots of a slab; false: no memory. */
typedef bool visitor(struct look *look, struct look_loop *loop, uint64_t base, uint64_t stride,
                     uint32_t count);

/* Makes room for one more pointer. */
static bool make_room(void *array, size_t count, size_t *room)
{
    void **old = *(void ***)array, **grown;

    if (count < *room) {
        return true;
    }
    grown = realloc(old, (*room ? *room * 2 : 16) * sizeof *grown);
    if (!grown) {
        return false;
    }
    *(void ***)array = grown;
    *room = *room ? *room * 2 : 16;
    return true;
}

static bool add_task(struct look *look, struct look_loop *loop, uint64_t address, char *copy)
{
    struct look_task *task;

    if (!look_lives(look, look_field(look, copy, TASK_HANDLE))) {
        look_lose(look, !look_field(look, copy, TASK_HANDLE)); /* a slot in use has some handle */
        return true;
    }
    if (!make_room(&loop->tasks, loop->tasks_count, &loop->tasks_room)) {
        return false;
    }
    task = calloc(1, sizeof *task);
    if (!task) {
        return false;
    }
    task->address = address;
    task->loop = loop;
    if (look_at_task(look, task, copy)) {
        loop->tasks[loop->tasks_count++] = task;
        look->changed += task->changed;
        look_lose(look, task->lost);
    } else {
        free(task->needs);
        free(task);
    }
    return !look->out_of_memory;
}

static bool take_slots(struct look *look, struct look_loop *loop, uint64_t base, uint64_t stride,
                       uint32_t count)
{
    size_t size = look->task_size;
    char *copies = malloc(AT_ONCE * size);
    bool good = copies;

    for (uint32_t i = 0; i < count && good; i += AT_ONCE) {
        uint64_t first = base + (i + UINT64_C(1)) * stride - size;
        size_t n = count - i < AT_ONCE ? count - i : AT_ONCE;

        n = process_read_many(look->process, first, stride, n, copies, size);
        look_lose(look, (count - i < AT_ONCE ? count - i : AT_ONCE) - n);
        for (size_t k = 0; k < n && good; k++) {
            good = add_task(look, loop, first + k * stride, copies + k * size);
        }
        if (n == 0) {
            break;
        }
    }
    free(copies);
    return good;
}

static bool count_slots(struct look *look, struct look_loop *loop, uint64_t base, uint64_t stride,
                        uint32_t count)
{
    char handles[AT_ONCE * 8];
    size_t size = look->fields[TASK_HANDLE].size;

    for (uint32_t i = 0; i < count && size <= 8; i += AT_ONCE) {
        uint64_t first =
            base + (i + UINT64_C(1)) * stride - look->task_size + look->fields[TASK_HANDLE].offset;
        size_t n = count - i < AT_ONCE ? count - i : AT_ONCE;

        n = process_read_many(look->process, first, stride, n, handles, size);
        for (size_t k = 0; k < n; k++) {
            loop->tasks_count += look_lives(look, number_at(handles + k * size, size));
        }
    }
    return true;
}

/* The slabs of one class, newest first. */
static bool walk_slabs(struct look *look, struct look_loop *loop, uint64_t slab, visitor *visit)
{
    size_t extent = look_extent(look, SLAB_NEXT, SLAB_END);
    uint64_t mark = 0;
    char copy[512];

    for (unsigned n = 0; slab && n < SLABS_MAX; n++) {
        uint64_t base, stride, carved;

        if (slab == mark) {
            return true; /* round in a circle */
        }
        mark = (n & (n + 1)) == 0 ? slab : mark; /* at each power of two */

        if (!process_read(look->process, slab, copy, extent)) {
            look_lose(look, 1);
            return true; /* it changes under our hands: what was seen is what there is to tell */
        }
        base = look_field(look, copy, SLAB_BASE);
        stride = look_field(look, copy, SLAB_STRIDE);
        carved = look_field(look, copy, SLAB_CARVED);
        if (stride < look->task_size || stride > UINT64_C(1) << 40 || carved > SLOTS_MAX) {
            look_lose(look, 1);
            return true;
        }
        if (!visit(look, loop, base, stride, (uint32_t)carved)) {
            return false;
        }
        slab = look_field(look, copy, SLAB_NEXT);
    }
    return true;
}

/* The public struct of a backend, whose layout stays: four words of 32 bits, then pointers. */
static void look_at_backend(struct look *look, struct look_loop *loop, uint64_t backend)
{
    uint64_t name = 0, ops = 0;
    char caps[4];

    if (look_pointer(look, backend + 16, &name)) {
        (void)process_text(look->process, name, loop->backend, sizeof loop->backend);
    }
    if (look_pointer(look, backend + 16 + 3 * (uint64_t)look->pointer_size, &ops) &&
        process_read(look->process, ops + 4, caps, sizeof caps)) {
        loop->virtual_time = number_at(caps, sizeof caps) & WEFT_BACKEND_VIRTUAL;
    }
    if (!*loop->backend) {
        (void)snprintf(loop->backend, sizeof loop->backend, "?");
    }
}

/* The clock of a loop is CLOCK_MONOTONIC, unless its time is its own: that stands still between
 * two looks, and for one that has ended it does for ever. */
static int64_t now_of(const struct look *look, const struct look_loop *loop, int64_t looked)
{
    struct timespec now;

    if (loop->virtual_time || look->process->core) {
        return looked;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static bool walk_loop(struct look *look, uint64_t address, const char *copy, visitor *visit)
{
    struct look_loop *loop;
    bool good = true;

    if (!make_room(&look->loops, look->loops_count, &look->loops_room) ||
        !(loop = calloc(1, sizeof *loop))) {
        return false;
    }
    look->loops[look->loops_count++] = loop;
    loop->address = address;
    loop->current = look_field(look, copy, LOOP_CURRENT);
    loop->running = look_field(look, copy, LOOP_RUNNING);
    look_at_backend(look, loop, look_field(look, copy, LOOP_BACKEND));
    loop->now = now_of(look, loop, (int64_t)look_field(look, copy, LOOP_LOOKED));
    for (uint32_t i = 0; i < look->classes && good; i++) {
        const char *class = copy + look->fields[LOOP_CLASSES].offset + (size_t)i * look->class_size;

        good = walk_slabs(look, loop, look_field(look, class, CLASS_SLABS), visit);
    }
    return good;
}

static bool walk_loops(struct look *look, uint64_t loop, visitor *visit)
{
    size_t extent = look_extent(look, LOOP_NEXT, LOOP_END);
    size_t classes = look->fields[LOOP_CLASSES].offset + (size_t)look->classes * look->class_size;
    char *copy;
    bool good;

    extent = classes > extent ? classes : extent;
    copy = malloc(extent);
    good = copy;
    for (unsigned n = 0; loop && n < LOOPS_MAX && good; n++) {
        if (!process_read(look->process, loop, copy, extent)) {
            look_lose(look, 1);
            break;
        }
        for (size_t i = 0; i < look->loops_count; i++) {
            if (look->loops[i]->address == loop) {
                free(copy);
                return true; /* round in a circle */
            }
        }
        if (look_lives(look, look_field(look, copy, LOOP_HANDLE))) {
            good = walk_loop(look, loop, copy, visit);
        } else {
            look_lose(look, !look_field(look, copy, LOOP_HANDLE));
        }
        loop = look_field(look, copy, LOOP_NEXT);
    }
    free(copy);
    return good;
}

/* ---- all of it ---- */

static int by_number(const void *a, const void *b)
{
    const struct look_task *one = *(struct look_task *const *)a;
    const struct look_task *other = *(struct look_task *const *)b;

    return (one->id > other->id) - (one->id < other->id);
}

static int by_address(const void *a, const void *b)
{
    const struct look_task *one = *(struct look_task *const *)a;
    const struct look_task *other = *(struct look_task *const *)b;

    return (one->address > other->address) - (one->address < other->address);
}

struct look_task *look_find(const struct look *look, uint64_t address)
{
    size_t low = 0, high = look->all_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (look->all[middle]->address < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < look->all_count && look->all[low]->address == address ? look->all[low] : NULL;
}

/* Puts loops in order, the oldest first, and tasks. */
static bool sort(struct look *look)
{
    size_t count = 0;

    for (size_t i = 0; i < look->loops_count / 2; i++) {
        struct look_loop *loop = look->loops[i];

        look->loops[i] = look->loops[look->loops_count - 1 - i];
        look->loops[look->loops_count - 1 - i] = loop;
    }
    for (size_t i = 0; i < look->loops_count; i++) {
        look->loops[i]->number = (unsigned)i + 1;
        count += look->loops[i]->tasks_count;
    }
    look->all = malloc((count + 1) * sizeof(struct look_task *));
    for (size_t i = 0; i < look->loops_count && look->all; i++) {
        struct look_loop *loop = look->loops[i];

        if (loop->tasks_count) {
            qsort(loop->tasks, loop->tasks_count, sizeof(struct look_task *), by_number);
            memcpy(look->all + look->all_count, loop->tasks,
                   loop->tasks_count * sizeof(struct look_task *));
        }
        look->all_count += loop->tasks_count;
    }
    if (look->all_count) {
        qsort(look->all, look->all_count, sizeof(struct look_task *), by_address);
    }
    return look->all;
}

static int walk(struct look *look, struct process *process, visitor *visit, char *why, size_t size)
{
    *look = (struct look){ .process = process };
    if (!process->roots_count && !process->images) {
        (void)snprintf(why, size, "process %d (%s) has no memory: it has ended, or is the kernel's",
                       (int)process->pid, process->command);
        return -ENOENT;
    }
    if (!process->roots_count) {
        (void)snprintf(why, size,
                       "process %d (%s) has no weft in it: none of its %u images has the note",
                       (int)process->pid, process->command, process->images);
        return -ENOENT;
    }
    for (size_t i = 0; i < process->roots_count; i++) {
        uint64_t loops = 0;
        int r = look_layout(look, process->roots[i], &loops, why, size);

        if (r < 0) {
            return r;
        }
        if (!walk_loops(look, loops, visit)) {
            (void)snprintf(why, size, "no memory");
            return -ENOMEM;
        }
    }
    if (process->error == ESRCH) {
        (void)snprintf(why, size, "process %d ended while it was looked at", (int)process->pid);
        return -ESRCH;
    }
    return 0;
}

int look_take(struct look *look, struct process *process, char *why, size_t size)
{
    int r = walk(look, process, take_slots, why, size);

    if (r == 0 && !sort(look)) {
        (void)snprintf(why, size, "no memory");
        r = -ENOMEM;
    }
    if (r == 0) {
        look_link(look);
        look_at_threads(look);
    }
    return r;
}

int look_count(struct look *look, struct process *process, char *why, size_t size)
{
    int r = walk(look, process, count_slots, why, size);

    for (size_t i = 0; i < look->loops_count / 2; i++) {
        struct look_loop *loop = look->loops[i];

        look->loops[i] = look->loops[look->loops_count - 1 - i];
        look->loops[look->loops_count - 1 - i] = loop;
    }
    return r;
}

void look_free(struct look *look)
{
    for (size_t i = 0; i < look->loops_count; i++) {
        struct look_loop *loop = look->loops[i];

        for (size_t k = 0; loop->tasks && k < loop->tasks_count; k++) {
            free(loop->tasks[k]->needs);
            free(loop->tasks[k]);
        }
        free(loop->tasks);
        free(loop);
    }
    for (size_t i = 0; i < sizeof look->defs / sizeof look->defs[0]; i++) {
        for (struct look_def *def = look->defs[i], *next; def; def = next) {
            next = def->next;
            free(def);
        }
    }
    for (size_t i = 0; i < sizeof look->waits / sizeof look->waits[0]; i++) {
        for (struct look_wait *wait = look->waits[i], *next; wait; wait = next) {
            next = wait->next;
            free(wait);
        }
    }
    free(look->loops);
    free(look->all);
}
