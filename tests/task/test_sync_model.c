/* SPDX-License-Identifier: MIT
 * All primitives at once, by tasks that do random things and are cancelled at random: nothing is
 * lost, nobody is forgotten, nobody overtakes, no lock is orphaned.  Seeds are told.
 *
 * `task_sync_model BACKEND` tries a thousand; WEFT_SEED=n tries that one. */
#include "core/sync/lock.h"
#include "tests/task/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 1000, WORKERS = 8, DEEDS = 25, ROUNDS_MAX = 200000, PARTIES = 3, SLOTS = 2 };

static struct {
    weft_lock lock;
    weft_semaphore slots;
    weft_rwlock rwlock;
    weft_limiter limiter;
    weft_event event;
    weft_condition condition;
    weft_barrier barrier;
} all;

/* What the model knows. */
static struct {
    int in_lock, in_slots, readers, writers, with_token;
    int items, made, taken;
    int numbers[PARTIES];
    int running;
} model;

static weft_task *workers[WORKERS];
static uint64_t tickets[WORKERS], next_ticket; /* of the acquire that is under way */
static uint64_t seed, state;
static unsigned wrong;

static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static void expect(bool holds, const char *claim)
{
    char words[160];

    if (!holds && wrong++ == 0) {
        snprintf(words, sizeof words, "WEFT_SEED=%llu: %s", (unsigned long long)seed, claim);
        check(false, words, __FILE__, __LINE__);
    }
}

/* Whoever waits in this queue came after `ticket`. */
static void expect_not_overtaken(const weft_waitq *queue, uint64_t ticket)
{
    for (const weft_waiter *w = queue->first; w; w = weft_waitq_next(queue, w)) {
        for (int i = 0; i < WORKERS; i++) {
            if (workers[i] == weft__task_handle(w->owner)) {
                expect(tickets[i] > ticket, "somebody was overtaken");
            }
        }
    }
}

static bool reader_is_first(void)
{
    const weft_waiter *first = all.rwlock.waiters.first;

    return first && ((struct weft__task *)first->owner)->waiting == &weft__wait_read;
}

/* Owners know how many wait for what they have. */
static void look_at_owners(void)
{
    for (int i = 0; i < WORKERS; i++) {
        int r;
        struct weft__task *task = weft__task_at(workers[i], &r);
        size_t wanted = 0;

        if (!task || task->outcome.done) {
            continue;
        }
        wanted += all.lock.owner == workers[i] ? all.lock.waiters.count : 0;
        wanted += all.rwlock.writer == workers[i] ? all.rwlock.waiters.count : 0;
        wanted += all.condition.own.owner == workers[i] ? all.condition.own.waiters.count : 0;
        expect(task->wanted == wanted, "an owner does not know who waits for it");
    }
}

/* Nobody waits for what is free. */
static void look(void)
{
    look_at_owners();
    expect(all.lock.owner || !all.lock.waiters.first, "the lock is free and waited for");
    expect(!all.slots.value || !all.slots.waiters.first, "a slot is free and waited for");
    expect(all.rwlock.writer || all.rwlock.readers || !all.rwlock.waiters.first,
           "the read-write lock is free and waited for");
    expect(all.rwlock.writer || !reader_is_first(), "a reader waits and nobody writes");
    expect(all.limiter.borrowed >= all.limiter.total || !all.limiter.waiters.first,
           "a token is free and waited for");
    expect(!all.event.set || !all.event.waiters.first, "the event is set and waited for");
    expect(all.barrier.waiters.count < PARTIES, "a round is complete and waits");
    expect(model.made == model.taken + model.items, "an item is lost");
}

/* Lets others do something, inside and outside of locks. */
static void dawdle(void)
{
    for (unsigned i = draw(4); i > 0; i--) {
        (void)weft_sleep(draw(8) ? 0 : 1e-6);
    }
    look();
}

static int acquired(int me, const weft_waitq *queue, int r)
{
    if (r == 0) {
        expect_not_overtaken(queue, tickets[me]);
    } else {
        expect(r == -ECANCELED, "an acquire failed");
    }
    return r;
}

static void use_lock(int me)
{
    if (acquired(me, &all.lock.waiters, weft_lock_acquire(&all.lock)) == 0) {
        expect(++model.in_lock == 1, "two have the lock");
        dawdle();
        model.in_lock--;
        expect(weft_lock_release(&all.lock) == 0, "the lock was not ours");
    }
}

static void use_slot(int me)
{
    if (acquired(me, &all.slots.waiters, weft_semaphore_acquire(&all.slots)) == 0) {
        expect(++model.in_slots <= SLOTS, "too many have a slot");
        dawdle();
        model.in_slots--;
        expect((draw(2) ? weft_semaphore_release(&all.slots) :
                          weft_semaphore_release_threadsafe(&all.slots)) == 0,
               "a slot too many");
    }
}

static void read(int me)
{
    if (acquired(me, &all.rwlock.waiters, weft_rwlock_acquire_read(&all.rwlock)) == 0) {
        model.readers++;
        expect(model.writers == 0, "one reads while another writes");
        dawdle();
        model.readers--;
        expect(weft_rwlock_release_read(&all.rwlock) == 0, "not a reader");
    }
}

static void write(int me)
{
    if (acquired(me, &all.rwlock.waiters, weft_rwlock_acquire_write(&all.rwlock)) == 0) {
        model.writers++;
        expect(model.readers == 0 && model.writers == 1, "one writes and is not alone");
        dawdle();
        model.writers--;
        if (draw(3)) {
            expect(weft_rwlock_release_write(&all.rwlock) == 0, "not the writer");
            return;
        }
        model.readers++;
        expect(weft_rwlock_downgrade(&all.rwlock) == 0, "not the writer");
        dawdle();
        model.readers--;
        expect(weft_rwlock_release_read(&all.rwlock) == 0, "not a reader");
    }
}

static void use_token(int me)
{
    if (acquired(me, &all.limiter.waiters, weft_limiter_acquire(&all.limiter)) == 0) {
        model.with_token++;
        dawdle();
        if (draw(4) == 0) {
            weft_limiter_set_total(&all.limiter, draw(4));
        }
        model.with_token--;
        expect(weft_limiter_release(&all.limiter) == 0, "no token to give back");
    }
}

static void use_event(int me)
{
    (void)me;
    switch (draw(4)) {
    case 0: weft_event_set(&all.event); break;
    case 1: weft_event_set_threadsafe(&all.event); break;
    case 2: weft_event_clear(&all.event); break;
    default: {
        int r = weft_event_wait(&all.event);

        expect(r == 0 || r == -ECANCELED, "an event failed");
    }
    }
}

static int are_there(void *unused)
{
    (void)unused;
    return model.items;
}

static void make_or_take(int me)
{
    weft_condition *condition = &all.condition;
    int r = weft_condition_acquire(condition);

    if (r < 0) {
        expect(r == -ECANCELED, "a condition failed");
        return;
    }
    if (draw(2)) {
        model.made++;
        model.items++;
        weft_condition_notify(condition, 1);
    } else {
        r = weft_condition_wait_for(condition, are_there, NULL);
        expect(r > 0 || r == -ECANCELED, "a condition failed");
        model.items -= r > 0;
        model.taken += r > 0;
    }
    expect(condition->own.owner == workers[me], "a wait came back without the lock");
    weft_condition_release(condition);
}

static void meet(int me)
{
    int r = weft_barrier_wait(&all.barrier);

    (void)me;
    expect((r >= 0 && r < PARTIES) || r == -ECANCELED || r == -EPIPE, "a barrier failed");
    if (r >= 0) {
        model.numbers[r]++;
    }
}

WEFT_ASYNC(works, (int, me))
{
    static void (*const deeds[])(int) = {
        use_lock, use_slot, read, write, use_token, use_event, make_or_take, meet,
    };

    for (int i = 0; i < DEEDS; i++) {
        weft_timeout limit;
        bool limited = draw(4) == 0;

        tickets[me] = ++next_ticket;
        if (limited) {
            weft_timeout_enter(&limit, draw(3) * 1e-6);
        }
        deeds[draw(sizeof deeds / sizeof deeds[0])](me);
        if (limited) {
            weft_timeout_exit(&limit, 0);
        }
        while (weft_task_uncancel(workers[me]) > 0) {}
        dawdle();
        while (weft_task_uncancel(workers[me]) > 0) {}
    }
    model.running--;
    return 0;
}

/* Cancels, and sees to it that nobody waits for what nobody would do. */
static void disturb(void)
{
    if (draw(3) == 0) {
        weft_task_cancel(workers[draw(WORKERS)]);
    }
    if (draw(8) == 0) {
        weft_event_set(&all.event);
    }
    if (draw(16) == 0) {
        weft_barrier_reset(&all.barrier);
    }
    if (draw(8) == 0) {
        weft_limiter_set_total(&all.limiter, 2);
    }
    if (draw(8) == 0 && weft_condition_acquire(&all.condition) == 0) {
        model.made++;
        model.items++;
        weft_condition_notify(&all.condition, 1);
        weft_condition_release(&all.condition);
    }
}

static void begin(void)
{
    all.lock = (weft_lock)WEFT_LOCK_INIT;
    all.slots = (weft_semaphore)WEFT_BOUNDED_SEMAPHORE_INIT(SLOTS);
    all.rwlock = (weft_rwlock)WEFT_RWLOCK_INIT;
    all.limiter = (weft_limiter)WEFT_LIMITER_INIT(2);
    all.event = (weft_event)WEFT_EVENT_INIT;
    all.condition = (weft_condition)WEFT_CONDITION_INIT;
    all.barrier = (weft_barrier)WEFT_BARRIER_INIT(PARTIES);
    memset(&model, 0, sizeof model);
    model.running = WORKERS;
    state = seed * 2654435761u + 12345;
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = weft_create_task(works(i), NULL);
    }
}

/* With those that were posted before anybody had to wait. */
static int64_t free_slots(void)
{
    weft_semaphore_stats stats;

    weft_semaphore_statistics(&all.slots, &stats);
    return stats.value;
}

/* Everything is as it was. */
static void end(void)
{
    for (int i = 0; i < WORKERS; i++) {
        expect(weft_await(workers[i]) == 0, "a worker failed");
    }
    for (int i = 0; i < 1000 && free_slots() < SLOTS; i++) {
        weft_sleep(1e-6); /* what was posted last is still under way */
    }
    look();
    expect(!all.lock.owner, "the lock is orphaned");
    expect(free_slots() == SLOTS, "a slot is lost");
    expect(!all.rwlock.readers && !all.rwlock.writer, "the read-write lock is orphaned");
    expect(!all.limiter.borrowed, "a token is lost");
    expect(!all.condition.own.owner, "the condition's lock is orphaned");
    for (int i = 1; i < PARTIES; i++) {
        expect(model.numbers[i] == model.numbers[0], "a round was not completed by all");
    }
    expect(weft_lock_destroy(&all.lock) == 0 && weft_semaphore_destroy(&all.slots) == 0 &&
               weft_rwlock_destroy(&all.rwlock) == 0 && weft_limiter_destroy(&all.limiter) == 0 &&
               weft_event_destroy(&all.event) == 0 && weft_condition_destroy(&all.condition) == 0 &&
               weft_barrier_destroy(&all.barrier) == 0,
           "something is still in use");
}

static void try_seed(uint64_t number)
{
    int rounds = 0;

    seed = number;
    begin();
    while (model.running > 0 && rounds++ < ROUNDS_MAX) {
        disturb();
        weft_sleep(draw(4) ? 0 : 1e-6);
        look();
    }
    expect(model.running == 0, "somebody waits for ever");
    if (model.running > 0) {
        fprintf(stderr, "\nWEFT_SEED=%llu does not end\n", (unsigned long long)seed);
        abort(); /* its tasks are in the way of whatever comes */
    }
    end();
}

IN_TASK(random_tasks_lose_nothing_and_forget_nobody)
{
    const char *one = getenv("WEFT_SEED");
    int seeds = one ? 1 : many(SEEDS);

    wrong = 0;
    for (int i = 0; i < seeds && wrong == 0; i++) {
        try_seed(one ? strtoull(one, NULL, 10) : (uint64_t)i + 1);
    }
    EQUAL(wrong, 0);
    EQUAL(reports_left(), 0);
}

static CU_TestInfo tests[] = {
    TEST(random_tasks_lose_nothing_and_forget_nobody),
    CU_TEST_INFO_NULL,
};

TASK_MAIN(sync_model, tests)
