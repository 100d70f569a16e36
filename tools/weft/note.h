/* SPDX-License-Identifier: MIT
 * The numbers by which a process with weft in it is read: core/sched/inspect.h seen from outside.
 *
 * They are a format and not a header of the library: a program may have another version of that in
 * it.  A field that it does not tell is shown as not known. */
#ifndef WEFT_TOOLS_NOTE_H
#define WEFT_TOOLS_NOTE_H

#define NOTE_OWNER "weft"
#define NOTE_TYPE 1
#define NOTE_MAGIC "weft\0\0\0\1"
#define NOTE_VERSION 1
#define NOTE_ORDER 0x01020304
#define NOTE_FIELDS 128 /* above all numbers */
#define NOTE_SIGHTS 3
#define NOTE_STACK_LOW 12 /* bits of a task's handle below its address */

enum note_field {
    LOOP_NEXT = 1,
    LOOP_HANDLE,
    LOOP_CURRENT,
    LOOP_BACKEND,
    LOOP_CLASSES,
    LOOP_RUNNING,
    LOOP_LOOKED,
    LOOP_END = 15,
    CLASS_SLABS = 16,
    SLAB_NEXT,
    SLAB_BASE,
    SLAB_STRIDE,
    SLAB_CARVED,
    SLAB_END = 31,
    TASK_HANDLE = 32,
    TASK_ID,
    TASK_NAME,
    TASK_SP,
    TASK_LOW,
    TASK_WAITING,
    TASK_TARGET,
    TASK_FRAME,
    TASK_MAIN,
    TASK_DONE,
    TASK_STATUS,
    TASK_CANCELLED,
    TASK_OUTCOME,
    TASK_WHEN,
    TASK_TIMER,
    TASK_SCOPES,
    TASK_CHILD,
    TASK_SINCE,
    TASK_END = 63,
    FRAME_OUTER = 64,
    FRAME_DEF,
    FRAME_END = 71,
    WAIT_NAME = 72,
    WAIT_SEES,
    WAIT_END = 79,
    SCOPE_OUTER = 80,
    SCOPE_KIND,
    SCOPE_WHEN,
    SCOPE_TIMER,
    SCOPE_TASK,
    SCOPE_END = 87,
    CHILD_GROUP = 88,
    CHILD_END = 95,
};

/* What a wait shows of itself. */
enum note_sight {
    SEES_NOTHING,
    SEES_OBJECT,
    SEES_TASK,
    SEES_GROUP,
    SEES_OWNER,
    SEES_OUTCOMES,
    SEES_COUNT,
    SEES_FD,
    SEES_EVENTS,
    SEES_PID,
    SEES_TEXT,
    SEES_HELD,
    SEES_ROOM,
    SEES_ANY_OF,
    SEES_WHEN,
};

enum note_scope { SCOPE_IS_TIMEOUT = 1, SCOPE_IS_SHIELD = 2 };

#endif
