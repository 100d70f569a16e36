/* SPDX-License-Identifier: MIT
 * A directory of the test's own. */
#include "tests/task/scratch.h"

#include <dirent.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static pid_t owner;

static int remove_one(const char *path, const struct stat *found, int what, struct FTW *place)
{
    (void)found, (void)what, (void)place;
    (void)remove(path);
    return 0;
}

void clear_away(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void clear_root(void)
{
    if (getpid() == owner) {
        clear_away(root);
    }
}

const char *scratch(const char *name)
{
    static char paths[16][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 16];

    if (!*root) {
        snprintf(root, sizeof root, "/tmp/weft-test-XXXXXX");
        if (!mkdtemp(root)) {
            perror(root);
            abort();
        }
        owner = getpid();
        atexit(clear_root);
    }
    snprintf(path, PATH_MAX, "%s%s%s", root, *name ? "/" : "", name);
    return path;
}

const char *file_of(const char *name, const char *text)
{
    const char *path = scratch(name);
    FILE *file = fopen(path, "w");

    if (CHECK(file != NULL)) {
        fputs(text, file);
        fclose(file);
    }
    return path;
}

unsigned char byte_at(size_t place)
{
    return (unsigned char)(place ^ place >> 8 ^ place >> 16 ^ place >> 24);
}

const char *file_of_size(const char *name, size_t size)
{
    const char *path = scratch(name);
    FILE *file = fopen(path, "w");

    if (CHECK(file != NULL)) {
        for (size_t i = 0; i < size; i++) {
            putc_unlocked(byte_at(i), file);
        }
        fclose(file);
    }
    return path;
}

bool holds(const char *path, const char *text, const char *file, unsigned line)
{
    char found[4096] = "(no such file)";
    FILE *opened = fopen(path, "r");

    if (opened) {
        found[fread(found, 1, sizeof found - 1, opened)] = '\0';
        fclose(opened);
    }
    return check_same(found, text, path, file, line);
}

int entries(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    int count = 0;

    if (!dir) {
        return -1;
    }
    while ((entry = readdir(dir))) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    closedir(dir);
    return count;
}

bool is_there(const char *path)
{
    struct stat found;

    return lstat(path, &found) == 0;
}

#define NOBODY 65534

static scratch_body *child_body;

static int give_away(const char *path, const struct stat *found, int what, struct FTW *place)
{
    (void)found, (void)what, (void)place;
    return lchown(path, NOBODY, NOBODY);
}

static int be_nobody(void)
{
    if (geteuid() == 0) {
        EQUAL(setregid(NOBODY, NOBODY), 0);
        EQUAL(setreuid(NOBODY, NOBODY), 0);
    }
    EQUAL(weft_run(child_body(), &(weft_run_options){ .backend = backend() }), 0);
    return 0;
}

void without_rights(scratch_body *body)
{
    child_body = body;
    if (geteuid() == 0) {
        EQUAL(nftw(scratch(""), give_away, 16, FTW_PHYS), 0);
    }
    EQUAL(in_child(be_nobody, NULL, 0), 0);
}
