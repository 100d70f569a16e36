/* SPDX-License-Identifier: MIT
 * The plugin "tls": TLS by OpenSSL.  Its context: certificates, keys, whom to trust. */
#include "tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>

int tls_error(const struct tls *tls, const char *what, int otherwise)
{
    unsigned long error = ERR_peek_last_error(), first = ERR_peek_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    int r = otherwise;

    if (ERR_GET_LIB(first) == ERR_LIB_SYS) { /* a file that could not be opened */
        reason = strerror(ERR_GET_REASON(first));
        r = -ERR_GET_REASON(first);
    } else if (ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE) {
        r = -ENOMEM;
    }
    tls->core->detail("%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return r;
}

/* The same about a file. */
static int file_error(const struct tls *tls, const char *what, const char *path)
{
    char text[512];

    snprintf(text, sizeof text, "%s %s", what, path);
    return tls_error(tls, text, -EBADMSG);
}

/* OpenSSL would ask at the terminal, and wait. */
static int no_password(char *text, int size, int writes, void *user)
{
    (void)text;
    (void)size;
    (void)writes;
    (void)user;
    return -1;
}

static int load_own(const struct tls *tls)
{
    const struct options *o = &tls->options;
    const char *key = o->key ? o->key : o->certificate;

    if (!o->certificate) {
        return 0;
    }
    SSL_CTX_set_default_passwd_cb(tls->context, no_password);
    if (SSL_CTX_use_certificate_chain_file(tls->context, o->certificate) != 1) {
        return file_error(tls, "the certificate", o->certificate);
    }
    if (SSL_CTX_use_PrivateKey_file(tls->context, key, SSL_FILETYPE_PEM) != 1) {
        return file_error(tls, "the key", key);
    }
    return 0;
}

static int load_authorities(const struct tls *tls)
{
    const char *path = tls->options.authorities;
    struct stat is;

    if (!path) {
        return SSL_CTX_set_default_verify_paths(tls->context) == 1 ?
                   0 :
                   tls_error(tls, "the system's authorities", -EBADMSG);
    }
    if (stat(path, &is) < 0) {
        int r = -errno;

        tls->core->detail("the authorities %s: %s", path, strerror(-r));
        return r;
    }
    if (SSL_CTX_load_verify_locations(tls->context, S_ISDIR(is.st_mode) ? NULL : path,
                                      S_ISDIR(is.st_mode) ? path : NULL) != 1) {
        return file_error(tls, "the authorities", path);
    }
    if (tls->options.ask_clients && !S_ISDIR(is.st_mode)) { /* clients are told whose are wanted */
        SSL_CTX_set_client_CA_list(tls->context, SSL_load_client_CA_file(path));
    }
    return 0;
}

/* A server takes the first of its own protocols that the client has, too; else none is named. */
static int choose_protocol(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_length,
                           const unsigned char *offered, unsigned int size, void *self)
{
    const struct tls *tls = self;
    unsigned char *name;

    (void)ssl;
    if (SSL_select_next_proto(&name, ret_length, (const unsigned char *)tls->options.protocols,
                              (unsigned)tls->options.protocols_size, offered,
                              size) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static int set_protocols(struct tls *tls)
{
    const struct options *o = &tls->options;

    if (!o->protocols) {
        return 0;
    }
    if (SSL_CTX_set_alpn_protos(tls->context, (const unsigned char *)o->protocols,
                                (unsigned)o->protocols_size) != 0) { /* 0 is success here */
        return -ENOMEM;
    }
    SSL_CTX_set_alpn_select_cb(tls->context, choose_protocol, tls);
    return 0;
}

/* The oldest version that is spoken: the system may ask for a newer one than we do. */
static int oldest(const struct tls *tls)
{
    int wanted = tls->options.minimum == 13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    int systems = (int)SSL_CTX_get_min_proto_version(tls->context);

    return systems > wanted ? systems : wanted;
}

static int set_rules(const struct tls *tls)
{
    static const unsigned char name[] = "weft"; /* of the sessions of clients that are asked */
    SSL_CTX *context = tls->context;

    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_num_tickets(context, 0); /* who closes without having read them would lose bytes */
    if (SSL_CTX_set_min_proto_version(context, oldest(tls)) != 1 ||
        SSL_CTX_set_session_id_context(context, name, sizeof name - 1) != 1) {
        return -ENOMEM;
    }
    return 0;
}

static int make_context(struct tls *tls)
{
    int r;

    ERR_clear_error();
    tls->context = SSL_CTX_new(TLS_method());
    if (!tls->context) {
        return tls_error(tls, "OpenSSL", -ENOMEM);
    }
    r = set_rules(tls);
    r = r < 0 ? r : load_own(tls);
    r = r < 0 ? r : load_authorities(tls);
    r = r < 0 ? r : set_protocols(tls);
    if (r < 0) {
        SSL_CTX_free(tls->context);
    }
    return r;
}

static int open_tls(const weft_plugin_core *core, const char *options, void **ret_self)
{
    struct tls *tls = core->alloc(NULL, sizeof *tls);
    int r;

    if (!tls) {
        return -ENOMEM;
    }
    tls->core = core;
    r = tls_read_options(core, options, &tls->options);
    if (r == 0) {
        r = make_context(tls);
        if (r < 0) {
            tls_free_options(core, &tls->options);
        }
    }
    if (r < 0) {
        core->alloc(tls, 0);
        return r;
    }
    *ret_self = tls;
    return 0;
}

static void close_tls(void *self)
{
    struct tls *tls = self;

    SSL_CTX_free(tls->context);
    tls_free_options(tls->core, &tls->options);
    tls->core->alloc(tls, 0);
}

static const char *library(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

WEFT_PLUGIN(tls) = {
    .magic = WEFT_PLUGIN_MAGIC,
    .abi = WEFT_PLUGIN_ABI,
    .size = sizeof(weft_plugin),
    .kind = WEFT_PLUGIN_FILTER,
    .name = "tls",
    .summary = "TLS on streams, by OpenSSL",
    .needs = "OpenSSL >= 1.1.1",
    .table = &tls_filter,
    .open = open_tls,
    .close = close_tls,
    .version = WEFT_VERSION,
    .library = library,
};
