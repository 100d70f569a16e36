/* SPDX-License-Identifier: MIT
 * Groups 1, 2, 13 and 15: the descriptor, opening and closing, signals' actions, failures. */
#include "tools/backend-test/kit.h"

#include <ctype.h>
#include <signal.h>
#include <sys/resource.h>

static void descriptor_is_whole(void)
{
    const weft_backend *backend = kit.backend;
    const weft_backend_ops *ops = kit.ops;
    size_t length = strspn(backend->name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    EQUAL(backend->magic, WEFT_BACKEND_MAGIC);
    EQUAL(backend->abi, WEFT_BACKEND_ABI);
    CHECK(length >= 1 && length <= 32 && backend->name[length] == '\0');
    CHECK(backend->summary && *backend->summary && !strchr(backend->summary, '\n'));
    CHECK(backend->needs != NULL);
    CHECK(backend->probe != NULL);
    CHECK(ops->watch_size <= WATCH_SIZE_MAX);
    CHECK(ops->open && ops->close);
    CHECK(kit.host || (ops->watch && ops->rewatch && ops->unwatch && ops->wait && ops->wake));
    CHECK(!(ops->caps & WEFT_BACKEND_DIRECT) || (ops->watch && ops->rewatch && ops->unwatch));
    CHECK(!kit.host || ops->arm);
    CHECK(!(ops->caps & WEFT_BACKEND_GUEST) || ops->guest);
    CHECK(!(ops->caps & WEFT_BACKEND_GUEST_FIRST) || ops->caps & WEFT_BACKEND_GUEST);
    CHECK(!(ops->caps & (WEFT_BACKEND_ADOPT | WEFT_BACKEND_REENTERS)) || kit.host);
    CHECK(!(ops->caps & WEFT_BACKEND_NEST) == !ops->nest_fd);
    CHECK(!(ops->caps & WEFT_BACKEND_VIRTUAL) == !ops->now);
    CHECK(!(ops->caps & WEFT_BACKEND_COMPLETES) == !ops->completions);
}

static void library_is_named(void)
{
    if (!kit.backend->library) {
        kit_skip("it stands on no library");
    }
    CHECK(kit.backend->library() && isalpha((unsigned char)kit.backend->library()[0]));
}

/* A core and a request of a later version, with members that this one does not know. */
static void newer_core_is_welcome(void)
{
    static struct {
        weft_backend_core core;
        void *more[8];
    } core;
    struct {
        weft_backend_request request;
        void *more[8];
    } request = { .request = { .mode = kit.mode, .options = kit.options, .loop = &kit } };

    memset(core.more, 0x5a, sizeof core.more);
    memset(request.more, 0x5a, sizeof request.more);
    core.core = kit_core;
    core.core.size = sizeof core;
    request.request.size = sizeof request;
    if (EQUAL(kit.ops->open(&core.core, &request.request, &kit.be), 0)) {
        EQUAL(kit_close(), 0);
    }
    EQUAL(kit.blocks, 0);
}

static void unknown_options_are_refused(void)
{
    int before = kit_descriptors();

    kit.options = "no_such_option_is_known=1";
    EQUAL(kit_open(), -EINVAL);
    CHECK(kit.detail[0] != '\0');
    EQUAL(kit_descriptors(), before);
    EQUAL(kit.blocks, 0);
}

const struct kit_case kit_handshake[] = {
    { "the descriptor is whole", descriptor_is_whole, KIT_ANY },
    { "the library that it stands on has a version", library_is_named, KIT_ANY },
    { "a newer core is welcome", newer_core_is_welcome, KIT_SELF },
    { "unknown options are refused, in words", unknown_options_are_refused, KIT_SELF },
    { 0 },
};

static void probing_leaves_nothing(void)
{
    char why[100] = "";
    int before = kit_descriptors(), threads = kit_threads();

    for (int i = 0; i < 100; i++) {
        EQUAL(kit.backend->probe(why, sizeof why), 0);
    }
    EQUAL(kit_descriptors(), before);
    CHECK(kit_threads_are(threads));
    EQUAL(kit.blocks, 0);
}

static void thousand_times(void)
{
    int before, threads;

    EQUAL(kit_open(), 0); /* a library may keep something for ever, once */
    EQUAL(kit_close(), 0);
    before = kit_descriptors();
    threads = kit_threads();
    for (int i = 0; i < 1000; i++) {
        if (!EQUAL(kit_open(), 0) || !EQUAL(kit_close(), 0)) {
            return;
        }
    }
    EQUAL(kit_descriptors(), before);
    CHECK(kit_threads_are(threads));
    EQUAL(kit.blocks, 0);
}

static void two_at_once(void)
{
    void *first;

    EQUAL(kit_open(), 0);
    first = kit.be;
    EQUAL(kit_open(), 0);
    CHECK(kit.be != first);
    EQUAL(kit.ops->close(first), 0);
    if (kit.ops->wake && kit.mode == WEFT_BACKEND_MODE_DIRECT) {
        EQUAL(kit.ops->wake(kit.be), 0);
    }
    EQUAL(kit_close(), 0);
    EQUAL(kit.blocks, 0);
}

static void closed_with_watches(void)
{
    int fds[2];

    kit_pair(fds);
    EQUAL(kit_watch(0, fds[0], WEFT_READABLE), 0);
    EQUAL(kit_watch(1, fds[1], WEFT_READABLE | WEFT_WRITABLE), 0);
    CHECK(kit_ready(1) == WEFT_WRITABLE);
    EQUAL(kit_close(), 0);
    close(fds[0]);
    close(fds[1]);
}

static void descriptors_are_not_inherited(void)
{
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags >= 0 && !(flags & FD_CLOEXEC)) {
            fcntl(fd, F_SETFD, FD_CLOEXEC); /* somebody else's: not counted below */
        }
    }
    EQUAL(kit_open(), 0);
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);

        CHECK(flags < 0 || flags & FD_CLOEXEC);
    }
    EQUAL(kit_close(), 0);
}

const struct kit_case kit_life[] = {
    { "probing leaves nothing behind", probing_leaves_nothing, KIT_ANY },
    { "it opens and closes a thousand times and leaves nothing", thousand_times, KIT_SELF },
    { "two of them know nothing of each other", two_at_once, KIT_SELF },
    { "closing forgets the watches that are left", closed_with_watches, KIT_OPEN | KIT_WATCH },
    { "its descriptors are closed on exec", descriptors_are_not_inherited, KIT_SELF },
    { 0 },
};

struct dispositions {
    struct sigaction actions[65];
    sigset_t mask;
};

static void note(struct dispositions *all)
{
    memset(all, 0, sizeof *all);
    for (int i = 1; i < 65; i++) {
        sigaction(i, NULL, &all->actions[i]);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &all->mask);
}

static void compare(const struct dispositions *before)
{
    struct dispositions after;

    note(&after);
    for (int i = 1; i < 65; i++) {
        bool same = after.actions[i].sa_handler == before->actions[i].sa_handler &&
                    after.actions[i].sa_flags == before->actions[i].sa_flags;

        if (!CHECK(same)) {
            kit_note("that is signal %d", i);
        }
        CHECK(sigismember(&after.mask, i) == sigismember(&before->mask, i));
    }
}

static void signals_are_left_alone(void)
{
    struct dispositions before;
    weft_backend_event event;

    signal(SIGCHLD, SIG_DFL);
    note(&before);
    EQUAL(kit_open(), 0);
    compare(&before);
    if (kit.mode == WEFT_BACKEND_MODE_DIRECT) {
        CHECK(kit_wait(LOOK, &event, 1) >= 0);
        CHECK(kit_wait(kit_now() + MS, &event, 1) >= 0);
    } else {
        CHECK(kit.ops->run(kit.be, kit_clock() + MS) >= 0);
    }
    compare(&before);
    EQUAL(kit_close(), 0);
    compare(&before);
}

const struct kit_case kit_dispositions[] = {
    { "no signal's action and no mask changes", signals_are_left_alone, KIT_SELF | KIT_COLD },
    { 0 },
};

/* Everything that can fail on the way, each once. */
static int one_of_each(void)
{
    weft_backend_event event;
    int fds[2] = { -1, -1 }, r = kit_open();
    bool watches = kit.mode == WEFT_BACKEND_MODE_DIRECT && !(kit.ops->caps & WEFT_BACKEND_VIRTUAL);

    if (r < 0) {
        return r;
    }
    if (watches) {
        kit_pair(fds);
        r = kit_watch(0, fds[0], WEFT_READABLE);
        if (r >= 0) {
            int again = kit_rewatch(0, WEFT_READABLE | WEFT_WRITABLE);
            int wait = kit_wait(kit_now() + MS, &event, 1);

            r = again < 0 ? again : wait < 0 ? wait : 0;
            again = kit_unwatch(0);
            r = r < 0 ? r : again;
        }
        close(fds[0]);
        close(fds[1]);
    }
    EQUAL(kit_close(), 0);
    return r;
}

static void each_failure_is_an_error(void)
{
    static const int errors[] = { -ENOMEM, -EMFILE, -ENFILE, -EIO, -EINTR };

    EQUAL(one_of_each(), 0);
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        for (long n = 0; n < 200; n++) {
            int before = kit_descriptors(), r;

            kit.asked = 0;
            kit.fault_at = n;
            kit.fault_error = errors[e];
            r = one_of_each();
            kit.fault_at = -1;
            EQUAL(kit_descriptors(), before);
            EQUAL(kit.blocks, 0);
            CHECK(r == 0 || r == errors[e] || r == -ENOMEM);
            if (kit.asked <= n) {
                EQUAL(r, 0);
                break;
            }
        }
    }
}

/* Without asking the core: there really is none left. */
static void no_descriptor_is_left(void)
{
    struct rlimit old, none;
    int before = kit_descriptors(), r;

    getrlimit(RLIMIT_NOFILE, &old);
    none = old;
    none.rlim_cur = 0;
    setrlimit(RLIMIT_NOFILE, &none);
    r = kit_open();
    setrlimit(RLIMIT_NOFILE, &old);
    CHECK(r == 0 || r == -EMFILE || r == -ENOMEM);
    if (r == 0) {
        EQUAL(kit_close(), 0);
    }
    EQUAL(kit_descriptors(), before);
    EQUAL(kit.blocks, 0);
    EQUAL(kit_open(), 0);
    EQUAL(kit_close(), 0);
}

const struct kit_case kit_faults[] = {
    { "each failure is told and loses nothing", each_failure_is_an_error, KIT_SELF },
    { "without a descriptor left it says so", no_descriptor_is_left, KIT_SELF },
    { 0 },
};
