/* SPDX-License-Identifier: MIT
 * The plugin "resolver": names by c-ares, on the loop and without threads.
 *
 *     WEFT_PLUGINS=resolver
 *     WEFT_PLUGINS=resolver:server=192.0.2.53,server=[2001:db8::53]:5300,timeout=0.5,tries=2
 *
 * /etc/hosts and /etc/resolv.conf are read for each query.  Of nsswitch.conf c-ares understands
 * "files" and "dns". */
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One option, "key=value" of `length` bytes. */
static int read_option(struct resolver *resolver, const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    size_t key = equals ? (size_t)(equals - text) : length, used = strlen(resolver->servers);
    char value[128];

    if (!equals || length - key - 1 >= sizeof value || length - key - 1 == 0) {
        return -EINVAL;
    }
    memcpy(value, equals + 1, length - key - 1);
    value[length - key - 1] = '\0';
    if (key == 6 && memcmp(text, "server", key) == 0) {
        if (used + strlen(value) + 2 > sizeof resolver->servers) {
            return -EINVAL;
        }
        strcat(strcat(resolver->servers, used ? "," : ""), value);
        return 0;
    }
    if (key == 7 && memcmp(text, "timeout", key) == 0) {
        char *end;
        double seconds = strtod(value, &end);

        resolver->timeout_ms =
            *end == '\0' && seconds >= 0.001 && seconds <= 3600 ? (int)(seconds * 1000) : -EINVAL;
        return resolver->timeout_ms < 0 ? -EINVAL : 0;
    }
    if (key == 5 && memcmp(text, "tries", key) == 0) {
        char *end;
        long tries = strtol(value, &end, 10);

        resolver->tries = *end == '\0' && tries >= 1 && tries <= 100 ? (int)tries : -EINVAL;
        return resolver->tries < 0 ? -EINVAL : 0;
    }
    return -EINVAL;
}

static int read_options(struct resolver *resolver, const char *options)
{
    while (*options) {
        size_t length = strcspn(options, ",");

        if (read_option(resolver, options, length) < 0) {
            resolver->core->detail("the resolver takes server=ADDRESS, timeout=SECONDS and "
                                   "tries=NUMBER, not '%.*s'",
                                   (int)length, options);
            return -EINVAL;
        }
        options += length + (options[length] == ',');
    }
    return 0;
}

/* Whether a channel can be made like that. */
static int try_channel(const struct resolver *resolver)
{
    ares_channel channel;
    int r = resolver_channel(resolver, NULL, NULL, &channel);

    if (r == 0) {
        ares_destroy(channel);
    } else if (*resolver->servers) {
        resolver->core->detail("the resolver cannot use the servers '%s'", resolver->servers);
        r = r == -ENOMEM ? r : -EINVAL;
    }
    return r;
}

static int open_resolver(const weft_plugin_core *core, const char *options, void **ret_self)
{
    struct resolver *resolver = core->alloc(NULL, sizeof *resolver);
    int r;

    if (!resolver) {
        return -ENOMEM;
    }
    memset(resolver, 0, sizeof *resolver);
    resolver->core = core;
    r = read_options(resolver, options);
    if (r == 0) {
        r = resolver_error(ares_library_init(ARES_LIB_INIT_ALL));
        r = r < 0 ? r : try_channel(resolver);
        if (r < 0) {
            ares_library_cleanup();
        }
    }
    if (r < 0) {
        core->alloc(resolver, 0);
        return r;
    }
    *ret_self = resolver;
    return 0;
}

static void close_resolver(void *self)
{
    struct resolver *resolver = self;

    ares_library_cleanup();
    resolver->core->alloc(resolver, 0);
}

static const char *library(void)
{
    return ares_version(NULL);
}

static const weft_resolver table = {
    .size = sizeof table,
    .begin = resolver_begin,
    .cancel = resolver_cancel,
    .ask = resolver_ask,
};

WEFT_PLUGIN(resolver) = {
    .magic = WEFT_PLUGIN_MAGIC,
    .abi = WEFT_PLUGIN_ABI,
    .size = sizeof(weft_plugin),
    .kind = WEFT_PLUGIN_RESOLVER,
    .name = "resolver",
    .summary = "names to addresses by c-ares, on the loop",
    .needs = "c-ares",
    .table = &table,
    .open = open_resolver,
    .close = close_resolver,
    .core_size = sizeof(weft_plugin_core),
    .version = WEFT_VERSION,
    .library = library,
};
