/* SPDX-License-Identifier: MIT
 * Probes for tracers from outside (USDT): a no-operation each in the code and a note in the file,
 * which perf, bpftrace and systemtap find: `bpftrace -l 'usdt:/usr/lib/.../libweft.so.0:*'`.
 *
 *     weft:task_made(id, definition)     weft:task_ended(id, status)
 *     weft:task_cancelled(id, kind)      weft:report(kind, message)
 *     weft:loop_waits(loop)              weft:loop_woke(loop, events)
 *
 * Without <sys/sdt.h> they are nothing, but their arguments are still checked. */
#ifndef WEFT_CORE_PROBE_H
#define WEFT_CORE_PROBE_H

#ifdef HAVE_SDT
#include <sys/sdt.h>
#ifdef __clang__ /* its pedantry minds what systemtap's macros leave out */
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif
#define WEFT__PROBE(name, a) DTRACE_PROBE1(weft, name, a)
#define WEFT__PROBE2(name, a, b) DTRACE_PROBE2(weft, name, a, b)
#else
#define WEFT__PROBE(name, a) ((void)sizeof(a))
#define WEFT__PROBE2(name, a, b) ((void)sizeof(a), (void)sizeof(b))
#endif

#endif
