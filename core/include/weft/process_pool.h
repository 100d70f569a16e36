/* SPDX-License-Identifier: MIT
 * Process pools: work that needs a processor, or is not to be trusted, in processes of its own.
 *
 *     static int factors(const void *request, size_t size, weft_buffer *reply, void *arg) { ... }
 *
 *     int main(void)
 *     {
 *         if (weft_process_pool_is_worker()) {
 *             return weft_process_pool_serve(factors, NULL) < 0;
 *         }
 *         return weft_main(amain(), NULL);
 *     }
 *
 *     weft_process_pool_new(NULL, &pool);                               in amain()
 *     r = weft_process_pool_call(pool, &number, sizeof number, &reply);
 *
 * A request is bytes, and so is the reply: nothing is shared, so a worker that crashes, leaks or
 * runs wild harms nobody, and can be killed, which a thread cannot.  Where that is not needed
 * weft_to_thread() is simpler and faster.
 *
 * A worker is this program, run again, or another one (weft_process_pool_options.argv).  It begins
 * when there is a call and no idle worker, does one request after the other, and is started anew
 * for the next call when it has died.
 *
 * A pool belongs to the loop that runs in the thread which made it. */
#ifndef WEFT_PROCESS_POOL_H
#define WEFT_PROCESS_POOL_H

#include <weft/buffer.h>
#include <weft/process.h>

WEFT_BEGIN_DECLS

typedef struct weft_process_pool weft_process_pool;

/** All zero, or a NULL pointer to one, for the defaults.  Copied, but what its pointers lead to
 *  stays yours, and must stay as long as the pool. */
typedef struct weft_process_pool_options {
    unsigned max_workers;         /* 0: as many as CPUs that the process may use */
    unsigned max_tasks_per_child; /* requests that a worker does before it is replaced; 0: any */
    size_t max_reply;             /* bytes; 0: 64 MiB */
    const char *const *argv;      /* the worker; NULL: this program, with its name alone, which
                                     OpenBSD cannot run (-EOPNOTSUPP) */
    const weft_process_options *process; /* how it is started (but for pass_fds); or NULL */
    void *reserved[4];            /* zero */
} weft_process_pool_options;

/** Makes a pool; no worker begins before the first call.
 *
 *  options   may be NULL.
 *  ret_pool  yours, to be given back by weft_process_pool_free(); untouched on error.
 *
 *  Returns 0, -ENOMEM, -EINVAL, -EPERM no loop runs in this thread, -ECHILD; -EDEADLK this process
 *  is a worker that does not serve: main() has to ask weft_process_pool_is_worker() first.  Not a
 *  cancellation point.  Source: concurrent.futures.ProcessPoolExecutor. */
WEFT_API WEFT_MUST_USE int weft_process_pool_new(const weft_process_pool_options *options,
                                                 weft_process_pool **ret_pool);

/** Has a worker do a request, and waits for its reply; calls are served in the order of coming.
 *
 *  request    `size` bytes; borrowed.
 *  ret_reply  what the worker replies, added at its end; NULL: is thrown away.  Untouched on error.
 *
 *  A cancel, or a deadline around the call, takes a request back that no worker has yet, and kills
 *  the worker that has it.
 *
 *  Returns what the handler in the worker returned (a negative errno comes without a reply);
 *  -ECANCELED; -EPIPE the worker has died, with words that say how; -EMSGSIZE the reply is longer
 *  than the limit (the worker is replaced); -EPROTO the worker does not serve; -ESHUTDOWN the pool
 *  is shut down or was freed; what weft_create_subprocess_exec() says; -EPERM outside a task,
 *  -EXDEV, -EBADF the loop is closed, -EINVAL, -ENOMEM.  A cancellation point.  Cost: two system
 *  calls and two switches between processes, and the bytes twice through the kernel.
 *  Source: loop.run_in_executor(). */
WEFT_API int weft_process_pool_call(weft_process_pool *pool, const void *request, size_t size,
                                    weft_buffer *ret_reply);

/** Takes no more calls, waits until those that are there have ended, and for the workers' end: they
 *  have five seconds for it, once they have nothing to do, before they are killed.  None of them is
 *  left then.
 *
 *  Returns 0, also when it was shut down before; -ECANCELED the task is cancelled: then the calls
 *  go on, but no new ones are taken; -EPERM outside a task, -EXDEV, -EBADF the loop is closed,
 *  -ECHILD, -EINVAL.  A cancellation point.  Source: Executor.shutdown(). */
WEFT_API int weft_process_pool_shutdown(weft_process_pool *pool);

/** Gives a pool back.  Workers are killed, and calls that wait for one get -ESHUTDOWN.
 *
 *  Returns 0, also for NULL; -EXDEV, -ECHILD.  Not a cancellation point. */
WEFT_API int weft_process_pool_free(weft_process_pool *pool);

/** What a worker does with a request.
 *
 *  request  `size` bytes; valid during the call.
 *  reply    empty; what is added goes back.
 *
 *  >= 0, or a negative errno without a reply: what weft_process_pool_call() returns.  It runs
 *  outside of any loop, and may run one. */
typedef int weft_process_pool_handler(const void *request, size_t size, weft_buffer *reply,
                                      void *arg);

/** Whether this process was started by a pool as a worker.  Any thread; not a cancellation
 *  point. */
WEFT_API bool weft_process_pool_is_worker(void);

/** Does requests, in a worker, until the pool wants no more.  Ctrl-C is ignored meanwhile: it is
 *  for the pool's process, which ends its workers.
 *
 *  Returns 0; -EPERM this is no worker, -EINVAL, -ENOMEM, or what kept it from reading or writing:
 *  then the process should end.  Blocks the thread; outside of any loop. */
WEFT_API int weft_process_pool_serve(weft_process_pool_handler *handler, void *arg);

WEFT_END_DECLS

#endif
