/* SPDX-License-Identifier: MIT
 * Backends that are wrong in one way each, and a few that are right: VARIANT says which this is.
 *
 * The right ones do as much as a loop needs that runs no task. */
#include <weft/backend.h>

#include <stdatomic.h>

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define TEXT(x) #x
#define EXPORT(id) WEFT_BACKEND(id)
#define NAME_OF(id) TEXT(id)

enum variant {
    good,
    wrongabi,
    badmagic,
    shortdesc,
    shortops,
    misnamed,
    nosymbol,
    lacking,
    undefined,
    needslib,
    newcore,
    small,
    large,
    emfile,
    enosys,
    hostless,
};

static atomic_int opened; /* loops, by several threads */
static int constructed;

__attribute__((constructor)) static void count(void)
{
    constructed++;
}

/* For the test, which finds them by dlsym(). */
WEFT_API extern int *const times_constructed;
int *const times_constructed = &constructed;

#if defined(NEEDS)
extern int not_here(void);
static int (*const volatile need)(void) = not_here;
#endif

static int test_open(const weft_backend_core *core, const weft_backend_request *request, void **ret)
{
    if (VARIANT == emfile) {
        return -EMFILE;
    }
    if (VARIANT == enosys) {
        return -ENOSYS;
    }
    if (*request->options != '\0') {
        core->detail("takes no options, not '%s'", request->options);
        return -EINVAL;
    }
#if defined(NEEDS)
    opened += need();
#endif
    opened++;
    *ret = &opened;
    return 0;
}

static int test_close(void *be)
{
    atomic_fetch_sub((atomic_int *)be, 1);
    return 0;
}

static int test_watch(void *be, void *watch, int fd, uint32_t events, uint64_t token)
{
    (void)be, (void)watch, (void)fd, (void)events, (void)token;
    return -EOPNOTSUPP;
}

static int test_rewatch(void *be, void *watch, uint32_t events)
{
    (void)be, (void)watch, (void)events;
    return -EOPNOTSUPP;
}

static int test_unwatch(void *be, void *watch)
{
    (void)be, (void)watch;
    return 0;
}

static int test_wait(void *be, int64_t deadline, weft_backend_event *ret_events, int max)
{
    (void)be, (void)deadline, (void)ret_events, (void)max;
    nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
    return 0;
}

static int test_nothing(void *be)
{
    (void)be;
    return 0;
}

static void *test_native(void *be)
{
    return be;
}

static int test_probe(char *why, size_t size)
{
    if (VARIANT == enosys) {
        snprintf(why, size, "this kernel has no such call");
        return -ENOSYS;
    }
    return 0;
}

/* What a later version may have: members that this core does not know. */
static const struct {
    weft_backend_ops ops;
    void *more[4];
} test_ops = {
    .ops = {
        .size = VARIANT == shortops ? offsetof(weft_backend_ops, wait) :
                VARIANT == small    ? offsetof(weft_backend_ops, now) :
                VARIANT == large    ? sizeof test_ops :
                                      sizeof(weft_backend_ops),
        .caps = VARIANT == large ? 0x80000000u : VARIANT == hostless ? WEFT_BACKEND_GUEST : 0,
        .watch_size = 8,
        .open = test_open,
        .close = test_close,
        .watch = test_watch,
        .rewatch = test_rewatch,
        .unwatch = test_unwatch,
        .wait = VARIANT == lacking ? NULL : test_wait,
        .wake = test_nothing,
        .fork_child = test_nothing,
        /* Beyond the size that `small` gives this is nobody's business. */
        .native = VARIANT == small ? test_native : NULL,
    },
    .more = { &opened, &opened, &opened, &opened },
};

EXPORT(SYMBOL) = {
    .magic = VARIANT == badmagic ? 0xdeadbeefu : WEFT_BACKEND_MAGIC,
    .abi = VARIANT == wrongabi ? WEFT_BACKEND_ABI + 1 : WEFT_BACKEND_ABI,
    .size = VARIANT == shortdesc ? offsetof(weft_backend, ops) :
            VARIANT == small     ? offsetof(weft_backend, version) :
                                   sizeof(weft_backend),
    .core_size = VARIANT == newcore ? 4096 : 0,
    .name = VARIANT == misnamed ? "other" : NAME_OF(SYMBOL),
    .summary = "for the tests",
    .needs = NULL,
    .ops = &test_ops.ops,
    .probe = test_probe,
};
