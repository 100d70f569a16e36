/* SPDX-License-Identifier: MIT
 * Who is at the other end of a Unix socket. */
#ifndef WEFT_CORE_CREDENTIALS_H
#define WEFT_CORE_CREDENTIALS_H

#include <weft/stream.h>

/* Who connected or listened, at that moment: 0, or a negative errno. */
int weft__credentials_of(int fd, weft_credentials *ret_credentials);

#endif
