/* SPDX-License-Identifier: MIT
 * The tree of watches, and jobs that make it larger. */
#include "core/io/notify.h"

#ifdef __linux__

#include "core/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <weft/executor.h>

/* Where a wd is in the table, or would be. */
static size_t place_of(const weft_notify *notify, int wd)
{
    size_t low = 0, high = notify->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (notify->table[middle].wd < wd) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct weft__notify_node *weft__notify_node_of(const weft_notify *notify, int wd)
{
    size_t place = place_of(notify, wd);

    return place < notify->count && notify->table[place].wd == wd ? notify->table[place].node :
                                                                    NULL;
}

/* Makes room in the table: by leaving out what is gone, where that is half of it. */
static int reserve(weft_notify *notify)
{
    size_t capacity = notify->capacity ? notify->capacity * 2 : 16, kept = 0;
    void *table;

    if (notify->count < notify->capacity) {
        return 0;
    }
    if (notify->gone > notify->count / 2) {
        for (size_t i = 0; i < notify->count; i++) {
            if (notify->table[i].node) {
                notify->table[kept++] = notify->table[i];
            }
        }
        notify->count = kept;
        notify->gone = 0;
        return 0;
    }
    table = weft__alloc(notify->table, capacity * sizeof *notify->table);
    if (!table) {
        return -ENOMEM;
    }
    notify->table = table;
    notify->capacity = capacity;
    return 0;
}

static char *copy_of(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = weft__alloc(NULL, size);

    return copy ? memcpy(copy, text, size) : NULL;
}

int weft__notify_node_new(weft_notify *notify, int wd, struct weft__notify_node *parent,
                          const char *name, struct weft__notify_node **ret_node)
{
    struct weft__notify_node *node = weft__alloc_zeroed(1, sizeof *node);
    size_t place;

    if (!node || !(node->name = copy_of(name)) || reserve(notify) < 0) {
        weft__free(node ? node->name : NULL);
        weft__free(node);
        return -ENOMEM;
    }
    node->wd = wd;
    weft__list_init(&node->link);
    weft__list_init(&node->children);
    if (parent) {
        node->parent = parent;
        node->id = parent->id;
        node->what = parent->what;
        node->recursive = true;
        weft__list_push(&parent->children, &node->link);
    }
    place = place_of(notify, wd); /* the end, until the kernel's numbers run over */
    memmove(notify->table + place + 1, notify->table + place,
            (notify->count - place) * sizeof *notify->table);
    notify->table[place].wd = wd;
    notify->table[place].node = node;
    notify->count++;
    *ret_node = node;
    return 0;
}

struct weft__notify_node *weft__notify_child(const struct weft__notify_node *node, const char *name)
{
    for (struct weft__list *link = node->children.next; link != &node->children;
         link = link->next) {
        struct weft__notify_node *child = WEFT__CONTAINER(link, struct weft__notify_node, link);

        if (strcmp(child->name, name) == 0) {
            return child;
        }
    }
    return NULL;
}

int weft__notify_move(struct weft__notify_node *node, struct weft__notify_node *parent,
                      const char *name)
{
    char *copy = copy_of(name);

    if (!copy) {
        return -ENOMEM;
    }
    weft__free(node->name);
    node->name = copy;
    node->parent = parent;
    weft__list_remove(&node->link);
    weft__list_push(&parent->children, &node->link);
    return 0;
}

/* Forgets one that has no children. */
static void drop_one(weft_notify *notify, struct weft__notify_node *node, bool unwatches)
{
    size_t place = place_of(notify, node->wd);

    if (unwatches) {
        (void)inotify_rm_watch(notify->fd, node->wd);
    }
    WEFT_ASSERT(place < notify->count && notify->table[place].node == node);
    notify->table[place].node = NULL;
    notify->gone++;
    weft__list_remove(&node->link);
    weft__free(node->name);
    weft__free(node);
}

void weft__notify_drop(weft_notify *notify, struct weft__notify_node *node, bool unwatches)
{
    struct weft__notify_node *top = node;

    for (;;) { /* from the leaves up; trees may be deep */
        struct weft__notify_node *parent = node->parent;

        if (!weft__list_empty(&node->children)) {
            node = WEFT__CONTAINER(node->children.next, struct weft__notify_node, link);
            continue;
        }
        if (node == top) {
            drop_one(notify, node, unwatches);
            return;
        }
        drop_one(notify, node, true);
        node = parent;
    }
}

uint32_t weft__notify_mask(const struct weft__notify_node *node)
{
    uint32_t mask = node->parent ? IN_ONLYDIR | IN_DONT_FOLLOW : IN_DELETE_SELF | IN_MOVE_SELF;

    mask |= node->what & WEFT_NOTIFY_CREATED ? IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM : 0;
    mask |= node->what & WEFT_NOTIFY_DELETED ? IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM : 0;
    mask |= node->what & WEFT_NOTIFY_MODIFIED ? IN_MODIFY : 0;
    mask |= node->what & WEFT_NOTIFY_WRITTEN ? IN_CLOSE_WRITE : 0;
    mask |= node->what & WEFT_NOTIFY_ATTRIBUTES ? IN_ATTRIB : 0;
    mask |= node->what & WEFT_NOTIFY_MOVED ? IN_MOVED_TO | IN_MOVED_FROM : 0;
    mask |= node->recursive ? IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM : 0;
    return mask;
}

int weft__notify_path(const struct weft__notify_node *node, const char *name, weft_buffer *path)
{
    size_t len = strlen(name), start = path->len;
    char *at;
    int r;

    for (const struct weft__notify_node *n = node; n; n = n->parent) {
        len += strlen(n->name) + 1;
    }
    r = weft_buffer_reserve(path, len + 1);
    if (r < 0) {
        return r;
    }
    at = path->data + start + len; /* from its end to its beginning */
    *at = '\0';
    for (const struct weft__notify_node *n = node; n || name; n = n->parent) {
        size_t size = strlen(name);

        at -= size;
        memcpy(at, name, size);
        name = n ? n->name : NULL;
        if (!n) {
            break;
        }
        if (*at && name[strlen(name) - 1] != '/') {
            *--at = '/';
        }
    }
    len = strlen(at) + 1;
    memmove(path->data + start, at, len);
    path->len = start + len;
    return 0;
}

int weft__notify_tell(weft_notify *notify, const struct weft__notify_news *news)
{
    weft_buffer texts = { 0 };
    size_t from = 0;
    struct weft__notify_told *told = NULL;
    int r = news->node ? weft__notify_path(news->node, news->name, &texts) :
                         weft_buffer_append(&texts, "", 1);

    if (r == 0 && news->old_node) {
        from = texts.len;
        r = weft__notify_path(news->old_node, news->old_name, &texts);
    }
    if (r == 0) {
        told = weft__alloc(NULL, sizeof *told + texts.len);
        r = told ? 0 : -ENOMEM;
    }
    if (r == 0) {
        memcpy(told->texts, texts.data, texts.len);
        told->event = (weft_notify_event){
            .what = news->what,
            .watch = news->node ? news->node->id : 0,
            .path = told->texts,
            .from = from ? told->texts + from : NULL,
            .is_dir = news->is_dir,
            .error = news->error,
        };
        weft__list_push(&notify->told, &told->link);
    }
    weft_buffer_clear(&texts);
    return r;
}

int weft__notify_request(weft_notify *notify, const struct weft__notify_node *node,
                         const char *name, bool tells)
{
    size_t size = strlen(name) + 1;
    struct weft__notify_request *request = weft__alloc(NULL, sizeof *request + size);

    if (!request) {
        return -ENOMEM;
    }
    request->wd = node->wd;
    request->tells = tells;
    memcpy(request->name, name, size);
    weft__list_push(&notify->requests, &request->link);
    return 0;
}

/* A directory cannot be watched: that is told, or ends the add() that asked for it. */
static int cannot_watch(weft_notify *notify, const struct weft__notify_node *node, const char *name,
                        int error)
{
    struct weft__notify_news news = {
        .node = node,
        .name = name,
        .what = WEFT_NOTIFY_LOST,
        .is_dir = true,
        .error = error,
    };

    if (error == -ENOENT || error == -ENOTDIR) {
        return 0; /* it is gone already */
    }
    if (node->id == notify->adding && (error == -ENOSPC || error == -ENOMEM)) {
        return error;
    }
    return weft__notify_tell(notify, &news);
}

/* Watches a directory: its node, or NULL where it is gone or belongs to another watch. */
static int watch(weft_notify *notify, struct weft__notify_node *parent, const char *name,
                 const char *path, struct weft__notify_node **ret_node)
{
    struct weft__notify_node like = { .parent = parent, .what = parent->what, .recursive = true };
    struct weft__notify_node *node;
    int wd, r;

    *ret_node = NULL;
    wd = WEFT__SYS(inotify_add_watch(notify->fd, path, weft__notify_mask(&like) | IN_MASK_ADD));
    if (wd < 0) {
        return errno == EINTR ? -EINTR : cannot_watch(notify, parent, name, -errno);
    }
    node = weft__notify_node_of(notify, wd);
    if (!node) {
        r = weft__notify_node_new(notify, wd, parent, name, ret_node);
        if (r < 0) {
            (void)inotify_rm_watch(notify->fd, wd);
        }
        return r;
    }
    if (!node->parent || node->id != parent->id) {
        return 0;
    }
    r = node->parent == parent && strcmp(node->name, name) == 0 ?
            0 :
            weft__notify_move(node, parent, name); /* its rename is still to be read */
    *ret_node = r == 0 ? node : NULL;
    return r;
}

static bool is_dir(const char *path, const struct dirent *entry)
{
    struct stat found;
    char full[4096];
    size_t len = strlen(path);

    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_DIR;
    }
    if (len + strlen(entry->d_name) + 2 > sizeof full) {
        return false;
    }
    memcpy(full, path, len);
    full[len] = '/';
    strcpy(full + len + 1, entry->d_name);
    return lstat(full, &found) == 0 && S_ISDIR(found.st_mode);
}

/* Looks through a directory that is watched: others in it are to be watched, too. */
static int look_through(weft_notify *notify, struct weft__notify_node *node, const char *path,
                        bool tells)
{
    DIR *dir = WEFT__SYS(0) < 0 ? NULL : opendir(path);
    struct dirent *entry;
    int r = 0;

    if (!dir) {
        return cannot_watch(notify, node, "", -errno);
    }
    while (r == 0 && (entry = readdir(dir))) {
        struct weft__notify_news news = {
            .node = node,
            .name = entry->d_name,
            .what = WEFT_NOTIFY_CREATED,
        };

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        news.is_dir = is_dir(path, entry);
        if (news.is_dir) {
            r = weft__notify_request(notify, node, entry->d_name, tells);
        }
        if (r == 0 && tells && node->what & WEFT_NOTIFY_CREATED) {
            r = weft__notify_tell(notify, &news);
        }
    }
    (void)closedir(dir);
    return r;
}

/* Fulfils a request; after an error it is still there. */
static int fulfil(weft_notify *notify, const struct weft__notify_request *request)
{
    struct weft__notify_node *node = weft__notify_node_of(notify, request->wd);
    weft_buffer path = { 0 };
    int r;

    if (!node) {
        return 0; /* it is gone meanwhile */
    }
    r = weft__notify_path(node, request->name, &path);
    if (r == 0 && *request->name) {
        r = watch(notify, node, request->name, path.data, &node);
    }
    if (r == 0 && node) {
        r = look_through(notify, node, path.data, request->tells);
    }
    weft_buffer_clear(&path);
    return r;
}

int weft__notify_scan(void *arg)
{
    weft_notify *notify = arg;

    while (!weft__list_empty(&notify->requests)) {
        struct weft__notify_request *request =
            WEFT__CONTAINER(notify->requests.next, struct weft__notify_request, link);
        int r = weft_job_cancelled() ? -ECANCELED : fulfil(notify, request);

        if (r == -EINTR) {
            continue;
        }
        if (r < 0) {
            return r;
        }
        weft__list_remove(&request->link);
        weft__free(request);
    }
    return 0;
}

#endif
