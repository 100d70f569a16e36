/* SPDX-License-Identifier: MIT
 * weft_tls_new(): finds the plugin, and tells it the options in its own words. */
#include "core/base/error.h"
#include "core/io/filter.h"

#include <stdio.h>
#include <stdlib.h>

/* Adds `key=value` to a text, with what stands for itself in it escaped. */
static void add(FILE *text, const char *key, const char *value)
{
    if (!value) {
        return;
    }
    fprintf(text, "%s%s=", ftell(text) > 0 ? "," : "", key);
    for (; *value; value++) {
        if (*value == ',' || *value == '\\') {
            fputc('\\', text);
        }
        fputc(*value, text);
    }
}

static int write_options(const weft_tls_options *options, char **ret_text)
{
    size_t size = 0;
    int r = weft__fault();
    FILE *text = r < 0 ? NULL : open_memstream(ret_text, &size);

    if (!text) {
        return -ENOMEM;
    }
    add(text, "certificate", options->certificate);
    add(text, "key", options->key);
    add(text, "authorities", options->authorities);
    add(text, "protocols", options->protocols);
    add(text, "trust", options->trust_anybody ? "anybody" : NULL);
    add(text, "clients", options->ask_clients ? "ask" : NULL);
    add(text, "minimum", options->minimum == 13 ? "13" : NULL);
    if (fclose(text)) {
        free(*ret_text);
        return -ENOMEM;
    }
    return 0;
}

static int check(const weft_tls_options *options)
{
    if (options->minimum && options->minimum != 12 && options->minimum != 13) {
        return weft__detail(-EINVAL, "the oldest version is 12 or 13, and not %d",
                            options->minimum);
    }
    if (options->key && !options->certificate) {
        return weft__detail(-EINVAL, "a key without a certificate");
    }
    if (options->ask_clients && !options->authorities) { /* the system's vouch for all the world */
        return weft__detail(-EINVAL, "clients are asked, and no authorities are named");
    }
    return 0;
}

int weft_tls_new(const weft_tls_options *options, weft_tls **ret_tls)
{
    static const weft_tls_options defaults;
    const weft_plugin *plugin;
    struct weft__tls *tls;
    void *self = NULL;
    char *text = NULL;
    int r;

    options = options ? options : &defaults;
    if (!ret_tls) {
        return -EINVAL;
    }
    weft_error_clear();
    r = check(options);
    r = r < 0 ? r :
                weft_plugin_find(options->plugin ? options->plugin : "tls", WEFT_PLUGIN_FILTER,
                                 &plugin);
    r = r < 0 ? r : write_options(options, &text);
    if (r < 0) {
        return r;
    }
    r = weft_plugin_open(plugin, text, &self);
    free(text);
    r = r < 0 ? r : weft__tls_new(plugin, self, &tls);
    if (r == -ENOMEM && self && plugin->close) {
        plugin->close(self);
    }
    if (r == 0) {
        *ret_tls = (weft_tls *)tls->handle;
    }
    return r;
}
