/* SPDX-License-Identifier: MIT
 * A look at a thread that does not come back: where it is, without disturbing it. */
#ifndef WEFT_CORE_SAMPLE_H
#define WEFT_CORE_SAMPLE_H

#include "core/debug/observe.h"

/* The signal that asks for samples; 0: none. */
int weft__sample_signal(void);

/* Takes the signal for the samples, and gives it back; 0 or -EAGAIN all are in use. */
int weft__sample_open(void);
void weft__sample_close(void);

/* Samples the observer's thread, whose turn has number `serial`.  False: it has gone on, or does
 * not answer.  One at a time. */
bool weft__sample_take(struct weft__observer *observer, uint64_t serial, struct weft__sample *ret);

/* A stack for signal handlers in this thread, unless it has one: one more user of it; and one less,
 * in the same thread.  What is left goes with the thread. */
void weft__alternate_use(void);
void weft__alternate_drop(void);

#endif
