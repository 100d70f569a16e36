/* SPDX-License-Identifier: MIT
 * The array of what context variables are. */
#include "tests/unit/unit.h"

#include "core/base/mem.h"
#include "core/sched/vars.h"

#include <errno.h>

static int released;

static void release(void *value)
{
    (void)value;
    released++;
}

static const weft_context_var counted[3] = {
    { .name = "a", .release = release },
    { .name = "b", .release = release },
    { .name = "c", .release = release },
};
static const weft_context_var plain = { .name = "plain" };

/* `vars`, which are taken, with one more value. */
static struct weft__vars *with(struct weft__vars *vars, const weft_context_var *var, void *value)
{
    struct weft__binding binding;
    struct weft__vars *made = NULL;

    CU_ASSERT(weft__binding_make(&binding, var, value) == 0);
    CU_ASSERT(weft__vars_with(vars, var, &binding, &made) == 0);
    weft__binding_drop(&binding);
    weft__vars_unref(vars);
    return made;
}

static struct weft__vars *without(struct weft__vars *vars, const weft_context_var *var)
{
    struct weft__vars *made = NULL;

    CU_ASSERT(weft__vars_with(vars, var, NULL, &made) == 0);
    weft__vars_unref(vars);
    return made;
}

static void *get(const struct weft__vars *vars, const weft_context_var *var)
{
    const struct weft__binding *binding = weft__vars_find(vars, var);

    return binding ? binding->value : NULL;
}

static size_t live;

static void begin(void)
{
    released = 0;
    live = weft__alloc_live();
}

static void vars_empty_is_null(void)
{
    begin();
    CU_ASSERT(weft__vars_find(NULL, &plain) == NULL);
    CU_ASSERT(weft__vars_ref(NULL) == NULL);
    CU_ASSERT(weft__vars_serial(NULL) == 0);
    weft__vars_unref(NULL);
    CU_ASSERT(without(NULL, &plain) == NULL);
    CU_ASSERT(without(with(NULL, &plain, &live), &plain) == NULL);
    CU_ASSERT(weft__alloc_live() == live);
}

static void vars_find_what_was_set_last(void)
{
    int x, y, z;
    struct weft__vars *vars = NULL;

    begin();
    vars = with(vars, &counted[0], &x);
    vars = with(vars, &plain, &y);
    vars = with(vars, &counted[0], &z);
    CU_ASSERT(released == 1);
    CU_ASSERT(vars->count == 2);
    CU_ASSERT(get(vars, &counted[0]) == &z);
    CU_ASSERT(get(vars, &plain) == &y);
    CU_ASSERT(get(vars, &counted[1]) == NULL);
    vars = without(vars, &counted[0]);
    CU_ASSERT(released == 2);
    CU_ASSERT(get(vars, &counted[0]) == NULL);
    CU_ASSERT(get(vars, &plain) == &y);
    weft__vars_unref(vars);
    CU_ASSERT(weft__alloc_live() == live);
}

static void vars_share_values_and_let_go_of_each_once(void)
{
    struct weft__vars *all[40] = { NULL };

    begin();
    for (int i = 1; i < 40; i++) {
        all[i] = with(weft__vars_ref(all[i - 1]), &counted[i % 3], &all[i]);
        CU_ASSERT(weft__vars_serial(all[i]) > weft__vars_serial(all[i - 1]));
    }
    CU_ASSERT(released == 0);
    for (int i = 0; i < 40; i += 2) {
        weft__vars_unref(all[i]);
    }
    for (int i = 3; i < 40; i += 2) {
        CU_ASSERT(get(all[i], &counted[i % 3]) == &all[i]);
        CU_ASSERT(get(all[i], &counted[(i - 1) % 3]) == &all[i - 1]);
        CU_ASSERT(get(all[i], &counted[(i - 2) % 3]) == &all[i - 2]);
    }
    for (int i = 1; i < 40; i += 2) {
        weft__vars_unref(all[i]);
    }
    CU_ASSERT(released == 39);
    CU_ASSERT(weft__alloc_live() == live);
}

static void vars_without_what_is_not_there_are_the_same(void)
{
    struct weft__vars *vars, *same = NULL;

    begin();
    vars = with(NULL, &plain, &live);
    CU_ASSERT(weft__vars_with(vars, &counted[0], NULL, &same) == 0);
    CU_ASSERT(same == vars);
    weft__vars_unref(vars);
    CU_ASSERT(get(same, &plain) == &live);
    weft__vars_unref(same);
    CU_ASSERT(weft__alloc_live() == live);
}

static void vars_lose_nothing_without_memory(void)
{
    struct weft__vars *vars, *made = NULL;
    struct weft__binding binding;

    begin();
    vars = with(NULL, &counted[0], &live);
    weft__fault_arm(0, -ENOMEM);
    CU_ASSERT(weft__binding_make(&binding, &counted[1], &live) == -ENOMEM);
    CU_ASSERT(released == 1); /* it was taken */
    CU_ASSERT(weft__binding_make(&binding, &counted[1], &live) == 0);
    weft__fault_arm(0, -ENOMEM);
    CU_ASSERT(weft__vars_with(vars, &counted[1], &binding, &made) == -ENOMEM);
    CU_ASSERT(made == NULL);
    CU_ASSERT(released == 1);
    weft__binding_drop(&binding);
    CU_ASSERT(released == 2);
    CU_ASSERT(get(vars, &counted[0]) == &live);
    weft__vars_unref(vars);
    CU_ASSERT(weft__alloc_live() == live);
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(vars_empty_is_null),
    WEFT_UNIT_TEST(vars_find_what_was_set_last),
    WEFT_UNIT_TEST(vars_share_values_and_let_go_of_each_once),
    WEFT_UNIT_TEST(vars_without_what_is_not_there_are_the_same),
    WEFT_UNIT_TEST(vars_lose_nothing_without_memory),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(sched_vars, tests)
