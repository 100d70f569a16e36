/* SPDX-License-Identifier: MIT
 * Which backends there are: for tools and for programs that let people choose.
 *
 * Naming one is enough to use it, see weft_loop_new().  What is loaded here stays loaded. */
#ifndef WEFT_BACKENDS_H
#define WEFT_BACKENDS_H

#include <weft/backend.h>

WEFT_BEGIN_DECLS

/** What weft_backend_list() tells of one; all of it lives during the call. */
typedef struct weft_backend_info {
    size_t size;                 /* sizeof, as the library was built */
    const char *name;
    const char *path;            /* its file; NULL: it is part of the library */
    const weft_backend *backend; /* lives as long as the process; NULL: it could not be loaded */
    int usable;                  /* what its probe says: 0 or a negative errno; or why not loaded */
    const char *why;             /* the words for that; "" when it is usable */
} weft_backend_info;

/** Calls `each` for every backend: those that are part of the library, then the files of the plugin
 *  directories, which it loads, in the order in which a name would be looked for; one that is
 *  hidden by an earlier one of its name is left out.
 *
 *  arg  handed to `each`, which returns 0 to go on and anything else to end it.
 *
 *  Returns what `each` returned last, 0, -EINVAL no `each`.  Any thread.  Cost: opens every
 *  plugin. */
WEFT_API int weft_backend_list(int (*each)(const weft_backend_info *info, void *arg), void *arg);

/** Finds a backend by its name, as weft_loop_new() does.
 *
 *  ret_backend  lives as long as the process; untouched on error.
 *
 *  Returns 0, -EINVAL, or -ENOENT, -ELIBACC, -ELIBBAD, -EACCES as weft_loop_new(), each with its
 *  words in weft_error_detail().  Any thread. */
WEFT_API int weft_backend_find(const char *name, const weft_backend **ret_backend);

/** Loads a backend from a file of the program's own choice; from then on it has the name that its
 *  file says.
 *
 *  path         "/DIRECTORY/weft-backend-NAME.so"
 *  ret_backend  as above; may be NULL.
 *
 *  Returns 0, -EINVAL not such a path, -EEXIST there is one of that name, and as
 *  weft_backend_find(). */
WEFT_API int weft_backend_load(const char *path, const weft_backend **ret_backend);

/** Tells what decides on the backend of a loop for which the program names none.
 *
 *  list    receives the list of names, cut off if it finds no room.
 *  origin  receives who says so: "WEFT_BACKEND", "/etc/weft/weft.conf:3", or "the library".
 *
 *  Returns 0, -EINVAL, or the error that weft.conf makes, with its words. */
WEFT_API int weft_backend_default(char *list, size_t list_size, char *origin, size_t origin_size);

WEFT_END_DECLS

#endif
