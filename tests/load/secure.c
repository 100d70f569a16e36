/* SPDX-License-Identifier: MIT
 * Says whether it has more rights than its caller, and what loops it gets: see the script. */
#include <stdio.h>
#include <sys/auxv.h>
#include <weft/error.h>
#include <weft/loop.h>

static void show(const char *wanted)
{
    weft_loop *loop = NULL;
    int r = weft_loop_new(wanted, &loop);

    if (r < 0) {
        printf(" %s", weft_err_name(r));
        return;
    }
    printf(" %s%s", weft_loop_backend_name(loop), weft_loop_get_debug(loop) ? "+debug" : "");
    weft_loop_close(loop);
}

int main(void)
{
    printf("%s", getauxval(AT_SECURE) ? "secure" : "plain");
    show(NULL);
    show("good");
    printf("\n");
    return 0;
}
