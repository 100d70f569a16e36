/* SPDX-License-Identifier: MIT
 * The low level: a loop of one's own, callbacks, timers in order, a watched descriptor, stop.
 * Prints "soon", "later 1", "later 2", "readable x", "stopped". */
#include <stdio.h>
#include <unistd.h>
#include <weft/weft.h>

struct state { weft_loop *loop; int fd[2]; };

static void say(void *arg)
{
    printf("%s\n", (const char *)arg);
}

static void on_readable(void *arg)
{
    struct state *s = arg;
    char c;

    if (read(s->fd[0], &c, 1) == 1)
        printf("readable %c\n", c);
    weft_loop_remove_reader(s->loop, s->fd[0]);
    weft_loop_stop(s->loop);
}

static void write_one(void *arg)
{
    struct state *s = arg;
    if (write(s->fd[1], "x", 1) != 1)
        perror("write");
}

int main(void)
{
    struct state s;
    weft_handle *never;

    if (weft_loop_new(NULL, &s.loop) < 0 || pipe(s.fd) < 0)
        return 1;
    weft_loop_add_reader(s.loop, s.fd[0], on_readable, &s);
    weft_loop_call_later(s.loop, 0.03, write_one, &s, NULL);
    weft_loop_call_later(s.loop, 0.02, say, "later 2", NULL);
    weft_loop_call_later(s.loop, 0.01, say, "later 1", NULL);
    weft_loop_call_later(s.loop, 0.01, say, "never", &never);
    weft_loop_call_soon(s.loop, say, "soon", NULL);
    weft_handle_cancel(never);
    never = weft_handle_unref(never);

    weft_loop_run_forever(s.loop);
    printf("stopped\n");
    weft_loop_close(s.loop);
    return 0;
}
