/* SPDX-License-Identifier: MIT
 * A coroutine, a sleep, and the runner.  weft_main() is weft_run() for main: it says on
 * standard error what went wrong and returns an exit status.
 *
 * Prints "Hello ...", waits one second, prints "... World!".  Exit status 0. */
#include <stdio.h>
#include <weft/weft.h>

WEFT_ASYNC(hello)
{
    printf("Hello ...\n");
    weft_sleep(1);
    printf("... World!\n");
    return 0;
}

int main(void)
{
    return weft_main(hello(), NULL);
}
