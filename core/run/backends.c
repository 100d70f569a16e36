/* SPDX-License-Identifier: MIT
 * The public calls about backends: found, loaded, listed. */
#include "core/base/error.h"
#include "core/poll/poll.h"
#include "core/run/config.h"
#include "core/run/open.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <weft/backends.h>

int weft_backend_find(const char *name, const weft_backend **ret_backend)
{
    struct weft__text why = { .used = 0 };
    int r;

    if (!name || !ret_backend) {
        return -EINVAL;
    }
    weft_error_clear();
    if (!weft__is_name(name, strlen(name))) {
        return weft__detail(-ENOENT, "'%.200s' is no name of a backend", name);
    }
    r = weft__backend_find(name, &why, ret_backend);
    return r < 0 ? weft__detail(r, "the backend '%s': %s", name, why.at) : 0;
}

int weft_backend_load(const char *path, const weft_backend **ret_backend)
{
    struct weft__text why = { .used = 0 };
    const weft_backend *backend;
    int r;

    if (!path) {
        return -EINVAL;
    }
    weft_error_clear();
    r = weft__backend_load(path, &why, &backend);
    if (r < 0) {
        return weft__detail(r, "%s", why.at);
    }
    if (ret_backend) {
        *ret_backend = backend;
    }
    return 0;
}

/* A walk through all that there is. */
struct listing {
    int (*each)(const weft_backend_info *info, void *arg);
    void *arg;
    int result; /* what `each` said to end it; 0: it goes on */
};

static int tell(struct listing *listing, weft_backend_info *info)
{
    char why[256] = "";

    info->size = sizeof *info;
    if (info->backend && info->backend->probe) {
        info->usable = info->backend->probe(why, sizeof why);
        info->why = why;
    }
    info->why = info->why ? info->why : "";
    listing->result = listing->each(info, listing->arg);
    return listing->result;
}

/* NAME of weft-backend-NAME.so; false for any other file. */
static bool name_of(const char *file, char *name)
{
    static const char prefix[] = "weft-backend-", suffix[] = ".so";
    size_t length = strlen(file), around = sizeof prefix - 1 + sizeof suffix - 1;

    if (length <= around || strncmp(file, prefix, sizeof prefix - 1) != 0 ||
        strcmp(file + length - (sizeof suffix - 1), suffix) != 0 ||
        !weft__is_name(file + sizeof prefix - 1, length - around)) {
        return false;
    }
    memcpy(name, file + sizeof prefix - 1, length - around);
    name[length - around] = '\0';
    return true;
}

/* Whether the file in `directory` is the one that its name leads to. */
static bool comes_first(const char *directory, const char *name)
{
    char first[WEFT__PATH_MAX], this[WEFT__PATH_MAX];

    (void)snprintf(this, sizeof this, "%.4000s/weft-backend-%s.so", directory, name);
    return weft__backend_where(name, first, sizeof first) && strcmp(first, this) == 0;
}

static int tell_file(struct listing *listing, const char *directory, const char *name)
{
    struct weft__text why = { .used = 0 };
    char path[WEFT__PATH_MAX];
    weft_backend_info info = { .name = name, .path = path };

    (void)snprintf(path, sizeof path, "%.4000s/weft-backend-%s.so", directory, name);
    info.usable = weft__backend_find(name, &why, &info.backend);
    info.why = info.usable < 0 ? why.at : NULL;
    return tell(listing, &info);
}

static int compare(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name);
}

static int is_plugin(const struct dirent *entry)
{
    char name[WEFT__NAME_MAX + 1];

    return name_of(entry->d_name, name);
}

/* In the order of the names, so that the list is the same each time.  -ENOENT: on to the next. */
static int list_directory(const char *directory, void *arg)
{
    struct dirent **entries = NULL;
    struct listing *listing = arg;
    int count = scandir(directory, &entries, is_plugin, compare);

    for (int i = 0; i < count; i++) {
        char name[WEFT__NAME_MAX + 1];

        if (!listing->result && name_of(entries[i]->d_name, name) && comes_first(directory, name)) {
            (void)tell_file(listing, directory, name);
        }
        free(entries[i]);
    }
    free(entries);
    return listing->result ? 0 : -ENOENT;
}

int weft_backend_list(int (*each)(const weft_backend_info *info, void *arg), void *arg)
{
    struct listing listing = { .each = each, .arg = arg };
    struct weft__text why = { .used = 0 };

    if (!each) {
        return -EINVAL;
    }
    for (size_t i = 0; weft__backends_builtin[i] && !listing.result; i++) {
        weft_backend_info info = {
            .name = weft__backends_builtin[i]->name,
            .backend = weft__backends_builtin[i],
        };

        (void)tell(&listing, &info);
    }
    if (!listing.result) {
        (void)weft__each_directory("WEFT_BACKEND_PATH", WEFT_BACKEND_DIR, &why, list_directory,
                                   &listing);
    }
    return listing.result;
}

int weft_backend_default(char *list, size_t list_size, char *origin, size_t origin_size)
{
    struct weft__text why = { .used = 0 };
    struct weft__config config;
    const char *value;
    int r;

    if (!list || !origin) {
        return -EINVAL;
    }
    weft_error_clear();
    r = weft__config_read(&config, &why);
    if (r < 0) {
        return weft__detail(r, "%s", why.at);
    }
    value = weft__default(&config, origin, origin_size);
    if (value) {
        (void)snprintf(list, list_size, "%s", value);
        return 0;
    }
    why.used = 0;
    why.at[0] = '\0';
    for (size_t i = 0; weft__backends_builtin[i]; i++) {
        if (weft__is_automatic(weft__backends_builtin[i])) {
            weft__text_add(&why, "%s%s", why.used ? "," : "", weft__backends_builtin[i]->name);
        }
    }
    (void)snprintf(list, list_size, "%s", why.at);
    (void)snprintf(origin, origin_size, "the library");
    return 0;
}
