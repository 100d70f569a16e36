/* SPDX-License-Identifier: MIT
 * Descriptors: what is known of the numbers that this loop has watched or closed, so that one that
 * is used when it is closed, or is another file's by now, can be told. */
#include "core/debug/fds.h"

#include "core/debug/checks.h"
#include "core/debug/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* The map's slots are made for addresses, whose low bits say nothing. */
static const void *key_of(int fd)
{
    return (const void *)(((uintptr_t)(uint32_t)fd + 1) << 6);
}

static struct weft__fd_note *find(struct weft__observer *observer, int fd)
{
    struct weft__map_entry *entry = weft__map_find(&observer->fds, key_of(fd));

    return entry ? WEFT__CONTAINER(entry, struct weft__fd_note, entry) : NULL;
}

/* The note of a number, with who is here; NULL without memory. */
static struct weft__fd_note *note_here(struct weft__observer *observer, int fd)
{
    const struct weft__task *task = observer->loop->current;
    struct weft__fd_note *note = find(observer, fd);

    if (!note) {
        note = weft__alloc_zeroed(1, sizeof *note);
        if (!note) {
            return NULL;
        }
        note->entry.key = key_of(fd);
        if (weft__map_add(&observer->fds, &note->entry) < 0) {
            weft__free(note);
            return NULL;
        }
    }
    note->by[0] = '\0';
    if (task) {
        weft__task_format_name(note->by, task->name, task->id);
    }
    note->made_count = 0;
    if (observer->words.checks & WEFT__CHECK_MADE) {
        note->made_count = weft__stack_here(note->made, WEFT__FD_MADE_MAX);
    }
    return note;
}

/* Which file has the number now; false: none, or one that looks like any other of its kind (an
 * eventfd, a timer: all of them are one inode). */
static bool identify(int fd, struct weft__fd_note *note)
{
    struct stat status;

    if (fstat(fd, &status) < 0 || !(status.st_mode & S_IFMT)) {
        return false;
    }
    note->device = status.st_dev;
    note->inode = status.st_ino;
    return true;
}

/* `note`: what it was before, or NULL. */
static void tell(struct weft__loop *loop, int fd, int status, const char *message, const char *did,
                 const struct weft__fd_note *note)
{
    weft_report report = { .kind = WEFT_REPORT_FD, .status = status, .message = message };
    const struct weft__task *task = loop->current;
    const void *stack[WEFT__STACK_MAX];
    struct weft__fd_note before; /* whoever hears of this may close or watch, too */
    char what[96];

    if (note) {
        before = *note;
        (void)snprintf(what, sizeof what, "descriptor %d, which %s%s%s %s", fd,
                       note->by[0] ? "task '" : "a callback", note->by, note->by[0] ? "'" : "",
                       did);
        report.made = before.made_count ? before.made : NULL;
        report.made_count = before.made_count;
    } else {
        (void)snprintf(what, sizeof what, "descriptor %d", fd);
    }
    report.what = what;
    if (task) {
        weft__task_describe(task, &report);
        report.waiting = NULL;
    }
    report.stack_count = weft__stack_here(stack, WEFT__STACK_MAX);
    report.stack = stack;
    report.exact = report.stack_count;
    weft__report(loop, &report);
}

static void watched(struct weft__observer *observer, int fd)
{
    struct weft__fd_note *note = note_here(observer, fd);

    if (note) {
        note->state = identify(fd, note) ? WEFT__FD_IS_WATCHED : WEFT__FD_IS_UNKNOWN;
    }
}

static void asked(struct weft__observer *observer, int fd)
{
    const struct weft__fd_note *note = find(observer, fd);
    struct weft__fd_note before, now;

    if (note && note->state == WEFT__FD_IS_WATCHED && identify(fd, &now) &&
        (now.device != note->device || now.inode != note->inode)) {
        before = *note;
        watched(observer, fd);
        tell(observer->loop, fd, 0,
             "waits for a descriptor that was closed without weft_close() and is another file's by "
             "now",
             "has watched", &before);
    }
}

static void opened(struct weft__observer *observer, int fd)
{
    struct weft__fd_note *note = find(observer, fd);
    bool was_watched = note && note->state != WEFT__FD_IS_CLOSED;

    if (note) {
        note->state = WEFT__FD_IS_UNKNOWN;
    }
    if (was_watched && weft__watch_at(observer->loop, fd)) {
        tell(observer->loop, fd, 0,
             "was given a new descriptor whose number is watched still: it was closed without "
             "weft_close()",
             "has watched", note);
    }
}

static void closed(struct weft__observer *observer, int fd)
{
    struct weft__fd_note *note = note_here(observer, fd);

    if (note) {
        note->state = WEFT__FD_IS_CLOSED;
    }
}

/* Somebody got -EBADF, which is also what a call says that the descriptor is not open for. */
static void refused(struct weft__observer *observer, int fd, bool closes)
{
    struct weft__fd_note *note = fd >= 0 ? find(observer, fd) : NULL;

    if (fd < 0 || fcntl(fd, F_GETFD) >= 0) {
        return; /* -1 stands for none, and no number of a file */
    }
    if (note && note->state == WEFT__FD_IS_CLOSED) {
        tell(observer->loop, fd, -EBADF,
             closes ? "closes a descriptor that is closed" : "uses a descriptor that is closed",
             "has closed", note);
    } else {
        tell(observer->loop, fd, -EBADF,
             closes ? "closes a descriptor that is not open" : "uses a descriptor that is not open",
             "has watched", note && note->state == WEFT__FD_IS_WATCHED ? note : NULL);
    }
}

void weft__fds_see(struct weft__loop *loop, int fd, enum weft__fd_event event)
{
    struct weft__observer *observer = loop->observer;

    if (!weft__observes(loop, WEFT__CHECK_FD)) {
        return;
    }
    switch (event) {
    case WEFT__FD_WATCHED: watched(observer, fd); break;
    case WEFT__FD_ASKED: asked(observer, fd); break;
    case WEFT__FD_OPENED: opened(observer, fd); break;
    case WEFT__FD_CLOSED: closed(observer, fd); break;
    case WEFT__FD_REFUSED: refused(observer, fd, false); break;
    case WEFT__FD_NOT_CLOSED: refused(observer, fd, true); break;
    }
}

static void free_note(struct weft__map_entry *entry, void *arg)
{
    (void)arg;
    weft__free(WEFT__CONTAINER(entry, struct weft__fd_note, entry));
}

void weft__fds_fini(struct weft__observer *observer)
{
    weft__map_each(&observer->fds, free_note, NULL);
    weft__map_fini(&observer->fds);
}
