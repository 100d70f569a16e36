/* SPDX-License-Identifier: MIT
 * Serving on all cores: a loop in each of several threads, begun and ended together.
 *
 *     WEFT_ASYNC(serve, (weft_worker *, worker))
 *     {
 *         int fd, r = weft_worker_listen(worker, "0.0.0.0", 7777, NULL, &fd);
 *         ... serves at fd, a socket of this thread's own, until it is cancelled ...
 *     }
 *     int main(void) { return weft_serve_threads(0, serve, NULL, NULL) < 0; }
 *
 * Each thread runs its own loop with its own tasks: nothing is shared, nothing needs a lock, and no
 * task moves.  The kernel spreads new connections over the threads' sockets (SO_REUSEPORT).  What
 * threads have to tell each other goes through a weft_thread_queue, or
 * weft_run_coroutine_threadsafe().
 *
 * They end together: when the program is sent SIGINT or SIGTERM, when weft_worker_stop() is called,
 * or when one of the mains fails, the mains of all are cancelled.  Each then ends as in weft_run():
 * its other tasks are cancelled, awaited with a limit, and its loop is closed. */
#ifndef WEFT_SERVE_H
#define WEFT_SERVE_H

#include <weft/listener.h>
#include <weft/run.h>

WEFT_BEGIN_DECLS

/** One of the threads. */
typedef struct weft_worker weft_worker;

/** Makes the main coroutine of a thread, in that thread: a function that WEFT_ASYNC has defined. */
typedef weft_coro *weft_worker_main(weft_worker *worker);

/** How to serve; all zero, or a NULL pointer to one, for the defaults. */
typedef struct weft_serve_options {
    const char *backend; /* of every loop: a name for weft_loop_new(); NULL: its choice */
    const char *name;    /* of the threads, 10 bytes and a number: "serve_0"; NULL: "serve" */
    int debug;           /* as in weft_run_options, and so are the next four */
    size_t stack_size;
    double shutdown_timeout;
    double executor_timeout;
    int sigint;  /* whether Ctrl-C stops all: 0 and 1 yes, -1 no */
    int sigterm; /* whether SIGTERM does: 0 and 1 yes, -1 no */
    double stop_timeout; /* seconds for a main to end after it was cancelled; 0: 30, INFINITY: as
                            long as it needs, < 0: none */
    int *ret_statuses;   /* of all threads, by their numbers: what their mains returned, or what
                            kept them from running; NULL: nobody asks */
    void *reserved[6];   /* zero */
} weft_serve_options;

/** Runs a main coroutine in each of several threads, and returns when all have ended.
 *
 *  threads  how many; 0: as many as the CPUs that the process may use; at most 1024.
 *  main     is called once in each thread; one whose main returns 0 or more is done, and the others
 *           go on.
 *  arg      for weft_worker_arg().
 *
 *  This thread waits meanwhile, in a loop of its own, and takes the signals: the first one stops
 *  all, a second one ends the process, as in weft_run().  A main that has not ended at
 *  .stop_timeout is reported and left behind with its thread, and so is all that it uses.
 *
 *  Returns 0 all have ended well, or were stopped by weft_worker_stop(); -EINTR a signal stopped
 *  them; the status of the first main that failed (others that fail after it are reported); -EAGAIN
 *  a thread could not be made (those that were are stopped), -ETIMEDOUT one was left behind; what
 *  weft_loop_new() returns; -EBUSY a loop runs in this thread, -ENOMEM, -EINVAL.
 *  Any thread.  Cost: one thread and one loop each.  Source: what programs make of threading and
 *  asyncio.run(), or of several processes. */
WEFT_API int weft_serve_threads(unsigned threads, weft_worker_main *main, void *arg,
                                const weft_serve_options *options);

/** Asks all threads to stop: their mains are cancelled.  Again: nothing.
 *  Returns 0, -EINVAL.  Any thread, as long as weft_serve_threads() has not returned. */
WEFT_API int weft_worker_stop(weft_worker *worker);

/** Whether they were asked to.  Any thread. */
WEFT_API bool weft_worker_stopping(const weft_worker *worker);

/** Returns the thread's number, from 0. */
WEFT_API unsigned weft_worker_index(const weft_worker *worker);

/** Returns how many threads there are. */
WEFT_API unsigned weft_worker_count(const weft_worker *worker);

/** Returns what weft_serve_threads() was given. */
WEFT_API void *weft_worker_arg(const weft_worker *worker);

/** Opens this thread's socket at an address that all threads listen at.
 *
 *  host     numeric, "@name" or a path; NULL: any IPv6 and IPv4 address, through one socket.
 *  port     0: any that is free, the same for all threads that ask with the same host.
 *  options  .backlog, .keep_alive, .mode and .no_reuse_address count; may be NULL.
 *  ret_fd   non-blocking; yours, for weft_loop_create_server_from_fd() and the like.
 *
 *  With SO_REUSEPORT each thread gets a socket of its own, and with it its share of the
 *  connections; where the system has none, and for Unix sockets, all get duplicates of one.  A Unix
 *  socket's file is removed when all have ended.
 *
 *  Returns 0, -EADDRINUSE and the like, with the address in weft_error_detail(); -EINVAL not
 *  numeric, -EMFILE, -ENOMEM.  The worker's thread.  Does not wait. */
WEFT_API WEFT_MUST_USE int weft_worker_listen(weft_worker *worker, const char *host, int port,
                                              const weft_listener_options *options, int *ret_fd);

WEFT_END_DECLS

#endif
