/* SPDX-License-Identifier: MIT
 * Reading files: weft beside a thread pool by hand, and beside read(2) in a loop.
 *
 *   bench-files MAKE DIR COUNT          makes COUNT small files (100 to 2000 bytes) in DIR
 *   bench-files weft DIR COUNT N        reads them all, N at a time
 *   bench-files pool DIR COUNT N        the same by hand, N threads that take paths from a queue
 *   bench-files serial DIR COUNT        the same, one after the other
 *   bench-files read FILE SIZE          weft_file_read() to the end, SIZE bytes at a time
 *   bench-files plain FILE SIZE         read(2), as cat(1) does
 *
 * Prints seconds, bytes, and how many files.   docs/performance.md has what was measured. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <weft/weft.h>

static const char *dir;
static int count, side_by_side;
static long long bytes;
static int files_read;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double cpu(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void path_of(char *path, size_t size, int i)
{
    snprintf(path, size, "%s/%d", dir, i);
}

static int make_files(void)
{
    static char text[2000];
    char path[4096];

    memset(text, 'x', sizeof text);
    mkdir(dir, 0777);
    for (int i = 0; i < count; i++) {
        size_t size = 100 + (size_t)i * 7919 % 1900;
        int fd;

        path_of(path, sizeof path, i);
        fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0666);
        if (fd < 0 || write(fd, text, size) != (ssize_t)size) {
            perror(path);
            return 1;
        }
        close(fd);
    }
    return 0;
}

/* ---- weft ---- */

static int next_file;

WEFT_ASYNC(reads_some)
{
    weft_buffer buffer = { 0 };
    char path[4096];
    int r = 0;

    while (r >= 0 && next_file < count) {
        int64_t n;

        path_of(path, sizeof path, next_file++);
        n = weft_read_file(path, 0, &buffer);
        bytes += n;
        files_read += n >= 0;
        r = n < 0 ? (int)n : 0;
    }
    weft_buffer_clear(&buffer);
    return r;
}

WEFT_ASYNC(reads_all)
{
    weft_task_group group;
    int r = weft_task_group_enter(&group);

    for (int i = 0; r >= 0 && i < side_by_side; i++) {
        weft_task_group_create_task(&group, reads_some(), NULL);
    }
    return weft_task_group_exit(&group, r);
}

/* ---- by hand: a queue of paths with a lock, as one writes it ---- */

struct request {
    struct request *next;
    char *memory;
    size_t len;
    char path[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, is_done = PTHREAD_COND_INITIALIZER;
static struct request *first, *last, *done;
static int pending;
static int closed;

static void read_by_hand(struct request *request)
{
    struct stat found;
    int fd = open(request->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &found) < 0) {
        return;
    }
    request->memory = malloc((size_t)found.st_size + 1);
    request->len = (size_t)read(fd, request->memory, (size_t)found.st_size + 1);
    close(fd);
}

static void *works(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        struct request *request;

        while (!first && !closed) {
            pthread_cond_wait(&not_empty, &lock);
        }
        request = first;
        if (!request) {
            break;
        }
        first = request->next;
        pthread_mutex_unlock(&lock);
        read_by_hand(request);
        pthread_mutex_lock(&lock);
        request->next = done;
        done = request;
        if (!request->next) {
            pthread_cond_signal(&is_done);
        }
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void submit(int i)
{
    struct request *request = calloc(1, sizeof *request + 4096);

    path_of(request->path, 4096, i);
    pthread_mutex_lock(&lock);
    if (first) {
        last->next = request;
    } else {
        first = request;
    }
    last = request;
    pthread_mutex_unlock(&lock);
    pthread_cond_signal(&not_empty);
    pending++;
}

static void collect(void)
{
    struct request *request;

    pthread_mutex_lock(&lock);
    while (!done) {
        pthread_cond_wait(&is_done, &lock);
    }
    request = done;
    done = NULL;
    pthread_mutex_unlock(&lock);
    while (request) {
        struct request *next = request->next;

        bytes += (long long)request->len;
        files_read += request->memory != NULL;
        pending--;
        free(request->memory);
        free(request);
        request = next;
    }
}

static int reads_by_hand(void)
{
    pthread_t threads[64];
    int n = side_by_side < 64 ? side_by_side : 64, i = 0;

    for (int t = 0; t < n; t++) {
        pthread_create(&threads[t], NULL, works, NULL);
    }
    while (i < count || pending) {
        while (i < count && pending < 1000) {
            submit(i++);
        }
        collect();
    }
    pthread_mutex_lock(&lock);
    closed = 1;
    pthread_cond_broadcast(&not_empty);
    pthread_mutex_unlock(&lock);
    for (int t = 0; t < n; t++) {
        pthread_join(threads[t], NULL);
    }
    return 0;
}

static int reads_one_after_the_other(void)
{
    for (int i = 0; i < count; i++) {
        struct request *request = calloc(1, sizeof *request + 4096);

        path_of(request->path, 4096, i);
        read_by_hand(request);
        bytes += (long long)request->len;
        files_read += request->memory != NULL;
        free(request->memory);
        free(request);
    }
    return 0;
}

/* ---- one large file ---- */

/* Memory that begins with a page, as cat(1) has it: else the kernel copies more slowly. */
static char *pages_of(size_t size)
{
    return aligned_alloc(4096, (size + 4095) & ~(size_t)4095);
}

WEFT_ASYNC(reads_large, (const char *, path), (size_t, size))
{
    char *memory = pages_of(size);
    int fd = weft_file_open(path, O_RDONLY, 0);
    int64_t n = fd;

    while (fd >= 0 && (n = weft_file_read(fd, memory, size)) > 0) {
        bytes += n;
    }
    if (fd >= 0) {
        weft_file_close(fd);
    }
    free(memory);
    return n < 0 ? (int)n : 0;
}

static int reads_plainly(const char *path, size_t size)
{
    char *memory = pages_of(size);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd;

    while (fd >= 0 && (n = read(fd, memory, size)) > 0) {
        bytes += n;
    }
    close(fd);
    free(memory);
    return n < 0 ? -1 : 0;
}

static int carry_out(const char *what, const char *path, int number)
{
    if (strcmp(what, "MAKE") == 0) {
        return make_files();
    }
    if (strcmp(what, "weft") == 0) {
        return weft_run(reads_all(), NULL);
    }
    if (strcmp(what, "pool") == 0) {
        return reads_by_hand();
    }
    if (strcmp(what, "serial") == 0) {
        return reads_one_after_the_other();
    }
    if (strcmp(what, "read") == 0) {
        return weft_run(reads_large(path, (size_t)number), NULL);
    }
    return strcmp(what, "plain") == 0 ? reads_plainly(path, (size_t)number) : -1;
}

int main(int argc, char **argv)
{
    double start;
    int r;

    if (argc < 4) {
        fprintf(stderr, "usage: %s MAKE|weft|pool|serial|read|plain DIR|FILE COUNT|SIZE [N]\n",
                argv[0]);
        return 2;
    }
    dir = argv[2];
    count = atoi(argv[3]);
    side_by_side = argc > 4 ? atoi(argv[4]) : 1;
    start = now();
    r = carry_out(argv[1], argv[2], count);
    printf("%.4f s, %.4f s of CPU, %lld bytes, %d files\n", now() - start, cpu(), bytes,
           files_read);
    return r < 0;
}
