/* SPDX-License-Identifier: MIT
 * Files that are loaded into the process: whether they may be, and where they are looked for.
 * Backends and plugins go through here. */
#ifndef WEFT_CORE_OPEN_H
#define WEFT_CORE_OPEN_H

#include "core/run/load.h"

#define WEFT__PATH_MAX 4096

/* Opens a file for good and finds the object `symbol` in it.  -ENOENT no such file, -EACCES it is
 * not safe, -ELIBACC the dynamic linker refuses it, -ELIBBAD it has no such symbol; `why`
 * gets the path and the reason. */
int weft__file_open(const char *path, const char *symbol, struct weft__text *why,
                    const void **ret_symbol);

/* Whether this process can load files: one that is linked statically with musl cannot. */
bool weft__loads_files(void);

/* Calls try() for each directory of the list in the environment variable (absolute ones; the
 * others are named in `why`), then for the one of the installation, until it returns something
 * else than -ENOENT; returns that, or -ENOENT. */
int weft__each_directory(const char *variable, const char *installed, struct weft__text *why,
                         int (*try)(const char *directory, void *arg), void *arg);

#endif
