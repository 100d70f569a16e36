/* SPDX-License-Identifier: MIT
 * Parts of tests that run elsewhere: in another thread, in a forked child. */
#include "tests/task/task.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

void in_thread(void *(*body)(void *), void *arg)
{
    pthread_t thread;

    if (EQUAL(pthread_create(&thread, NULL, body, arg), 0)) {
        pthread_join(thread, NULL);
    }
}

/* In the child; does not return. */
static void be_child(int (*body)(void), const int *pipes)
{
    FILE *errors = fdopen(dup(STDERR_FILENO), "w");
    int status;

    dup2(pipes[1], STDERR_FILENO);
    close(pipes[0]);
    close(pipes[1]);
    claims_of_a_child(errors);
    status = body();
    if (errors) {
        fflush(errors);
    }
    _exit(claims_failed() ? 99 : status);
}

static void read_all(int fd, char *text, size_t size)
{
    char rest[256];
    size_t length = 0;
    ssize_t n;

    for (;;) {
        bool fits = text && length + 1 < size;

        n = fits ? read(fd, text + length, size - 1 - length) : read(fd, rest, sizeof rest);
        if (n <= 0) {
            break;
        }
        length += fits ? (size_t)n : 0;
    }
    if (text) {
        text[length] = '\0';
    }
}

int in_child(int (*body)(void), char *ret_text, size_t size)
{
    int pipes[2], status = -1;
    pid_t child;

    fflush(NULL);
    if (pipe(pipes) < 0) {
        return -1;
    }
    child = fork();
    if (child == 0) {
        be_child(body, pipes);
    }
    close(pipes[1]);
    read_all(pipes[0], ret_text, size);
    close(pipes[0]);
    waitpid(child, &status, 0);
    CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 99);
    return status;
}
