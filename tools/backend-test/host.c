/* SPDX-License-Identifier: MIT
 * Groups 11, 12 and 14: what a forked child sees, loops that were adopted, loops within loops.
 *
 * A loop to adopt is made by the backend itself: one is opened with a loop of its own, whose native
 * object the second one adopts; the first one's run() then is the program that runs it. */
#include "tools/backend-test/kit.h"

#include <signal.h>
#include <sys/wait.h>

/* Group 11. */

/* Runs a part of a case in a forked child; whether all of its claims held. */
static bool in_child(void (*part)(void))
{
    pid_t child = fork();
    int status = 1;

    if (child == 0) {
        alarm(20);
        part();
        fflush(stdout);
        _exit(kit.pumps == -1); /* where fails() leaves it */
    }
    waitpid(child, &status, 0);
    return status == 0;
}

static void fails(bool holds)
{
    if (!CHECK(holds)) {
        kit.pumps = -1;
    }
}

static int shared[2]; /* watched in the parent */

static void leave(void)
{
}

static void close_it(void)
{
    fails(kit_close() == 0);
}

static void rebuild(void)
{
    int fds[2];

    fails(kit.ops->fork_child(kit.be) == 0);
    kit_pair(fds);
    fails(kit_watch(1, fds[0], WEFT_READABLE) == 0);
    fails(kit_quiet(1));
    kit_put(fds[1], "x");
    fails(kit_ready(1) == WEFT_READABLE);
    fails(kit_unwatch(1) == 0);
    fails(kit.ops->wake(kit.be) == 0); /* its own, not the parent's */
    fails(kit_watch(0, shared[0], WEFT_READABLE) == 0);
    fails(kit_unwatch(0) == 0);
    fails(kit_close() == 0);
}

/* The parent's watch and its wake are as they were. */
static void parent_is_unaffected(void)
{
    weft_backend_event event;
    int64_t begun;

    kit_put(shared[1], "x");
    EQUAL(kit_ready(0), WEFT_READABLE);
    kit_take(shared[0]);
    begun = kit_clock();
    EQUAL(kit.ops->wake(kit.be), 0);
    EQUAL(kit_wait(kit_now() + LONG_WAIT, &event, 1), 0);
    CHECK(kit_clock() - begun < MUCH_LESS);
}

/* Three children: a wait may return early for nothing, but not each time that a child was there. */
static void with_child(void (*part)(void))
{
    weft_backend_event event;
    int rested = 0;

    if (part == rebuild && !kit.ops->fork_child) {
        kit_skip("it has no fork_child()");
    }
    kit_pair(shared);
    EQUAL(kit_watch(0, shared[0], WEFT_READABLE), 0);
    CHECK(kit_quiet(0));
    for (int i = 0; i < 3; i++) {
        int64_t begun;

        CHECK(in_child(part));
        begun = kit_clock();
        EQUAL(kit_wait(kit_now() + 20 * MS, &event, 1), 0);
        rested += kit_clock() - begun > 10 * MS;
        parent_is_unaffected();
    }
    CHECK(rested > 0);
    EQUAL(kit_unwatch(0), 0);
    close(shared[0]);
    close(shared[1]);
}

static void child_that_exits(void)
{
    with_child(leave);
}

static void child_that_closes(void)
{
    with_child(close_it);
}

static void child_that_rebuilds(void)
{
    with_child(rebuild);
}

const struct kit_case kit_forking[] = {
    { "a child that exits does not touch the parent's", child_that_exits, KIT_OPEN | KIT_WATCH },
    { "nor does one that closes", child_that_closes, KIT_OPEN | KIT_WATCH },
    { "a child rebuilds, and the parent goes on", child_that_rebuilds, KIT_OPEN | KIT_WATCH },
    { 0 },
};

/* Group 12. */

static void *owner; /* the object whose loop is adopted */

/* Opens the loop that will be adopted, in the same mode. */
static void open_owner(void)
{
    if (!EQUAL(kit_open(), 0)) {
        _exit(1);
    }
    owner = kit.be;
    kit.adopt = kit.ops->native(owner);
    CHECK(kit.adopt != NULL);
}

static int turn(int64_t length)
{
    return kit.ops->run(owner, length < 0 ? LOOK : kit_clock() + length);
}

/* Closes the one that has adopted, as long as it takes. */
static void close_adopted(void)
{
    int r = kit_close();

    CHECK(r == 0 || r == -EINPROGRESS);
    kit.pumps = 0;
    for (int i = 0; r == -EINPROGRESS && !kit.closed && i < 100; i++) {
        CHECK(turn(MS) >= 0);
    }
    EQUAL(kit.closed, r == -EINPROGRESS);
    EQUAL(kit.pumps, 0); /* not after close() */
}

static void adopts_and_pumps(void)
{
    int fds[2], before, threads;
    long blocks;

    open_owner();
    before = kit_descriptors();
    threads = kit_threads();
    blocks = kit.blocks;
    EQUAL(kit_open(), 0);
    kit_pair(fds);
    kit.pumps = 0;
    if (kit.mode == WEFT_BACKEND_MODE_GUEST) {
        EQUAL(kit.ops->guest(kit.be, fds[0]), 0);
    } else {
        EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    }
    CHECK(turn(-1) >= 0);
    EQUAL(kit.pumps, 0);
    kit_put(fds[1], "x");
    for (int i = 0; i < 10 && !kit.pumps; i++) {
        CHECK(turn(SECOND) >= 0);
    }
    CHECK(kit.pumps > 0);
    kit_take(fds[0]);
    kit.pumps = 0;
    EQUAL(kit.ops->arm(kit.be, kit_clock() + 5 * MS), 0);
    for (int i = 0; i < 100 && !kit.pumps; i++) {
        CHECK(turn(SECOND) >= 0);
    }
    CHECK(kit.pumps > 0);
    if (kit.mode == WEFT_BACKEND_MODE_GUEST) {
        EQUAL(kit.ops->guest(kit.be, -1), 0);
    } else {
        EQUAL(kit_unwatch(0), 0);
    }
    close_adopted();
    close(fds[0]);
    close(fds[1]);
    EQUAL(kit_descriptors(), before);
    CHECK(kit_threads_are(threads));
    EQUAL(kit.blocks, blocks);
    CHECK(turn(-1) >= 0); /* the loop goes on without */
    EQUAL(kit.ops->close(owner), 0);
}

static void wake_pumps(void)
{
    if (kit.mode == WEFT_BACKEND_MODE_GUEST) {
        kit_skip("our own poller is woken in guest mode");
    }
    open_owner();
    EQUAL(kit_open(), 0);
    kit.pumps = 0;
    EQUAL(kit.ops->wake(kit.be), 0);
    for (int i = 0; i < 10 && !kit.pumps; i++) {
        CHECK(turn(SECOND) >= 0);
    }
    CHECK(kit.pumps > 0);
    close_adopted();
    EQUAL(kit.ops->close(owner), 0);
}

/* How late pump() comes for a deadline that is `length` away. */
static int64_t arm_for(int64_t length)
{
    int64_t deadline = kit_clock() + length;
    int turns = 0;

    kit.pumps = 0;
    EQUAL(kit.ops->arm(kit.be, deadline), 0);
    while (!kit.pumps && turns++ < 1000) {
        CHECK(turn(SECOND) >= 0);
    }
    CHECK(kit.pumps > 0);
    return kit_clock() - deadline;
}

static void arm_pumps_in_time(void)
{
    open_owner();
    EQUAL(kit_open(), 0);
    kit_keeps(5 * MS, 2 * MS, arm_for);
    kit.pumps = 0;
    EQUAL(kit.ops->arm(kit.be, kit_clock() + 5 * MS), 0);
    EQUAL(kit.ops->arm(kit.be, WEFT_BACKEND_NEVER), 0);
    for (int i = 0; i < 5; i++) {
        CHECK(turn(5 * MS) >= 0);
    }
    EQUAL(kit.pumps, 0); /* it was taken back */
    EQUAL(kit.ops->arm(kit.be, LOOK), 0);
    for (int i = 0; i < 5 && !kit.pumps; i++) {
        CHECK(turn(SECOND) >= 0);
    }
    CHECK(kit.pumps > 0); /* one that has passed is told in the next iteration */
    close_adopted();
    EQUAL(kit.ops->close(owner), 0);
}

/* Nothing of ours keeps the loop from ending, or its signals from being its own. */
static void leaves_no_trace(void)
{
    struct sigaction before, after;
    int descriptors;

    open_owner();
    descriptors = kit_descriptors();
    sigaction(SIGCHLD, NULL, &before);
    for (int i = 0; i < 100; i++) {
        kit.closed = 0;
        EQUAL(kit_open(), 0);
        CHECK(turn(-1) >= 0);
        EQUAL(kit.ops->arm(kit.be, kit_clock() + SECOND), 0);
        close_adopted();
    }
    sigaction(SIGCHLD, NULL, &after);
    CHECK(before.sa_handler == after.sa_handler);
    EQUAL(kit_descriptors(), descriptors);
    EQUAL(kit.ops->close(owner), 0); /* which would not be if a handle of ours were there */
    EQUAL(kit.blocks, 0);
}

const struct kit_case kit_adoption[] = {
    { "an adopted loop pumps for a descriptor and a deadline", adopts_and_pumps, KIT_ADOPT },
    { "and for a wake", wake_pumps, KIT_ADOPT },
    { "its deadlines are kept, and can be taken back", arm_pumps_in_time, KIT_ADOPT },
    { "a hundred times, and it is as it was", leaves_no_trace, KIT_ADOPT },
    { 0 },
};

/* Group 14. */

static int depth, deepest;
static int inner[2];

/* From within a pump the loop is run again, and does its work there. */
static void run_within(void)
{
    if (depth > 0) {
        return;
    }
    depth++;
    kit_take(inner[0]);
    kit_put(inner[1], "y");
    kit.pumps = 0;
    for (int i = 0; i < 10 && !kit.pumps; i++) {
        CHECK(kit.ops->run(owner, kit_clock() + 100 * MS) >= 0);
    }
    deepest = kit.pumps > 0 ? 2 : 1;
    depth--;
}

static void runs_within_itself(void)
{
    open_owner();
    EQUAL(kit_open(), 0);
    kit_pair(inner);
    if (kit.mode == WEFT_BACKEND_MODE_GUEST) {
        EQUAL(kit.ops->guest(kit.be, inner[0]), 0);
    } else {
        EQUAL(kit_watch(0, inner[0], WEFT_READABLE), 0);
    }
    kit_put(inner[1], "x");
    kit.on_pump = run_within;
    for (int i = 0; i < 10 && !deepest; i++) {
        CHECK(turn(SECOND) >= 0);
    }
    kit.on_pump = NULL;
    EQUAL(deepest, 2);
    kit_take(inner[0]);
    if (kit.mode == WEFT_BACKEND_MODE_GUEST) {
        EQUAL(kit.ops->guest(kit.be, -1), 0);
    } else {
        EQUAL(kit_unwatch(0), 0);
    }
    close_adopted();
    EQUAL(kit.ops->close(owner), 0);
    close(inner[0]);
    close(inner[1]);
}

const struct kit_case kit_nesting[] = {
    { "a loop that is run from within a pump pumps again", runs_within_itself,
      KIT_REENTER | KIT_ADOPT },
    { 0 },
};
