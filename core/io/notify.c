/* SPDX-License-Identifier: MIT
 * Notifications: inotify's events become ours. */
#include "core/io/notify.h"

#include "core/base/error.h"
#include "core/base/mem.h"
#include "core/io/file_op.h"
#include "core/sched/fdwait.h"
#include "core/sched/misuse.h"

_Static_assert(sizeof(void *) != 8 || sizeof(weft_notify_options) == 40, "the public size");
_Static_assert(sizeof(void *) != 8 || sizeof(weft_notify_event) == 48, "the public size");

#ifdef __linux__

#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <weft/await.h>

#define PAIR_S 0.002 /* how long the second half of a rename may take */

int weft_notify_new(weft_notify **ret_notify)
{
    weft_notify *notify = ret_notify ? weft__alloc_zeroed(1, sizeof *notify) : NULL;

    if (!notify) {
        return ret_notify ? -ENOMEM : -EINVAL;
    }
    notify->fd = WEFT__SYS(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (notify->fd < 0) {
        int r = -errno;

        weft__free(notify);
        return r == -EMFILE ? weft__words(r, "no more descriptors (ulimit -n), or no more inotify "
                                             "instances (fs.inotify.max_user_instances)") :
                              r;
    }
    notify->lock = (weft_lock)WEFT_LOCK_INIT;
    weft__list_init(&notify->requests);
    weft__list_init(&notify->told);
    *ret_notify = notify;
    return 0;
}

static void free_list(struct weft__list *list)
{
    struct weft__list *link;

    while ((link = weft__list_pop(list))) {
        weft__free(link); /* the first member of what is in both lists */
    }
}

_Static_assert(offsetof(struct weft__notify_told, link) == 0, "freed by its link");
_Static_assert(offsetof(struct weft__notify_request, link) == 0, "freed by its link");

static void destroy(weft_notify *notify)
{
    (void)close(notify->fd); /* and all watches with it */
    for (size_t i = 0; i < notify->count; i++) {
        if (notify->table[i].node) {
            weft__free(notify->table[i].node->name);
            weft__free(notify->table[i].node);
        }
    }
    weft__free(notify->table);
    free_list(&notify->requests);
    free_list(&notify->told);
    weft__free(notify->given);
    weft__free(notify);
}

weft_notify *weft_notify_free(weft_notify *notify)
{
    if (notify && !notify->freed) {
        notify->freed = true;
        if (weft__running && !weft__loop_is_inherited(weft__running)) {
            weft__fd_forget(weft__running, notify->fd);
        }
        if (notify->users == 0) {
            destroy(notify);
        }
    }
    return NULL;
}

/* Begins a call: with the lock. */
static int begin(weft_notify *notify)
{
    int r;

    notify->users++;
    r = weft_lock_acquire(&notify->lock);
    if (r == 0 && notify->freed) {
        weft_lock_release(&notify->lock);
        r = -EBADF;
    }
    return r;
}

static void end(weft_notify *notify)
{
    if (--notify->users == 0 && notify->freed) {
        destroy(notify);
    }
}

/* ---- what the kernel tells ---- */

static bool wants(const struct weft__notify_node *node, unsigned what)
{
    return node->what & what;
}

static int tell(weft_notify *notify, const struct weft__notify_node *node, const char *name,
                unsigned what, bool is_dir)
{
    return weft__notify_tell(notify, &(struct weft__notify_news){
                                         .node = node,
                                         .name = name,
                                         .what = what,
                                         .is_dir = is_dir,
                                     });
}

/* An overflow: that is told, and directories that were made meanwhile are looked for. */
static int overflowed(weft_notify *notify)
{
    struct weft__notify_news news = { .what = WEFT_NOTIFY_LOST, .error = -EOVERFLOW };
    int r = 0;

    for (size_t i = 0; r == 0 && i < notify->count; i++) {
        struct weft__notify_node *node = notify->table[i].node;

        if (node && !node->parent && node->recursive) {
            r = weft__notify_request(notify, node, "", false);
        }
    }
    return r < 0 ? r : weft__notify_tell(notify, &news);
}

/* The watch of a node has ended. */
static int ended(weft_notify *notify, struct weft__notify_node *node, unsigned what, bool unwatches)
{
    int r = node->parent ? 0 : tell(notify, node, "", WEFT_NOTIFY_GONE | what, false);

    if (r == 0) {
        weft__notify_drop(notify, node, unwatches);
    }
    return r;
}

/* The other half of a rename, among what was read; NULL. */
static struct inotify_event *other_half(weft_notify *notify, const struct inotify_event *event)
{
    size_t at = notify->raw_at;

    while (at < notify->raw_len) {
        struct inotify_event *other = (struct inotify_event *)(void *)(notify->raw + at);

        if (other != event && other->mask & IN_MOVED_TO && other->cookie == event->cookie) {
            return other;
        }
        at += sizeof *other + other->len;
    }
    return NULL;
}

/* A directory has come to be watched, if all below is. */
static int has_come(weft_notify *notify, const struct weft__notify_node *node, const char *name,
                    bool is_dir)
{
    return is_dir && node->recursive ? weft__notify_request(notify, node, name, true) : 0;
}

/* Renamed within what is watched. */
static int renamed(weft_notify *notify, struct weft__notify_node *from, const char *old_name,
                   struct weft__notify_node *to, const struct inotify_event *event)
{
    bool is_dir = event->mask & IN_ISDIR;
    struct weft__notify_node *node = is_dir ? weft__notify_child(from, old_name) : NULL;
    struct weft__notify_news news = {
        .node = to,
        .name = event->name,
        .old_node = from,
        .old_name = old_name,
        .what = WEFT_NOTIFY_MOVED,
        .is_dir = is_dir,
    };
    int r = 0;

    if (from->id != to->id && node) { /* from one watch to another: begun anew */
        weft__notify_drop(notify, node, true);
        node = NULL;
    }
    if (wants(to, WEFT_NOTIFY_MOVED | WEFT_NOTIFY_CREATED) ||
        wants(from, WEFT_NOTIFY_MOVED | WEFT_NOTIFY_DELETED)) {
        r = weft__notify_tell(notify, &news);
    }
    if (r == 0 && node) {
        struct weft__notify_node *there = weft__notify_child(to, event->name);

        if (there && there != node) { /* an empty one, which it has replaced */
            weft__notify_drop(notify, there, true);
        }
        return weft__notify_move(node, to, event->name);
    }
    return r < 0 ? r : has_come(notify, to, event->name, is_dir);
}

/* Moved away to where nobody looks. */
static int moved_away(weft_notify *notify, struct weft__notify_node *from, const char *name,
                      bool is_dir)
{
    struct weft__notify_node *node = is_dir ? weft__notify_child(from, name) : NULL;
    int r = wants(from, WEFT_NOTIFY_MOVED | WEFT_NOTIFY_DELETED) ?
                tell(notify, from, name, WEFT_NOTIFY_DELETED | WEFT_NOTIFY_MOVED, is_dir) :
                0;

    if (r == 0 && node) {
        weft__notify_drop(notify, node, true);
    }
    return r;
}

/* The first half of a rename; 1: the second may still come. */
static int moved_from(weft_notify *notify, struct weft__notify_node *from,
                      const struct inotify_event *event, bool is_last)
{
    struct inotify_event *other = other_half(notify, event);
    struct weft__notify_node *to = other ? weft__notify_node_of(notify, other->wd) : NULL;
    int r;

    if (!other && !is_last) {
        return 1;
    }
    if (!to) {
        return moved_away(notify, from, event->name, event->mask & IN_ISDIR);
    }
    r = renamed(notify, from, event->name, to, other);
    if (r == 0) {
        other->mask = 0; /* it was told */
    }
    return r;
}

static int moved_to(weft_notify *notify, struct weft__notify_node *to,
                    const struct inotify_event *event)
{
    bool is_dir = event->mask & IN_ISDIR;
    int r = wants(to, WEFT_NOTIFY_MOVED | WEFT_NOTIFY_CREATED) ?
                tell(notify, to, event->name, WEFT_NOTIFY_CREATED | WEFT_NOTIFY_MOVED, is_dir) :
                0;

    return r < 0 ? r : has_come(notify, to, event->name, is_dir);
}

static unsigned what_of(uint32_t mask)
{
    return (mask & IN_CREATE ? WEFT_NOTIFY_CREATED : 0u) |
           (mask & IN_DELETE ? WEFT_NOTIFY_DELETED : 0u) |
           (mask & IN_MODIFY ? WEFT_NOTIFY_MODIFIED : 0u) |
           (mask & IN_CLOSE_WRITE ? WEFT_NOTIFY_WRITTEN : 0u) |
           (mask & IN_ATTRIB ? WEFT_NOTIFY_ATTRIBUTES : 0u);
}

/* Takes an event in.  0; 1 it wants to be seen again with more behind it; -ENOMEM, and it is to be
 * tried again. */
static int take(weft_notify *notify, struct inotify_event *event, bool is_last)
{
    struct weft__notify_node *node = weft__notify_node_of(notify, event->wd);
    unsigned what = what_of(event->mask);
    int r = 0;

    if (event->mask & IN_Q_OVERFLOW) {
        return overflowed(notify);
    }
    if (!node) {
        return 0; /* of a watch that has ended */
    }
    if (event->mask & IN_IGNORED) {
        return ended(notify, node, 0, false);
    }
    if (event->mask & IN_MOVE_SELF) {
        return node->parent ? 0 : ended(notify, node, WEFT_NOTIFY_MOVED, true);
    }
    if (event->mask & IN_MOVED_FROM) {
        return moved_from(notify, node, event, is_last);
    }
    if (event->mask & IN_MOVED_TO) {
        return moved_to(notify, node, event);
    }
    if (event->len == 0 && node->parent) {
        return 0; /* the one above tells it, too */
    }
    if (wants(node, what)) {
        r = tell(notify, node, event->len ? event->name : "", what & node->what,
                 event->mask & IN_ISDIR);
    }
    if (r == 0 && event->mask & IN_CREATE) {
        r = has_come(notify, node, event->name, event->mask & IN_ISDIR);
    }
    return r;
}

/* Reads more events behind those that are there: 1 there were some, 0, or an error. */
static int read_raw(weft_notify *notify)
{
    size_t left = notify->raw_len - notify->raw_at;
    ssize_t n;

    memmove(notify->raw, notify->raw + notify->raw_at, left);
    notify->raw_at = 0;
    notify->raw_len = left;
    if (sizeof notify->raw - left < sizeof(struct inotify_event) + NAME_MAX + 1) {
        return 0; /* these first */
    }
    do {
        n = WEFT__SYS(read(notify->fd, notify->raw + left, sizeof notify->raw - left));
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return errno == EAGAIN ? 0 : -errno;
    }
    notify->raw_len += (size_t)n;
    return n > 0;
}

/* Takes in what was read, and reads on: 0 nothing more is to be read, or an error, and nothing is
 * lost. */
static int take_all(weft_notify *notify)
{
    bool is_last = false;

    for (;;) {
        struct inotify_event *event;
        int r = notify->raw_at < notify->raw_len ? 1 : read_raw(notify);

        if (r <= 0) {
            return r;
        }
        event = (struct inotify_event *)(void *)(notify->raw + notify->raw_at);
        r = take(notify, event, is_last);
        if (r < 0) {
            return r;
        }
        is_last = false;
        if (r == 0) {
            notify->raw_at += sizeof *event + event->len;
            continue;
        }
        r = read_raw(notify);
        if (r == 0) { /* the kernel is just about to tell the other half, or never */
            r = weft_sleep(PAIR_S);
            r = r < 0 ? r : read_raw(notify);
            is_last = true;
        }
        if (r < 0) {
            return r;
        }
    }
}

/* Takes in all that has come, and watches what is to be watched; with the lock. */
static int collect(weft_notify *notify)
{
    int r = take_all(notify);

    if (r == 0 && !weft__list_empty(&notify->requests)) {
        r = weft__file_call(weft__notify_scan, notify);
    }
    return r;
}

/* The oldest event becomes the user's. */
static void give(weft_notify *notify, const weft_notify_event **ret_event)
{
    notify->given = WEFT__CONTAINER(weft__list_pop(&notify->told), struct weft__notify_told, link);
    *ret_event = &notify->given->event;
}

static int wait_for_event(weft_notify *notify)
{
    int r = begin(notify);

    for (;;) {
        if (r < 0) {
            return r;
        }
        if (weft__list_empty(&notify->told)) { /* else those first */
            r = collect(notify);
        }
        weft_lock_release(&notify->lock);
        if (notify->freed) {
            return -EBADF;
        }
        if (!weft__list_empty(&notify->told)) {
            return r == -ECANCELED ? r : 0; /* another error comes again */
        }
        r = r < 0 ? r : weft__fd_wait(notify->fd, WEFT_READABLE);
        r = r < 0 ? r : weft_lock_acquire(&notify->lock);
        if (r == 0 && notify->freed) {
            weft_lock_release(&notify->lock);
            r = -EBADF;
        }
    }
}

int weft_notify_next(weft_notify *notify, const weft_notify_event **ret_event)
{
    int r = 0;
    struct weft__task *task = notify && ret_event ? weft__self(&r) : NULL;

    if (!task || notify->freed || notify->waiting) {
        return r < 0 ? weft__misuse(r) : !task ? -EINVAL : notify->freed ? -EBADF : -EBUSY;
    }
    weft__free(notify->given);
    notify->given = NULL;
    notify->waiting = true;
    r = wait_for_event(notify);
    notify->waiting = false;
    if (r == 0) {
        give(notify, ret_event);
        weft__task_spend_turn(task);
    }
    end(notify);
    return r;
}

/* ---- watches ---- */

struct adding {
    weft_notify *notify;
    const char *path;
    const weft_notify_options *options;
    struct weft__notify_node *node; /* what was made */
};

/* Watches a path, and with `recursive` all below; a job. */
static int add(void *arg)
{
    struct adding *adding = arg;
    weft_notify *notify = adding->notify;
    unsigned what = adding->options->what & WEFT_NOTIFY_ALL;
    struct weft__notify_node like = {
        .what = what ? what : WEFT_NOTIFY_ALL,
        .recursive = adding->options->recursive,
    };
    uint32_t mask = weft__notify_mask(&like);
    int wd, r;

#ifdef IN_MASK_CREATE
    mask |= IN_MASK_CREATE;
#endif
    do {
        wd = WEFT__SYS(inotify_add_watch(notify->fd, adding->path, mask));
    } while (wd < 0 && errno == EINTR);
    if (wd < 0) {
        return -errno;
    }
    r = weft__notify_node_new(notify, wd, NULL, adding->path, &adding->node);
    if (r < 0) {
        (void)inotify_rm_watch(notify->fd, wd);
        return r;
    }
    adding->node->id = notify->adding;
    adding->node->what = like.what;
    adding->node->recursive = like.recursive;
    r = like.recursive ? weft__notify_request(notify, adding->node, "", false) : 0;
    return r < 0 ? r : weft__notify_scan(notify);
}

static int add_watch(struct adding *adding)
{
    weft_notify *notify = adding->notify;
    int r, id = notify->last_id == INT_MAX ? 1 : notify->last_id + 1;

    notify->adding = id;
    r = weft__file_call(add, adding);
    notify->adding = 0;
    if (r < 0) {
        if (adding->node) {
            weft__notify_drop(notify, adding->node, true);
        }
        return r == -ENOSPC ? weft__words(r, "the system watches no more directories for this user "
                                             "(fs.inotify.max_user_watches)") :
                              r;
    }
    notify->last_id = id;
    return id;
}

int weft_notify_add(weft_notify *notify, const char *path, const weft_notify_options *options)
{
    static const weft_notify_options none;
    struct adding adding = { notify, path, options ? options : &none, NULL };
    int r = 0;

    if (!notify || !path || !weft__self(&r) || notify->freed) {
        return r < 0 ? weft__misuse(r) : notify && path ? -EBADF : -EINVAL;
    }
    r = begin(notify);
    if (r == 0) {
        r = add_watch(&adding);
        weft_lock_release(&notify->lock);
    }
    end(notify);
    return r;
}

static int remove_watch(weft_notify *notify, int id)
{
    int r = take_all(notify); /* what has come is still told */

    for (size_t i = 0; r == 0 && i < notify->count; i++) {
        struct weft__notify_node *node = notify->table[i].node;

        if (node && !node->parent && node->id == id) {
            weft__notify_drop(notify, node, true);
            return 0;
        }
    }
    return r < 0 ? r : -ENOENT;
}

int weft_notify_remove(weft_notify *notify, int watch)
{
    int r = 0;

    if (!notify || !weft__self(&r) || notify->freed) {
        return r < 0 ? weft__misuse(r) : notify ? -EBADF : -EINVAL;
    }
    r = begin(notify);
    if (r == 0) {
        r = remove_watch(notify, watch);
        weft_lock_release(&notify->lock);
    }
    end(notify);
    return r;
}

#else

int weft_notify_new(weft_notify **ret_notify)
{
    return ret_notify ? -EOPNOTSUPP : -EINVAL;
}

int weft_notify_add(weft_notify *notify, const char *path, const weft_notify_options *options)
{
    (void)notify, (void)path, (void)options;
    return -EOPNOTSUPP;
}

int weft_notify_remove(weft_notify *notify, int watch)
{
    (void)notify, (void)watch;
    return -EOPNOTSUPP;
}

int weft_notify_next(weft_notify *notify, const weft_notify_event **ret_event)
{
    (void)notify, (void)ret_event;
    return -EOPNOTSUPP;
}

weft_notify *weft_notify_free(weft_notify *notify)
{
    (void)notify;
    return NULL;
}

#endif
