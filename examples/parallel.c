/* SPDX-License-Identifier: MIT
 * A parallel runner of commands, like xargs -P:
 *
 *     find . -name '*.png' | parallel 4 optipng
 *
 * runs the command once for each line of its input, so many at a time, and shows what each has
 * written in one piece.  Ctrl-C ends those that run; each of them is told first.  The exit status
 * is that of the worst. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

#define ARGUMENTS_MAX 60
#define GRACE 2 /* seconds between SIGTERM and SIGKILL */

static const char *const *command;
static int worst;

/* The command with one argument more. */
WEFT_ASYNC(runs, (char *, argument), (weft_semaphore *, free_places))
{
    const char *argv[ARGUMENTS_MAX + 2] = { NULL };
    weft_process_options options = { .in = WEFT_DEVNULL, .out = WEFT_PIPE, .err = WEFT_STDOUT };
    weft_process *process = NULL;
    weft_buffer out = { 0 };
    int r, count = 0;

    while (command[count]) {
        argv[count] = command[count];
        count++;
    }
    argv[count] = argument;
    r = weft_create_subprocess_exec(argv, &options, &process);
    if (r < 0) {
        fprintf(stderr, "parallel: %s\n", weft_error_detail());
    } else {
        r = weft_process_communicate(process, NULL, 0, &out, NULL);
        if (r == -ECANCELED) {
            WEFT_SHIELD_SCOPE(GRACE + 1); /* time to end in good order */
            weft_process_stop(process, GRACE);
        }
        if (out.len)
            fwrite(out.data, 1, out.len, stdout);
    }
    worst = r > worst || r < 0 ? (r < 0 ? 127 : r) : worst;
    weft_buffer_clear(&out);
    weft_process_free(process);
    weft_semaphore_release(free_places);
    free(argument);
    return r == -ECANCELED ? r : 0;
}

/* The next line of standard input, to be freed; NULL at its end.  Nobody makes the shell's terminal
 * non-blocking: a task waits until something is there, and then takes what there is. */
static int next_line(char **ret_line)
{
    static char text[65536];
    static size_t length;
    char *end;

    while (!(end = memchr(text, '\n', length)) && length < sizeof text) {
        int r = weft_wait_readable(STDIN_FILENO);
        ssize_t n = r < 0 ? 0 : read(STDIN_FILENO, text + length, sizeof text - length);

        if (r < 0)
            return r;
        if (n <= 0)
            break;
        length += (size_t)n;
    }
    if (!end)
        end = text + length; /* the last one has none, or it is far too long */
    *ret_line = length ? strndup(text, (size_t)(end - text)) : NULL;
    if (length) {
        size_t used = (size_t)(end - text) + (end < text + length);

        length -= used;
        memmove(text, text + used, length);
    }
    return 0;
}

WEFT_ASYNC(reads_lines, (int, places))
{
    weft_semaphore free_places = WEFT_SEMAPHORE_INIT(places);
    weft_task_group group = { 0 };
    char *line = NULL;
    int r = weft_task_group_enter(&group);

    while (r >= 0 && (r = next_line(&line)) >= 0 && line) {
        r = weft_semaphore_acquire(&free_places);
        if (r >= 0)
            weft_task_group_create_task(&group, runs(line, &free_places), NULL);
        else
            free(line);
    }
    return weft_task_group_exit(&group, r);
}

int main(int argc, char **argv)
{
    static const char *const echo[] = { "echo", "line:", NULL };
    int places = argc > 1 ? atoi(argv[1]) : 2, r;

    if (places < 1 || argc > ARGUMENTS_MAX) {
        fprintf(stderr, "usage: parallel PROCESSES [COMMAND [ARGUMENT...]] < LINES\n");
        return 2;
    }
    command = argc > 2 ? (const char *const *)(argv + 2) : echo;
    r = weft_run(reads_lines(places), NULL);
    return r < 0 ? 130 : worst;
}
