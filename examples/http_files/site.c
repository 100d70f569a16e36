/* SPDX-License-Identifier: MIT
 * Paths, kinds and lists of files.  Nothing here waits in weft's sense: to open a file whose
 * directory is in memory takes a microsecond.  For a slow disk or a network file system there are
 * weft_open() and weft_to_thread(). */
#include "site.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static int hex(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Decodes one name of a path.  Returns 0; -EINVAL it cannot be a name, -ENAMETOOLONG. */
static int decode(const char *from, size_t length, char *to, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        char c = from[i];

        if (c == '%') {
            if (i + 2 >= length || !isxdigit((unsigned char)from[i + 1]) ||
                !isxdigit((unsigned char)from[i + 2]))
                return -EINVAL;
            c = (char)(hex(from[i + 1]) * 16 + hex(from[i + 2]));
            i += 2;
        }
        if (c == '\0' || c == '/')
            return -EINVAL;
        if (n + 1 >= size)
            return -ENAMETOOLONG;
        to[n++] = c;
    }
    to[n] = '\0';
    return 0;
}

/* One step down.  O_NONBLOCK: a FIFO must not hold up the thread. */
static int step(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int site_open(int root, const char *path, char *ret_name, size_t size)
{
    int fd = root, next, r;

    ret_name[0] = '\0';
    for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
        size_t length = strcspn(path, "/");

        r = decode(path, length, ret_name, size);
        next = r < 0 ? r : ret_name[0] == '.' ? -ENOENT : step(fd, ret_name);
        if (fd != root)
            close(fd);
        if (next < 0)
            return next;
        fd = next;
        path += length;
    }
    return fd == root ? step(root, ".") : fd;
}

const char *site_type(const char *name)
{
    static const char *const types[][2] = {
        { ".html", "text/html; charset=utf-8" },
        { ".txt", "text/plain; charset=utf-8" },
        { ".md", "text/plain; charset=utf-8" },
        { ".c", "text/plain; charset=utf-8" },
        { ".h", "text/plain; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".json", "application/json" },
        { ".pdf", "application/pdf" },
        { ".wasm", "application/wasm" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".jpg", "image/jpeg" },
        { ".jpeg", "image/jpeg" },
        { ".webp", "image/webp" },
        { ".gif", "image/gif" },
    };
    const char *ending = strrchr(name, '.');

    for (size_t i = 0; ending && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(ending, types[i][0]) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* ---- lists ---- */

static void print_text(FILE *page, const char *text)
{
    for (; *text; text++) {
        if (strchr("<>&\"'", *text))
            fprintf(page, "&#%d;", *text);
        else
            putc(*text, page);
    }
}

static void print_link(FILE *page, const char *name, bool is_dir)
{
    fputs("<li><a href=\"", page);
    for (const char *c = name; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("-._~", *c))
            putc(*c, page);
        else
            fprintf(page, "%%%02X", (unsigned char)*c);
    }
    fprintf(page, "%s\">", is_dir ? "/" : "");
    print_text(page, name);
    fprintf(page, "%s</a>\n", is_dir ? "/" : "");
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int site_list(int dir, char **ret_page, size_t *ret_size)
{
    struct dirent **entries;
    struct stat st;
    FILE *page;
    int n = scandirat(dir, ".", &entries, is_shown, alphasort);

    if (n < 0)
        return -errno;
    page = open_memstream(ret_page, ret_size);
    if (page)
        fputs("<!DOCTYPE html><meta charset=\"utf-8\"><title>Files</title>\n<ul>\n", page);
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;

        if (page && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
            print_link(page, name, S_ISDIR(st.st_mode));
        free(entries[i]);
    }
    free(entries);
    if (!page)
        return -errno;
    fputs("</ul>\n", page);
    return fclose(page) == 0 ? 0 : -ENOMEM;
}
