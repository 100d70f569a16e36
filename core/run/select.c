/* SPDX-License-Identifier: MIT
 * Which backend a loop runs on: a name, or what the environment says, or the first that works. */
#include "core/base/error.h"
#include "core/poll/poll.h"
#include "core/sched/loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A setuid program does not listen to its caller's environment. */
static const char *environment(const char *name)
{
#ifdef HAVE_SECURE_GETENV
    const char *value = secure_getenv(name);
#else
    const char *value = issetugid() ? NULL : getenv(name);
#endif

    return value && *value ? value : NULL;
}

/* The names there are, for people: "epoll, poll, sim". */
static const char *names(char *text, size_t size)
{
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; weft__backends_builtin[i] && n < size; i++) {
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? ", " : "",
                              weft__backends_builtin[i]->name);
    }
    return text;
}

/* A backend by "name" or "name:options". */
static int open_named(const char *wanted, const char *origin, struct weft__loop **ret_loop)
{
    const char *colon = strchr(wanted, ':');
    size_t length = colon ? (size_t)(colon - wanted) : strlen(wanted);
    char list[128];

    for (size_t i = 0; weft__backends_builtin[i]; i++) {
        const weft_backend *backend = weft__backends_builtin[i];

        if (strlen(backend->name) == length && memcmp(backend->name, wanted, length) == 0) {
            return weft__loop_open(backend, colon ? colon + 1 : "", ret_loop);
        }
    }
    return weft__detail(-ENOENT, "no backend is called '%.*s' (from %s); built in are %s",
                        (int)length, wanted, origin, names(list, sizeof list));
}

/* The first that works; one that needs nothing real has to be asked for. */
static int open_first(struct weft__loop **ret_loop)
{
    int r = -ENOENT;

    for (size_t i = 0; weft__backends_builtin[i]; i++) {
        const weft_backend *backend = weft__backends_builtin[i];

        if (backend->ops->caps & WEFT_BACKEND_VIRTUAL) {
            continue;
        }
        r = weft__loop_open(backend, "", ret_loop);
        if (r != -ENOSYS && r != -EPERM) {
            return r;
        }
    }
    return r;
}

int weft_loop_new(const char *backend, weft_loop **ret_loop)
{
    const char *wanted = backend ? backend : environment("WEFT_BACKEND");
    struct weft__loop *loop;
    int r;

    if (!ret_loop) {
        return -EINVAL;
    }
    weft_error_clear();
    if (wanted) {
        r = open_named(wanted, backend ? "the program" : "WEFT_BACKEND", &loop);
    } else {
        r = open_first(&loop);
    }
    if (r < 0) {
        return r;
    }
    wanted = environment("WEFT_DEBUG");
    loop->debug = wanted && strcmp(wanted, "0") != 0;
    *ret_loop = weft__loop_handle(loop);
    return 0;
}
