/* SPDX-License-Identifier: MIT
 * What `weft-bench startup` compares with: hello from a callback, without weft. */
#include "hello_own.h"

#include <stdio.h>

static void hello(void)
{
    puts("hello");
}

int main(void)
{
    return own_loop_run(hello) < 0;
}
