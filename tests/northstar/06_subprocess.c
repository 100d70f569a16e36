/* SPDX-License-Identifier: MIT
 * Subprocesses: an exit status, and a conversation over pipes.
 * Prints "status 3" and "HELLO FROM TR". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

WEFT_ASYNC(amain)
{
    weft_process *p;
    int r = weft_create_subprocess_shell("exit 3", NULL, &p);
    if (r < 0)
        return r;
    printf("status %d\n", weft_process_wait(p));
    weft_process_free(p);

    const char *const tr[] = { "tr", "a-z", "A-Z", NULL };
    r = weft_create_subprocess_exec(
        tr, &(weft_process_options){ .in = WEFT_PIPE, .out = WEFT_PIPE }, &p);
    if (r < 0)
        return r;

    weft_buffer out = { 0 };
    const char *in = "hello from tr\n";
    r = weft_process_communicate(p, in, strlen(in), &out, NULL); /* returns the exit status */
    fwrite(out.data, 1, out.len, stdout);
    weft_buffer_clear(&out);
    weft_process_free(p);
    return r < 0 ? r : 0;
}

int main(void)
{
    return weft_main(amain(), NULL);
}
