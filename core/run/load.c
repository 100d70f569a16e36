/* SPDX-License-Identifier: MIT
 * Finding backends, and the handshake with those that are files. */
#include "core/run/load.h"
#include "core/base/shared.h"

#include "core/base/mem.h"
#include "core/poll/poll.h"
#include "core/run/open.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A backend from a file, made whole: members behind what it was built with read as NULL. */
struct loaded {
    struct loaded *next;
    weft_backend backend;
    weft_backend_ops ops;
};

/* All that were opened in this process, under the lock; they stay. */
static struct {
    pthread_mutex_t lock;
    struct loaded *first;
} registry = { .lock = PTHREAD_MUTEX_INITIALIZER };
WEFT__OPENS_IN_CHILD(registry.lock)

/* Debian's packages of the backends that come with weft. */
static const char *const packages[][2] = {
    { "ev", "libweft-backend-ev" },
    { "glib", "libweft-backend-glib" },
    { "uv", "libweft-backend-uv" },
};

static const char *package_of(const char *name)
{
    for (size_t i = 0; i < sizeof packages / sizeof packages[0]; i++) {
        if (strcmp(packages[i][0], name) == 0) {
            return packages[i][1];
        }
    }
    return NULL;
}

static const weft_backend *known(const char *name)
{
    for (size_t i = 0; weft__backends_builtin[i]; i++) {
        if (strcmp(weft__backends_builtin[i]->name, name) == 0) {
            return weft__backends_builtin[i];
        }
    }
    for (const struct loaded *loaded = registry.first; loaded; loaded = loaded->next) {
        if (strcmp(loaded->backend.name, name) == 0) {
            return &loaded->backend;
        }
    }
    return NULL;
}

/* The first member that its shape asks for and that is not there; NULL: it is whole. */
static const char *missing(const weft_backend_ops *ops)
{
    bool host = ops->caps & (WEFT_BACKEND_DIRECT | WEFT_BACKEND_GUEST);
    bool watches = !host || ops->caps & WEFT_BACKEND_DIRECT;

#define NEED(when, member)        \
    if ((when) && !ops->member) { \
        return #member;           \
    }
    NEED(true, open)
    NEED(true, close)
    NEED(watches, watch)
    NEED(watches, rewatch)
    NEED(watches, unwatch)
    NEED(watches, wake)
    NEED(!host, wait)
    NEED(!host, fork_child)
    NEED(host, arm)
    NEED(host && !(ops->caps & WEFT_BACKEND_ADOPT), run)
    NEED(ops->caps & WEFT_BACKEND_GUEST, guest)
    NEED(ops->caps & WEFT_BACKEND_NEST, nest_fd)
    NEED(ops->caps & WEFT_BACKEND_VIRTUAL, now)
    NEED(ops->caps & WEFT_BACKEND_COMPLETES, completions)
#undef NEED
    return NULL;
}

static int refuse(struct weft__text *why, const char *path, const char *what)
{
    weft__text_add(why, "%s %s", path, what);
    return -ELIBBAD;
}

/* Copies what the two sides share; the rest reads as NULL. */
static void take_over(struct loaded *loaded, const weft_backend *theirs)
{
    size_t size = theirs->size < sizeof *theirs ? theirs->size : sizeof *theirs;
    const weft_backend_ops *ops = theirs->ops;

    memcpy(&loaded->backend, theirs, size);
    size = ops->size < sizeof *ops ? ops->size : sizeof *ops;
    memcpy(&loaded->ops, ops, size);
    loaded->backend.ops = &loaded->ops;
    loaded->backend.summary = theirs->summary ? theirs->summary : "";
    loaded->backend.needs = theirs->needs ? theirs->needs : "";
}

static int check(const weft_backend *backend, const char *name, const char *path,
                 struct weft__text *why)
{
    if (backend->magic != WEFT_BACKEND_MAGIC) {
        return refuse(why, path, "has no backend's descriptor under that name");
    }
    if (backend->abi != WEFT_BACKEND_ABI) {
        weft__text_add(why, "%s is built for version %u of the backend ABI, and this is %u", path,
                       (unsigned)backend->abi, WEFT_BACKEND_ABI);
        return -ELIBBAD;
    }
    if (backend->size < offsetof(weft_backend, version) || !backend->ops ||
        backend->ops->size < offsetof(weft_backend_ops, now)) {
        return refuse(why, path, "has a descriptor that is cut short");
    }
    if (backend->core_size > sizeof(weft_backend_core)) {
        return refuse(why, path, "needs a newer weft than this one");
    }
    if (!backend->name || strcmp(backend->name, name) != 0) {
        weft__text_add(why, "%s calls itself '%s', not '%s'", path,
                       backend->name ? backend->name : "", name);
        return -ELIBBAD;
    }
    return 0;
}

/* Opens a file and makes its backend known; under the lock. */
static int load(const char *path, const char *name, struct weft__text *why,
                const weft_backend **ret_backend)
{
    char symbol[sizeof "weft_backend_" + WEFT__NAME_MAX];
    const void *found = NULL;
    const weft_backend *theirs;
    struct loaded *loaded;
    const char *member;
    int r;

    (void)snprintf(symbol, sizeof symbol, "weft_backend_%s", name);
    r = weft__file_open(path, symbol, why, &found);
    theirs = found;
    r = r < 0 ? r : check(theirs, name, path, why);
    if (r < 0) {
        return r;
    }
    loaded = weft__alloc_zeroed(1, sizeof *loaded);
    if (!loaded) {
        weft__text_add(why, "no memory");
        return -ENOMEM;
    }
    take_over(loaded, theirs);
    member = missing(&loaded->ops);
    if (member) {
        weft__text_add(why, "%s lacks the member %s(), which its capabilities ask for", path,
                       member);
        weft__free(loaded);
        return -ELIBBAD;
    }
    loaded->next = registry.first;
    registry.first = loaded;
    *ret_backend = &loaded->backend;
    return 0;
}

/* What stands between the directories that are tried. */
struct search {
    const char *name;
    struct weft__text *why;
    const weft_backend *backend;
};

static int try_file(const char *directory, void *arg)
{
    struct search *search = arg;
    char path[WEFT__PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/weft-backend-%s.so", directory, search->name);
    int r;

    if (n < 0 || (size_t)n >= sizeof path) {
        weft__text_add(search->why, "%.60s... is too long", directory);
        r = -ENAMETOOLONG;
    } else {
        r = load(path, search->name, search->why, &search->backend);
    }
    if (r == -ENOENT) {
        weft__text_add(search->why, ", ");
    }
    return r;
}

void weft__backend_names(struct weft__text *why)
{
    weft__text_add(why, "compiled in are ");
    for (size_t i = 0; weft__backends_builtin[i]; i++) {
        weft__text_add(why, "%s%s", i ? ", " : "", weft__backends_builtin[i]->name);
    }
}

int weft__backend_find(const char *name, struct weft__text *why, const weft_backend **ret_backend)
{
    struct search search = { .name = name, .why = why };
    int r = 0;

    pthread_mutex_lock(&registry.lock);
    search.backend = known(name);
    if (!search.backend) {
        r = weft__each_directory("WEFT_BACKEND_PATH", WEFT_BACKEND_DIR, why, try_file, &search);
    }
    pthread_mutex_unlock(&registry.lock);
    if (r == 0) {
        *ret_backend = search.backend;
        return 0;
    }
    if (r == -ENOENT) {
        weft__backend_names(why);
    }
    if ((r == -ENOENT || r == -ELIBACC) && package_of(name) && weft__loads_files()) {
        weft__text_add(why, "; Debian has it in the package %s", package_of(name));
    }
    return r;
}

struct place {
    const char *name;
    char *path;
    size_t size;
};

static int has_file(const char *directory, void *arg)
{
    const struct place *place = arg;
    int n = snprintf(place->path, place->size, "%s/weft-backend-%s.so", directory, place->name);

    return n > 0 && (size_t)n < place->size && access(place->path, F_OK) == 0 ? 0 : -ENOENT;
}

bool weft__backend_where(const char *name, char *path, size_t size)
{
    struct place place = { .name = name, .path = path, .size = size };
    struct weft__text why = { .used = 0 };

    for (size_t i = 0; weft__backends_builtin[i]; i++) {
        if (strcmp(weft__backends_builtin[i]->name, name) == 0) {
            return false;
        }
    }
    return weft__each_directory("WEFT_BACKEND_PATH", WEFT_BACKEND_DIR, &why, has_file, &place) == 0;
}

/* NAME of /DIR/weft-backend-NAME.so. */
static bool name_of(const char *path, char *name)
{
    static const char prefix[] = "weft-backend-", suffix[] = ".so";
    const char *file = strrchr(path, '/');
    size_t length;

    if (path[0] != '/' || strncmp(++file, prefix, sizeof prefix - 1) != 0) {
        return false;
    }
    file += sizeof prefix - 1;
    length = strlen(file);
    if (length < sizeof suffix || strcmp(file + length - (sizeof suffix - 1), suffix) != 0 ||
        !weft__is_name(file, length - (sizeof suffix - 1))) {
        return false;
    }
    length -= sizeof suffix - 1;
    memcpy(name, file, length);
    name[length] = '\0';
    return true;
}

int weft__backend_load(const char *path, struct weft__text *why, const weft_backend **ret_backend)
{
    char name[WEFT__NAME_MAX + 1];
    int r;

    if (!name_of(path, name)) {
        weft__text_add(why, "'%s' is not of the form /DIRECTORY/weft-backend-NAME.so", path);
        return -EINVAL;
    }
    pthread_mutex_lock(&registry.lock);
    if (known(name)) {
        weft__text_add(why, "there is a backend '%s' already", name);
        r = -EEXIST;
    } else {
        r = load(path, name, why, ret_backend);
    }
    pthread_mutex_unlock(&registry.lock);
    return r;
}

void weft__backends_forget(void)
{
    pthread_mutex_lock(&registry.lock);
    while (registry.first) {
        struct loaded *loaded = registry.first;

        registry.first = loaded->next;
        weft__free(loaded);
    }
    pthread_mutex_unlock(&registry.lock);
}
