/* SPDX-License-Identifier: MIT
 * The shared library of hello-epoll. */
#ifndef WEFT_BENCH_HELLO_OWN_H
#define WEFT_BENCH_HELLO_OWN_H

/* Makes a loop with an eventfd to wake it, as any has that other threads may call; has `callback`
 * called from it once, and ends it.  Returns 0 or -1. */
int own_loop_run(void (*callback)(void));

#endif
