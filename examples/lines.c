/* SPDX-License-Identifier: MIT
 * Lines from a pipe: a watched descriptor feeds a task, line by line, through futures.
 *
 * next_line() is no coroutine but a plain function that waits: it may, each task has a stack of its
 * own.  A wait that is cut short loses no byte: what has come stays in the buffer. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

struct lines {
    int fd;              /* non-blocking; its owner closes it */
    bool ended;          /* nothing more will come */
    size_t have, used;   /* bytes in the buffer; those that the last line took */
    weft_future *wanted; /* with the setter's hold, while somebody waits */
    char buffer[128];    /* a longer line comes in pieces */
};

static void readable(void *arg) /* called by the loop, in no task */
{
    struct lines *l = arg;
    ssize_t n = read(l->fd, l->buffer + l->have, sizeof l->buffer - 1 - l->have);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        weft_future_set_exception(l->wanted, -errno);
    } else {
        l->have += (size_t)n;
        l->ended = n == 0;
        weft_future_set_result(l->wanted, NULL);
    }
    weft_loop_remove_reader(NULL, l->fd); /* until somebody wants more */
}

static int more(struct lines *l)
{
    int r = weft_future_new(NULL, &l->wanted);
    if (r < 0)
        return r;
    r = weft_loop_add_reader(NULL, l->fd, readable, l);
    if (r < 0)
        weft_future_set_exception(l->wanted, r); /* never handed out: the setter's hold is ours */
    weft_future *future = l->wanted;
    r = weft_await(future);
    if (r < 0) {
        weft_loop_remove_reader(NULL, l->fd); /* cancelled: a call that is due does not come, */
        weft_future_set_exception(future, r); /* so the setter's hold is ours (or spent: -ESRCH) */
    }
    return r;
}

/* Waits for a line; it is good until the next call.  Returns 1, 0 at the end, or an error. */
static int next_line(struct lines *l, char **ret_line)
{
    char *newline;
    memmove(l->buffer, l->buffer + l->used, l->have -= l->used);
    l->used = 0;
    while (!(newline = memchr(l->buffer, '\n', l->have)) && !l->ended &&
           l->have < sizeof l->buffer - 1) {
        int r = more(l);
        if (r < 0)
            return r;
    }
    size_t length = newline ? (size_t)(newline - l->buffer) : l->have;
    l->used = length + (newline != NULL);
    l->buffer[length] = '\0';
    *ret_line = l->buffer;
    return l->used > 0;
}

/* Says something in pieces that are no lines, then hangs up. */
WEFT_ASYNC(talker, (int, fd))
{
    static const char *const pieces[] = { "warp\nwe", "ft\nsel", "vedge\nand a last one" };
    int r = 0;
    for (int i = 0; r >= 0 && i < 3; i++)
        r = write(fd, pieces[i], strlen(pieces[i])) < 0 ? -errno : weft_sleep(0.1);
    close(fd);
    return r;
}

WEFT_ASYNC(listener, (int, fd))
{
    struct lines lines = { .fd = fd };
    char *line;
    int r;
    do {
        weft_timeout patience;
        weft_timeout_enter(&patience, 0.07);
        r = weft_timeout_exit(&patience, next_line(&lines, &line));
        if (r > 0)
            printf("line: %s\n", line);
        else if (r == -ETIMEDOUT)
            printf("      (quiet; %zu bytes wait for the rest of their line)\n", lines.have);
    } while (r > 0 || r == -ETIMEDOUT);
    printf("the end: %s\n", weft_err_name(r));
    return r;
}

WEFT_ASYNC(conversation)
{
    int fds[2];
    if (pipe(fds) < 0)
        return -errno;
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    int r = weft_gather(NULL, talker(fds[1]), listener(fds[0]));
    close(fds[0]);
    return r;
}

int main(void)
{
    return weft_main(conversation(), NULL);
}
