/* SPDX-License-Identifier: MIT
 * What macOS says of threads (base/thread.h).  Its kernel knows them by ports of Mach, and no port
 * is counted here: it lasts as long as its thread. */
#include "core/base/thread.h"

#include "core/base/clock.h"

#include <errno.h>
#include <mach/mach.h>
#include <pthread.h>

#define MICROSECOND 1000
int64_t weft__thread_number(void)
{
    uint64_t number = 0;

    (void)pthread_threadid_np(NULL, &number);
    return (int64_t)number;
}

bool weft__thread_is_main(void)
{
    return pthread_main_np() != 0;
}

void weft__thread_here(struct weft__thread *ret)
{
    ret->number = weft__thread_number();
    ret->clock = pthread_mach_thread_np(pthread_self());
}

static int64_t to_ns(time_value_t t)
{
    return (int64_t)t.seconds * WEFT__SECOND + (int64_t)t.microseconds * MICROSECOND;
}

int64_t weft__thread_cpu_time(const struct weft__thread *thread)
{
    thread_basic_info_data_t info;
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

    if (thread_info((thread_act_t)thread->clock, THREAD_BASIC_INFO, (thread_info_t)&info,
                    &count) != KERN_SUCCESS) {
        return 0;
    }
    return to_ns(info.user_time) + to_ns(info.system_time);
}

int weft__thread_kill(const struct weft__thread *thread, int signum)
{
    pthread_t handle = pthread_from_mach_thread_np((mach_port_t)thread->clock);

    return handle ? -pthread_kill(handle, signum) : -ESRCH;
}

/* There is no call that tells more than the number. */
void weft__thread_raise(int signum, siginfo_t *info)
{
    (void)info;
    raise(signum);
}

void weft__thread_set_name(const char *name)
{
    (void)pthread_setname_np(name);
}

void weft__thread_get_name(char *ret_name, size_t size)
{
    if (pthread_getname_np(pthread_self(), ret_name, size) != 0) {
        ret_name[0] = '\0';
    }
}

void weft__thread_stack(uintptr_t *ret_low, uintptr_t *ret_end)
{
    *ret_end = (uintptr_t)pthread_get_stackaddr_np(pthread_self());
    *ret_low = *ret_end - pthread_get_stacksize_np(pthread_self());
}
