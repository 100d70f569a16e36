/* SPDX-License-Identifier: MIT
 * Which backend a loop runs on: what the program says, or the environment, or the configuration, or
 * the first of those that are compiled in which works. */
#include "core/base/error.h"
#include "core/poll/poll.h"
#include "core/run/config.h"
#include "core/run/item.h"
#include "core/run/plugin.h"
#include "core/sched/loop.h"

#include <string.h>
#include <weft/attach.h>

#define HOST (WEFT_BACKEND_DIRECT | WEFT_BACKEND_GUEST)

/* The mode that an item asks for, or the backend's own. */
static int choose_mode(const weft_backend *backend, struct weft__item_text *item,
                       struct weft__text *why)
{
    uint32_t caps = backend->ops->caps;
    bool can = item->mode == WEFT_BACKEND_MODE_GUEST ? caps & WEFT_BACKEND_GUEST :
                                                       !(caps & HOST) || caps & WEFT_BACKEND_DIRECT;

    if (item->mode && !can) {
        weft__text_add(why, "has no %s mode",
                       item->mode == WEFT_BACKEND_MODE_GUEST ? "guest" : "direct");
        return -EINVAL;
    }
    if (!item->mode) {
        item->mode = WEFT_BACKEND_MODE_DIRECT;
        if (caps & WEFT_BACKEND_GUEST &&
            (caps & WEFT_BACKEND_GUEST_FIRST || !(caps & WEFT_BACKEND_DIRECT))) {
            item->mode = WEFT_BACKEND_MODE_GUEST;
        }
    }
    return 0;
}

static int open_backend(const weft_backend *backend, struct weft__item_text *item,
                        struct weft__text *why, struct weft__loop **ret_loop)
{
    weft_backend_request request = { .options = item->options, .adopt = item->adopt };
    char reason[256] = "";
    int r = choose_mode(backend, item, why);

    if (r == 0 && item->adopt && !(backend->ops->caps & WEFT_BACKEND_ADOPT)) {
        weft__text_add(why, "is no loop to live in");
        r = -EOPNOTSUPP;
    }
    if (r < 0) {
        return r;
    }
    request.mode = item->mode;
    weft_error_clear();
    r = weft__loop_open(backend, &request, ret_loop);
    if (r >= 0) {
        return 0;
    }
    if (*weft_error_detail()) {
        weft__text_add(why, "%s", weft_error_detail());
    } else if (backend->probe && backend->probe(reason, sizeof reason) < 0) {
        weft__text_add(why, "does not work here: %s", reason);
    } else {
        weft__text_add(why, "could not be opened: %s", weft_strerror(r));
    }
    return r;
}

/* The errors of what is not there, for which the next of a list is tried. */
static bool is_unavailable(int r)
{
    return r == -ENOENT || r == -ELIBACC || r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP;
}

/* The backends of a list, one after the other, until one works. */
static int open_list(const char *list, const char *origin, void *adopt,
                     struct weft__loop **ret_loop)
{
    struct weft__text why = { .used = 0 };
    const weft_backend *backend;
    struct weft__item_text item;
    int r;

    do {
        r = weft__item_take(&list, origin, &item, &why);
        if (r < 0) {
            if (r == -ENOENT) {
                weft__text_add(&why, " of a backend; ");
                weft__backend_names(&why);
            }
            break;
        }
        if (adopt && *list) {
            return weft__detail(-EINVAL, "one host's loop is of one kind, not of a list of them");
        }
        item.adopt = adopt;
        weft__text_add(&why, "%sthe backend '%s' (from %s): ", why.used ? "; " : "", item.name,
                       origin);
        r = weft__backend_find(item.name, &why, &backend);
        r = r < 0 ? r : open_backend(backend, &item, &why, ret_loop);
    } while (*list && is_unavailable(r) && !adopt);
    return r < 0 ? weft__detail(r, "%s", why.at) : 0;
}

bool weft__is_automatic(const weft_backend *backend)
{
    return !(backend->ops->caps & (WEFT_BACKEND_VIRTUAL | HOST));
}

/* The first that works. */
static int open_first(struct weft__loop **ret_loop)
{
    struct weft__text why = { .used = 0 };
    int r = -ENOENT;

    for (size_t i = 0; weft__backends_builtin[i]; i++) {
        const weft_backend *backend = weft__backends_builtin[i];
        struct weft__item_text item = { .mode = 0 };

        if (!weft__is_automatic(backend)) {
            continue;
        }
        weft__text_add(&why, "%sthe backend '%s': ", why.used ? "; " : "", backend->name);
        r = open_backend(backend, &item, &why, ret_loop);
        if (!is_unavailable(r)) {
            break;
        }
    }
    return r < 0 ? weft__detail(r, "%s", why.at) : 0;
}

const char *weft__default(const struct weft__config *config, char *origin, size_t size)
{
    const char *value = weft__environment("WEFT_BACKEND");

    if (value) {
        (void)snprintf(origin, size, "WEFT_BACKEND");
        return value;
    }
    if (config->backend_line) {
        (void)snprintf(origin, size, "%s:%d", config->path, config->backend_line);
        return config->backend;
    }
    return NULL;
}

/* Switches debug mode on where the environment or the configuration want it. */
static int start_debug(struct weft__loop *loop, const struct weft__config *config)
{
    const char *words = weft__environment("WEFT_DEBUG");
    char origin[sizeof config->path + 16] = "WEFT_DEBUG";

    if (!words) {
        words = config->debug;
        (void)snprintf(origin, sizeof origin, "%s:%d", config->path, config->debug_line);
    }
    return *words ? weft__hooks.observe(loop, words, origin) : 0;
}

/* A loop on the backend that is named, here or elsewhere; in `adopt` unless that is NULL. */
static int make_loop(const char *backend, void *adopt, weft_loop **ret_loop)
{
    struct weft__config config;
    struct weft__text why = { .used = 0 };
    char origin[sizeof config.path + 16] = "the program";
    const char *list = backend;
    struct weft__loop *loop;
    int r;

    weft_error_clear();
    r = weft__config_read(&config, &why);
    r = r < 0 ? r : weft__plugins_start(&config, &why);
    if (r < 0) {
        return weft__detail(r, "%s", why.at);
    }
    if (!list) {
        list = weft__default(&config, origin, sizeof origin);
    }
    r = list ? open_list(list, origin, adopt, &loop) : open_first(&loop);
    if (r < 0) {
        return r;
    }
    r = start_debug(loop, &config);
    if (r < 0) {
        struct weft__kept_words words = weft__words_keep();

        (void)weft__loop_shut(loop);
        weft__words_give_back(&words);
        return r;
    }
    *ret_loop = weft__loop_handle(loop);
    return 0;
}

int weft_loop_new(const char *backend, weft_loop **ret_loop)
{
    return ret_loop ? make_loop(backend, NULL, ret_loop) : -EINVAL;
}

int weft_loop_attach(const char *backend, void *host_loop, weft_loop **ret_loop)
{
    return backend && host_loop && ret_loop ? make_loop(backend, host_loop, ret_loop) : -EINVAL;
}
