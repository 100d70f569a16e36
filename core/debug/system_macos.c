/* SPDX-License-Identifier: MIT
 * What macOS tells debug mode (debug/system.h): Mach knows whether a thread runs, and not in which
 * call it is when it does not. */
#include "core/debug/system.h"

#include <errno.h>
#include <mach-o/dyld.h>
#include <mach/mach.h>
#include <signal.h>
#include <stdio.h>

#define PART 4096 /* of memory that is read as a whole, or not */

/* ---- threads ---- */

int weft__system_look(const struct weft__thread *thread, struct weft__thread_state *ret)
{
    thread_basic_info_data_t info;
    mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;

    if (thread_info((thread_act_t)thread->clock, THREAD_BASIC_INFO, (thread_info_t)&info,
                    &count) != KERN_SUCCESS) {
        return -ESRCH;
    }
    *ret = (struct weft__thread_state){ .on_cpu = info.run_state == TH_STATE_RUNNING };
    if (!ret->on_cpu) {
        (void)snprintf(ret->what, sizeof ret->what, "a system call");
    }
    return 0;
}

int weft__system_threads(void)
{
    thread_act_array_t threads;
    mach_msg_type_number_t count;

    if (task_threads(mach_task_self(), &threads, &count) != KERN_SUCCESS) {
        return -ENOMEM;
    }
    for (mach_msg_type_number_t i = 0; i < count; i++) {
        (void)mach_port_deallocate(mach_task_self(), threads[i]);
    }
    (void)vm_deallocate(mach_task_self(), (vm_address_t)threads, count * sizeof threads[0]);
    return (int)count;
}

/* ---- signals ---- */

/* There are none for programs but SIGUSR1 and SIGUSR2, which are theirs; this one was for
 * processors that emulate what they have not. */
int weft__system_signal(int n)
{
    return n == 0 ? SIGEMT : 0;
}

uintptr_t weft__system_place(const void *context)
{
    const ucontext_t *c = context;

#if defined(__x86_64__)
    return (uintptr_t)c->uc_mcontext->__ss.__rip;
#else
    return (uintptr_t)__darwin_arm_thread_state64_get_pc(c->uc_mcontext->__ss);
#endif
}

/* ---- memory ---- */

ssize_t weft__system_copy(void *to, const void *from, size_t size)
{
    uintptr_t at = (uintptr_t)from, end = at + size;

    while (at < end) {
        uintptr_t next = (at | (PART - 1)) + 1;
        vm_address_t there = (vm_address_t)to + (at - (uintptr_t)from);
        vm_size_t got;

        next = next < end ? next : end;
        if (vm_read_overwrite(mach_task_self(), at, next - at, there, &got) != KERN_SUCCESS) {
            break;
        }
        at = next;
    }
    return (ssize_t)(at - (uintptr_t)from);
}

const void *weft__system_program(void)
{
    return _dyld_get_image_header(0);
}
