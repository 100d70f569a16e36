/* SPDX-License-Identifier: MIT
 * The numbers by which tools find tasks from outside. */
#include "core/sched/inspect.h"

#include "core/base/shared.h"
#include "core/sched/scope.h"

#include <string.h>

#define FIELD(number, type, member) \
    { number, (uint16_t)sizeof(((type *)0)->member), (uint32_t)offsetof(type, member) }

static const struct weft__inspect_layout layout[] = {
    FIELD(WEFT__F_LOOP_NEXT, struct weft__loop, next_loop),
    FIELD(WEFT__F_LOOP_HANDLE, struct weft__loop, handle),
    FIELD(WEFT__F_LOOP_CURRENT, struct weft__loop, current),
    FIELD(WEFT__F_LOOP_BACKEND, struct weft__loop, backend),
    FIELD(WEFT__F_LOOP_CLASSES, struct weft__loop, stacks.classes),
    FIELD(WEFT__F_LOOP_RUNNING, struct weft__loop, running),
    FIELD(WEFT__F_LOOP_LOOKED, struct weft__loop, polled),
    FIELD(WEFT__F_CLASS_SLABS, struct weft__stack_class, slabs),
    FIELD(WEFT__F_SLAB_NEXT, struct weft__slab, next),
    FIELD(WEFT__F_SLAB_BASE, struct weft__slab, base),
    FIELD(WEFT__F_SLAB_STRIDE, struct weft__slab, stride),
    FIELD(WEFT__F_SLAB_CARVED, struct weft__slab, carved),
    FIELD(WEFT__F_TASK_HANDLE, struct weft__task, slot.handle),
    FIELD(WEFT__F_TASK_ID, struct weft__task, id),
    FIELD(WEFT__F_TASK_NAME, struct weft__task, name),
    FIELD(WEFT__F_TASK_SP, struct weft__task, fiber.sp),
    FIELD(WEFT__F_TASK_LOW, struct weft__task, slot.low),
    FIELD(WEFT__F_TASK_WAITING, struct weft__task, waiting),
    FIELD(WEFT__F_TASK_TARGET, struct weft__task, target),
    FIELD(WEFT__F_TASK_FRAME, struct weft__task, frame),
    FIELD(WEFT__F_TASK_MAIN, struct weft__task, main),
    FIELD(WEFT__F_TASK_DONE, struct weft__task, outcome.done),
    FIELD(WEFT__F_TASK_STATUS, struct weft__task, outcome.status),
    FIELD(WEFT__F_TASK_CANCELLED, struct weft__task, cancelled),
    FIELD(WEFT__F_TASK_OUTCOME, struct weft__task, outcome),
    FIELD(WEFT__F_TASK_WHEN, struct weft__task, item.when),
    FIELD(WEFT__F_TASK_TIMER, struct weft__task, item.place),
    FIELD(WEFT__F_TASK_SCOPES, struct weft__task, scopes),
    FIELD(WEFT__F_TASK_CHILD, struct weft__task, child),
    FIELD(WEFT__F_TASK_PARKED, struct weft__task, parked),
    FIELD(WEFT__F_FRAME_OUTER, struct weft__frame, outer),
    FIELD(WEFT__F_FRAME_DEF, struct weft__frame, def),
    FIELD(WEFT__F_WAIT_NAME, struct weft__wait, name),
    FIELD(WEFT__F_WAIT_SEES, struct weft__wait, sees),
    FIELD(WEFT__F_SCOPE_OUTER, struct weft__scope, outer),
    FIELD(WEFT__F_SCOPE_KIND, struct weft__scope, kind),
    FIELD(WEFT__F_SCOPE_WHEN, struct weft__scope, item.when),
    FIELD(WEFT__F_SCOPE_TIMER, struct weft__scope, item.place),
    FIELD(WEFT__F_SCOPE_TASK, struct weft__scope, task),
    FIELD(WEFT__F_CHILD_GROUP, struct weft__child, group),
};

extern const char weft__inspect_note[] WEFT__HIDDEN; /* note.S */

struct weft__inspect_root weft__inspect_root = {
    .magic = { 'w', 'e', 'f', 't', 0, 0, 0, 1 },
    .version = WEFT__INSPECT_VERSION,
    .order = 0x01020304,
    .pointer_size = sizeof(void *),
    .task_size = sizeof(struct weft__task),
    .class_size = sizeof(struct weft__stack_class),
    .classes = WEFT__STACK_CLASSES,
    .fields = WEFT__COUNT(layout),
    .field_size = sizeof layout[0],
    .layout = layout,
    .library = WEFT_VERSION,
    .note = weft__inspect_note,
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
WEFT__OPENS_IN_CHILD(lock)

void weft__inspect_add(struct weft__loop *loop)
{
    pthread_mutex_lock(&lock);
    loop->next_loop = weft__inspect_root.loops;
    weft__inspect_root.loops = loop;
    pthread_mutex_unlock(&lock);
}

void weft__inspect_remove(struct weft__loop *loop)
{
    struct weft__loop **link = &weft__inspect_root.loops;

    pthread_mutex_lock(&lock);
    while (*link != loop) {
        link = &(*link)->next_loop;
    }
    *link = loop->next_loop;
    pthread_mutex_unlock(&lock);
}
