/* SPDX-License-Identifier: MIT
 * A look at a thread that does not come back.
 *
 * On the CPU it gets a signal, and its handler walks the stack that it has interrupted.  In a
 * system call it gets none, which would end that with EINTR: the system tells where it is, and the
 * walk is done from outside, on a copy. */
#include "core/debug/sample.h"

#include "core/base/clock.h"
#include "core/base/shared.h"
#include "core/debug/stack.h"
#include "core/debug/system.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_NS 50000000 /* for the handler; then the thread is taken to be stuck in the kernel */
#define ALTERNATE ((size_t)64 << 10)

/* ---- the signal ---- */

enum { IDLE, ASKED, ANSWERING };

static struct {
    int number; /* of the signal; 0: none was found */
    struct weft__sem answered;
    atomic_int state;
    struct weft__observer *observer; /* whose thread is asked, */
    uint64_t serial;                 /* and in which turn */
    struct weft__sample *sample;
    bool right; /* it was that turn */
} asked;

static void answer(int number, siginfo_t *info, void *context)
{
    struct weft__loop *loop = weft__running;
    int error = errno, state = ASKED;

    (void)number, (void)info;
    if (!loop || !atomic_compare_exchange_strong(&asked.state, &state, ANSWERING)) {
        return; /* somebody else's, or too late */
    }
    asked.right =
        loop->observer == asked.observer && atomic_load(&asked.observer->serial) == asked.serial;
    if (asked.right) {
        struct weft__sample *sample = asked.sample;

        sample->stack_count = weft__stack_interrupted(context, sample->stack, WEFT__STACK_MAX);
        sample->exact = sample->stack_count;
        if (loop->current) {
            sample->chain_count = weft__chain_of(loop->current, sample->chain, WEFT__CHAIN_MAX);
        }
    }
    weft__sem_post(&asked.answered);
    errno = error;
}

int weft__sample_signal(void)
{
    return asked.number;
}

int weft__sample_open(void)
{
    struct sigaction action = { .sa_sigaction = answer,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART };

    weft__stack_prime();
    sigfillset(&action.sa_mask);
    for (int n = 0; weft__system_signal(n); n++) {
        int number = weft__system_signal(n);
        struct sigaction now;

        if (sigaction(number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
            now.sa_handler == SIG_DFL && weft__sem_init(&asked.answered) == 0) {
            atomic_store(&asked.state, IDLE);
            asked.number = sigaction(number, &action, NULL) == 0 ? number : 0;
            return asked.number ? 0 : -EAGAIN;
        }
    }
    return -EAGAIN;
}

void weft__sample_close(void)
{
    struct sigaction now;

    if (asked.number && sigaction(asked.number, NULL, &now) == 0 && now.sa_flags & SA_SIGINFO &&
        now.sa_sigaction == answer) {
        signal(asked.number, SIG_IGN); /* also drops one that is on its way */
        signal(asked.number, SIG_DFL);
        weft__sem_fini(&asked.answered);
    }
    asked.number = 0;
}

static bool ask(struct weft__observer *observer, uint64_t serial, struct weft__sample *ret)
{
    int state = ASKED;

    if (!asked.number) {
        return false;
    }
    asked.observer = observer;
    asked.serial = serial;
    asked.sample = ret;
    asked.right = false;
    atomic_store(&asked.state, ASKED);
    if (weft__thread_kill(&observer->system, asked.number) < 0) {
        atomic_store(&asked.state, IDLE);
        return false;
    }
    if (weft__sem_wait(&asked.answered, weft__clock_now() + ANSWER_NS) < 0) {
        if (atomic_compare_exchange_strong(&asked.state, &state, IDLE)) {
            return false;
        }
        (void)weft__sem_wait(&asked.answered, WEFT__NEVER); /* it is about to */
    }
    atomic_store(&asked.state, IDLE);
    return asked.right;
}

/* ---- from outside ---- */

/* The chain of a task whose thread stands still, or goes on meanwhile: what is read is copied, and
 * may be nonsense then. */
static uint32_t peek_chain(const struct weft__frame *at, weft_frame *ret, uint32_t max)
{
    struct weft__frame frame;
    weft_coro_def def;
    uint32_t count = 0;

    while (at && count < max && weft__peek(&frame, at, sizeof frame) == sizeof frame &&
           weft__peek(&def, frame.def, sizeof def) == sizeof def) {
        ret[count++] = (weft_frame){ def.name, def.file, (int)def.line };
        at = frame.outer;
    }
    return count;
}

/* Where the stack ends that holds `sp`.  Nothing behind it is looked at: that may be another task's
 * stack, whose pages would come into being by being read. */
static uintptr_t end_of_stack(const struct weft__observer *observer, uintptr_t sp, uintptr_t args)
{
    uintptr_t end = weft__stacks_end_of(&observer->loop->stacks, sp);

    if (end) { /* a task's, which need not be the current one */
        return args > sp && args < end ? args : end;
    }
    if (sp >= observer->stack_low && sp < observer->stack_end) {
        return observer->stack_end;
    }
    return (sp | 4095) + 1; /* a signal handler's, or a library's */
}

static void look_from_outside(struct weft__observer *observer,
                              const struct weft__thread_state *state, struct weft__sample *ret)
{
    struct weft__task *task = NULL;
    struct weft__frame *frame = NULL;
    uintptr_t top = 0;

    (void)weft__peek(&task, &observer->loop->current, sizeof task);
    if (task) {
        (void)weft__peek(&frame, &task->frame, sizeof frame);
        (void)weft__peek(&top, &task->args, sizeof top);
        ret->chain_count = peek_chain(frame, ret->chain, WEFT__CHAIN_MAX);
    }
    if (state->sp) {
        ret->stack_count =
            weft__stack_in_call(state->pc, state->sp, end_of_stack(observer, state->sp, top),
                                ret->stack, WEFT__STACK_MAX, &ret->exact);
    }
    _Static_assert(sizeof ret->what == sizeof state->what, "the same words");
    memcpy(ret->what, state->what, sizeof ret->what);
}

bool weft__sample_take(struct weft__observer *observer, uint64_t serial, struct weft__sample *ret)
{
    struct weft__thread_state state;
    int r = weft__system_look(&observer->system, &state);

    memset(ret, 0, sizeof *ret);
    if (r == 0 && state.on_cpu && ask(observer, serial, ret)) {
        return true;
    }
    if (r < 0 || state.on_cpu) {
        memset(&state, 0, sizeof state);
    }
    look_from_outside(observer, &state, ret);
    return atomic_load(&observer->serial) == serial;
}

/* ---- a stack for the handler ---- */

/* Whole pages that end where the stack begins: OpenBSD makes a stack of those but the first, and
 * kills who runs on anything else. */
struct alternate {
    unsigned users;
    _Alignas(16) char stack[ALTERNATE - 16];
};

static pthread_key_t alternates; /* each thread's struct alternate, or NULL */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

static void end_alternate(void *memory)
{
    const struct alternate *alternate = memory;
    stack_t now;

    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == (const void *)alternate->stack) {
        sigaltstack(&(stack_t){ .ss_flags = SS_DISABLE }, NULL);
    }
    weft__free(memory);
}

static void make_key(void)
{
    has_key = pthread_key_create(&alternates, end_alternate) == 0;
}

void weft__alternate_use(void)
{
    struct alternate *alternate;
    stack_t now;

    (void)pthread_once(&once, make_key);
    alternate = has_key ? pthread_getspecific(alternates) : NULL;
    if (!has_key || alternate) {
        if (alternate) {
            alternate->users++;
        }
        return;
    }
    if (sigaltstack(NULL, &now) < 0 || !(now.ss_flags & SS_DISABLE)) {
        return;
    }
    alternate = weft__alloc_aligned((size_t)sysconf(_SC_PAGESIZE), sizeof *alternate);
    if (!alternate) {
        return;
    }
    alternate->users = 1;
    now = (stack_t){ .ss_sp = alternate->stack, .ss_size = sizeof alternate->stack };
    if (pthread_setspecific(alternates, alternate) != 0 || sigaltstack(&now, NULL) < 0) {
        (void)pthread_setspecific(alternates, NULL);
        weft__free(alternate);
    }
}

void weft__alternate_drop(void)
{
    struct alternate *alternate = has_key ? pthread_getspecific(alternates) : NULL;

    if (alternate && --alternate->users == 0) {
        (void)pthread_setspecific(alternates, NULL);
        end_alternate(alternate);
    }
}
