/* SPDX-License-Identifier: MIT
 * Shows which keys are pressed, and how large the window is, whenever that changes; q ends it, and
 * so does Ctrl-C, which is a key like any other here.
 *
 * The terminal is in raw mode meanwhile, and is put back however this ends. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

#define ESC '\033'
#define CTRL_C '\003'

/* What some keys send, and what they are called. */
static const struct {
    const char *sends, *name;
} names[] = {
    { "\033", "Esc" },     { "\r", "Enter" },     { "\t", "Tab" },       { "\177", "Backspace" },
    { "\033[A", "Up" },    { "\033[B", "Down" },  { "\033[C", "Right" }, { "\033[D", "Left" },
    { "\033[H", "Home" },  { "\033[F", "End" },   { "\033OP", "F1" },    { "\033OQ", "F2" },
    { "\033[3~", "Del" },  { " ", "Space" },
};

static void show(const char *key)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(key, names[i].sends) == 0) {
            printf("%s\r\n", names[i].name);
            return;
        }
    }
    if (*key == ESC)
        printf("Esc %s\r\n", key + 1); /* Alt and a letter, or a key that is not in the table */
    else if ((unsigned char)*key < ' ')
        printf("Ctrl-%c\r\n", *key + '@');
    else
        printf("%s\r\n", key);
}

/* Whether a key that sends several bytes has sent its last one. */
static bool is_whole(const char *key, size_t n)
{
    if (n < 2)
        return false;
    if (key[1] == '[')
        return n > 2 && key[n - 1] >= '@';
    return key[1] != 'O' || n > 2;
}

/* Reads a key.  Esc alone is one, and also how many others begin: their other bytes come at once,
 * so what has not come soon does not belong to it. */
static ssize_t read_key(weft_stream *in, char *key, size_t size)
{
    weft_timeout limit;
    ssize_t n = weft_stream_read(in, key, 1);
    size_t len = 1;
    int r;

    if (n > 0 && *key == ESC && (r = weft_timeout_enter(&limit, 0.05)) == 0) {
        while (!is_whole(key, len) && len < size - 1 &&
               (n = weft_stream_read(in, key + len, 1)) > 0)
            len++;
        r = weft_timeout_exit(&limit, n < 0 ? (int)n : 0);
        n = r < 0 && r != -ETIMEDOUT ? r : 1;
    }
    key[len] = '\0';
    return n;
}

WEFT_ASYNC(show_keys, (weft_stream *, in))
{
    char key[16];
    ssize_t n;

    while ((n = read_key(in, key, sizeof key)) > 0) {
        show(key);
        fflush(stdout);
        if (*key == 'q' || *key == CTRL_C)
            break;
    }
    return n < 0 ? (int)n : 0;
}

WEFT_ASYNC(show_sizes)
{
    struct winsize size = { 0 };
    int r;

    while ((r = weft_tty_wait_winsize(STDIN_FILENO, &size)) == 0) {
        printf("%d rows, %d columns\r\n", size.ws_row, size.ws_col);
        fflush(stdout);
    }
    return r;
}

WEFT_ASYNC(keys)
{
    weft_tty_mode *before;
    weft_stream *in = NULL;
    weft_task_group group;
    int r = weft_tty_setraw(STDIN_FILENO, &before);

    if (r == -ENOTTY)
        fprintf(stderr, "keys: standard input is no terminal\n");
    if (r < 0)
        return r;
    r = weft_stream_open_stdio(STDIN_FILENO, &in);
    if (r >= 0) {
        r = weft_task_group_enter(&group);
        weft_task_group_create_task(&group, show_sizes(), NULL);
        r = r < 0 ? r : weft_await(show_keys(in));
        weft_task_group_cancel(&group); /* nobody waits for sizes any more */
        r = weft_task_group_exit(&group, r);
    }
    weft_stream_close(in);
    weft_tty_restore(before);
    return r;
}

int main(void)
{
    return weft_main(keys(), &(weft_run_options){ .sigterm = 1 });
}
