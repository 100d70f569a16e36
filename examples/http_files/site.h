/* SPDX-License-Identifier: MIT
 * The files below one directory, by the paths of requests. */
#ifndef HTTP_FILES_SITE_H
#define HTTP_FILES_SITE_H

#include <stdbool.h>
#include <stddef.h>

/* Opens what a path names.  There is nothing outside of `root`: a name that begins with a dot (and
 * with it "..", however it is encoded) is not there, and symbolic links are not followed.
 *
 *  path      begins with '/'; percent-encoded.
 *  ret_name  which name the file has at last, for site_type(); `size` bytes.
 *
 * Returns a descriptor of a file or directory; -ENOENT, -EACCES, -EINVAL no such path can be ... */
int site_open(int root, const char *path, char *ret_name, size_t size);

/* Tells the media type by the name. */
const char *site_type(const char *name);

/* Makes a page of HTML that lists a directory.  Returns 0, and the page for free(); or an error. */
int site_list(int dir, char **ret_page, size_t *ret_size);

#endif
