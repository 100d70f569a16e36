/* SPDX-License-Identifier: MIT
 * Which backends are compiled in: those of the build option `builtin_backends`, which the build
 * hands over as WEFT__BUILTIN, one WEFT__EACH(name) after the other. */
#include "core/poll/poll.h"

/* Hidden although their files export them: those can be built as plugins too, and a program that
 * loads such a plugin must find the plugin's own. */
#define WEFT__EACH(id) WEFT__HIDDEN extern const weft_backend weft_backend_##id;
WEFT__BUILTIN
#undef WEFT__EACH

const weft_backend *const weft__backends_builtin[] = {
#define WEFT__EACH(id) &weft_backend_##id,
    WEFT__BUILTIN NULL,
#undef WEFT__EACH
};
