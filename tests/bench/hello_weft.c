/* SPDX-License-Identifier: MIT
 * What `weft-bench startup` runs: hello from a task. */
#include <stdio.h>
#include <weft/weft.h>

WEFT_ASYNC(hello)
{
    puts("hello");
    return 0;
}

int main(void)
{
    return weft_main(hello(), NULL);
}
