/* SPDX-License-Identifier: MIT
 * Copying files, in slices: between two of them others get the thread, and progress is told. */
#include "core/base/mem.h"
#include "core/io/file_op.h"
#include "core/io/replace.h"
#include "core/io/sys_file.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/copy.h>

#define SLICE_NS 100000000 /* unless progress() is to be called more often */
#define CHUNK (16u << 20)  /* that the kernel copies between two looks at the clock */
#define ROOM (256u << 10)  /* and we do */

_Static_assert(sizeof(void *) != 8 || sizeof(weft_copy_options) == 64, "the public size");

enum stage { BEGIN, COPY, FINISH, OVER };
enum method { IN_KERNEL, BETWEEN_FDS, BY_HAND }; /* copy_file_range(2), sendfile(2), read(2) */

struct copying {
    const char *from;
    const weft_copy_options *options;
    int64_t interval_ns, told; /* progress: how often, and when it was told last */
    int64_t slice_ns;
    struct weft__replacing to;
    int fd;
    enum stage stage;
    enum method method;
    struct stat found;  /* of `from` */
    uint64_t at, total; /* bytes */
    uint64_t data_end;  /* of the stretch without holes that `at` is in */
    bool has_size;      /* else it is read to its end, as what the kernel makes up in /proc */
    char *room;         /* ROOM, when it is needed */
};

static void abort_copy(struct copying *copying)
{
    if (copying->stage == COPY || copying->stage == FINISH) {
        weft__replace_abort(&copying->to);
    }
    if (copying->fd >= 0) {
        (void)close(copying->fd);
    }
    weft__free(copying->room);
    copying->room = NULL;
    copying->fd = -1;
    copying->stage = OVER;
}

static int abort_job(void *arg)
{
    abort_copy(arg);
    return 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int begin(struct copying *copying)
{
    struct stat there;
    int r;

    do { /* a pipe would have us wait for its other end */
        copying->fd = WEFT__SYS(open(copying->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    } while (copying->fd < 0 && errno == EINTR);
    if (copying->fd < 0 || WEFT__SYS(fstat(copying->fd, &copying->found)) < 0) {
        return -errno;
    }
    if (!S_ISREG(copying->found.st_mode)) {
        return S_ISDIR(copying->found.st_mode) ? -EISDIR : -EINVAL;
    }
    if (stat(copying->to.path, &there) == 0 && is_same(&copying->found, &there)) {
        return -EINVAL;
    }
    copying->to.mode = copying->to.in_place ? 0400 | (copying->found.st_mode & 0777) : 0600;
    r = weft__replace_begin(&copying->to);
    if (r < 0) {
        return r;
    }
    copying->to.sets_mode = !copying->to.in_place;
    copying->to.final_mode = copying->found.st_mode & 0777;
    copying->total = (uint64_t)copying->found.st_size;
    copying->has_size = copying->total > 0;
    copying->method = copying->to.is_file && copying->has_size ? IN_KERNEL : BY_HAND;
    copying->stage = COPY;
    return 0;
}

/* Skips a hole: where the next data begins and ends. */
static int find_data(struct copying *copying)
{
    off_t data, hole;

    copying->data_end = copying->total;
    if (!copying->to.is_file) {
        return 0;
    }
#ifdef SEEK_DATA
    data = lseek(copying->fd, (off_t)copying->at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) { /* a hole to the end, or it was truncated */
        off_t end = lseek(copying->fd, 0, SEEK_END);

        if (end >= 0 && (uint64_t)end < copying->total) {
            copying->total = (uint64_t)end;
        }
        copying->at = copying->data_end = copying->total;
        return 0;
    }
    hole = data < 0 ? -1 : lseek(copying->fd, data, SEEK_HOLE);
    if (data >= 0 && hole > data) {
        copying->at = (uint64_t)data < copying->total ? (uint64_t)data : copying->total;
        copying->data_end = (uint64_t)hole < copying->total ? (uint64_t)hole : copying->total;
    }
#else
    (void)data, (void)hole;
#endif
    if (WEFT__SYS(lseek(copying->to.fd, (off_t)copying->at, SEEK_SET)) < 0) {
        return -errno;
    }
    return 0;
}

static ssize_t copy_by_hand(struct copying *copying, size_t size)
{
    ssize_t n;

    if (!copying->room) {
        copying->room = weft__alloc(NULL, ROOM);
        if (!copying->room) {
            errno = ENOMEM;
            return -1;
        }
    }
    n = WEFT__SYS(pread(copying->fd, copying->room, size < ROOM ? size : ROOM, (off_t)copying->at));
    if (n > 0) {
        int r = weft__write_all(copying->to.fd, copying->room, (size_t)n);

        if (r < 0) {
            errno = -r;
            return -1;
        }
    }
    return n;
}

/* Copies some bytes to where `to` stands: how many, 0 at the end of `from`, -1 and errno. */
static ssize_t copy_chunk(struct copying *copying, size_t size)
{
    off_t at = (off_t)copying->at;

    if (copying->method == IN_KERNEL) {
        return WEFT__SYS(weft__sys_copy_range(copying->fd, &at, copying->to.fd, size));
    }
    if (copying->method == BETWEEN_FDS) {
        return WEFT__SYS(weft__sys_copy_between(copying->fd, &at, copying->to.fd, size));
    }
    return copy_by_hand(copying, size);
}

/* Whether another way may do where this one does not. */
static bool try_another(struct copying *copying, int error)
{
    bool cannot = error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
                  error == EPERM || error == EBADF;

    if (!cannot || copying->method == BY_HAND) {
        return false;
    }
    copying->method++;
    return true;
}

static int copy_some(struct copying *copying)
{
    uint64_t left;
    ssize_t n;
    int r = copying->has_size && copying->at == copying->data_end ? find_data(copying) : 0;

    left = copying->data_end - copying->at;
    if (r < 0 || (copying->has_size && left == 0)) {
        copying->stage = r < 0 || copying->at < copying->total ? copying->stage : FINISH;
        return r;
    }
    n = copy_chunk(copying, copying->has_size && left < CHUNK ? (size_t)left : CHUNK);
    if (n < 0) {
        return errno == EINTR || try_another(copying, errno) ? 0 : -errno;
    }
    if (n == 0 && copying->method != BY_HAND) {
        copying->method = BY_HAND; /* some file systems say so where they cannot */
    } else if (n == 0) {
        copying->total = copying->at; /* it was truncated */
        copying->stage = FINISH;
    }
    copying->at += (uint64_t)n;
    return 0;
}

static int finish(struct copying *copying)
{
    struct timespec times[2] = { WEFT__ATIME(copying->found), WEFT__MTIME(copying->found) };
    int r = 0;

    if (!copying->has_size) {
        copying->total = copying->at;
    }
    if (copying->to.is_file && WEFT__SYS(ftruncate(copying->to.fd, (off_t)copying->total)) < 0) {
        return -errno; /* a hole at its end */
    }
    if (copying->options->keep_times && WEFT__SYS(futimens(copying->to.fd, times)) < 0) {
        return -errno;
    }
    copying->stage = OVER;
    r = weft__replace_commit(&copying->to);
    abort_copy(copying); /* what is left to be closed and freed */
    return r;
}

/* A slice; a thread.  1: not done yet, 0, or an error, and nothing is left. */
static int copy_slice(void *arg)
{
    struct copying *copying = arg;
    int64_t until = weft__clock_now() + copying->slice_ns;
    int r = 0;

    while (r == 0 && copying->stage != OVER) {
        if (copying->stage == COPY && weft_job_cancelled()) {
            r = -ECANCELED;
            break;
        }
        r = copying->stage == BEGIN ? begin(copying) :
            copying->stage == COPY  ? copy_some(copying) :
                                      finish(copying);
        if (r == 0 && copying->stage == COPY && weft__clock_now() >= until) {
            return 1;
        }
    }
    if (r < 0) {
        abort_copy(copying);
    }
    return r;
}

/* Calls progress(), if there is one and it is time. */
static int tell(struct copying *copying, bool now)
{
    int64_t time = weft__clock_now();

    if (!copying->options->progress || (!now && time - copying->told < copying->interval_ns)) {
        return 0;
    }
    copying->told = time;
    return copying->options->progress(copying->at, copying->total, copying->options->arg);
}

static int64_t copy(struct copying *copying)
{
    int r;

    while ((r = weft__file_call(copy_slice, copying)) > 0) {
        r = tell(copying, false);
        if (r < 0) {
            break;
        }
    }
    if (copying->stage == COPY || copying->stage == FINISH) { /* the job did not end it itself */
        (void)weft__file_call_always(abort_job, copying, "end a copy");
    }
    if (r < 0) {
        return r;
    }
    copying->at = copying->total;
    (void)tell(copying, true);
    return (int64_t)copying->total;
}

int64_t weft_copy_file(const char *from, const char *to, const weft_copy_options *options)
{
    static const weft_copy_options none;
    struct copying copying = { .from = from, .fd = -1, .interval_ns = SLICE_NS };

    options = options ? options : &none;
    copying.options = options;
    if (!from || !to || !(options->interval >= 0)) {
        return -EINVAL;
    }
    if (options->interval > 0) {
        (void)weft__seconds_to_ns(options->interval, &copying.interval_ns);
    }
    copying.slice_ns =
        options->progress && copying.interval_ns < SLICE_NS ? copying.interval_ns : SLICE_NS;
    copying.told = weft__clock_now();
    copying.to = (struct weft__replacing){
        .path = to,
        .sync = options->sync,
        .no_replace = options->no_replace,
        .in_place = options->in_place,
    };
    return copy(&copying);
}
