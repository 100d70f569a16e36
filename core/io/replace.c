/* SPDX-License-Identifier: MIT
 * A file that is written beside the one whose place it takes. */
#include "core/io/replace.h"

#include "core/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __APPLE__
#include <sys/random.h>
#endif

#define TRIES 100 /* names, of 2^60 */
#define WORD 12   /* letters, of 32 */

static int random_word(char *word)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint64_t bits;

    if (WEFT__SYS(getentropy(&bits, sizeof bits)) < 0) {
        return -errno;
    }
    for (int i = 0; i < WORD; i++, bits >>= 5) {
        word[i] = letters[bits & 31];
    }
    return 0;
}

static int make(const char *path, int flags, unsigned mode)
{
    int r;

    do {
        r = WEFT__SYS(flags < 0 ? mkdir(path, mode) :
                                  open(path, flags | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    } while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

int weft__make_unique(const char *before, const char *after, int flags, unsigned mode,
                      char **ret_path)
{
    size_t len = strlen(before), size = len + WORD + strlen(after) + 1;
    char *path = weft__alloc(NULL, size);
    int r = -EEXIST;

    if (!path) {
        return -ENOMEM;
    }
    memcpy(path, before, len);
    memcpy(path + len + WORD, after, size - len - WORD);
    for (int i = 0; i < TRIES && r == -EEXIST; i++) {
        r = random_word(path + len);
        r = r < 0 ? r : make(path, flags, mode);
    }
    if (r < 0) {
        weft__free(path);
        return r;
    }
    *ret_path = path;
    return r;
}

int weft__write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = WEFT__SYS(write(fd, data, size < INT_MAX ? size : INT_MAX));

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : -EIO;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Opens the file itself. */
static int open_in_place(struct weft__replacing *replacing)
{
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (replacing->append ? O_APPEND : O_TRUNC) |
                (replacing->no_replace ? O_EXCL : 0);
    struct stat found;

    do {
        replacing->fd =
            WEFT__SYS(open(replacing->path, flags, replacing->mode ? replacing->mode : 0666));
    } while (replacing->fd < 0 && errno == EINTR);
    if (replacing->fd < 0) {
        return -errno;
    }
    replacing->is_file = fstat(replacing->fd, &found) == 0 && S_ISREG(found.st_mode);
    return 0;
}

/* Makes a file beside the target. */
static int open_beside(struct weft__replacing *replacing)
{
    char before[PATH_MAX + 8];
    const char *slash = strrchr(replacing->target, '/');
    int len = slash ? (int)(slash + 1 - replacing->target) : 0;

    if (len >= PATH_MAX) {
        return -ENAMETOOLONG;
    }
    snprintf(before, sizeof before, "%.*s.weft-", len, replacing->target);
    replacing->fd = weft__make_unique(before, "", O_RDWR, replacing->mode ? replacing->mode : 0666,
                                      &replacing->temp);
    return replacing->fd < 0 ? replacing->fd : 0;
}

/* Gives the new file what the old one had; who may not give files away keeps it. */
static int take_after(const struct weft__replacing *replacing, const struct stat *old)
{
    unsigned mode = replacing->mode ? replacing->mode : old->st_mode & 07777;

    if (old->st_uid != geteuid() || old->st_gid != getegid()) {
        if (fchown(replacing->fd, old->st_uid, old->st_gid) < 0) {
            mode &= 0777; /* no set-user-ID of somebody else's */
        }
    }
    if (replacing->mode == 0 && WEFT__SYS(fchmod(replacing->fd, mode)) < 0) {
        return -errno;
    }
    return 0;
}

/* A path in memory of its own. */
static char *copy_of(const char *path)
{
    size_t size = strlen(path) + 1;
    char *copy = weft__alloc(NULL, size);

    return copy ? memcpy(copy, path, size) : NULL;
}

/* Finds out what is to be replaced: 1 that file, 0 there is none, or an error.  What cannot be
 * replaced is written in place. */
static int find(struct weft__replacing *replacing, struct stat *ret_old)
{
    char real[PATH_MAX];
    const char *path = replacing->path;
    bool is_link;
    struct stat found;

    if (WEFT__SYS(lstat(path, &found)) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (replacing->no_replace) {
        return -EEXIST;
    }
    is_link = S_ISLNK(found.st_mode);
    if (is_link && stat(path, &found) < 0) {
        replacing->in_place = true; /* what it leads to is made */
        return 1;
    }
    if (S_ISDIR(found.st_mode)) {
        return -EISDIR;
    }
    if (!S_ISREG(found.st_mode)) {
        replacing->in_place = true;
    } else if (is_link && !replacing->in_place) {
        if (!realpath(path, real)) {
            return -errno;
        }
        replacing->target = copy_of(real);
        if (!replacing->target) {
            return -ENOMEM;
        }
    }
    *ret_old = found;
    return 1;
}

static void free_names(struct weft__replacing *replacing)
{
    weft__free(replacing->target);
    weft__free(replacing->temp);
    replacing->target = replacing->temp = NULL;
}

int weft__replace_begin(struct weft__replacing *replacing)
{
    struct stat old;
    int found;

    replacing->fd = -1;
    replacing->target = replacing->temp = NULL;
    replacing->is_file = true;
    if (replacing->append) {
        replacing->in_place = true;
    }
    found = find(replacing, &old);
    if (found >= 0 && replacing->in_place) {
        return open_in_place(replacing);
    }
    if (found >= 0 && !replacing->target) {
        replacing->target = copy_of(replacing->path);
        found = replacing->target ? found : -ENOMEM;
    }
    if (found >= 0) {
        int r = open_beside(replacing);

        r = r == 0 && found ? take_after(replacing, &old) : r;
        found = r < 0 ? r : found;
    }
    if (found < 0) {
        weft__replace_abort(replacing);
        return found;
    }
    return 0;
}

void weft__replace_abort(struct weft__replacing *replacing)
{
    if (replacing->fd >= 0) {
        (void)close(replacing->fd);
    }
    if (replacing->temp) {
        (void)unlink(replacing->temp);
    }
    replacing->fd = -1;
    free_names(replacing);
}

/* Gives the new file its name, unless somebody has it meanwhile. */
static int link_in(const struct weft__replacing *replacing)
{
    if (WEFT__SYS(link(replacing->temp, replacing->target)) < 0) {
        if (errno != EPERM && errno != EOPNOTSUPP) {
            return -errno;
        }
        /* No hard links here: as well as it can be done without. */
        if (access(replacing->target, F_OK) == 0) {
            return -EEXIST;
        }
        return rename(replacing->temp, replacing->target) < 0 ? -errno : 0;
    }
    (void)unlink(replacing->temp);
    return 0;
}

/* Sees that the new name is on the disk. */
static int sync_dir_of(char *path)
{
    char *slash = strrchr(path, '/');
    int fd, r;

    if (slash) {
        slash[slash == path] = '\0';
    }
    fd = WEFT__SYS(open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0) {
        return errno == EACCES ? 0 : -errno; /* it may be written to, but not read */
    }
    r = WEFT__SYS(fsync(fd)) < 0 && errno != EINVAL ? -errno : 0;
    (void)close(fd);
    return r;
}

static int put_in_place(struct weft__replacing *replacing)
{
    int r;

    if (!replacing->temp) {
        return 0;
    }
    if (replacing->no_replace) {
        r = link_in(replacing);
    } else {
        r = WEFT__SYS(rename(replacing->temp, replacing->target)) < 0 ? -errno : 0;
    }
    if (r == 0) {
        weft__free(replacing->temp);
        replacing->temp = NULL;
        r = replacing->sync ? sync_dir_of(replacing->target) : 0;
    }
    return r;
}

int weft__replace_commit(struct weft__replacing *replacing)
{
    int r = 0, closed;

    if (replacing->sets_mode && WEFT__SYS(fchmod(replacing->fd, replacing->final_mode)) < 0) {
        r = -errno;
    }
    if (r == 0 && replacing->sync && WEFT__SYS(fsync(replacing->fd)) < 0 &&
        (replacing->is_file || errno != EINVAL)) {
        r = -errno;
    }
    closed = close(replacing->fd);
    replacing->fd = -1;
    if (r == 0 && closed < 0 && errno != EINTR) {
        r = -errno;
    }
    r = r < 0 ? r : put_in_place(replacing);
    weft__replace_abort(replacing); /* what is left */
    return r;
}
