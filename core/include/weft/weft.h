/* SPDX-License-Identifier: MIT
 * weft: asyncio for C.  Includes every public header but backend.h, backends.h and plugin.h,
 * which are for those who write or list what is loaded. */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <weft/address.h>
#include <weft/attach.h>
#include <weft/await.h>
#include <weft/barrier.h>
#include <weft/broadcast.h>
#include <weft/buffer.h>
#include <weft/cancel.h>
#include <weft/common.h>
#include <weft/connect.h>
#include <weft/context.h>
#include <weft/condition.h>
#include <weft/copy.h>
#include <weft/coro.h>
#include <weft/debug.h>
#include <weft/dir.h>
#include <weft/dns.h>
#include <weft/datagram.h>
#include <weft/datagram_transport.h>
#include <weft/error.h>
#include <weft/executor.h>
#include <weft/event.h>
#include <weft/file.h>
#include <weft/future.h>
#include <weft/gather.h>
#include <weft/group.h>
#include <weft/guard.h>
#include <weft/hooks.h>
#include <weft/inline.h>
#include <weft/io.h>
#include <weft/limiter.h>
#include <weft/listener.h>
#include <weft/lines.h>
#include <weft/lock.h>
#include <weft/loop.h>
#include <weft/notify.h>
#include <weft/metrics.h>
#include <weft/path.h>
#include <weft/process.h>
#include <weft/process_pool.h>
#include <weft/queue.h>
#include <weft/record.h>
#include <weft/report.h>
#include <weft/run.h>
#include <weft/rwlock.h>
#include <weft/scope.h>
#include <weft/serve.h>
#include <weft/server.h>
#include <weft/signal.h>
#include <weft/select.h>
#include <weft/semaphore.h>
#include <weft/stream.h>
#include <weft/task.h>
#include <weft/temp.h>
#include <weft/thread.h>
#include <weft/thread_queue.h>
#include <weft/ticker.h>
#include <weft/transport.h>
#include <weft/waitq.h>
#include <weft/watch.h>
#include <weft/whole_file.h>

#endif
