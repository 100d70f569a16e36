/* SPDX-License-Identifier: MIT
 * Opening files that become part of the process. */
#include "core/run/open.h"

#include "core/base/mem.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A setuid program, or one with file capabilities, does not listen to its caller. */
const char *weft__environment(const char *name)
{
#ifdef HAVE_SECURE_GETENV
    const char *value = secure_getenv(name);
#else
    const char *value = issetugid() ? NULL : getenv(name);
#endif

    return value && *value ? value : NULL;
}

bool weft__is_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= '0' && text[i] <= '9') &&
            text[i] != '_') {
            return false;
        }
    }
    return length >= 1 && length <= WEFT__NAME_MAX;
}

/* For root: nobody else may be able to put something else there. */
static int check_owner(const char *path, struct weft__text *why)
{
    struct stat status;

    if (WEFT__SYS(stat(path, &status)) < 0) {
        int r = -errno;

        weft__text_add(why, "%s: %s", path, strerror(-r));
        return r == -ENOTDIR ? -ENOENT : r;
    }
    if (geteuid() != 0) {
        return 0;
    }
    if (status.st_uid != 0) {
        weft__text_add(why, "%s belongs to user %lu and not to root, so root does not load it",
                       path, (unsigned long)status.st_uid);
        return -EACCES;
    }
    /* In a sticky directory nobody replaces what is another's. */
    if (status.st_mode & (S_IWGRP | S_IWOTH) &&
        !(S_ISDIR(status.st_mode) && status.st_mode & S_ISVTX)) {
        weft__text_add(why, "%s can be written by others than root, so root does not load it",
                       path);
        return -EACCES;
    }
    return 0;
}

static int check_path(const char *path, struct weft__text *why)
{
    char directory[WEFT__PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t length = (size_t)(slash - path);
    int r = check_owner(path, why);

    if (r < 0 || length == 0) {
        return r;
    }
    if (length >= sizeof directory) {
        weft__text_add(why, "%.60s... is too long", path);
        return -ENAMETOOLONG;
    }
    memcpy(directory, path, length);
    directory[length] = '\0';
    return check_owner(directory, why);
}

/* dlerror() begins with the path, or it does not. */
static int refused(const char *path, struct weft__text *why)
{
    const char *text = dlerror();

    text = text ? text : "refused by the dynamic linker";
    if (strncmp(text, path, strlen(path)) == 0) {
        weft__text_add(why, "%s", text);
    } else {
        weft__text_add(why, "%s: %s", path, text);
    }
    return -ELIBACC;
}

int weft__file_open(const char *path, const char *symbol, struct weft__text *why,
                    const void **ret_symbol)
{
    void *image;
    int r = check_path(path, why);

    if (r < 0) {
        return r;
    }
    r = weft__fault();
    if (r < 0) {
        weft__text_add(why, "%s: %s", path, strerror(-r));
        return r;
    }
    /* For good: a library that was unloaded may have left callbacks, threads or keys behind. */
    image = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!image) {
        return refused(path, why);
    }
    *ret_symbol = dlsym(image, symbol);
    if (!*ret_symbol) {
        weft__text_add(why, "%s has no symbol %s", path, symbol);
        return -ELIBBAD;
    }
    return 0;
}

bool weft__loads_files(void)
{
    void *self = dlopen(NULL, RTLD_NOW);

    if (self) {
        dlclose(self);
    }
    return self != NULL;
}

int weft__each_directory(const char *variable, const char *installed, struct weft__text *why,
                         int (*try)(const char *directory, void *arg), void *arg)
{
    const char *list = weft__environment(variable);
    char directory[WEFT__PATH_MAX];
    int r = -ENOENT;

    if (!weft__loads_files()) {
        weft__text_add(why, "this program is linked statically and loads no files, ");
        return r;
    }
    while (list && *list && r == -ENOENT) {
        size_t length = strcspn(list, ":");

        if (list[0] == '/' && length < sizeof directory) {
            memcpy(directory, list, length);
            directory[length] = '\0';
            r = try(directory, arg);
        } else if (length > 0) {
            weft__text_add(why, "%.*s of %s is not an absolute directory, ",
                           (int)(length < 200 ? length : 200), list, variable);
        }
        list += length;
        list += *list == ':';
    }
    return r == -ENOENT ? try(installed, arg) : r;
}
