/* SPDX-License-Identifier: MIT
 * Backends by name: those that are compiled in, and those that are files of the plugin directories.
 *
 * A file is opened because its name was asked for, never because it is there; once open it stays
 * for the life of the process. */
#ifndef WEFT_CORE_LOAD_H
#define WEFT_CORE_LOAD_H

#include "core/run/text.h"

#include <errno.h>
#include <weft/backend.h>

/* Linux tells a library that is missing from one that is broken. */
#ifndef ELIBACC
#define ELIBACC ENOENT
#endif
#ifndef ELIBBAD
#define ELIBBAD ENOEXEC
#endif

#define WEFT__NAME_MAX 32 /* bytes of a backend's or plugin's name */

/* The environment, save where the program has rights that its caller has not; NULL for nothing. */
const char *weft__environment(const char *name);

/* Whether it is [a-z0-9_]{1,32}. */
bool weft__is_name(const char *text, size_t length);

/* The backend called `name`, which is well-formed.  On failure adds to `why` where it was looked
 * for and what was wrong.
 *   -ENOENT   there is none in any directory
 *   -ELIBACC  there is, and a library that it needs is not there, or the dynamic linker refused
 *   -ELIBBAD  it is no backend for this library, or another one
 *   -EACCES   others than root may write to it, and we are root */
int weft__backend_find(const char *name, struct weft__text *why, const weft_backend **ret_backend);

/* Adds "compiled in are epoll, poll, sim". */
void weft__backend_names(struct weft__text *why);

/* Opens one file, /DIR/weft-backend-NAME.so, which from now on is the backend NAME. */
int weft__backend_load(const char *path, struct weft__text *why, const weft_backend **ret_backend);

/* Where the file lies that `name` leads to; false: nowhere, or it is compiled in. */
bool weft__backend_where(const char *name, char *path, size_t size);

/* In select.c: what weft_loop_new() goes by when the program names nothing, and who says so; NULL:
 * nobody does, and the first that is_automatic is taken (a foreign loop, or time that is not
 * real, has to be asked for). */
struct weft__config;
const char *weft__default(const struct weft__config *config, char *origin, size_t size);
bool weft__is_automatic(const weft_backend *backend);

/* Forgets what was loaded, which stays in memory: only for a test that counts bytes and has no
 * loop. */
void weft__backends_forget(void);

#endif
