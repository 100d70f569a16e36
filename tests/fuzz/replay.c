/* SPDX-License-Identifier: MIT
 * Runs scripts of a fuzz target without a fuzzer: `fuzz_stream FILE-OR-FOLDER...` */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

#define LONGEST 65536 /* bytes that a script may have */

static int count;

static void replay_file(const char *path)
{
    static uint8_t bytes[LONGEST];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (!file) {
        perror(path);
        exit(2);
    }
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    fprintf(stderr, "%s: %zu bytes\n", path, size);
    LLVMFuzzerTestOneInput(bytes, size);
    count++;
}

static void replay(const char *path)
{
    char inside[4096];
    DIR *folder = opendir(path);
    struct dirent *entry;

    if (!folder) {
        replay_file(path);
        return;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] != '.') {
            snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
            replay_file(inside);
        }
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        replay(argv[i]);
    }
    printf("%d scripts\n", count);
    return count ? 0 : 1; /* a folder that is empty tests nothing */
}
