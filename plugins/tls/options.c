/* SPDX-License-Identifier: MIT
 * The options of the plugin "tls", as weft_tls_new() writes them. */
#include "tls.h"

#include <errno.h>
#include <string.h>

/* Copies one value, up to a comma or the end, without its backslashes; moves *text behind it. */
static char *copy_value(const weft_plugin_core *core, const char **text)
{
    char *value = core->alloc(NULL, strlen(*text) + 1), *to = value;

    if (!value) {
        return NULL;
    }
    for (; **text && **text != ','; (*text)++) {
        if (**text == '\\' && (*text)[1]) {
            (*text)++;
        }
        *to++ = **text;
    }
    *to = '\0';
    *text += **text == ',';
    return value;
}

/* "h2,http/1.1" becomes what the wire has for it, in place and a byte longer: 2 h2 8 http/1.1. */
static int encode_protocols(const weft_plugin_core *core, struct options *options)
{
    const char *names = options->protocols;
    size_t size = strlen(names), at = 0;
    char *wire = core->alloc(NULL, size + 1);

    if (!wire) {
        return -ENOMEM;
    }
    for (const char *name = names; at <= size; name += strcspn(name, ",") + 1) {
        size_t length = strcspn(name, ",");

        if (length < 1 || length > 255) {
            core->alloc(wire, 0);
            core->detail("'%s' is no list of protocols with commas in between", names);
            return -EINVAL;
        }
        wire[at] = (char)length;
        memcpy(wire + at + 1, name, length);
        at += length + 1;
    }
    core->alloc(options->protocols, 0);
    options->protocols = wire;
    options->protocols_size = at;
    return 0;
}

/* One of two values, or it is wrong. */
static int is_value(const char *value, const char *expected, bool *ret_is)
{
    *ret_is = strcmp(value, expected) == 0;
    return *ret_is ? 0 : -EINVAL;
}

/* Takes `value` where it is a string that stays. */
static int take(struct options *options, const char *key, char **value)
{
    char **place = strcmp(key, "certificate") == 0 ? &options->certificate :
                   strcmp(key, "key") == 0         ? &options->key :
                   strcmp(key, "authorities") == 0 ? &options->authorities :
                   strcmp(key, "protocols") == 0   ? &options->protocols :
                                                     NULL;

    if (place && !*place) {
        *place = *value;
        *value = NULL;
        return 0;
    }
    if (strcmp(key, "trust") == 0) {
        return is_value(*value, "anybody", &options->trust_anybody);
    }
    if (strcmp(key, "clients") == 0) {
        return is_value(*value, "ask", &options->ask_clients);
    }
    if (strcmp(key, "minimum") == 0 && (strcmp(*value, "12") == 0 || strcmp(*value, "13") == 0)) {
        options->minimum = (*value)[1] - '0' + 10;
        return 0;
    }
    return -EINVAL;
}

static int read_option(const weft_plugin_core *core, const char **text, struct options *options)
{
    size_t length = strcspn(*text, "=,");
    char key[16] = "", *value;
    int r;

    if ((*text)[length] != '=' || length >= sizeof key) {
        return -EINVAL;
    }
    memcpy(key, *text, length);
    *text += length + 1;
    value = copy_value(core, text);
    r = value ? take(options, key, &value) : -ENOMEM;
    core->alloc(value, 0);
    return r;
}

int tls_read_options(const weft_plugin_core *core, const char *text, struct options *ret_options)
{
    struct options options = { .minimum = 0 };
    int r = 0;

    while (*text && r == 0) {
        const char *begin = text;

        r = read_option(core, &text, &options);
        if (r == -EINVAL) {
            core->detail("TLS has no option '%.*s'", (int)strcspn(begin, ","), begin);
        }
    }
    if (r == 0 && options.protocols) {
        r = encode_protocols(core, &options);
    }
    if (r < 0) {
        tls_free_options(core, &options);
        return r;
    }
    *ret_options = options;
    return 0;
}

void tls_free_options(const weft_plugin_core *core, struct options *options)
{
    core->alloc(options->certificate, 0);
    core->alloc(options->key, 0);
    core->alloc(options->authorities, 0);
    core->alloc(options->protocols, 0);
}
