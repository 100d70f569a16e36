/* SPDX-License-Identifier: MIT
 * kqueue(2) by means of epoll(7), as far as backends/kqueue and core/proc go: their own steps can
 * be tested so, not what a BSD kernel makes of them.
 *
 * A queue that is asked for the end of a process becomes that process's pidfd, and nothing else.
 * As on macOS and NetBSD a process that has ended is not taken.
 *
 * One epoll registration stands for all filters of a descriptor, which are edge-triggered
 * (EV_CLEAR) all or none.  A queue that was inherited by a child is not one there. */
#include <sys/event.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define QUEUES 1024
#define DESCRIPTORS (1u << 20)

/* What is registered for a descriptor: [0] for reading, [1] for writing, [2] for out-of-band. */
struct note {
    uint32_t set; /* bit i: filter i is there */
    uint32_t edge;
    void *udata;
};

/* By the queue's descriptor; never unmapped, for nobody tells of a close. */
static struct queue {
    pid_t owner;
    pid_t process; /* whose end it waits for; 0: it is a queue of descriptors */
    void *udata; /* the wake's, or the process's */
    struct note notes[DESCRIPTORS];
} *_Atomic queues[QUEUES]; /* a number that one thread closes another one gets */

/* Readable always.  A wake asks about it again, which is an edge: so no queue has a descriptor of
 * its own for that. */
static int edge_fd;

__attribute__((constructor)) static void begin(void)
{
    edge_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
}

static const uint32_t epoll_bits[] = { EPOLLIN | EPOLLRDHUP, EPOLLOUT, EPOLLPRI };

#ifndef EVFILT_USER
#define EVFILT_USER (-11)
#define NOTE_TRIGGER 0x01000000u
#endif
#ifndef EVFILT_EXCEPT
#define EVFILT_EXCEPT (-15)
#endif

static const short filters[] = { EVFILT_READ, EVFILT_WRITE, EVFILT_EXCEPT };

static int fail(int error)
{
    errno = error;
    return -1;
}

int kqueue(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    void *memory;

    if (fd < 0 || fd >= QUEUES) {
        return fd < 0 ? fd : fail(EMFILE);
    }
    if (queues[fd]) {
        munmap(queues[fd], sizeof(*queues[fd]));
    }
    memory = mmap(NULL, sizeof(*queues[fd]), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        close(fd);
        return fail(ENOMEM);
    }
    queues[fd] = memory;
    queues[fd]->owner = getpid();
    return fd;
}

static int change_user(int kq, struct queue *queue, const struct kevent *change)
{
    struct epoll_event event = { .events = EPOLLET, .data.fd = -1 };

    if (change->flags & EV_ADD) {
        queue->udata = change->udata;
        return epoll_ctl(kq, EPOLL_CTL_ADD, edge_fd, &event);
    }
    event.events |= EPOLLIN;
    return change->fflags & NOTE_TRIGGER ? epoll_ctl(kq, EPOLL_CTL_MOD, edge_fd, &event) :
                                           fail(EINVAL);
}

/* Brings epoll to what the note says. */
static int settle(int kq, int fd, const struct note *note, bool was_there)
{
    struct epoll_event event = { .events = note->edge ? EPOLLET : 0u, .data.fd = fd };
    int r;

    for (int i = 0; i < 3; i++) {
        event.events |= note->set & 1u << i ? epoll_bits[i] : 0;
    }
    if (!note->set) {
        return epoll_ctl(kq, EPOLL_CTL_DEL, fd, &event);
    }
    r = epoll_ctl(kq, was_there ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (r < 0 && errno == ENOENT) { /* closed and opened again: the queue forgot it */
        r = epoll_ctl(kq, EPOLL_CTL_ADD, fd, &event);
    }
    return r;
}

static int change_note(int kq, struct queue *queue, const struct kevent *change)
{
    int fd = (int)change->ident;
    struct note *note = &queue->notes[fd], before = *note;
    uint32_t bit = 0;

    for (uint32_t i = 0; i < 3; i++) {
        bit |= filters[i] == change->filter ? 1u << i : 0;
    }
    if (change->flags & EV_DELETE) {
        if (!(note->set & bit)) {
            return fail(ENOENT);
        }
        note->set &= ~bit;
    } else {
        note->set |= bit;
        note->edge = change->flags & EV_CLEAR;
        note->udata = change->udata;
    }
    if (settle(kq, fd, note, before.set != 0) < 0) {
        if (change->flags & EV_ADD) {
            *note = before;
        }
        return -1;
    }
    return 0;
}

/* One epoll event becomes one kevent for each filter that it concerns; how many. */
static int report(const struct queue *queue, const struct epoll_event *from, struct kevent *to)
{
    int fd = from->data.fd, n = 0;
    const struct note *note = fd < 0 ? NULL : &queue->notes[fd];
    uint32_t broken = from->events & (EPOLLERR | EPOLLHUP);

    if (!note) {
        EV_SET(to, 0, EVFILT_USER, 0, 0, 0, (uintptr_t)queue->udata);
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        uint32_t end = broken | (i == 0 ? from->events & EPOLLRDHUP : 0u);

        if (note->set & 1u << i && (from->events & epoll_bits[i] || broken)) {
            EV_SET(&to[n], (uintptr_t)fd, filters[i], end && i < 2 ? EV_EOF : 0,
                   from->events & EPOLLERR ? EPIPE : 0u, 0, (uintptr_t)note->udata);
            n++;
        }
    }
    return n;
}

/* ---- processes ---- */

static int change_process(int kq, struct queue *queue, const struct kevent *change)
{
    int fd = (int)syscall(SYS_pidfd_open, (pid_t)change->ident, 0u), r;
    struct pollfd pollfd = { .fd = fd, .events = POLLIN };

    if (fd < 0) {
        return -1;
    }
    r = poll(&pollfd, 1, 0) > 0 ? fail(ESRCH) : dup3(fd, kq, O_CLOEXEC);
    close(fd);
    if (r >= 0) {
        queue->process = (pid_t)change->ident;
        queue->udata = change->udata;
    }
    return r < 0 ? -1 : 0;
}

/* How a process has ended that may have been reaped, as wait(2) has it; -1: this kernel does not
 * tell (before Linux 6.15). */
static int status_of(int pidfd, pid_t pid)
{
    struct {
        uint64_t mask, cgroup;
        uint32_t numbers[11];
        int32_t status;
    } info = { .mask = 1u << 3 };
    siginfo_t end;

    if (waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0) {
        return end.si_code == CLD_EXITED ? end.si_status << 8 : end.si_status;
    }
    return ioctl(pidfd, (int)_IOWR(0xff, 11, info), &info) == 0 && info.mask & 1u << 3 ?
               info.status :
               -1;
}

static int report_process(int kq, const struct queue *queue, struct kevent *event)
{
    struct pollfd pollfd = { .fd = kq, .events = POLLIN };
    int status;

    if (poll(&pollfd, 1, 0) <= 0) {
        return 0;
    }
    status = status_of(kq, queue->process);
    EV_SET(event, (uintptr_t)queue->process, EVFILT_PROC, EV_EOF, NOTE_EXIT, status,
           (uintptr_t)queue->udata);
    return status >= 0;
}

int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events, int max,
           const struct timespec *timeout)
{
    struct queue *queue = kq >= 0 && kq < QUEUES ? queues[kq] : NULL;
    struct epoll_event ready[64];
    int most = max / 2 > 64 ? 64 : max / 2, n = 0, r; /* of `max` 1 comes one half */

    if (!queue || queue->owner != getpid()) {
        return fail(EBADF);
    }
    for (int i = 0; i < change_count; i++) {
        r = changes[i].filter == EVFILT_USER ? change_user(kq, queue, &changes[i]) :
            changes[i].filter == EVFILT_PROC ? change_process(kq, queue, &changes[i]) :
            changes[i].ident >= DESCRIPTORS  ? fail(EBADF) :
                                               change_note(kq, queue, &changes[i]);
        if (r < 0) {
            return -1;
        }
    }
    if (max == 0 || queue->process) {
        return max > 0 ? report_process(kq, queue, events) : 0;
    }
    r = ppoll(&(struct pollfd){ .fd = kq, .events = POLLIN }, 1, timeout, NULL);
    r = r <= 0 ? r : epoll_wait(kq, ready, most ? most : 1, 0);
    for (int i = 0; i < r; i++) {
        struct kevent each[3];
        int some = report(queue, &ready[i], each);

        for (int j = 0; j < some && n < max; j++) {
            events[n++] = each[j];
        }
    }
    return r < 0 ? r : n;
}
