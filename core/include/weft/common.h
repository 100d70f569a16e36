/* SPDX-License-Identifier: MIT
 * What every public header needs: the platforms, the version, the attributes. */
#ifndef WEFT_COMMON_H
#define WEFT_COMMON_H

#if defined(__wasm__) || defined(__EMSCRIPTEN__) || defined(__wasi__)
#error "weft does not run on WebAssembly: a task needs a machine stack of its own."
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of these headers; weft_version() tells that of the library that runs. */
#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
#define WEFT_VERSION "0.1.0"

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#define WEFT_MUST_USE __attribute__((warn_unused_result))
#define WEFT_PRINTF(words, first) __attribute__((__format__(__printf__, words, first)))
#define WEFT_UNUSED __attribute__((unused))
#else
#define WEFT_API
#define WEFT_MUST_USE
#define WEFT_PRINTF(words, first)
#define WEFT_UNUSED
#endif

#ifdef __cplusplus
#define WEFT_BEGIN_DECLS extern "C" {
#define WEFT_END_DECLS }
#else
#define WEFT_BEGIN_DECLS
#define WEFT_END_DECLS
#endif

WEFT_BEGIN_DECLS

typedef struct weft_loop weft_loop;     /* an event loop                     <weft/loop.h>   */
typedef struct weft_handle weft_handle; /* a callback that was scheduled     <weft/loop.h>   */
typedef struct weft_coro weft_coro;     /* a call that has not begun         <weft/coro.h>   */
typedef struct weft_task weft_task;     /* a call that runs by itself        <weft/task.h>   */
typedef struct weft_future weft_future; /* a result that is not there yet    <weft/future.h> */
typedef struct weft_context weft_context; /* what context variables are      <weft/context.h> */
typedef struct weft_tls weft_tls;       /* certificates and rules of TLS     <weft/tls.h>    */

/** What a loop calls: `arg` is what was given together with the function.
 *
 *  Runs on the loop's thread and must not block; it is no task: calls that wait return -EPERM. */
typedef void weft_callback(void *arg);

/** Returns the version of the library as "major.minor.patch".  Any thread; static text. */
WEFT_API const char *weft_version(void);

WEFT_END_DECLS

#endif
