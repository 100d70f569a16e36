/* SPDX-License-Identifier: MIT
 * Who needs whom: from addresses to tasks, and the circles in that. */
#include "tools/weft/look.h"

#include <stdlib.h>

/* A task is needed by whoever is in the group that it is a child of, from the beginning. */
static void link_child(struct look *look, struct look_task *task)
{
    struct look_task *parent = task->parent ? look_find(look, task->parent) : NULL;

    if (parent && parent != task && task->state != LOOK_ENDED) {
        (void)look_needs(look, parent, task->address, task->handle, LOOK_CHILD);
    }
}

void look_link(struct look *look)
{
    for (size_t i = 0; i < look->loops_count; i++) { /* children in the order of their numbers */
        for (size_t k = 0; k < look->loops[i]->tasks_count; k++) {
            link_child(look, look->loops[i]->tasks[k]);
        }
    }
    for (size_t i = 0; i < look->all_count; i++) {
        struct look_task *task = look->all[i];

        for (size_t k = 0; k < task->needs_count; k++) {
            struct look_edge *edge = &task->needs[k];
            struct look_task *found = look_find(look, edge->address);

            /* One that has ended is needed by nobody: its place or its news are on the way. */
            if (found && found->state != LOOK_ENDED &&
                (!edge->handle || edge->handle == found->handle)) {
                edge->task = found;
                found->needed_by++;
            }
        }
    }
}

/* Whether a task cannot go on before the other end of the edge has: one that does not wait can, and
 * so can whoever is still in the body of its group. */
static bool holds_up(const struct look_task *task, const struct look_edge *edge)
{
    return edge->task && task->state == LOOK_WAITS && task->limit == INT64_MAX &&
           task->due == INT64_MAX && !task->changed && edge->how != LOOK_MAY_AWAIT &&
           (edge->how != LOOK_CHILD ||
            (task->shows & 1u << SEES_GROUP && task->group == edge->task->parent_group));
}

/* Follows the edges from one task, without recursion: mark 1 stands on the way that is being gone,
 * 2 has been gone through.  The way is kept in `path`, with the next edge of each in `next`. */
static size_t follow(struct look_task *from, struct look_task **path, size_t *next)
{
    size_t depth = 1;

    path[0] = from;
    next[0] = 0;
    from->mark = 1;
    while (depth) {
        struct look_task *task = path[depth - 1];
        struct look_edge *edge;

        if (next[depth - 1] == task->needs_count) {
            task->mark = 2;
            depth--;
            continue;
        }
        edge = &task->needs[next[depth - 1]++];
        if (!holds_up(task, edge) || edge->task->mark == 2) {
            continue;
        }
        if (edge->task->mark == 1) {
            size_t first = depth;

            while (path[--first] != edge->task) {}
            for (size_t i = 0; i < depth; i++) {
                path[i]->mark = 2;
                path[i < first ? i : i - first] = path[i];
            }
            return depth - first;
        }
        edge->task->mark = 1;
        path[depth] = edge->task;
        next[depth++] = 0;
    }
    return 0;
}

size_t look_circle(struct look *look, struct look_task **ret, size_t max)
{
    struct look_task **path = malloc((look->all_count + 1) * sizeof(struct look_task *));
    size_t *next = malloc((look->all_count + 1) * sizeof *next), length = 0;

    for (size_t i = 0; i < look->loops_count && path && next && !length; i++) {
        for (size_t k = 0; k < look->loops[i]->tasks_count && !length; k++) {
            struct look_task *task = look->loops[i]->tasks[k];

            length = task->mark ? 0 : follow(task, path, next);
        }
    }
    for (size_t i = 0; i < length && i < max; i++) {
        ret[i] = path[i];
    }
    free(path);
    free(next);
    return length < max ? length : max;
}
