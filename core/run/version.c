/* SPDX-License-Identifier: MIT
 * The version of the library that runs. */
#include <weft/common.h>

const char *weft_version(void)
{
    return WEFT_VERSION;
}
