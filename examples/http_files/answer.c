/* SPDX-License-Identifier: MIT
 * Which answer a request gets: a file or a piece of it, a list, or a status that says why not. */
#include "answer.h"
#include "site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void answer_status(struct answer *answer, int status)
{
    int n;

    answer->status = status;
    answer->type = "text/plain; charset=utf-8";
    n = asprintf(&answer->page, "%d %s\n", status, http_status_str((enum http_status)status));
    if (n < 0)
        answer->page = NULL;
    answer->length = n < 0 ? 0 : (size_t)n;
    if (status == 405)
        strcpy(answer->more, "Allow: GET, HEAD\r\n");
}

static void answer_error(struct answer *answer, int error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
    case -ELOOP: /* a symbolic link */
    case -ENXIO: /* a socket */
    case -ENAMETOOLONG: answer_status(answer, 404); break;
    case -EINVAL: answer_status(answer, 400); break;
    case -EACCES:
    case -EPERM: answer_status(answer, 403); break;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM: answer_status(answer, 503); break;
    default: answer_status(answer, 500);
    }
}

static bool parse_date(const struct header *header, time_t *ret_time)
{
    struct tm tm = { 0 };
    const char *end = header->is_too_long ? NULL : strptime(header->text, HTTP_DATE, &tm);

    if (!end || *end)
        return false;
    *ret_time = timegm(&tm);
    return true;
}

/* Whether a piece is asked for: "bytes=FIRST-LAST", "bytes=FIRST-" or "bytes=-HOW_MANY".  Several
 * at once, and what is no range at all, may be ignored: then all of the file is the answer. */
static bool parse_range(const struct request *request, const struct stat *st,
                        long long *first, long long *last)
{
    const char *text = request->range.text;
    time_t seen;
    int end = -1;

    if (request->is_head || request->range.is_too_long ||
        text[strspn(text, "bytes=-0123456789")] != '\0')
        return false;
    if (request->if_range.text[0] &&
        !(parse_date(&request->if_range, &seen) && seen == st->st_mtime))
        return false; /* the client has a part of another version */
    *last = st->st_size - 1;
    if (sscanf(text, "bytes=-%18lld%n", last, &end) == 1 && end > 0 && !text[end] && *last >= 0) {
        *first = *last < st->st_size ? st->st_size - *last : 0;
        *last = *last > 0 ? st->st_size - 1 : -1;
        return true;
    }
    *last = st->st_size - 1;
    end = -1;
    if (sscanf(text, "bytes=%18lld-%n", first, &end) != 1 || end < 0 || *first < 0)
        return false;
    if (!text[end])
        return true;
    text += end;
    end = -1;
    if (sscanf(text, "%18lld%n", last, &end) != 1 || text[end] || *last < *first)
        return false;
    *last = *last < st->st_size ? *last : st->st_size - 1;
    return true;
}

static void answer_file(struct answer *answer, const struct request *request, int fd,
                        const struct stat *st, const char *name)
{
    long long first, last;
    time_t seen;

    answer->modified = st->st_mtime;
    if (parse_date(&request->if_modified_since, &seen) && st->st_mtime <= seen) {
        answer->status = 304;
        close(fd);
        return;
    }
    answer->status = 200;
    answer->length = (size_t)st->st_size;
    if (parse_range(request, st, &first, &last)) {
        if (first > last) {
            close(fd);
            answer_status(answer, 416);
            sprintf(answer->more, "Content-Range: bytes */%lld\r\n", (long long)st->st_size);
            return;
        }
        answer->status = 206;
        answer->from = first;
        answer->length = (size_t)(last - first + 1);
        sprintf(answer->more, "Content-Range: bytes %lld-%lld/%lld\r\n", (long long)first,
                (long long)last, (long long)st->st_size);
    }
    answer->type = site_type(name);
    answer->file = fd;
}

/* A directory is its index.html, or a list; and its path ends with '/', so that links are right. */
static void answer_directory(struct answer *answer, const struct request *request, int dir)
{
    const char *path = request->path + strspn(request->path, "/");
    size_t length = strlen(path);
    struct stat st;
    int r, index;

    if (length > 0 && path[length - 1] != '/') {
        close(dir);
        answer_status(answer, 301);
        sprintf(answer->more, "Location: /%s/\r\n", path); /* one '/': "//x" would be a host */
        return;
    }
    index = openat(dir, "index.html", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (index >= 0 && fstat(index, &st) == 0 && S_ISREG(st.st_mode)) {
        close(dir);
        answer_file(answer, request, index, &st, "index.html");
        return;
    }
    if (index >= 0)
        close(index);
    r = site_list(dir, &answer->page, &answer->length);
    close(dir);
    answer->status = 200;
    answer->type = site_type(".html");
    if (r < 0)
        answer_error(answer, r);
}

void answer_find(struct answer *answer, const struct request *request, int root)
{
    char name[256];
    struct stat st;
    int fd;

    *answer = (struct answer){ .file = -1 };
    if (request->refuse != 0) {
        answer_status(answer, request->refuse);
        return;
    }
    fd = site_open(root, request->path, name, sizeof name);
    if (fd < 0) {
        answer_error(answer, fd);
    } else if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        answer_directory(answer, request, fd);
    } else if (S_ISREG(st.st_mode) && request->path[strlen(request->path) - 1] != '/') {
        answer_file(answer, request, fd, &st, name);
    } else {
        close(fd);
        answer_status(answer, 404);
    }
}

void answer_release(struct answer *answer)
{
    free(answer->page);
    if (answer->file >= 0)
        close(answer->file);
}
