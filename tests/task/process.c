/* SPDX-License-Identifier: MIT
 * What the tests of processes share. */
#include "tests/task/process.h"

#include "core/proc/spawn.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const unsigned systems[] = {
    0,
    WEFT__NO_PIDFD,
    WEFT__NO_CLONE,
    WEFT__NO_CLOSE_RANGE,
    WEFT__NO_PIDFD_WAIT,
    WEFT__NO_PIDFD | WEFT__NO_CLONE | WEFT__NO_CLOSE_RANGE | WEFT__NO_EXIT_INFO,
};

void on_any_system(void (*body)(void))
{
    for (size_t i = 0; i < sizeof systems / sizeof *systems; i++) {
        int failed = claims_failed();

        weft__proc_lacks = systems[i];
        body();
        weft__proc_lacks = 0;
        if (claims_failed() != failed) {
            fprintf(stderr, "  on a system that lacks %#x\n", systems[i]);
        }
    }
}

static weft_process *begin(const char *command)
{
    weft_process *process = NULL;

    EQUAL(weft_create_subprocess_shell(command, &(weft_process_options){ .out = WEFT_PIPE },
                                       &process),
          0);
    return process;
}

weft_process *sleeper(void)
{
    return begin("exec sleep 1000");
}

/* The shell tells when the signal is ignored. */
weft_process *stubborn(void)
{
    weft_process *process = begin("trap '' TERM; echo; exec sleep 1000");
    char c;
    int fd = weft_process_take_fd(process, 1);

    fcntl(fd, F_SETFL, 0);
    EQUAL(read(fd, &c, 1), 1);
    close(fd);
    return process;
}

void refused(const char *const *argv, const weft_process_options *options, int error,
             const char *words)
{
    weft_process *process = NULL;
    int descriptors = open_descriptors(), before = children();

    weft_error_clear();
    EQUAL(weft_create_subprocess_exec(argv, options, &process), error);
    if (words) {
        SAME(weft_error_detail(), words);
    }
    CHECK(!process);
    EQUAL(open_descriptors(), descriptors);
    EQUAL(children(), before);
    weft_process_free(process);
}

int status_of(const char *const *argv, const weft_process_options *options)
{
    weft_process *process = NULL;
    int r = weft_create_subprocess_exec(argv, options, &process);

    if (r == 0) {
        r = weft_process_wait(process);
        weft_process_free(process);
    }
    return r;
}

void says(const char *const *argv, const weft_process_options *options, const char *words)
{
    weft_process_options with_pipe = options ? *options : (weft_process_options){ 0 };
    weft_process *process = NULL;
    weft_buffer out = { 0 };

    with_pipe.out = WEFT_PIPE;
    EQUAL(weft_create_subprocess_exec(argv, &with_pipe, &process), 0);
    EQUAL(weft_process_communicate(process, NULL, 0, &out, NULL), 0);
    if (words) {
        SAME(out.data, words);
    } else {
        CHECK(out.len > 0);
    }
    weft_buffer_clear(&out);
    weft_process_free(process);
}

/* Files. */

static char names[8][32];
static int names_used;

void write_file(const char *name, const char *text, int mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    EQUAL(write(fd, text, strlen(text)), strlen(text));
    EQUAL(fchmod(fd, (mode_t)mode), 0);
    EQUAL(close(fd), 0);
}

const char *temporary(const char *text, int mode)
{
    char *name = names[names_used++];
    int fd;

    strcpy(name, "/tmp/weft-process-XXXXXX");
    fd = mkostemp(name, O_CLOEXEC);
    CHECK(fd >= 0);
    close(fd);
    write_file(name, text, mode);
    return name;
}

void forget_temporaries(void)
{
    while (names_used > 0) {
        unlink(names[--names_used]);
    }
}

int children(void)
{
    char name[64], line[4096];
    int count = 0;
    FILE *file;

    snprintf(name, sizeof name, "/proc/self/task/%d/children", (int)getpid());
    file = fopen(name, "re");
    if (!file) {
        return 0; /* this kernel does not tell */
    }
    if (fgets(line, sizeof line, file)) {
        for (const char *at = line; (at = strchr(at, ' ')); at++) {
            count++;
        }
    }
    fclose(file);
    return count;
}
