/* SPDX-License-Identifier: MIT
 * What this program is called, and where its file is. */
#ifndef WEFT_CORE_PROGRAM_H
#define WEFT_CORE_PROGRAM_H

#include "core/base/base.h"

/* Its name, without a folder. */
const char *weft__program_name(void);

/* A name by which its file can be run, in `path` or static; NULL: the system does not tell. */
const char *weft__program_file(char *path, size_t size);

#endif
