/* SPDX-License-Identifier: MIT
 * What FreeBSD, NetBSD and OpenBSD say of threads (base/thread.h): the same by other names. */
#include "core/base/thread_clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if defined(__FreeBSD__)
#include <pthread_np.h>
#include <sys/thr.h>

#define THREAD_NUMBER()       pthread_getthreadid_np()
#define THREAD_IS_MAIN()      (pthread_main_np() > 0)
#define THREAD_KILL(n, s)     thr_kill((long)(n), (s))
#define THREAD_SET_NAME(name) pthread_set_name_np(pthread_self(), (name))
#define THREAD_GET_NAME(to, size) pthread_get_name_np(pthread_self(), (to), (size))
#elif defined(__NetBSD__)
#include <lwp.h>

#define THREAD_NUMBER()       _lwp_self()
#define THREAD_IS_MAIN()      (_lwp_self() == 1) /* in a child of fork(2), too */
#define THREAD_KILL(n, s)     _lwp_kill((lwpid_t)(n), (s))
#define THREAD_SET_NAME(name) \
    (void)pthread_setname_np(pthread_self(), "%s", (void *)(uintptr_t)(name))
#define THREAD_GET_NAME(to, size) (void)pthread_getname_np(pthread_self(), (to), (size))
#elif defined(__OpenBSD__)
#include <pthread_np.h>

#define THREAD_NUMBER()       getthrid()
#define THREAD_IS_MAIN()      (pthread_main_np() > 0)
#define THREAD_KILL(n, s)     thrkill((pid_t)(n), (s), NULL)
#define THREAD_SET_NAME(name) pthread_set_name_np(pthread_self(), (name))
#define THREAD_GET_NAME(to, size) pthread_get_name_np(pthread_self(), (to), (size))
#else
#error "weft does not know how this system numbers and names its threads: base/thread.h"
#endif

int64_t weft__thread_number(void)
{
    return THREAD_NUMBER();
}

bool weft__thread_is_main(void)
{
    return THREAD_IS_MAIN();
}

void weft__thread_here(struct weft__thread *ret)
{
    ret->number = weft__thread_number();
    ret->clock = weft__thread_clock();
}

int64_t weft__thread_cpu_time(const struct weft__thread *thread)
{
    return weft__thread_clock_read(thread->clock);
}

int weft__thread_kill(const struct weft__thread *thread, int signum)
{
    return THREAD_KILL(thread->number, signum) < 0 ? -errno : 0;
}

/* None of them sends what it is told to say of the sender. */
void weft__thread_raise(int signum, siginfo_t *info)
{
    (void)info;
    raise(signum);
}

void weft__thread_set_name(const char *name)
{
    THREAD_SET_NAME(name);
}

void weft__thread_get_name(char *ret_name, size_t size)
{
    ret_name[0] = '\0';
    THREAD_GET_NAME(ret_name, size);
}

#if defined(__OpenBSD__)
void weft__thread_stack(uintptr_t *ret_low, uintptr_t *ret_end)
{
    stack_t stack; /* its `ss_sp` is the upper end */

    *ret_low = *ret_end = 0;
    if (pthread_stackseg_np(pthread_self(), &stack) == 0) {
        *ret_end = (uintptr_t)stack.ss_sp;
        *ret_low = *ret_end - stack.ss_size;
    }
}
#else
void weft__thread_stack(uintptr_t *ret_low, uintptr_t *ret_end)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;

    *ret_low = *ret_end = 0;
    if (pthread_attr_init(&attributes) != 0) {
        return;
    }
    if (pthread_attr_get_np(pthread_self(), &attributes) == 0 &&
        pthread_attr_getstack(&attributes, &low, &size) == 0) {
        *ret_low = (uintptr_t)low;
        *ret_end = (uintptr_t)low + size;
    }
    pthread_attr_destroy(&attributes);
}
#endif
