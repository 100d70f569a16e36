/* SPDX-License-Identifier: MIT
 * What FreeBSD, NetBSD and OpenBSD tell debug mode (debug/system.h): by sysctl(3) whether a thread
 * runs and what it waits for, by a word of the kernel's; and not where it is. */
#include "core/debug/system.h"

#include "core/base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/param.h>
#include <sys/sysctl.h>
#include <unistd.h>

#if defined(__FreeBSD__)
#include <sys/proc.h>
#include <sys/ucontext.h>
#include <sys/user.h>
#elif defined(__NetBSD__)
#include <sys/lwp.h>
#include <ucontext.h>
#elif defined(__OpenBSD__)
#include <sys/proc.h>
#endif
#include <link.h>

/* ---- threads ---- */

/* How each of them lists the threads of a process: the name for sysctl(3), the place in it where
 * stands how many there is room for (0: nowhere), and what is in a record. */
#if defined(__FreeBSD__)
typedef struct kinfo_proc record;
#define LIST(pid) { CTL_KERN, KERN_PROC, KERN_PROC_PID | KERN_PROC_INC_THREAD, (pid) }
#define COUNT_AT  0
#define NUMBER(r) ((r)->ki_tid)
#define RUNS(r)   ((r)->ki_stat == SRUN)
#define WORD(r)   ((r)->ki_wmesg)
#elif defined(__NetBSD__)
typedef struct kinfo_lwp record;
#define LIST(pid) { CTL_KERN, KERN_LWP, (pid), (int)sizeof(record), 0 }
#define COUNT_AT  4
#define NUMBER(r) ((r)->l_lid)
#define RUNS(r)   ((r)->l_stat == LSRUN || (r)->l_stat == LSONPROC)
#define WORD(r)   ((r)->l_wmesg)
#elif defined(__OpenBSD__)
typedef struct kinfo_proc record;
#define WHICH     (KERN_PROC_PID | KERN_PROC_SHOW_THREADS)
#define LIST(pid) { CTL_KERN, KERN_PROC, WHICH, (pid), (int)sizeof(record), 0 }
#define COUNT_AT  5
#define NUMBER(r) ((r)->p_tid) /* -1: the process itself */
#define RUNS(r)   ((r)->p_stat == SRUN || (r)->p_stat == SONPROC)
#define WORD(r)   ((r)->p_wmesg)
#endif

#define MORE 8 /* threads that may begin while the list is asked for */

/* All records, to be freed, and how many; NULL: they are not to be had. */
static record *list(size_t *ret_count)
{
    int name[] = LIST(getpid());
    record *records;
    size_t size = 0;

    if (sysctl(name, WEFT__COUNT(name), NULL, &size, NULL, 0) < 0) {
        return NULL;
    }
    size += MORE * sizeof *records;
    records = weft__alloc(NULL, size);
    if (COUNT_AT) {
        name[COUNT_AT] = (int)(size / sizeof *records);
    }
    if (!records || sysctl(name, WEFT__COUNT(name), records, &size, NULL, 0) < 0) {
        weft__free(records);
        return NULL;
    }
    *ret_count = size / sizeof *records;
    return records;
}

int weft__system_look(const struct weft__thread *thread, struct weft__thread_state *ret)
{
    size_t count = 0;
    record *records = list(&count);
    int r = records ? -ESRCH : -ENOMEM;

    for (size_t i = 0; i < count; i++) {
        const record *one = &records[i];

        if (NUMBER(one) == (int)thread->number) {
            *ret = (struct weft__thread_state){ .on_cpu = RUNS(one) };
            if (!ret->on_cpu && WORD(one)[0]) {
                (void)snprintf(ret->what, sizeof ret->what, "a wait for '%.*s'",
                               (int)sizeof WORD(one), WORD(one));
            }
            r = 0;
        }
    }
    weft__free(records);
    return r;
}

int weft__system_threads(void)
{
    size_t count = 0;
    record *records = list(&count);
    int threads = records ? 0 : -ENOMEM;

    for (size_t i = 0; i < count; i++) {
        threads += NUMBER(&records[i]) > 0;
    }
    weft__free(records);
    return threads;
}

/* ---- signals ---- */

#ifdef SIGRTMIN
int weft__system_signal(int n)
{
    int number = SIGRTMAX - 1 - n;

    return number > SIGRTMIN ? number : 0;
}
#else
/* There are no others; this one was for processors that emulate what they have not. */
int weft__system_signal(int n)
{
    return n == 0 ? SIGEMT : 0;
}
#endif

uintptr_t weft__system_place(const void *context)
{
    const ucontext_t *c = context;

#if defined(__NetBSD__)
    return (uintptr_t)_UC_MACHINE_PC(c);
#elif defined(__FreeBSD__) && defined(__x86_64__)
    return (uintptr_t)c->uc_mcontext.mc_rip;
#elif defined(__FreeBSD__) && defined(__i386__)
    return (uintptr_t)c->uc_mcontext.mc_eip;
#elif defined(__FreeBSD__) && defined(__aarch64__)
    return (uintptr_t)c->uc_mcontext.mc_gpregs.gp_elr;
#elif defined(__FreeBSD__) && defined(__riscv)
    return (uintptr_t)c->uc_mcontext.mc_gpregs.gp_sepc;
#elif defined(__OpenBSD__) && defined(__x86_64__)
    return (uintptr_t)c->sc_rip;
#elif defined(__OpenBSD__) && defined(__aarch64__)
    return (uintptr_t)c->sc_elr;
#elif defined(__OpenBSD__) && defined(__i386__)
    return (uintptr_t)c->sc_eip;
#else
    (void)c;
    return 0;
#endif
}

/* ---- memory ---- */

ssize_t weft__system_copy(void *to, const void *from, size_t size)
{
    (void)to, (void)from, (void)size;
    return -ENOSYS;
}

/* The program is the first that the dynamic linker tells of. */
static int first(struct dl_phdr_info *info, size_t size, void *arg)
{
    const void **address = arg;

    (void)size;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            *address = (const void *)(uintptr_t)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
            break;
        }
    }
    return 1;
}

const void *weft__system_program(void)
{
    const void *address = NULL;

    (void)dl_iterate_phdr(first, &address);
    return address;
}
