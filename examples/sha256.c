/* SPDX-License-Identifier: MIT
 * sha256sum of many files, side by side, with a bar that tells how far it is.  Files are read by
 * weft's file threads, and hashed by OpenSSL in those of weft_to_thread(): as many at a time as
 * there are CPUs.
 *
 *     sha256 FILE... */
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/weft.h>

#define BLOCK (1u << 20)

struct file {
    const char *path;
    char digest[2 * EVP_MAX_MD_SIZE + 1];
    int status;
};

static weft_semaphore cpus;
static long long done, total;
static int files_done, files_total;

/* One block to be hashed; a job. */
struct block {
    EVP_MD_CTX *context;
    char *data;
    size_t size;
};

static int hash_block(void *arg)
{
    struct block *block = arg;

    return EVP_DigestUpdate(block->context, block->data, block->size) ? 0 : -EIO;
}

static int hash_file(struct block *block, int fd)
{
    ssize_t n = 0;
    int r = EVP_DigestInit_ex(block->context, EVP_sha256(), NULL) ? 0 : -EIO;

    while (r >= 0 && (n = weft_file_read(fd, block->data, BLOCK)) != 0) {
        block->size = n > 0 ? (size_t)n : 0;
        r = n < 0 ? (int)n : weft_to_thread(hash_block, block);
        done += n > 0 ? n : 0;
    }
    return r;
}

static void write_digest(struct file *file, EVP_MD_CTX *context)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    EVP_DigestFinal_ex(context, digest, &size);
    for (unsigned i = 0; i < size; i++)
        sprintf(file->digest + 2 * i, "%02x", digest[i]);
}

/* A file that fails is told at the end; the others go on. */
WEFT_ASYNC(hash, (struct file *, file))
{
    struct block block = { .context = NULL };
    int fd, r = weft_semaphore_acquire(&cpus);

    if (r < 0)
        return r;
    fd = r = weft_file_open(file->path, O_RDONLY, 0);
    if (r >= 0) {
        block.context = EVP_MD_CTX_new();
        block.data = malloc(BLOCK);
        r = block.context && block.data ? hash_file(&block, fd) : -ENOMEM;
        if (r >= 0)
            write_digest(file, block.context);
        free(block.data);
        EVP_MD_CTX_free(block.context);
        weft_file_close(fd);
    }
    file->status = r < 0 ? r : 0;
    files_done++;
    weft_semaphore_release(&cpus);
    return r == -ECANCELED ? r : 0;
}

static void draw(void)
{
    int percent = total > 0 ? (int)(100 * done / total) : 100;

    fprintf(stderr, "\r[%-40.*s] %3d %%, %d of %d files ", percent * 40 / 100,
            "########################################", percent, files_done, files_total);
}

WEFT_ASYNC(shows_progress)
{
    while (weft_sleep(0.1) == 0)
        draw();
    return 0;
}

/* How much there is to do; what cannot be looked at counts as nothing. */
static int look_at_sizes(const struct file *files)
{
    for (int i = 0; i < files_total; i++) {
        struct stat found;

        if (weft_stat(files[i].path, &found) == 0)
            total += found.st_size;
        else if (weft_cancelled())
            return -ECANCELED;
    }
    return 0;
}

static int hash_all(struct file *files)
{
    weft_task_group group;
    int r = weft_task_group_enter(&group);

    if (r < 0)
        return r;
    for (int i = 0; i < files_total; i++)
        weft_task_group_create_task(&group, hash(&files[i]), NULL);
    return weft_task_group_exit(&group, 0);
}

WEFT_ASYNC(amain, (struct file *, files))
{
    weft_task *progress = NULL;
    int r = look_at_sizes(files);

    if (r < 0)
        return r;
    if (isatty(STDERR_FILENO))
        progress = weft_create_task(shows_progress(), NULL);
    r = hash_all(files);
    if (progress) {
        weft_task_cancel(progress);
        weft_await(progress);
        draw();
        fputc('\n', stderr);
    }
    for (int i = 0; i < files_total; i++) {
        if (files[i].status < 0) {
            fprintf(stderr, "%s: %s\n", files[i].path, weft_strerror(files[i].status));
            r = r < 0 ? r : files[i].status;
        } else {
            printf("%s  %s\n", files[i].digest, files[i].path);
        }
    }
    return r;
}

int main(int argc, char **argv)
{
    struct file *files = calloc((size_t)argc, sizeof *files);
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    int status;

    files_total = argc - 1;
    for (int i = 0; i < files_total; i++)
        files[i].path = argv[i + 1];
    cpus = (weft_semaphore)WEFT_SEMAPHORE_INIT(count > 0 ? (size_t)count : 1);
    status = weft_main(amain(files), NULL);
    free(files);
    return status;
}
