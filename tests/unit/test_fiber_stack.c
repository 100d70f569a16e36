/* SPDX-License-Identifier: MIT
 * Stacks: slots, guards, what happens when the system refuses, and what stays when a loop ends.
 * With -DWEFT_PLAIN_TEST a program without CUnit, for machines that are emulated. */
#include "core/base/mem.h"
#include "core/fiber/fiber.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef WEFT_PLAIN_TEST
typedef struct {
    const char *pName;
    void (*pTestFunc)(void);
} CU_TestInfo;

// clang-format off
#define CU_TEST_INFO_NULL { NULL, NULL }
#define CU_ASSERT(x) ((x) ? (void)0 : (printf("%s:%d: %s\n", __FILE__, __LINE__, #x), exit(1)))
#define CU_ASSERT_FATAL(x) CU_ASSERT(x)
#define WEFT_UNIT_TEST(name) { #name, name }
#define WEFT_UNIT_MAIN(suite, tests)                  \
    int main(void)                                    \
    {                                                 \
        for (CU_TestInfo *t = tests; t->pName; t++) { \
            printf("%s\n", t->pName);                 \
            t->pTestFunc();                           \
        }                                             \
        return 0;                                     \
    }
// clang-format on
#else
#include "tests/unit/unit.h"

#include <CUnit/CUnit.h>
#endif

#define DESCRIPTOR 512u
#define NO_FAULT (-1)

/* Built with fiber/pages_posix.c, the way of other systems: guards are mappings, there are as many
 * as one likes, and pages that were given back read as before until the system takes them. */
#ifdef WEFT_TEST_POSIX
#define POSIX 1
#else
#define POSIX 0
#endif

/* How many allocations and system calls stand before the first guard: the slab, mmap, madvise. */
#define CALLS_BEFORE_GUARD (POSIX ? 2 : 3)

static struct weft__stacks stacks;

static void begin_test(void)
{
    weft__stacks_init(&stacks, DESCRIPTOR);
}

static void end_test(void)
{
    size_t live = weft__alloc_live();

    weft__fault_arm(NO_FAULT, 0);
    weft__stacks_fini(&stacks);
    CU_ASSERT(weft__alloc_live() == live);
    weft__stacks_depot_clear();
    CU_ASSERT(weft__alloc_live() == 0);
    weft__stack_guards.kind = WEFT__GUARD_UNKNOWN;
    weft__stack_guards.budget = -1;
}

static struct weft__slot *take(size_t size)
{
    return weft__stacks_take(&stacks, (unsigned)weft__stack_class(size));
}

static void give(struct weft__slot *slot)
{
    weft__stacks_give(&stacks, slot);
}

static void sizes_are_rounded_up_to_a_class(void)
{
    CU_ASSERT(weft__stack_class(1) == 0);
    CU_ASSERT(weft__stack_class(WEFT__STACK_MIN) == 0);
    CU_ASSERT(weft__stack_class(WEFT__STACK_MIN + 1) == 1);
    CU_ASSERT(weft__stack_class(0) == weft__stack_class(WEFT__STACK_DEFAULT));
    CU_ASSERT(weft__stack_class((size_t)64 << 20) == WEFT__STACK_CLASSES - 1);
    CU_ASSERT(weft__stack_class(((size_t)64 << 20) + 1) == -EINVAL);
    CU_ASSERT(weft__stack_class(SIZE_MAX) == -EINVAL);
}

static void strides_are_odd_numbers_of_pages(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        size_t stride = weft__stack_stride(i);

        CU_ASSERT(stride % page == 0 && stride / page % 2 == 1);
        CU_ASSERT(stride >= (WEFT__STACK_MIN << i) + weft__stack_guard_size());
        CU_ASSERT(stride <= (WEFT__STACK_MIN << i) + weft__stack_guard_size() + page);
    }
}

static void each_class_has_what_it_promises(void)
{
    begin_test();
    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        struct weft__slot *slot = weft__stacks_take(&stacks, i);

        CU_ASSERT_FATAL(slot != NULL);
        char *top = weft__slot_top(&stacks, slot);

        CU_ASSERT(slot->size_class == i);
        CU_ASSERT((uintptr_t)top % 4096 == 0);
        CU_ASSERT((size_t)(top - slot->low) >= WEFT__STACK_MIN << i);
        CU_ASSERT(weft__tag_lives(slot->handle));
        CU_ASSERT(weft__tag_address(slot->handle, WEFT__STACK_LOW) == top);
        CU_ASSERT(slot->guarded);
        slot->low[0] = 1;
        ((char *)slot)[-1] = 1;
        top[-1] = 1;
    }
    CU_ASSERT(stacks.live == WEFT__STACK_CLASSES);
    CU_ASSERT(!stacks.unguarded);
    for (unsigned i = 0; i < WEFT__STACK_CLASSES; i++) {
        CU_ASSERT(stacks.classes[i].slabs && !stacks.classes[i].slabs->next);
        give((struct weft__slot *)(void *)(stacks.classes[i].slabs->base + weft__stack_stride(i) -
                                           DESCRIPTOR));
    }
    CU_ASSERT(stacks.live == 0);
    end_test();
}

static void the_last_given_is_the_first_taken(void)
{
    begin_test();
    struct weft__slot *a = take(0), *b = take(0), *c = take(0);

    CU_ASSERT(a != b && b != c && c != a);
    give(a);
    give(c);
    give(b);
    CU_ASSERT(take(0) == b);
    CU_ASSERT(take(0) == c);
    CU_ASSERT(take(0) == a);
    give(a), give(b), give(c);
    end_test();
}

static void handles_tell_the_users_of_a_slot_apart(void)
{
    begin_test();
    struct weft__slot *slot = take(0);
    uintptr_t first = slot->handle;

    for (int i = 0; i < 1000; i++) {
        give(slot);
        CU_ASSERT(slot->handle != first && !weft__tag_lives(slot->handle));
        CU_ASSERT(take(0) == slot);
        CU_ASSERT(slot->handle != first && weft__tag_lives(slot->handle));
    }
    give(slot);
    end_test();
}

static void slabs_grow_and_slots_do_not_overlap(void)
{
    enum { COUNT = 2000 };
    static struct weft__slot *all[COUNT];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    begin_test();
    for (int i = 0; i < COUNT; i++) {
        all[i] = take(0);
        CU_ASSERT_FATAL(all[i] != NULL);
        memcpy(all[i]->low, &i, sizeof(i));
        memcpy(weft__slot_top(&stacks, all[i]) - sizeof(i), &i, sizeof(i));
    }
    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT(memcmp(all[i]->low, &i, sizeof(i)) == 0);
        CU_ASSERT(memcmp(weft__slot_top(&stacks, all[i]) - sizeof(i), &i, sizeof(i)) == 0);
        give(all[i]);
    }
    struct weft__slab *slab = stacks.classes[all[0]->size_class].slabs;

    CU_ASSERT(slab->stride * slab->count <= (size_t)64 << 20);
    for (; slab->next; slab = slab->next) {
        CU_ASSERT(slab->count <= 2 * slab->next->count && slab->count >= slab->next->count);
    }
    CU_ASSERT(slab->count == 16);
    CU_ASSERT(slab->stride - (WEFT__STACK_DEFAULT + weft__stack_guard_size()) <= page);
    end_test();
}

static void count_slot(struct weft__slot *slot, void *arg)
{
    *(int *)arg += 1;
    if (*(int *)arg % 2) {
        give(slot);
    }
}

static void each_visits_what_is_taken(void)
{
    begin_test();
    struct weft__slot *first = take(0);
    int visits = 0;

    for (int i = 0; i < 40; i++) {
        take(i % 2 ? 0 : WEFT__STACK_MIN);
    }
    give(first);
    weft__stacks_each(&stacks, count_slot, &visits);
    CU_ASSERT(visits == 40);
    CU_ASSERT(stacks.live == 20);
    for (visits = 0; stacks.live; visits = 0) {
        weft__stacks_each(&stacks, count_slot, &visits);
        CU_ASSERT(visits > 0);
    }
    end_test();
}

/* Guards. */

static struct weft__slot *expected; /* whose guard shall be hit */
static struct weft__fiber thread;
static char signal_stack[64 << 10];

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    _exit(weft__stacks_guarding(&stacks, info->si_addr) == expected ? 42 : 43);
}

/* Runs `hit` in a child process; its exit status, 256 + N if signal N ended it. */
static int status_of(void (*hit)(void), bool handled)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        stack_t on = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
        struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

        if (!handled) {
            action = (struct sigaction){ .sa_handler = SIG_DFL };
        }
        sigaltstack(&on, NULL);
        sigaction(SIGSEGV, &action, NULL);
        sigaction(SIGBUS, &action, NULL);
        hit();
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void touch_below(void)
{
    ((volatile char *)expected->low)[-1] = 1;
}

static void touch_guards_end(void)
{
    ((volatile char *)expected->low)[-(ptrdiff_t)weft__stack_guard_size()] = 1;
}

static volatile bool for_ever = true;

__attribute__((noinline)) static int recurse(const volatile char *above)
{
    volatile char frame[256];

    frame[0] = (char)(above[0] + 1);
    return (for_ever ? recurse(frame) : 0) + frame[0];
}

WEFT__SANITIZE_NOT static struct weft__fiber *overflow(struct weft__fiber *self)
{
    volatile char start = 0;

    weft__sanitize_begin(&self->watch);
    recurse(&start);
    weft__sanitize_end(&self->watch, &thread.watch);
    return &thread;
}

static void run_over(void)
{
    static struct weft__fiber fiber;

    weft__sanitize_thread(&thread.watch);
    weft__fiber_init(&fiber, expected, expected);
    weft__fiber_switch(&thread, &fiber, overflow);
}

/* Whether the guard of `slot` ends who touches it, and is known as that slot's. */
static void check_guard(struct weft__slot *slot)
{
    size_t size = weft__stack_guard_size();

    expected = slot;
    CU_ASSERT(slot->guarded);
    CU_ASSERT(status_of(touch_below, false) == 256 + SIGSEGV);
    CU_ASSERT(status_of(touch_below, true) == 42);
    CU_ASSERT(status_of(touch_guards_end, true) == 42);
    CU_ASSERT(weft__stacks_guarding(&stacks, slot->low - 1) == slot);
    CU_ASSERT(weft__stacks_guarding(&stacks, slot->low - size) == slot);
    CU_ASSERT(weft__stacks_guarding(&stacks, slot->low - size - 1) != slot);
    CU_ASSERT(weft__stacks_guarding(&stacks, slot->low) == NULL);
    CU_ASSERT(weft__stacks_guarding(&stacks, slot) == NULL);
}

static void a_guard_stops_who_runs_over(void)
{
    begin_test();
    struct weft__slot *a = take(0), *b = take(0), *c = take((size_t)1 << 20);

    check_guard(a);
    check_guard(b);
    check_guard(c);
    expected = b;
    CU_ASSERT(status_of(run_over, true) == 42);
    CU_ASSERT(weft__stacks_guarding(&stacks, &stacks) == NULL);
    CU_ASSERT(weft__stacks_guarding(&stacks, NULL) == NULL);
    give(a), give(b), give(c);
    end_test();
}

/* Takes 17 slots, the last of them in the second slab, with `error` (0: none) from what is asked
 * for several guards at once.  Returns the last one. */
static struct weft__slot *take_batch(int error)
{
    begin_test();
    for (int i = 0; i < 16; i++) {
        take(0);
    }
    if (weft__stack_guards.kind != WEFT__GUARD_MAPPING) {
        weft__stack_guards.kind = WEFT__GUARD_BATCH; /* as far as anybody knows */
    }
    if (error) {
        weft__fault_arm(CALLS_BEFORE_GUARD, error);
    }
    return take(0);
}

static void give_each(struct weft__slot *slot, void *arg)
{
    (void)arg;
    give(slot);
}

static void later_slabs_get_several_guards_at_once(void)
{
    static const int errors[] = { 0, -ENOMEM, -EBADF };

    for (size_t i = 0; i < WEFT__COUNT(errors); i++) {
        struct weft__slot *slot = take_batch(errors[i]);
        struct weft__slab *slab = stacks.classes[slot->size_class].slabs;

        if (weft__stack_guards.kind != WEFT__GUARD_MAPPING) { /* else this system has no markers */
            CU_ASSERT(!errors[i] || slab->guarded == 1);
            CU_ASSERT(errors[i] || slab->guarded == 1 || slab->guarded == 16);
            CU_ASSERT(errors[i] != -EBADF || weft__stack_guards.kind == WEFT__GUARD_MARKER);
            weft__fault_arm(NO_FAULT, 0);
            check_guard(slot);
            for (int j = 0; j < 15; j++) {
                slot = take(0);
            }
            check_guard(slot);
            check_guard(take(0)); /* the first of the next batch */
        }
        weft__stacks_each(&stacks, give_each, NULL);
        end_test();
    }
}

static void without_markers_guards_are_mappings(void)
{
    static const int errors[] = { -EINVAL, -ENOSYS, -EPERM };

    for (size_t i = 0; i < WEFT__COUNT(errors); i++) {
        begin_test();
        weft__stack_guards.kind = WEFT__GUARD_MARKER; /* as far as anybody knows */
        weft__fault_arm(POSIX ? NO_FAULT : CALLS_BEFORE_GUARD, errors[i]);
        struct weft__slot *a = take(0), *b = take(0);

        CU_ASSERT_FATAL(a != NULL && b != NULL);
        CU_ASSERT(weft__stack_guards.kind == WEFT__GUARD_MAPPING);
        CU_ASSERT(weft__stack_guards.budget > 0);
        check_guard(a);
        check_guard(b);
        give(a), give(b);
        end_test();
    }
}

static void beyond_the_budget_slots_are_unguarded(void)
{
    struct weft__slot *all[20];

    begin_test();
    weft__stack_guards.kind = WEFT__GUARD_MAPPING;
    weft__stack_guards.budget = 2;
    for (size_t i = 0; i < WEFT__COUNT(all); i++) {
        CU_ASSERT(stacks.unguarded == (i > 2));
        all[i] = take(0);
        CU_ASSERT_FATAL(all[i] != NULL);
        CU_ASSERT(all[i]->guarded == (i < 2));
    }
    CU_ASSERT(weft__stack_guards.budget == 0);
    check_guard(all[1]);
    expected = all[2];
    CU_ASSERT(status_of(touch_below, false) == 0);
    CU_ASSERT(weft__stacks_guarding(&stacks, all[2]->low - 1) == NULL);
    for (size_t i = 0; i < WEFT__COUNT(all); i++) {
        give(all[i]);
    }

    /* Who comes next finds the two guards. */
    weft__stacks_fini(&stacks);
    begin_test();
    CU_ASSERT(take(0) == all[0] && take(0) == all[1] && !stacks.unguarded);
    check_guard(all[1]);
    CU_ASSERT(take(0) == all[2] && stacks.unguarded && !all[2]->guarded);
    give(all[0]), give(all[1]), give(all[2]);
    end_test();
}

static void a_refused_mapping_is_no_guard_but_a_slot(void)
{
    begin_test();
    weft__stack_guards.kind = WEFT__GUARD_MAPPING;
    weft__stack_guards.budget = 7;
    weft__fault_arm(CALLS_BEFORE_GUARD, -ENOMEM);
    struct weft__slot *slot = take(0);

    CU_ASSERT(slot && !slot->guarded && stacks.unguarded);
    CU_ASSERT(weft__stack_guards.budget == 7);
    give(slot);
    end_test();
}

static void no_memory_for_a_guard_is_no_slot(void)
{
    begin_test();
    weft__stack_guards.kind = WEFT__GUARD_MARKER;
    weft__fault_arm(CALLS_BEFORE_GUARD, -ENOMEM);
    if (!POSIX) { /* there memory for a mapping is what is missing, and that is no guard */
        CU_ASSERT(take(0) == NULL);
        CU_ASSERT(weft__stack_guards.kind == WEFT__GUARD_MARKER);
        CU_ASSERT(stacks.live == 0 && !stacks.unguarded);
    }
    struct weft__slot *slot = take(0);

    CU_ASSERT(slot != NULL);
    give(slot);
    end_test();
}

static void the_budget_is_a_part_of_what_the_system_allows(void)
{
    long maps = 65530;
    FILE *f = fopen("/proc/sys/vm/max_map_count", "r");

    if (f) {
        CU_ASSERT(fscanf(f, "%ld", &maps) == 1);
        fclose(f);
    }
    begin_test();
    weft__stack_guards.kind = WEFT__GUARD_MAPPING;
    give(take(0));
    maps = POSIX ? LONG_MAX / 2 : maps / 4;
    CU_ASSERT(weft__stack_guards.budget == maps - 1);
    end_test();
}

/* The end of a loop, and what stays. */

static void a_stale_handle_may_be_looked_at_for_ever(void)
{
    const int lives = WEFT__TAG_HIGH ? 200 : 20; /* the tags of 32 bits come round sooner */

    begin_test();
    struct weft__slot *slot = take(0);
    uintptr_t stale = slot->handle;

    give(slot);
    weft__stacks_fini(&stacks);
    CU_ASSERT(slot->handle == 0 || (POSIX && slot->handle != stale));
    for (int i = 0; i < lives; i++) {
        begin_test();
        CU_ASSERT(take(0) == slot);
        for (int j = 0; j < 10; j++) {
            CU_ASSERT(slot->handle != stale);
            give(slot);
            CU_ASSERT(slot->handle != stale);
            CU_ASSERT(take(0) == slot);
        }
        give(slot);
        weft__stacks_fini(&stacks);
        CU_ASSERT(slot->handle != stale);
    }
    begin_test();
    end_test();
}

static void the_depot_gives_slabs_back_with_their_guards(void)
{
    enum { COUNT = 100 };
    struct weft__slot *all[COUNT];

    begin_test();
    for (int i = 0; i < COUNT; i++) {
        all[i] = take(0);
        ((char *)all[i])[-1] = 1;
    }
    for (int i = 0; i < COUNT; i++) {
        give(all[i]);
    }
    weft__stacks_fini(&stacks);

    begin_test();
    weft__fault_arm(0, -ENOMEM); /* there is nothing to ask the system for */
    for (int i = 0; i < COUNT; i++) {
        struct weft__slot *slot = take(0);

        CU_ASSERT_FATAL(slot != NULL);
        CU_ASSERT(slot == all[i] && slot->guarded);
        CU_ASSERT(((char *)slot)[-1] == 0 || POSIX);
    }
    CU_ASSERT(weft__fault_arm(NO_FAULT, 0) == 0);
    check_guard(all[COUNT - 1]);
    for (int i = 0; i < COUNT; i++) {
        give(all[i]);
    }
    end_test();
}

static void the_depot_keeps_descriptor_sizes_apart(void)
{
    begin_test();
    struct weft__slot *a = take(0);

    give(a);
    weft__stacks_fini(&stacks);
    weft__stacks_init(&stacks, DESCRIPTOR * 2);
    struct weft__slot *b = take(0);

    CU_ASSERT((char *)b + DESCRIPTOR != (char *)a);
    CU_ASSERT(a->handle == 0 || (POSIX && !weft__tag_lives(a->handle)));
    give(b);
    end_test();
}

static void pages_that_stay_do_no_harm(void)
{
    begin_test();
    struct weft__slot *a = take(0);
    uintptr_t stale = a->handle;

    give(a);
    weft__fault_arm(0, -EINVAL); /* MADV_DONTNEED */
    weft__stacks_fini(&stacks);
    CU_ASSERT(weft__fault_arm(NO_FAULT, 0) < 0);
    CU_ASSERT(a->handle != 0 && a->handle != stale);

    begin_test();
    CU_ASSERT(take(0) == a);
    CU_ASSERT(weft__tag_lives(a->handle) && a->handle != stale);
    struct weft__slot *b = take(0);

    CU_ASSERT(weft__tag_address(b->handle, WEFT__STACK_LOW) == weft__slot_top(&stacks, b));
    give(a), give(b);
    end_test();
}

static void a_slab_with_a_living_slot_is_left_alone(void)
{
    begin_test();
    struct weft__slot *a = take(0), *b = take(0), *c = take(WEFT__STACK_MIN);
    uintptr_t handle = a->handle;

    ((char *)a)[-1] = 77;
    give(b), give(c);
    weft__stacks_fini(&stacks);

    begin_test();
    struct weft__slot *d = take(0), *e = take(WEFT__STACK_MIN);

    CU_ASSERT(d != a && d != b);
    CU_ASSERT(e == c);
    CU_ASSERT(a->handle == handle);
    CU_ASSERT(((char *)a)[-1] == 77);
    give(d), give(e);
    end_test();
}

/* Refusals, one after the other. */

static void use_some(void)
{
    struct weft__slot *all[40];

    weft__stacks_init(&stacks, DESCRIPTOR);
    for (size_t i = 0; i < WEFT__COUNT(all); i++) {
        all[i] = take(i % 2 ? 0 : WEFT__STACK_MIN);
        if (all[i]) {
            CU_ASSERT(weft__tag_lives(all[i]->handle));
            ((char *)all[i])[-1] = 1;
        }
    }
    for (size_t i = 0; i < WEFT__COUNT(all); i++) {
        if (all[i]) {
            give(all[i]);
        }
    }
    CU_ASSERT(stacks.live == 0);
    weft__stacks_fini(&stacks);
}

static void every_call_may_fail_once(void)
{
    static const int errors[] = { -ENOMEM, -EINVAL, -ENOSYS };
    long sites = 0;

    for (int kind = WEFT__GUARD_UNKNOWN; kind <= WEFT__GUARD_MAPPING; kind++) {
        for (size_t i = 0; i < WEFT__COUNT(errors); i++) {
            for (long n = 0, left = -1; left < 0; n++, sites++) {
                weft__stack_guards.kind = kind;
                weft__fault_arm(n, errors[i]);
                use_some();
                use_some(); /* from the depot */
                left = weft__fault_arm(NO_FAULT, 0);
                weft__stacks_depot_clear();
                CU_ASSERT(weft__alloc_live() == 0);
            }
        }
    }
    CU_ASSERT(sites > 9 * 40);
    begin_test();
    end_test();
}

static void *use_stacks(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct weft__stacks mine;
        struct weft__slot *all[30];

        weft__stacks_init(&mine, DESCRIPTOR);
        for (size_t j = 0; j < WEFT__COUNT(all); j++) {
            all[j] = weft__stacks_take(&mine, j % 2);
            memcpy((char *)all[j] - sizeof(arg), &arg, sizeof(arg));
        }
        for (size_t j = 0; j < WEFT__COUNT(all); j++) {
            if (memcmp((char *)all[j] - sizeof(arg), &arg, sizeof(arg)) != 0) {
                *(int *)arg = 1;
            }
            weft__stacks_give(&mine, all[j]);
        }
        weft__stacks_fini(&mine);
    }
    return NULL;
}

static void threads_share_the_depot(void)
{
    enum { COUNT = 4 };
    pthread_t threads[COUNT];
    int wrong[COUNT] = { 0 };

    begin_test();
    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT_FATAL(pthread_create(&threads[i], NULL, use_stacks, &wrong[i]) == 0);
    }
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT(wrong[i] == 0);
    }
    end_test();
}

static CU_TestInfo tests[] = {
    WEFT_UNIT_TEST(sizes_are_rounded_up_to_a_class),
    WEFT_UNIT_TEST(strides_are_odd_numbers_of_pages),
    WEFT_UNIT_TEST(each_class_has_what_it_promises),
    WEFT_UNIT_TEST(the_last_given_is_the_first_taken),
    WEFT_UNIT_TEST(handles_tell_the_users_of_a_slot_apart),
    WEFT_UNIT_TEST(slabs_grow_and_slots_do_not_overlap),
    WEFT_UNIT_TEST(each_visits_what_is_taken),
    WEFT_UNIT_TEST(a_guard_stops_who_runs_over),
    WEFT_UNIT_TEST(later_slabs_get_several_guards_at_once),
    WEFT_UNIT_TEST(without_markers_guards_are_mappings),
    WEFT_UNIT_TEST(beyond_the_budget_slots_are_unguarded),
    WEFT_UNIT_TEST(a_refused_mapping_is_no_guard_but_a_slot),
    WEFT_UNIT_TEST(no_memory_for_a_guard_is_no_slot),
    WEFT_UNIT_TEST(the_budget_is_a_part_of_what_the_system_allows),
    WEFT_UNIT_TEST(a_stale_handle_may_be_looked_at_for_ever),
    WEFT_UNIT_TEST(the_depot_gives_slabs_back_with_their_guards),
    WEFT_UNIT_TEST(the_depot_keeps_descriptor_sizes_apart),
    WEFT_UNIT_TEST(pages_that_stay_do_no_harm),
    WEFT_UNIT_TEST(a_slab_with_a_living_slot_is_left_alone),
    WEFT_UNIT_TEST(every_call_may_fail_once),
    WEFT_UNIT_TEST(threads_share_the_depot),
    CU_TEST_INFO_NULL,
};

WEFT_UNIT_MAIN(fiber_stack, tests)
