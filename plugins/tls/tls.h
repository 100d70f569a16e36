/* SPDX-License-Identifier: MIT
 * The plugin "tls": a stream filter by OpenSSL.
 *
 * OpenSSL sees no descriptor: a pair of memory BIOs stands for the wire, and the library carries
 * their bytes. */
#ifndef PLUGINS_TLS_H
#define PLUGINS_TLS_H

#include <weft/plugin.h>

#include <openssl/ssl.h>

/* What weft_tls_new() was told; each string of core->alloc(), or NULL. */
struct options {
    char *certificate, *key, *authorities;
    char *protocols; /* as they go over the wire: each behind its length */
    size_t protocols_size;
    bool trust_anybody, ask_clients;
    int minimum; /* 12, 13; 0 */
};

/* The plugin, as it was opened: one set of certificates and rules. */
struct tls {
    const weft_plugin_core *core;
    struct options options;
    SSL_CTX *context;
};

/* In options.c: reads options out of their text, with words for an error; frees them. */
int tls_read_options(const weft_plugin_core *core, const char *text, struct options *ret_options);
void tls_free_options(const weft_plugin_core *core, struct options *options);

/* In context.c: the error of the last call of OpenSSL, with its words behind `what`; `otherwise`
 * where it says nothing better. */
int tls_error(const struct tls *tls, const char *what, int otherwise);

/* In stream.c. */
extern const weft_filter tls_filter;

#endif
