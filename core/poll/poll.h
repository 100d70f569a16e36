/* SPDX-License-Identifier: MIT
 * The backends that are compiled in, and one poller nested in another library's loop. */
#ifndef WEFT_CORE_POLL_H
#define WEFT_CORE_POLL_H

#include "core/base/base.h"

#include <weft/backend.h>

/* Those that are compiled in, in the order in which they are tried: epoll (Linux), poll
 * (everywhere), sim (virtual time, never chosen by itself), or what the build says.  NULL ends
 * it. */
extern const weft_backend *const weft__backends_builtin[];

/* What every backend is given; sched/backend.c has it. */
extern const weft_backend_core weft__backend_core;
void weft__backend_detail(const char *format, ...) WEFT_PRINTF(1, 2);
int weft__backend_fault(void);

/* In nest.c: a host in guest mode together with the poller that it watches, as one poller. */
extern const weft_backend_ops weft__nest_ops;

/* Opens `host` in guest mode as `request` says, and below it the first poller that is compiled in
 * and can be nested.  Stores the object for weft__nest_ops; -EOPNOTSUPP when there is none.
 * *ret_late: it has failed, and core->closed() will tell when the host has closed. */
int weft__nest_open(const weft_backend *host, const weft_backend_request *request, void **ret_be,
                    bool *ret_late);

/* One iteration of the host alone. */
int weft__nest_run(void *be, int64_t deadline);

/* What the inner poller has to report now, for a host that was adopted: it only looks. */
int weft__nest_look(void *be, weft_backend_event *ret_events, int max);

#endif
