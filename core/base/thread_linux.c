/* SPDX-License-Identifier: MIT
 * What Linux says of threads (base/thread.h). */
#include "core/base/thread_clock.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

int64_t weft__thread_number(void)
{
    return syscall(SYS_gettid);
}

bool weft__thread_is_main(void)
{
    return weft__thread_number() == getpid();
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
    return syscall(SYS_tgkill, getpid(), (int)thread->number, signum) < 0 ? -errno : 0;
}

void weft__thread_raise(int signum, siginfo_t *info)
{
    if (syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signum, info) < 0) {
        raise(signum);
    }
}

void weft__thread_set_name(const char *name)
{
    (void)pthread_setname_np(pthread_self(), name);
}

void weft__thread_get_name(char *ret_name, size_t size)
{
    if (pthread_getname_np(pthread_self(), ret_name, size) != 0) {
        ret_name[0] = '\0';
    }
}

void weft__thread_stack(uintptr_t *ret_low, uintptr_t *ret_end)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;

    *ret_low = *ret_end = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return;
    }
    if (pthread_attr_getstack(&attributes, &low, &size) == 0) {
        *ret_low = (uintptr_t)low;
        *ret_end = (uintptr_t)low + size;
    }
    pthread_attr_destroy(&attributes);
}
